"""The log in PostgreSQL: append units, read records and heads.

This module is the face; the `store_*` modules beside it are its parts. Nothing else touches the events table.

One append is one call of the SQL function `append_units` (sql/append_units.sql), which is one statement and one
transaction: it takes the log's row, looks, writes what still holds and says of every unit what became of it. Nothing
else writes records. Everything here takes an asyncpg connection (or, where it says so, a pool) of `open_pool`.

Bytes are bytes: a record goes in as the UTF-8 JSON the domain serialised and comes out as exactly that.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from ledger.errors import DatabaseUnavailable
from ledger.records import leaf_hash
from ledger.store_batch import Arrays
from ledger.store_connecting import (
    BatchUnwritable,
    Connection,
    OutcomeUnknown,
    Pool,
    hold_log,
    open_pool,
    translated,
)
from ledger.store_heads import (
    Head,
    HeadToRebuild,
    due_streams,
    heads_of_other_schema,
    list_heads,
    read_heads,
    rebuild_head,
    rebuild_heads,
)
from ledger.store_logs import (
    Counter,
    Log,
    create_log,
    list_logs,
    logs_with_work,
    notify_stock_readers,
    position_known_at,
    read_backlogs,
    read_counters,
    read_log_of,
    read_logs,
    set_due_through,
    stock_view,
)
from ledger.store_records import (
    StoredRecord,
    by_reference,
    by_source_key,
    read_log,
    read_log_text,
    read_stream,
    read_streams,
    read_unit,
    read_units,
    streams_in_order,
)
from ledger.store_refusals import (
    Refusal,
    list_refusals,
    refusals_awaiting_what_came,
    refusals_by_key,
    refusals_waiting_for,
    settle_refusal,
    waive_refusal,
)
from ledger.store_units import (
    Appended,
    AppendResult,
    Exists,
    HeadRead,
    HeadToWrite,
    LimitReached,
    Outcome,
    RecordToAppend,
    RefusalToKeep,
    Stale,
    UnitToAppend,
)

__all__ = [
    "AppendResult",
    "Appended",
    "BatchUnwritable",
    "Connection",
    "Counter",
    "Exists",
    "Head",
    "HeadRead",
    "HeadToRebuild",
    "HeadToWrite",
    "LimitReached",
    "Log",
    "Outcome",
    "OutcomeUnknown",
    "Pool",
    "RecordToAppend",
    "Refusal",
    "RefusalToKeep",
    "Stale",
    "StoredRecord",
    "UnitToAppend",
    "append",
    "by_reference",
    "by_source_key",
    "create_log",
    "due_streams",
    "heads_of_other_schema",
    "hold_log",
    "leaf_hash",
    "list_heads",
    "list_logs",
    "list_refusals",
    "logs_with_work",
    "notify_stock_readers",
    "open_pool",
    "position_known_at",
    "read_backlogs",
    "read_counters",
    "read_heads",
    "read_log",
    "read_log_of",
    "read_log_text",
    "read_logs",
    "read_stream",
    "read_streams",
    "read_unit",
    "read_units",
    "rebuild_head",
    "rebuild_heads",
    "refusals_awaiting_what_came",
    "refusals_by_key",
    "refusals_waiting_for",
    "set_due_through",
    "settle_refusal",
    "settle_unknown",
    "stock_view",
    "streams_in_order",
    "waive_refusal",
]

_STALE: Final = Stale()

_APPEND: Final = f"SELECT * FROM append_units({', '.join(f'${n}' for n in range(1, 42))})"


async def append(
    conn: Connection,
    log_id: int,
    recorded_at: datetime,
    program_head: HeadRead,
    units: Sequence[UnitToAppend],
    heads: Iterable[HeadToWrite],
) -> AppendResult:
    """Append the units that still hold, in order, in one statement that is one transaction."""
    batch = Arrays(program_head)
    for place, unit in enumerate(units, start=1):
        batch.add(place, unit)
    with translated(OutcomeUnknown):
        answer = await conn.fetchrow(_APPEND, log_id, recorded_at, len(units), *batch.arguments(heads))
    if answer is None:
        raise RuntimeError("append_units gave no row")
    if answer["behind"]:
        return AppendResult(answer["log_recorded_at"], behind=True, outcomes=[], awakened=False)
    return AppendResult(
        answer["log_recorded_at"],
        behind=False,
        outcomes=_outcomes(units, answer),
        awakened=answer["awakened"] or batch.awakens_itself(),
    )


async def settle_unknown(pool: Pool, log_id: int, source_keys: Iterable[UUID]) -> dict[UUID, Exists]:
    """What became of an append whose answer never came: the keys that are in the log, or kept as refused for good.

    Takes the log's row on a fresh connection first. Whatever held the row has ended by then, so a key that is not
    answered is not in the log and never will be by that append.
    """
    keys = list(source_keys)
    with translated(DatabaseUnavailable):
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT lock_log($1)", log_id)
            found = await conn.fetch(_SETTLE, log_id, keys)
    return {row["source_key"]: Exists(row["position"], refused=row["position"] is None) for row in found}


_SETTLE: Final = """
SELECT
    source_key,
    NULL AS position
FROM refusals
WHERE log_id = $1 AND source_key = ANY ($2) AND status IN ('final', 'waived')
UNION ALL
SELECT
    source_key,
    position
FROM events
WHERE log_id = $1 AND source_key = ANY ($2)
"""


def _outcomes(units: Sequence[UnitToAppend], answer: asyncpg.Record) -> list[Outcome]:
    failed: dict[int, Outcome] = dict.fromkeys(answer["stale_units"] or (), _STALE)
    for place, position in zip(answer["existing_units"] or (), answer["existing_positions"] or (), strict=True):
        failed[place] = Exists(position, refused=position is None)
    for place, name, used, limit in zip(
        answer["limit_units"] or (),
        answer["limit_counters"] or (),
        answer["limit_useds"] or (),
        answer["limit_limits"] or (),
        strict=True,
    ):
        failed[place] = LimitReached(name, used, limit)
    position = answer["first_position"]
    outcomes: list[Outcome] = []
    for place, unit in enumerate(units, start=1):
        outcome = failed.get(place) if failed else None
        if outcome is None:
            outcome = Appended(position if unit.records else None)
            position += len(unit.records)
        outcomes.append(outcome)
    return outcomes
