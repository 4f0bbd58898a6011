"""Every promise the check makes, broken once by hand: it says which, and at which position.

Each statement is the planted bug; without the part of the check it names, the row fails.
"""

import json

import pytest

from ledger.records import Record


def position_of(records: list[Record], kind: str) -> int:
    """Position of the first record of a type."""
    return next(place for place, record in enumerate(records, start=1) if record.type == kind)


@pytest.mark.parametrize(
    ("damage", "kind", "what"),
    [
        ("UPDATE events SET type = 'points.granted' WHERE type = 'points.adjusted'", "points.adjusted", "column type"),
        (
            "UPDATE events SET time = time + interval '1 us' WHERE type = 'points.adjusted'",
            "points.adjusted",
            "column time",
        ),
        (
            "UPDATE events SET source_key = gen_random_uuid() WHERE type = 'points.adjusted'",
            "points.adjusted",
            "column source_key",
        ),
        (
            "UPDATE events SET reference = gen_random_uuid() WHERE type = 'points.adjusted'",
            "points.adjusted",
            "column reference",
        ),
        (
            "UPDATE events SET reference = NULL WHERE type = 'customer.signed_up'",
            "customer.signed_up",
            "column reference",
        ),
        ("UPDATE events SET record = '{\"schema\":2}' WHERE type = 'points.adjusted'", "points.adjusted", "unit"),
    ],
)
async def test_a_column_beside_the_bytes_that_says_something_else_is_found(report, damage, kind, what):
    expected = position_of(report.records(), kind)
    found = await report.damage(damage)()
    assert (found.first.position, found.first.what) == (expected, what)


async def test_a_record_that_is_changed_breaks_the_chain_behind_it(report):
    records = report.records()
    place = position_of(records, "customer.signed_up")
    changed = records[place - 1]
    changed.data = {**changed.data, "campaign": "never"}
    text = changed.to_bytes().decode().replace("'", "''")
    found = await report.damage(f"UPDATE events SET record = '{text}' WHERE position = {place}")()
    following = next(
        p for p, r in enumerate(records, start=1) if r.subject == "c-1" and r.version == changed.version + 1
    )
    assert (found.first.position, found.first.what) == (following, "prev")


async def test_the_last_record_of_a_stream_that_is_changed_differs_from_the_head(report):
    records = report.records()
    place = max(p for p, record in enumerate(records, start=1) if record.subject == "c-2")
    text = json.dumps(json.loads(records[place - 1].to_bytes()) | {"actor": "nobody"}, separators=(",", ":"))
    found = await report.damage(f"UPDATE events SET record = '{text}' WHERE position = {place}")()
    assert (found.first.position, found.first.what) == (place, "head hash")


async def test_a_record_that_is_gone_leaves_a_gap(report):
    place = position_of(report.records(), "points.adjusted")
    found = await report.damage(f"DELETE FROM events WHERE position = {place}")()
    assert found.first.position == place + 1
    assert found.first.what == "position"


async def test_the_last_record_that_is_gone_is_missed_by_the_log_and_the_head(report):
    found = await report.damage("DELETE FROM events WHERE position = (SELECT max(position) FROM events)")()
    assert found.first.what in ("next_position", "unit")
    assert found.differences > 1


async def test_stamps_that_go_back_are_found(report):
    place = position_of(report.records(), "points.adjusted")
    found = await report.damage(
        f"UPDATE events SET recorded_at = recorded_at - interval '1 hour' WHERE position = {place}"
    )()
    assert (found.first.position, found.first.what) == (place, "recorded_at")


