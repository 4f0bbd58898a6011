"""Logs written by other versions, kept for ever: they are read, and give the account they gave when they were written.

`schema-1.ndjson` names the lots and debts of a posting as an object, `schema-2.ndjson` as a list of pairs. Both tell the same
story of one customer: a sign-up, a balance taken over, orders with a line handed over at once, a delivery in part, spending,
giving back, refunds, an expiry and its reversal, debts and their payment, an event dated ahead. A file here is never changed;
the next schema adds one.
"""

import hashlib
from pathlib import Path

import orjson
import pytest

from ledger import account as accounts
from ledger.errors import StreamUnreadable
from ledger.history import Timeline
from ledger.instants import parse
from ledger.records import SCHEMA, TYPES, Record, leaf_hash, upcast
from tests.given import lot_text
from tests.properties.invariants import check_records, without_zeros

HERE = Path(__file__).parent
SCHEMAS = sorted(int(path.stem.partition("-")[2]) for path in HERE.glob("schema-*.ndjson"))
STATED = {
    "2026-01-26T01:59:59Z": {"points": 134, "growth": 900},
    "2026-01-27T02:00:00Z": {"points": 37, "growth": 900},
    "2026-02-28T15:59:59Z": {"points": 62, "growth": 900},
    "2026-03-01T00:00:00Z": {"points": 32, "growth": 900},
    "2026-03-03T02:00:00Z": {"points": -50, "points:debt": 50, "growth": 900},
    "2026-03-04T02:02:00Z": {"points": 70, "growth": 900},
    "2026-03-07T02:00:00Z": {"points": 206, "growth": 900},
    "2026-04-04T02:00:00Z": {"points": 79, "growth": 900},
    "2026-04-30T16:00:00Z": {"points": 0, "growth": 900},
}
"""What a reader sees at an instant, whatever schema the log was written in."""

LOTS = [
    "17.4 97/100 until 2026-04-04T02:00",
    "17.1 4/4 until 2026-04-04T02:00",
    "17.2 2/2 until 2026-04-04T02:00",
    "17.3 24/24 until 2026-04-04T02:00",
    "16.1 70/120 until 2026-04-30T16:00",
    "19.1 9/9 until 2026-04-30T16:00",
    "growth 2.2 900/900",
]
DIGESTS = {
    1: "af15a5fad3c56bcbded46db6f8aece49669f48bcecb556d58e801d1f32b85b7c",
    2: "f12c7e07ebe0ea50d219dc759b8476fc036f6393358d911163e073086173b7ba",
}


def lines_of(schema):
    return (HERE / f"schema-{schema}.ndjson").read_bytes().splitlines()


def records_of(schema):
    return [Record.from_bytes(line) for line in lines_of(schema)]


def test_there_is_a_log_of_every_schema_there_ever_was():
    assert list(range(1, SCHEMA + 1)) == SCHEMAS


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_file_is_the_one_that_was_written(schema):
    assert hashlib.sha256((HERE / f"schema-{schema}.ndjson").read_bytes()).hexdigest() == DIGESTS[schema]
    assert {orjson.loads(line)["schema"] for line in lines_of(schema)} == {schema}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_its_chain_is_of_the_bytes_as_they_are_stored(schema):
    """Planted: the hash of the record as it would be written today."""
    lines = lines_of(schema)
    wanted = [None, *(leaf_hash(line).hex() for line in lines[:-1])]
    assert [record.prev for record in records_of(schema)] == wanted


@pytest.mark.parametrize("schema", SCHEMAS)
def test_it_gives_the_account_it_gave(schema):
    """Planted: the upcast of schema 1 left out for debts."""
    records = records_of(schema)
    account = accounts.fold(records)
    assert [lot_text(lot) for lot in sorted(account.lots.values(), key=accounts.order_of_consumption)] == LOTS
    assert not account.debts
    assert (account.totals.orders, account.totals.refunds) == (43, 3)
    assert (account.totals.gross, account.totals.net) == ({"CNY": 534988}, {"CNY": 523300})
    assert [record.balances for record in records][-1] == {"points": 206, "growth": 900}
    check_records(records)


@pytest.mark.parametrize("as_of", STATED)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_at_every_instant_a_reader_sees_what_is_stated(schema, as_of):
    seen = accounts.lapsed(accounts.fold(records_of(schema), parse(as_of)), parse(as_of))
    assert without_zeros(seen.balances()) == without_zeros(STATED[as_of])


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_decision_can_be_taken_on_its_history(schema):
    timeline = Timeline(records_of(schema))
    assert timeline.redemptions["R-1"].left == {"1.1": 0, "3.1": 0, "3.3": 0, "4.1": 0, "4.2": 0, "2.1": 0}
    assert {order: found.amount_left for order, found in timeline.orders.items()} == {
        "purchase:shop:SO-1": 0,
        "purchase:shop:SO-2": 0,
    }


def test_written_again_the_present_schema_is_the_same_bytes():
    """Planted: a key moved, an instant written with a fraction of zeros, an empty `notes` written out."""
    for line, record in zip(lines_of(SCHEMA), records_of(SCHEMA), strict=True):
        assert record.to_bytes() == line
        assert Record.from_bytes(record.to_bytes()).to_bytes() == line


def test_an_older_log_written_again_is_the_present_schema():
    for record, present in zip(records_of(1), records_of(SCHEMA), strict=True):
        written = orjson.loads(record.to_bytes())
        assert written["schema"] == SCHEMA
        assert written["postings"] == orjson.loads(present.to_bytes())["postings"]


FAMILIES = ("customer.signed_up", "account.opened_from", "purchase.", "order.", "points.")
CAME_LATER = {"points.transferred"}


def test_every_type_of_a_customers_stream_it_was_written_for_is_in_it():
    there_were = {kind for kind in TYPES if kind.startswith(FAMILIES)} - CAME_LATER
    assert {record.type for record in records_of(SCHEMA)} == there_were


@pytest.mark.parametrize(
    "changed", [{"schema": SCHEMA + 1}, {"schema": 0}, {"type": "points.imagined"}], ids=["newer", "unknown", "type"]
)
def test_what_we_do_not_know_is_never_skipped(changed):
    shown = orjson.loads(lines_of(SCHEMA)[0]) | changed
    with pytest.raises(StreamUnreadable):
        Record.from_bytes(orjson.dumps(shown))


def test_upcasting_leaves_its_input_alone():
    shown = orjson.loads(lines_of(1)[4])
    before = orjson.dumps(shown)
    assert upcast(shown)["schema"] == SCHEMA
    assert orjson.dumps(shown) == before
