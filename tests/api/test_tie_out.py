"""The tie-out behind a running server: everything agrees, and a fault planted in any of the four is named with its customer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.auth import Scope
from projections.models.runner import Runner, projecting_pool
from projections.twin import building, fleet, ranges
from tests.api.serving import Shop, code_of, event, fresh, grant, redemption

RANGE = 8


@pytest.fixture
def trading(own_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three customers, most of whose records are sealed; the read models have folded everything."""
    for module in (building, ranges, fleet):
        monkeypatch.setattr(module, "RANGE", RANGE)
    monkeypatch.setattr(own_shop.service.app.state.analyst.desk.on_duckdb, "_twin", tmp_path)
    own_shop.twin = tmp_path / own_shop.program
    own_shop.names = [fresh("c") for _ in range(3)]
    for number, name in enumerate(own_shop.names):
        order = fresh("SO")
        bought = {"order_id": order, "currency": "CNY", "total": 1_000 + number, "lines": None}
        refunded = {"refund_id": fresh("RF"), "order_id": order, "amount": 300}
        for posted in (
            event("purchase.recorded", name, {k: v for k, v in bought.items() if v}, time="2026-01-02T10:00:00+08:00"),
            event("purchase.refunded", name, refunded, time="2026-01-03T10:00:00+08:00"),
            grant(name, 40),
            redemption(name, 5),
        ):
            assert own_shop.post(posted).status_code == 201
    caught_up(own_shop)
    return own_shop


def caught_up(shop: Shop) -> None:
    async def work() -> None:
        async with projecting_pool(shop.service.database.service_url) as pool:
            await Runner(pool).catch_up()

    asyncio.run(work())


