"""Hot reads and the append enter big tables by an index, whatever the statistics say; asserted on a filled table."""

import json
import re
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from ledger import store, store_heads, store_records, store_refusals
from ledger.records import reference_key
from tests.postgres import on_every_version
from tests.store.batches import Batch, key_of, now, stream_of
from tests.store.conftest import Ledger

pytestmark = on_every_version

CUSTOMERS = 6_000


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    """12,000 records of 6,000 customers, some refusals, and what the planner knows of them."""
    async with ledger.pool.acquire() as conn:
        known: dict[Any, store.HeadRead] = {}
        for start in range(0, 2 * CUSTOMERS, 1_000):
            batch = Batch(known=known)
            for number in range(start, start + 1_000):
                due_at = now() + timedelta(days=number)
                batch.post(f"c-{number % CUSTOMERS}", key=f"k-{number}", reference=f"r-{number}", due_at=due_at)
            for number in range(start // 10, start // 10 + 100):
                batch.refuse(f"c-{number}", key=f"no-{number}", status="waiting", waits_for=f"later-{number}")
            assert all(isinstance(outcome, store.Appended) for outcome in await batch.outcomes(conn, ledger.log_id))
    await _analyze(ledger)
    return ledger


async def test_hot_reads_use_the_index_meant_for_them(filled: Ledger) -> None:
    streams = [stream_of(f"c-{number}") for number in range(500)]
    keys = [key_of(f"k-{number}") for number in range(500)]
    references = [reference_key(f"r-{number}") for number in range(500)]
    log_id = filled.log_id
    hot: dict[str, tuple[str, tuple[object, ...]]] = {
        "events_version_once": (store_records._READ_STREAM, (log_id, streams[0], 0, None, None)),
        "events_position_once": (store_records._READ_LOG, (log_id, 5_000, 6_000)),
        "events_position_once ": (store_records._AT, (log_id, [5, 6_000, 11_000])),
        "events_source_key_once": (store_records._BY_SOURCE_KEY, (log_id, keys)),
        "events_reference_once": (store_records._BY_REFERENCE, (log_id, references)),
        "streams_one_head": (store_heads._READ_HEADS, (log_id, streams[:20])),
        "streams_due": (store_heads._DUE_STREAMS, (log_id, now() + timedelta(days=7_000), 100)),
        "refusals_awaited": (store_refusals._WAITING_FOR, (log_id, [reference_key("later-7")])),
        "refusals_source_key_once": (store_refusals._REFUSALS_BY_KEY, (log_id, [key_of("no-7")])),
        "refusals_by_age": (
            store_refusals._LIST_REFUSALS,
            (log_id, now() - timedelta(days=1), stream_of("c-1"), None, None, 5),
        ),
    }
    async with filled.pool.acquire() as conn:
        for index, (statement, arguments) in hot.items():
            plan = await _plan(conn, statement, arguments)
            assert _nodes(plan, "Seq Scan") == [], statement
            assert index.strip() in {node.get("Index Name") for node in _nodes(plan, "")}, (statement, plan)


async def test_pages_of_the_log_and_of_a_stream_are_not_sorted(filled: Ledger) -> None:
    async with filled.pool.acquire() as conn:
        for statement, arguments in (
            (store_records._READ_LOG, (filled.log_id, 5_000, 6_000)),
            (store_records._READ_STREAM, (filled.log_id, stream_of("c-1"), 0, None, None)),
            (store_heads._DUE_STREAMS, (filled.log_id, now() + timedelta(days=7_000), 100)),
            (store_heads._LIST_HEADS, (filled.log_id, stream_of("c-1"), 100)),
        ):
            assert _nodes(await _plan(conn, statement, arguments), "Sort") == [], statement


async def test_the_append_touches_no_more_than_its_own_rows(filled: Ledger) -> None:
    """On a connection whose plans were made while the tables were empty, with every branch of the append taken.

    Planted: `enable_seqscan = off` removed; the connection that began on empty tables read all of events each time.
    """
    async with filled.pool.acquire() as conn:
        before = await _reads(filled, conn)
        batch = Batch()
        for number in range(100):
            batch.post(f"new-{number}", counters=[("budget", 1, 90)])  # the last ten meet the limit
            batch.post(f"c-{number}", key=f"again-{number}")  # stale
            batch.post(f"other-{number}", key=f"k-{number}")  # exists
            batch.post(f"waited-{number}", reference=f"later-{number}")  # awakens
            batch.post(f"c-retried-{number}", key=f"no-{number}")  # settles
            batch.post(f"torn-{number}").post(f"torn-{number}", key=f"k-{number + 100}")
            batch.refuse(f"c-refused-{number}", key=f"refused-{number}")
        assert len(await batch.outcomes(conn, filled.log_id)) == 800
        after = await _reads(filled, conn)
    sequential = {name: after[name][0] - before[name][0] for name in after}
    entries = {name: after[name][1] - before[name][1] for name in after}
    assert set(sequential.values()) == {0}
    assert max(entries.values()) < 3_000, entries


async def test_what_the_stock_library_asks_of_its_view_is_answered_by_indexes(filled: Ledger) -> None:
    """Planted: the view as a security barrier; its maximum was found by reading the whole log."""
    view = store.stock_view("default")
    questions: dict[str, tuple[object, ...]] = {
        f"SELECT MAX(notification_id) FROM {view}": (),
        f"SELECT * FROM {view} WHERE notification_id > $1 ORDER BY notification_id LIMIT $2": (11_000, 10),
        f"SELECT * FROM {view} WHERE originator_id = $1 ORDER BY originator_version ASC": (stream_of("c-1"),),
    }
    connection = await asyncpg.connect(filled.database.server.url("ledger_stock", filled.database.name))
    try:
        for question, arguments in questions.items():
            plan = await _plan(connection, question, arguments)
            assert _nodes(plan, "Seq Scan|Sort") == [], question
            assert plan["Total Cost"] < 100, question
    finally:
        await connection.close()


async def _plan(conn: store.Connection, statement: str, arguments: tuple[object, ...]) -> dict[str, Any]:
    explained = await conn.fetchval("EXPLAIN (FORMAT JSON) " + statement, *arguments)
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    here = [plan] if re.search(kind, plan["Node Type"]) else []
    return here + [node for child in plan.get("Plans", []) for node in _nodes(child, kind)]


async def _reads(ledger: Ledger, conn: store.Connection) -> dict[str, tuple[int, int]]:
    """Per table, how often it was read from end to end, and how many index entries were looked at."""
    await conn.execute("SELECT pg_stat_force_next_flush()")
    await conn.execute("SELECT 1")
    rows = await conn.fetch(
        """
        SELECT
            t.relname,
            t.seq_scan,
            sum(i.idx_tup_read)::bigint AS entries
        FROM pg_stat_user_tables AS t
        JOIN pg_stat_user_indexes AS i USING (relid)
        WHERE t.relname IN ('logs', 'events', 'streams', 'counters', 'refusals')
        GROUP BY
            t.relname,
            t.seq_scan
        """
    )
    return {row["relname"]: (row["seq_scan"], row["entries"]) for row in rows}


async def _analyze(ledger: Ledger) -> None:
    connection = await asyncpg.connect(ledger.database.owner_url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
