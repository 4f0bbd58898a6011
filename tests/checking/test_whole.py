"""A ledger as the service wrote it is whole, and the check counts what it saw."""

from ledger.account import STATE_SCHEMA
from ledger.checking import LogReport, check


async def test_a_ledger_with_events_of_every_type_is_whole(report):
    found = await report()
    assert (found.first, found.unreadable) == (None, None)
    assert found.is_whole


async def test_the_check_counts_records_streams_refusals_and_accounts(report):
    found: LogReport = await report()
    records = report.records()
    types = {record.type for record in records}
    assert types >= {
        "points.expired",
        "points.expiry_reversed",
        "purchase.returned",
        "account.opened_from",
        "hold.captured",
        "hold.timed_out",
        "place.registered",
    }
    assert (found.records, found.streams, found.refolded) == (len(records), 3, 0)
    assert found.refusals == {"final": 1, "waiting": 1}
    assert found.customers == {asset: counter.total() for asset, counter in found.accounts.items()}
    assert found.customers["stored.principal:CNY"] == 700
    assert (found.customers["stored.principal:JPY"], found.customers["stored.bonus:JPY"]) == (640, 200)


async def test_progress_tells_of_every_record_twice(report):
    seen = []
    async with report._pool.acquire() as conn:
        (found,) = await check(conn, progress=seen.append)
    assert sum(seen) == 2 * found.records


async def test_a_head_of_another_fold_is_counted_and_no_difference(report):
    report.damage("UPDATE streams SET state_schema = state_schema + 1, state = NULL WHERE customer_id = 'c-1'")
    found = await report()
    assert found.is_whole
    assert found.refolded == 1
    assert STATE_SCHEMA >= 1


async def test_the_program_of_another_log_is_left_out_where_one_is_named(report):
    async with report._pool.acquire() as conn:
        assert await check(conn, programs=["other"]) == []
