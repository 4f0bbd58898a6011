"""The oracle: holds what clients were told against what the log says, after whatever was done to the service.

    settle()      every unknown outcome is posted again until it is decided, once more than that for what was decided
    verify()      1  `ledger check` finds nothing: gapless, chained, heads as their records fold, sums even
                  2  every acknowledged event is in the log exactly once, at the position of its receipt
                  3  its receipt is the one the log gives now, byte for byte but for the status, at every sending
                  4  what was refused for good is not in the log, and was refused in the same bytes at every sending
                  5  the log holds nothing that nobody sent
                  6  strict serialisability, in one sweep: what was acknowledged before something else was sent has the
                     smaller position, and the balance of every receipt is the sum of the log up to it
                  7  what was refused for want of points lacked them at some moment between sending and answer

Nothing here asks the code under test what a receipt or a balance should be: the log's bytes are read by SQL, and points are
added up by hand. All events of the journal happen at one instant and with the default rules, so that sums are plain.
"""

import asyncio
import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from ledger import store
from ledger.checking import check
from tests.faults.client import Client
from tests.faults.journal import ACKNOWLEDGED, Entry, Journal, round_robin
from tests.postgres import Database

POINTS: dict[str, Callable[[dict[str, Any]], int]] = {
    "points.granted": lambda record: record["data"]["points"],
    "points.redeemed": lambda record: -record["data"]["points"],
    "points.expired": lambda record: -sum(posting["amount"] for posting in record["postings"]),
    "purchase.recorded": lambda record: record["data"]["total"] // 100,
    "purchase.refunded": lambda record: -(record["data"]["amount"] // 100),
}
"""What an event does to a balance under the default rules, in words of one line."""


class Broken(AssertionError):
    """A promise that did not hold."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A record as the log has it. `unit_start`: position of the first record of its unit."""

    position: int
    record: dict[str, Any]
    unit: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.record["source"], self.record["id"]

    def receipt(self) -> dict[str, Any]:
        """The receipt, put together by hand."""
        first = self.position - len(self.unit) + 1
        return {
            "status": "recorded",
            "id": self.record["id"],
            "source": self.record["source"],
            "subject": self.record["subject"],
            "records": [
                {"type": one["type"], "subject": one["subject"], "version": one["version"], "position": first + place}
                for place, one in enumerate(self.unit)
            ],
            "version": self.record["version"],
            "position": self.position,
            "recorded_at": self.record["recorded_at"],
            "postings": self.record["postings"],
            "balances": self.record["balances"],
            "notes": self.record.get("notes", []),
        }


async def settle(journal: Journal, clients: list[Client]) -> int:
    """Post again what nobody knows the outcome of, and everything else once more; how many were unknown."""
    unknown = journal.unknown
    connections = round_robin(clients)
    try:
        for entry in unknown:
            await journal.deliver(entry, connections)
        for entry in journal.entries:
            if entry.attempts:
                await journal.deliver(entry, connections)
    finally:
        for client in clients:
            client.close()
    return len(unknown)


async def verify(journal: Journal, database: Database, *, alone: bool = True) -> dict[str, int]:
    """Hold the journal against the log.

    Args:
        alone: nobody else has posted.

    Returns:
        What was counted, for the table of a campaign.

    Raises:
        Broken: names the first promise that did not hold.
    """
    await _check_whole(database)
    logged = await asyncio.to_thread(_read_log, database)
    by_key = _by_key(logged)
    settled = [entry for entry in journal.entries if entry.attempts]
    for entry in settled:
        _check_answers(entry, by_key.get(entry.key))
    if alone:
        _check_nothing_else(journal, by_key)
    recorded = [(entry, by_key[entry.key]) for entry in settled if entry.key in by_key]
    _check_real_time(recorded)
    balances = _check_balances(logged)
    _check_refusals(settled, by_key, balances)
    refused = len(settled) - len(recorded)
    return {**journal.count(), "recorded": len(recorded), "refused": refused, "records": len(logged)}


async def _check_whole(database: Database) -> None:
    pool = await store.open_pool(database.service_url, size_min=1, size_max=1)
    try:
        async with pool.acquire() as conn:
            for report in await check(conn):
                if not report.is_whole:
                    raise Broken(f"1: {report}")
    finally:
        await pool.close()


def _read_log(database: Database) -> list[Logged]:
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute(
            "SELECT position, record::text FROM events JOIN logs USING (log_id) WHERE program = 'default' ORDER BY position"
        ).fetchall()
    unit: list[dict[str, Any]] = []
    logged = []
    for number, (position, text) in enumerate(rows, start=1):
        if position != number:
            raise Broken(f"1: position {position} is the {number}th of the log")
        record = orjson.loads(text)
        place, _ = record["unit"]
        unit = [*(unit if place > 1 else []), record]
        logged.append(Logged(position, record, unit))
    return logged


def _by_key(logged: list[Logged]) -> dict[tuple[str, str], Logged]:
    by_key: dict[tuple[str, str], Logged] = {}
    for one in logged:
        if one.key in by_key:
            raise Broken(f"2: {one.key} stands at {by_key[one.key].position} and at {one.position}")
        by_key[one.key] = one
    return by_key


def _check_answers(entry: Entry, logged: Logged | None) -> None:
    """Every answer an event ever got is the one the log gives."""
    if not entry.decided:
        raise Broken(f"settled, but never decided: {entry.event}")
    for attempt in entry.decided:
        response = attempt.response
        assert response is not None
        if response.status in ACKNOWLEDGED:
            if logged is None:
                raise Broken(f"2: acknowledged and not in the log: {entry.event} {response.body!r}")
            _check_receipt(response.body, replayed=response.status == 200, logged=logged)
        elif response.status == 409:
            raise Broken(f"3: a false conflict: {entry.event} {response.body!r}")
        elif not response.json()["retryable"] and logged is not None:
            raise Broken(f"4: refused for good and at position {logged.position}: {entry.event} {response.body!r}")
    refusals = {attempt.response.body for attempt in entry.decided if attempt.response and not _is_retryable(attempt)}
    if logged is None and len(refusals) > 1:
        raise Broken(f"4: refused in different words: {entry.event} {refusals}")
    firsts = [attempt for attempt in entry.decided if attempt.response and attempt.response.status == 201]
    if len(firsts) > 1:
        raise Broken(f"3: recorded for the first time more than once: {entry.event}")


def _is_retryable(attempt: Any) -> bool:
    return attempt.response.status == 422 and attempt.response.json()["retryable"]


def _check_receipt(body: bytes, *, replayed: bool, logged: Logged) -> None:
    expected = logged.receipt()
    if replayed:
        expected["status"] = "replayed"
    if body != orjson.dumps(expected):
        raise Broken(f"3: position {logged.position} gives {orjson.dumps(expected)!r}, its sender was told {body!r}")


def _check_nothing_else(journal: Journal, by_key: dict[tuple[str, str], Logged]) -> None:
    sent = {entry.key for entry in journal.entries}
    for key, logged in by_key.items():
        if not key[0].startswith("ledger:") and key not in sent:
            raise Broken(f"5: position {logged.position} was sent by nobody: {logged.record}")


def _check_real_time(recorded: Iterable[tuple[Entry, Logged]]) -> None:
    """Sweep over sendings and acknowledgements in order of time, with the greatest position acknowledged so far."""
    moments: list[tuple[float, int, int]] = []
    for entry, logged in recorded:
        moments.append((min(attempt.sent_at for attempt in entry.attempts), 0, logged.position))
        if entry.acknowledged_at is not None:
            moments.append((entry.acknowledged_at, 1, logged.position))
    greatest = 0
    for _, is_acknowledgement, position in sorted(moments):
        if is_acknowledgement:
            greatest = max(greatest, position)
        elif position < greatest:
            raise Broken(f"6: position {position} was sent after {greatest} had been acknowledged")


def _check_balances(logged: list[Logged]) -> dict[str, list[tuple[int, int]]]:
    """Add up every customer's points in the order of the log; by customer, (position, balance after it)."""
    balances: dict[str, list[tuple[int, int]]] = defaultdict(lambda: [(0, 0)])
    for one in logged:
        change = POINTS.get(one.record["type"])
        if change is None:
            continue
        course = balances[one.record["subject"]]
        balance = course[-1][1] + change(one.record)
        if one.record["balances"].get("points", 0) != balance:
            raise Broken(f"6: the log adds up to {balance} at position {one.position}: {one.record}")
        if balance < 0:
            raise Broken(f"6: overdrawn at position {one.position}: {one.record}")
        course.append((one.position, balance))
    return balances


def _check_refusals(
    settled: list[Entry], by_key: dict[tuple[str, str], Logged], balances: dict[str, list[tuple[int, int]]]
) -> None:
    """A redemption was refused on a balance the account had between its sending and its answer."""
    acknowledged = sorted(
        (entry.acknowledged_at, by_key[entry.key].position)
        for entry in settled
        if entry.key in by_key and entry.acknowledged_at is not None
    )
    times = [instant for instant, _ in acknowledged]
    known = list(itertools.accumulate((position for _, position in acknowledged), max, initial=0))
    for entry in settled:
        if entry.key in by_key or entry.event["type"] != "points.redeemed":
            continue
        response = entry.decided[0].response
        assert response is not None
        facts = response.json()["facts"]
        before = known[bisect_left(times, entry.attempts[0].sent_at)]
        course = balances.get(entry.event["subject"], [(0, 0)])
        held = [balance for place, (_, balance) in enumerate(course) if _ends(course, place) > before]
        if facts["requested"] != entry.event["data"]["points"] or facts["available"] >= facts["requested"]:
            raise Broken(f"7: refused without reason: {entry.event} {facts}")
        if facts["available"] not in held:
            raise Broken(
                f"7: refused on {facts['available']}, the account had {held} after position {before}: {entry.event}"
            )


def _ends(course: list[tuple[int, int]], place: int) -> float:
    """The position at which a balance ended; infinite for the last."""
    return course[place + 1][0] if place + 1 < len(course) else float("inf")
