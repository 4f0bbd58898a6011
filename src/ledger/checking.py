"""The whole-ledger check: every stream folded again from its records, every promise about the log compared with it.

In constant memory, in one snapshot of the database, while the service goes on. Two passes over the records of a log: one in
order of position (gapless, stamps never go back, units whole), one in order of stream and version (checking_passes.py, and
for each stream checking_streams.py); then the sums across streams: program accounts against customers, counters, refusals.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ledger.answers import command_of, fingerprint
from ledger.checking_passes import Difference, LogReport, Progress, Streams, check_positions, pages
from ledger.store import Connection, Log, list_logs

__all__ = ["Difference", "LogReport", "Progress", "check", "check_log"]


async def check(
    conn: Connection, *, programs: Iterable[str] | None = None, progress: Progress | None = None
) -> list[LogReport]:
    """Check the logs of these programs, or all of them, in one snapshot.

    Args:
        conn: not in a transaction.

    Raises:
        DatabaseUnavailable, asyncpg.PostgresError: the check could not be done.
    """
    wanted = None if programs is None else set(programs)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        logs = [log for log in await list_logs(conn) if wanted is None or log.program in wanted]
        return [await check_log(conn, log, progress or _silently) for log in logs]


async def check_log(conn: Connection, log: Log, progress: Progress) -> LogReport:
    """Check one log, inside a transaction that sees one snapshot."""
    report = LogReport(log.program)
    last = await check_positions(conn, log, report, progress)
    if log.next_position != last + 1:
        report.note(Difference(last, "next_position", f"is {log.next_position}, the last record has position {last}"))
    await Streams(conn, log, report, progress).check()
    _check_sums(report)
    await _check_counters(conn, log, report)
    await _check_refusals(conn, log, report)
    return report


# --- Across streams ---------------------------------------------------------------------------------------------------

TRANSFERRED = "program:transferred"
"""What points pass through on their way from one customer to another; found here by name, not through the code under check."""

_COUNTERS = """
SELECT
    name,
    used
FROM counters
WHERE log_id = $1 AND used <> 0
ORDER BY name
"""

_REFUSALS = """
SELECT
    f.source_key,
    f.fingerprint,
    f.recorded_at,
    f.status,
    f.customer_id,
    f.event::text,
    e.position
FROM refusals AS f
LEFT JOIN events AS e ON e.log_id = f.log_id AND e.source_key = f.source_key
WHERE f.log_id = $1
ORDER BY
    f.recorded_at,
    f.source_key
"""


def _check_sums(report: LogReport) -> None:
    """What the program's accounts gave out, less what they took back, is what the customers have; transfers come to nothing."""
    if report.differences or report.unreadable:
        return  # streams that could not be followed are missing in the sums
    for asset in sorted(report.accounts.keys() | report.customers.keys()):
        given = report.accounts.get(asset, Counter()).total()
        if given != report.customers[asset]:
            detail = f"{asset}: the program's accounts gave out {given}, the customers have {report.customers[asset]}"
            report.note(Difference(None, "sums", detail))
        passing = report.accounts.get(asset, Counter())[TRANSFERRED]
        if passing:
            report.note(Difference(None, "transfers", f"{asset}: {-passing} left customers and arrived at none"))


async def _check_counters(conn: Connection, log: Log, report: LogReport) -> None:
    """Every counter is what the records that moved it say in `derived`."""
    if report.differences or report.unreadable:
        return  # records that could not be followed are missing in the sums
    stored = dict(await conn.fetch(_COUNTERS, log.log_id))
    for name in sorted(stored.keys() | report.counters.keys()):
        used, moved = stored.get(name, 0), report.counters[name]
        if used != moved:
            report.note(Difference(None, "counter", f"{name} is {used}, the records added {moved}"))


async def _check_refusals(conn: Connection, log: Log, report: LogReport) -> None:
    """What was refused for good, or waits, is not in the log; what is kept of it is what was fingerprinted."""
    async for rows in pages(conn, _REFUSALS, log.log_id):
        for row in rows:
            report.refusals[row["status"]] += 1
            differs = _refusal_differs(row, log)
            if differs is not None:
                report.note(Difference(row["position"], "refusal", differs))


def _refusal_differs(row: Any, log: Log) -> str | None:
    command = command_of(row["event"].encode())
    named = f"{command.source} {command.id}"
    if row["position"] is not None and row["status"] != "settled":
        return f"{named} is in the log and refused ({row['status']}) as well"
    if row["source_key"] != command.source_key:
        return f"{named} is not the event of its key"
    if row["fingerprint"] != fingerprint(command):
        return f"{named} is not the event that was fingerprinted"
    if row["customer_id"] != command.subject:
        return f"{named} is of {command.subject}, not of {row['customer_id']}"
    if row["recorded_at"] > log.recorded_at:
        return f"{named} was refused at {row['recorded_at']}, after the log's last stamp"
    return None


def _silently(_: int) -> None:
    pass
