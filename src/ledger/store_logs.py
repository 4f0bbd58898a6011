"""Programs and their logs: where each stands, what was known when; and counters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.errors import DatabaseUnavailable
from ledger.store_connecting import Connection, OutcomeUnknown, translated


@dataclass(slots=True, frozen=True)
class Log:
    """A program's log: where its next record goes, its last stamp, and up to when all that is due is written."""

    log_id: int
    program: str
    next_position: int
    recorded_at: datetime
    due_through: datetime | None


_LOG: Final = """
SELECT
    log_id,
    program,
    next_position,
    recorded_at,
    due_through
FROM logs
"""


async def create_log(conn: Connection, program: str) -> int:
    """Open the program's log, or name the one it has."""
    with translated(OutcomeUnknown):
        log_id: int = await conn.fetchval("SELECT create_log($1)", program)
    return log_id


async def list_logs(conn: Connection) -> list[Log]:
    """Every program's log, by program."""
    with translated(DatabaseUnavailable):
        return [Log(**row) for row in await conn.fetch(_LOG + "ORDER BY program")]


async def logs_with_work(conn: Connection, *, due_before: datetime, marked_before: datetime) -> set[int]:
    """The logs on which something fell due before an instant, or that were last said to be complete before another."""
    with translated(DatabaseUnavailable):
        return {row["log_id"] for row in await conn.fetch(_LOGS_WITH_WORK, due_before, marked_before)}


_LOGS_WITH_WORK: Final = """
SELECT l.log_id
FROM logs AS l
WHERE
    coalesce(l.due_through, '-infinity') < $2
    OR EXISTS (SELECT FROM streams AS s WHERE s.log_id = l.log_id AND s.due_at < $1)
"""


@dataclass(slots=True, frozen=True)
class Backlog:
    """What a log waits for: `due_through` as in `Log`, and how many refusals wait to be tried again."""

    log_id: int
    due_through: datetime | None
    refusals_waiting: int


async def read_backlogs(conn: Connection) -> list[Backlog]:
    """Every log's backlog."""
    with translated(DatabaseUnavailable):
        return [Backlog(**row) for row in await conn.fetch(_BACKLOGS)]


_BACKLOGS: Final = """
SELECT
    l.log_id,
    l.due_through,
    (
        SELECT count(*)
        FROM refusals AS r
        WHERE r.log_id = l.log_id AND r.status = 'waiting'
    ) AS refusals_waiting
FROM logs AS l
"""


async def read_log_of(conn: Connection, program: str) -> Log | None:
    """The log of one program."""
    with translated(DatabaseUnavailable):
        row = await conn.fetchrow(_LOG + "WHERE program = $1", program)
    return None if row is None else Log(**row)


async def read_logs(conn: Connection, log_ids: Iterable[int]) -> dict[int, Log]:
    """Where these logs stand: what a feed looks at to see whether there is more."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_LOG + "WHERE log_id = ANY ($1)", list(log_ids))
    return {row["log_id"]: Log(**row) for row in rows}


async def set_due_through(conn: Connection, log_id: int, due_through: datetime) -> bool:
    """Say that nothing due before this instant is unwritten; false, and nothing done, while something is."""
    with translated(OutcomeUnknown):
        moved: bool = await conn.fetchval("SELECT set_due_through($1, $2)", log_id, due_through)
    return moved


async def position_known_at(conn: Connection, log_id: int, instant: datetime) -> int:
    """The last position written at or before an instant; 0 where there is none."""
    with translated(DatabaseUnavailable):
        position: int = await conn.fetchval("SELECT position_known_at($1, $2)", log_id, instant)
    return position


def stock_view(program: str) -> str:
    """Name of the view through which the stock eventsourcing library reads this program's log (see create_log.sql)."""
    return "customerledger_events" if program == "default" else f"customerledger_{program}_events"


async def notify_stock_readers(conn: Connection, program: str) -> None:
    """Wake the stock library's subscriptions, which never poll.

    Never inside the append: transactions that notify commit one after another.
    """
    with translated(DatabaseUnavailable):
        await conn.execute("SELECT pg_notify($1, '')", stock_view(program))


@dataclass(slots=True, frozen=True)
class Counter:
    """A sum across customers, and the limit the last append that raised it kept."""

    used: int
    limit: int | None


async def read_counters(conn: Connection, log_id: int, names: Iterable[str] | None = None) -> Mapping[str, Counter]:
    """Counters by name, all of the log's or those named; one never raised has no entry."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_COUNTERS, log_id, None if names is None else list(names))
    return {row["name"]: Counter(row["used"], row["limit"]) for row in rows}


_READ_COUNTERS: Final = """
SELECT
    name,
    used,
    "limit"
FROM counters
WHERE log_id = $1 AND ($2::text[] IS NULL OR name = ANY ($2))
ORDER BY name
"""
