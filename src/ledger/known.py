"""Events that are in the log already: answered with their first receipt, or told that their key is taken.

By the sender's own key first, then by the business key: another sender's event with the same type, subject and data is
the same event; any other content is a key reused.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from ledger import store
from ledger.answers import Answer, differing, fingerprint, key_reused, refused, replayed_receipt
from ledger.deciding import Command
from ledger.records import own_place, reference_key, upcast
from ledger.store import Connection, Refusal, StoredRecord
from ledger.waiting import Pending

SPENT = frozenset({"final", "waived"})


async def find_by_key(conn: Connection, log_id: int, items: Sequence[Pending]) -> list[tuple[Pending, Answer]]:
    """Answer those commands whose own key is in the log, or was refused for good."""
    commands = {item: item.command for item in items if isinstance(item.command, Command)}
    keys = [command.source_key for command in commands.values()]
    stored = await store.by_source_key(conn, log_id, keys)
    refusals = await store.refusals_by_key(conn, log_id, keys) if len(stored) < len(keys) else {}
    units = await _units(conn, log_id, stored.values())
    found: list[tuple[Pending, Answer]] = []
    for item, command in commands.items():
        record = stored.get(command.source_key)
        refusal = refusals.get(command.source_key)
        if record is not None:
            found.append((item, _replay(command, units[record.position])))
        elif refusal is not None and refusal.status in SPENT:
            found.append((item, _refused_again(command, refusal)))
    return found


async def find(conn: Connection, log_id: int, items: Sequence[Pending]) -> list[tuple[Pending, Answer]]:
    """Answer those commands whose own key, or the business key last decided for them, is in the log."""
    found = await find_by_key(conn, log_id, items)
    answered = {id(item) for item, _ in found}
    references = {
        item: reference
        for item in items
        if id(item) not in answered and item.records and (reference := item.records[item.own].reference) is not None
    }
    return found + await find_by_reference(conn, log_id, references)


async def find_by_reference(
    conn: Connection, log_id: int, named: Mapping[Pending, str]
) -> list[tuple[Pending, Answer]]:
    """Answer those commands whose business key another sender's event has brought into the log."""
    references = {item: reference_key(text) for item, text in named.items()}
    stored = await store.by_reference(conn, log_id, references.values()) if references else {}
    found: list[tuple[Pending, Answer]] = []
    units = await _units(conn, log_id, stored.values())
    for item, reference in references.items():
        if reference in stored and isinstance(item.command, Command):
            found.append((item, _known_reference(item.command, units[stored[reference].position])))
    return found


async def _units(conn: Connection, log_id: int, records: Iterable[StoredRecord]) -> dict[int, "_Unit"]:
    """Whole units by the position of one of their records; most have one record and need no second look."""
    units = {record.position: _Unit([record]) for record in records}
    parts = [position for position, unit in units.items() if unit.own["unit"] != [1, 1]]
    if parts:
        for position, whole in (await store.read_units(conn, log_id, parts)).items():
            units[position] = _Unit(whole)
    return units


class _Unit:
    """A unit as it is stored, and its event's own record."""

    def __init__(self, records: list[StoredRecord]) -> None:
        self.records = records
        shown = [upcast(orjson.loads(record.record)) for record in records]
        self.own: dict[str, Any] = shown[own_place([record["source"] for record in shown])]

    def receipt(self) -> dict[str, Any]:
        return replayed_receipt([record.record for record in self.records], self.records[0].position)


def _replay(command: Command, unit: _Unit) -> Answer:
    pointers = differing(command, unit.own)
    if pointers:
        return Answer(None, key_reused(command, unit.own, pointers))
    return Answer(unit.receipt(), None, replayed=True)


def _known_reference(command: Command, unit: _Unit) -> Answer:
    """Another sender's event: its `time` may differ, two systems seldom agree on it."""
    if (unit.own["source"], unit.own["id"]) == (command.source, command.id):
        return _replay(command, unit)
    pointers = [pointer for pointer in differing(command, unit.own) if pointer != "/time"]
    if pointers:
        return Answer(None, key_reused(command, unit.own, pointers))
    return Answer(unit.receipt(), None, replayed=True)


def _refused_again(command: Command, refusal: Refusal) -> Answer:
    if refusal.fingerprint == fingerprint(command):
        return Answer(None, refused(refusal.problem), replayed=True)
    kept: Mapping[str, Any] = orjson.loads(refusal.event)
    return Answer(None, key_reused(command, kept, differing(command, kept)))


async def end_vain_waits(conn: Connection, log_id: int, items: Sequence[Pending]) -> None:
    """Refuse for good what would wait for a reference that the log has already on another stream: it cannot come again.

    One that came on the same stream has moved its head, and the refusal is out of date.
    """
    awaited: dict[UUID, list[Pending]] = {}
    for item in items:
        if item.refusal is not None and item.refusal.waits_for is not None:
            awaited.setdefault(reference_key(item.refusal.waits_for), []).append(item)
    stored = await store.by_reference(conn, log_id, awaited) if awaited else {}
    for reference, record in stored.items():
        for item in awaited[reference]:
            if item.refusal is not None and record.stream_id != item.stream_id:
                item.refusal.waits_for = None
                vars(item.refusal)["retryable"] = False  # of this one, not of its class
