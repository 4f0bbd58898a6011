"""One stream: what its records must be, each broken once while the chain and the columns are kept right."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from ledger.checking_streams import Course, Differs, StoredRow, StreamCheck, reference_of
from ledger.errors import InvariantBroken
from ledger.instants import DAY, to_datetime
from ledger.records import Record, customer_stream_id, leaf_hash, reference_key, source_key
from tests.builders import (
    CUSTOMER,
    PROGRAM,
    Event,
    MemoryLedger,
    at,
    earns,
    granted,
    line,
    purchase,
    redeemed,
    refunded,
    rules,
)

STORY = [
    purchase("SO-1", 20_000, "2026-01-04", lines=[line(1, 15_000), line(2, 5_000)]),
    redeemed("RD-1", 120, "2026-01-06"),
    granted(10, "2026-01-05"),
    refunded("SO-1", 5_000, "2026-01-07"),
]


def told(*story: Event) -> list[Record]:
    ledger = MemoryLedger(rules(earns(), expiry={"kind": "end_of_month", "n": 12}), now=at("2026-02-01"))
    for number, event in enumerate(story):
        ledger.post(replace(event, id=str(number)))
    return [Record.from_bytes(record.to_bytes()) for record in ledger.records]


def rows_of(records: list[Record]) -> list[StoredRow]:
    """The records as they stand in the log, chained anew."""
    rows, prev = [], None
    for position, record in enumerate(records, start=1):
        record.prev = prev
        body = record.to_bytes()
        prev = leaf_hash(body).hex()
        reference = reference_of(record, "program")
        rows.append(
            StoredRow(
                position,
                customer_stream_id(PROGRAM, CUSTOMER),
                record.version,
                source_key(record.source, record.id),
                None if reference is None else reference_key(reference),
                record.type,
                to_datetime(record.time),
                to_datetime(record.recorded_at),
                body.decode(),
            )
        )
    return rows


def check(records: list[Record]) -> StreamCheck:
    stream = StreamCheck(PROGRAM, "program", customer_stream_id(PROGRAM, CUSTOMER))
    for row in rows_of(records):
        stream.check(row)
    return stream


def posting(record: Record, place: int = 0, **changes: object) -> None:
    """Change a posting of a record."""
    postings = list(record.postings)
    postings[place] = postings[place]._replace(**changes)
    record.postings = tuple(postings)


def test_a_stream_as_it_was_decided_is_as_it_must_be():
    stream = check(told(*STORY))
    assert stream.book.balances() == stream.account.balances() == {"points": 40}


@pytest.mark.parametrize(
    ("broken", "what", "detail"),
    [
        (lambda r: posting(r[1], amount=119), "posting", "it moves 119, what it names adds up to another amount"),
        (lambda r: posting(r[1], lots=()), "posting", "it takes from the customer and names no lot"),
        (lambda r: posting(r[0], lot=None), "posting", "it gives to the customer and names no lot"),
        (lambda r: posting(r[1], lots=(("9.1", 120),)), "lot", "9.1 was never opened"),
        (lambda r: posting(r[2], lot="1.1"), "lot", "1.1 is opened twice"),
        (lambda r: posting(r[1], at=at("2026-01-03")), "lot", "before it was opened"),
        (lambda r: posting(r[1], at=at("2026-02-02")), "posting", "after it was recorded"),
        (lambda r: posting(r[1], amount=220, lots=(("1.1", 220),)), "lot", "lot 1.1 would hold -20 of 200"),
        (
            lambda r: r[1].balances.update(points=81),
            "balances in the record",
            "is {'points': 81}, must be {'points': 80}",
        ),
        (lambda r: setattr(r[1], "version", 7), "version", "is 7, must be 2"),
        (lambda r: setattr(r[1], "subject", "c-9"), "subject", "is c-9, must be c-1"),
        (lambda r: setattr(r[0], "subject", "c-9"), "stream_id", "must be"),
        (lambda r: setattr(r[0], "program", "other"), "program in the record", "is other"),
    ],
)
def test_a_record_that_breaks_a_promise_is_found(broken: Callable[[list[Record]], None], what: str, detail: str):
    records = told(*STORY)
    broken(records)
    with pytest.raises(Differs) as found:
        check(records)
    assert found.value.what == what
    assert detail in found.value.detail


def test_a_record_the_fold_cannot_take_is_an_invariant_broken(monkeypatch):
    monkeypatch.setattr("ledger.checking_streams.Book.enter", lambda *_: None)
    monkeypatch.setattr("ledger.checking_streams.Book.balances", lambda _: {"points": 80})
    records = told(*STORY)[1:2]
    records[0].version = 1
    with pytest.raises(InvariantBroken):
        check(records)


def test_the_bytes_of_no_record_differ():
    row = rows_of(told(*STORY))[0]._replace(record='{"schema":2,"type":"points.granted"}')
    with pytest.raises(Differs, match="its bytes are no record"):
        StreamCheck(PROGRAM, "program", row.stream_id).check(row)


def test_a_stream_of_another_customer_is_not_this_one():
    row = rows_of(told(*STORY))[0]._replace(stream_id=uuid4())
    with pytest.raises(Differs, match="stream_id"):
        StreamCheck(PROGRAM, "program", row.stream_id).check(row)


def test_a_lot_that_is_whole_at_the_end_but_was_overdrawn_in_between_is_found():
    """Lot 100 at day 0, −100 at day 2, +100 at day 4; then −50 at day 3, when nothing was left."""
    course = Course(100, 0, 100, 0)
    course.move("lot", 2 * DAY, -100)
    course.move("lot", 4 * DAY, 100)
    with pytest.raises(Differs, match="would hold -50 of 100"):
        course.move("lot", 3 * DAY, -50)


def test_a_late_move_that_leaves_enough_at_every_instant_is_right():
    course = Course(100, 0, 100, 0)
    course.move("lot", 2 * DAY, -60)
    course.move("lot", 1 * DAY, -40)
    assert course.level == 0


@pytest.mark.parametrize(
    ("scope", "reference"),
    [("program", "purchase:shop:SO-1"), ("source", "purchase:/till:SO-1"), ("store", "purchase::SO-1")],
)
def test_the_reference_of_an_order_names_the_scope_the_program_was_made_with(scope, reference):
    assert reference_of(told(*STORY)[0], scope) == reference