async def test_a_unit_that_is_torn_is_found(report):
    records = report.records()
    place = position_of(records, "points.expired")
    assert records[place - 1].unit == (1, 2)
    damage = f"UPDATE events SET record = replace(record::text, '\"unit\":[1,2]', '\"unit\":[1,1]')::json WHERE position = {place}"
    found = await report.damage(damage)()
    assert (found.first.position, found.first.what) == (place + 1, "unit")


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE streams SET version = version + 1 WHERE customer_id = 'c-1'", "head version"),
        ("UPDATE streams SET head_hash = sha256('x') WHERE customer_id = 'c-1'", "head hash"),
        ("UPDATE streams SET customer_id = 'c-9' WHERE customer_id = 'c-1'", "head customer_id"),
        ("UPDATE streams SET state = replace(state::text, '[', '[ ')::json WHERE customer_id = 'c-1'", "head state"),
        ("UPDATE streams SET due_at = NULL WHERE customer_id = 'c-1'", "head due_at"),
        ("UPDATE streams SET due_at = due_at + interval '1 us' WHERE customer_id = 'c-1'", "head due_at"),
        ("DELETE FROM streams WHERE customer_id = 'c-1'", "head"),
        ("UPDATE logs SET due_through = '2030-01-01'", "due_through"),
    ],
)
async def test_a_head_that_is_not_what_its_records_give_is_found(report, damage, what):
    found = await report.damage(damage)()
    assert found.first.what == what
    last_positions = {record.subject: place for place, record in enumerate(report.records(), start=1)}
    assert found.first.position == last_positions["c-1"]


async def test_a_due_instant_that_is_early_is_no_difference(report):
    assert (
        await report.damage("UPDATE streams SET due_at = due_at - interval '1 day' WHERE customer_id = 'c-1'")()
    ).is_whole


async def test_a_head_without_records_is_found(report):
    found = await report.damage(
        "INSERT INTO streams SELECT log_id, gen_random_uuid(), 'ghost', 1, sha256('x'), 1, NULL, NULL FROM logs",
    )()
    assert (found.first.position, found.first.what) == (None, "head")
    assert "ghost" in found.first.detail


@pytest.mark.parametrize(
    ("damage", "what", "detail"),
    [
        ("UPDATE logs SET next_position = next_position + 1", "next_position", "the last record has position"),
        ("UPDATE logs SET recorded_at = '2020-01-01'", "recorded_at", "later than the log's last stamp"),
        (
            "INSERT INTO counters SELECT log_id, 'budget', 5, 10 FROM logs",
            "counter",
            "budget is 5, the records added 0",
        ),
        ("UPDATE refusals SET fingerprint = sha256('x') WHERE status = 'final'", "refusal", "fingerprinted"),
        ("UPDATE refusals SET customer_id = 'c-9' WHERE status = 'final'", "refusal", "is of c-1, not of c-9"),
        (
            "UPDATE refusals SET source_key = gen_random_uuid() WHERE status = 'final'",
            "refusal",
            "not the event of its key",
        ),
        (
            "UPDATE refusals SET source_key = (SELECT max(source_key::text)::uuid FROM events) WHERE status = 'waiting'",
            "refusal",
            "is in the log and refused (waiting) as well",
        ),
    ],
)
async def test_what_stands_beside_the_records_is_checked_against_them(report, damage, what, detail):
    found = await report.damage(damage)()
    assert found.first.what == what
    assert detail in found.first.detail


async def test_of_several_differences_the_one_of_the_lowest_position_is_reported(report):
    records = report.records()
    low, high = position_of(records, "customer.signed_up"), position_of(records, "points.adjusted")
    found = await report.damage(
        f"UPDATE events SET reference = NULL WHERE position = {low}",
        f"UPDATE events SET recorded_at = recorded_at - interval '1 hour' WHERE position = {high}",
    )()
    assert found.first.position == low
    assert found.differences >= 2


async def test_a_record_of_a_schema_yet_to_come_is_no_difference_and_not_whole(report):
    records = report.records()
    place = max(p for p, record in enumerate(records, start=1) if record.subject == "c-1")
    damage = f"UPDATE events SET record = replace(record::text, '\"schema\":2', '\"schema\":99')::json WHERE position = {place}"
    found = await report.damage(damage)()
    assert found.first is None
    assert f"position {place}" in found.unreadable
    assert not found.is_whole