def tied(shop: Shop, **query: Any) -> dict[str, Any]:
    answer = shop.client.get(f"/v1/programs/{shop.program}/tie-out", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def plant(shop: Shop, statement: str, **values: object) -> None:
    with psycopg.connect(shop.service.database.superuser_url) as connection:
        assert connection.execute(statement, values).rowcount == 1


def table_of(shop: Shop, model: str) -> str:
    statement = "SELECT build FROM read_models.live JOIN logs USING (log_id) WHERE program = %s AND model = %s"
    with psycopg.connect(shop.service.database.superuser_url) as connection:
        (build,) = connection.execute(statement, [shop.program, model]).fetchone() or (None,)
    return f"read_models.{model}_{build}"


def test_all_sides_agree_with_the_fold_to_the_last_point_and_cent(trading: Shop):
    found = tied(trading)
    assert (found["holds"], found["differences"], found["next"]) == (True, [], None)
    assert found["counts"] == {"customers": 3, "records": 12, "differing": 0, "heads_of_another_fold": 0}
    assert found["sides"] == dict.fromkeys(("heads", "customers", "orders", "twin"), 13)
    assert found["sealed_through"] == 8
    sums = {(row["side"], row["figure"]): row["found"] for row in found["sums"]}
    assert all(row["difference"] == 0 for row in found["sums"])
    assert sums["orders", "gross:CNY"] == sums["twin", "gross:CNY"] == sums["customers", "gross:CNY"] == 3_003
    assert sums["orders", "undone:CNY"] == sums["twin", "refunded:CNY"] == 900
    assert len({sums[side, "balance:points"] for side in ("heads", "customers", "twin")}) == 1


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize(
    "query", [{"known_at": "6"}, {"known_at": "0"}, {"as_of": "2026-01-02"}, {"as_of": "1999-01-01"}]
)
def test_at_other_cut_offs_too(trading: Shop, query: dict[str, str]):
    assert tied(trading, **query)["holds"]


@pytest.mark.slow
def test_a_read_model_that_lags_is_compared_where_it_stands(trading: Shop):
    assert trading.post(grant(trading.names[0], 7)).status_code == 201
    found = tied(trading)
    assert found["holds"]
    assert (found["sides"]["customers"], found["sides"]["heads"], found["sides"]["twin"]) == (13, 14, 14)


@pytest.mark.slow
def test_a_range_of_customers_at_a_time(trading: Shop):
    seen, after = 0, {}
    for _ in range(3):
        page = tied(trading, limit=1, **after)
        assert page["counts"]["customers"] == 1
        seen, after = seen + page["counts"]["records"], {"after": page["next"]}
    assert seen == 12
    last = tied(trading, **after) if page["next"] else page
    assert (last["next"], last["holds"]) == (None, True)


def test_a_fault_in_a_head_is_named(trading: Shop):
    name = trading.names[1]
    plant(
        trading,
        "UPDATE streams SET state = jsonb_set(state::jsonb, '{3,0}', '2')::json WHERE customer_id = %(name)s",
        name=name,
    )
    found = tied(trading)
    assert named(found) == {(name, "heads", "orders", 1, 2)}
    assert found["counts"]["differing"] == 1


@pytest.mark.parametrize(
    ("model", "column", "figure"),
    [("customers", "points", "balance:points"), ("customers", "net", "net:CNY"), ("orders", "gross", "gross:CNY")],
)
def test_a_fault_in_a_row_of_a_read_model_is_named(trading: Shop, model: str, column: str, figure: str):
    name, table = trading.names[2], table_of(trading, model)
    plant(trading, f"UPDATE {table} SET {column} = {column} + 1 WHERE customer = %(name)s", name=name)
    found = named(tied(trading))
    assert {(one[0], one[1]) for one in found} == {(name, model)}
    (wrong,) = [one for one in found if one[2] == figure]
    assert wrong[4] == wrong[3] + 1


@pytest.mark.slow
def test_rows_that_are_missing_or_too_many_are_named(trading: Shop):
    table = table_of(trading, "customers")
    plant(trading, f"UPDATE {table} SET customer = 'ghost' WHERE customer = %(name)s", name=trading.names[0])
    found = {(one["customer"], one["figure"], one["found"]) for one in tied(trading)["differences"]}
    assert found == {("ghost", "records", None), (trading.names[0], "records", 0)}


@pytest.mark.slow
def test_a_fault_in_a_file_of_the_twin_is_named(trading: Shop):
    """A whole, well-formed file whose size stands in the manifest: only its content is wrong."""
    import duckdb  # noqa: PLC0415

    tied(trading)
    trading.service.app.state.analyst.desk.close()
    directory = trading.twin / ranges.name_of(1)
    file, name = directory / "orders.parquet", trading.names[0]
    changed = f"SELECT * REPLACE (CASE customer WHEN '{name}' THEN total + 1 ELSE total END AS total) FROM '{file}'"
    duckdb.sql(f"COPY ({changed}) TO '{file}.new' (FORMAT parquet)")
    Path(f"{file}.new").replace(file)
    manifest = json.loads((directory / ranges.MANIFEST).read_text())
    manifest["files"]["orders"] = ranges.fingerprint(file)
    (directory / ranges.MANIFEST).write_text(json.dumps(manifest))
    assert named(tied(trading)) == {(name, "twin", "gross:CNY", 1_000, 1_001)}


@pytest.mark.slow
def test_a_fault_in_a_record_is_named_by_everything_that_was_derived_before(trading: Shop):
    """The twin's sealed part, the head and both read models still say what the record said."""
    tied(trading)
    name = trading.names[0]
    plant(
        trading,
        """UPDATE events SET record = replace(record::text, '"total":1000', '"total":1001')::json
        WHERE type = 'purchase.recorded' AND record::text LIKE %(like)s""",
        like=f'%"subject":"{name}"%',
    )
    found = named(tied(trading))
    assert {one[1] for one in found} == {"heads", "customers", "orders", "twin"}
    assert {one[0] for one in found} == {name}
    assert (name, "twin", "gross:CNY", 1_001, 1_000) in found


@pytest.mark.slow
def test_a_record_that_cannot_be_folded_is_named(trading: Shop):
    name = trading.names[1]
    plant(
        trading,
        """UPDATE events SET record = replace(record::text, '"version":3', '"version":7')::json
        WHERE version = 3 AND record::text LIKE %(like)s""",
        like=f'%"subject":"{name}"%',
    )
    (difference,) = tied(trading)["differences"]
    assert (difference["customer"], difference["side"], difference["figure"]) == (name, "streams", "fold")
    assert "cannot be folded" in difference["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("query", [{"after": "x"}, {"limit": "0"}, {"colour": "red"}, {"as_of": "soon"}])
def test_what_is_malformed_is_refused(trading: Shop, query: dict[str, str]):
    answer = trading.client.get(f"/v1/programs/{trading.program}/tie-out", params=query)
    assert answer.status_code == 400


def test_a_key_that_reads_customers_may_not_ask(trading: Shop):
    client = trading.service.client(trading.service.key(Scope.READ))
    answer = client.get(f"/v1/programs/{trading.program}/tie-out")
    assert (answer.status_code, code_of(answer)) == (403, "forbidden")


def named(found: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {
        (one["customer"], one["side"], one["figure"], one["expected"], one["found"]) for one in found["differences"]
    }
