"""A mapping says what it means, or is refused with the key and the reason."""

import re
from pathlib import Path

import orjson
import pytest

from api.documents import read_yaml
from api.importing.mapping import TESTS, Columns, Mapping, MappingError, parse_mapping, read_mapping, shipped_or_file
from api.importing.mappings import read_any
from api.importing.points_mapping import Members, PointsColumns, PointsMapping
from ledger.rules import read_document

ROOT = Path(__file__).parents[2]
LEAST = """
source: /import/shop
currency: EUR
time_zone: Europe/Berlin
columns: {customer: who, order: order, time: at, sku: sku, quantity: n, amount: money}
"""


def test_the_least_mapping_names_its_columns_and_takes_the_defaults():
    mapping = parse_mapping(LEAST.encode(), "map.yaml")
    assert mapping.columns_read == ("who", "order", "at", "sku", "n", "money")
    assert (mapping.decimals, mapping.rounding, mapping.open_orders) == (3, "half_up", 1000)


def test_columns_of_conditions_and_attributes_are_read_once_each():
    more = "cancellation: {column: order, starts_with: C}\nleave_out: [{column: why, equals: x, reason: r}]\nattributes: {land: c}"
    assert parse_mapping((LEAST + more).encode(), "map.yaml").columns_read[-3:] == ("money", "why", "c")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("a: [", "map.yaml is not YAML"),
        ("just text", "map.yaml"),
        (LEAST.replace("currency: EUR", "currency: euro"), "currency: "),
        (LEAST.replace("Europe/Berlin", "Europe/Berlim"), "time_zone: 'Europe/Berlim' is not a known zone"),
        (LEAST.replace("amount: money", "line: l"), "columns: give either unit_price or amount"),
        (LEAST.replace("amount: money", "amount: a, unit_price: p"), "columns: give either unit_price or amount"),
        (LEAST.replace("amount: money", "amount: a, store: s"), "columns: store and channel come together"),
        (LEAST.replace("/import/shop", "ledger:shop"), "source: sources beginning 'ledger:' are the ledger's own"),
        (LEAST + "colour: red", "colour: Extra inputs are not permitted"),
        (LEAST + "leave_out: [{column: n, reason: r}]", "leave_out.0: give exactly one of empty, equals"),
        (LEAST + "leave_out: [{column: n, empty: true, below: 1, reason: r}]", "leave_out.0: give exactly one of"),
        (LEAST + "leave_out: [{column: n, matches: '(', reason: r}]", "leave_out.0: matches: "),
        (LEAST + "leave_out: [{column: n, empty: true}]", "leave_out.0.reason: Field required"),
    ],
)
def test_a_mapping_that_will_not_do_is_refused_in_one_line(written, reason):
    with pytest.raises(MappingError) as refused:
        parse_mapping(written.encode(), "map.yaml")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_says_which_mappings_ship_with_the_ledger():
    with pytest.raises(MappingError, match=r"there is no file nowhere\.yaml.*online_retail\.yaml"):
        read_mapping(Path("nowhere.yaml"))


@pytest.mark.parametrize("name", ["online_retail", "online_retail.yaml"])
def test_a_shipped_mapping_is_found_by_its_name(name):
    assert read_mapping(Path(name)).source == "/import/online-retail"


def test_a_file_of_that_name_goes_before_the_shipped_one(tmp_path, monkeypatch):
    (tmp_path / "online_retail.yaml").write_text(LEAST)
    monkeypatch.chdir(tmp_path)
    assert read_mapping(Path("online_retail.yaml")).source == "/import/shop"


def test_the_shipped_rules_are_a_rules_document():
    document = read_document(read_yaml(shipped_or_file(Path("online_retail_rules"))))
    assert document.program.time_zone == "Europe/London"
    assert [rule.id for rule in document.earning] == ["base"]


def test_the_mapping_the_document_shows_is_one_as_it_stands():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "IMPORT.md").read_text(), re.DOTALL)
    mapping = parse_mapping("".join(blocks).encode(), "IMPORT.md")
    assert mapping.cancellation is not None
    assert [out.reason for out in mapping.leave_out] == ["no customer", "nothing bought"]


def test_the_document_describes_every_key_of_a_mapping():
    text = (ROOT / "docs" / "IMPORT.md").read_text()
    shown = {*Mapping.model_fields, *Columns.model_fields, *TESTS}
    shown |= {*PointsMapping.model_fields, *PointsColumns.model_fields, *Members.model_fields}
    assert not {key for key in shown if not re.search(rf"`{key}`|^ *{key}:|`{key}: ", text, re.MULTILINE)}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"kind": "balances"}, "kind: 'balances' is none of orders, points"),
        ({"points_scale": 5}, "points_scale"),
        ({"cutover_at": "2017-01-01T00:00:00"}, "cutover_at"),
        ({"columns": {"customer": "c", "earned": "e", "redeemed": "r"}}, "give either time or month"),
        ({"reason": "purchase"}, "reason"),
        ({"opening": "guessed"}, "opening"),
        ({"source": "ledger:due"}, "the ledger's own"),
    ],
)
def test_a_mapping_of_points_that_means_nothing_is_named(tmp_path, changed, named):
    document = {**read_yaml(shipped_or_file(Path("airline"))), **changed}
    path = tmp_path / "map.yaml"
    path.write_bytes(orjson.dumps(document, default=str))
    with pytest.raises(MappingError, match=re.escape(named)):
        read_any(path)
