"""Units drawn up: everything of a unit but its stamp and its link in the chain, which it gets just before it is sent.

Drawing up follows the decision at once, while what was decided is in the processor's caches: serialising a thousand units
long after they were decided took twice as long.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import orjson

from ledger import account as accounts
from ledger.account import STATE_SCHEMA
from ledger.answers import fingerprint, kept_event, kept_problem
from ledger.deciding import Command
from ledger.errors import RecordTooLarge, Refused
from ledger.instants import SECOND, show, to_datetime
from ledger.records import RECORD_BYTES_MAX, Record, leaf_hash, reference_key, source_key
from ledger.store import HeadRead, HeadToWrite, RecordToAppend, RefusalToKeep, UnitToAppend
from ledger.waiting import Beside, Pending

FRACTION_BYTES = len(".000000")
"""What a stamp with a fraction is longer: a record that fits must still fit when it is stamped again."""

_UNSTAMPED = b""

_Part: TypeAlias = tuple[Record, dict[str, Any], RecordToAppend]


def draw_up(item: Pending) -> UnitToAppend:
    """Make the unit of what was decided for a command."""
    reads = [HeadRead(item.stream_id, item.base, None)]
    if item.beside is not None:
        reads.append(HeadRead(item.beside.stream_id, item.beside.base, None))
    command = item.command
    if item.refusal is not None and isinstance(command, Command):
        item.unit = UnitToAppend(reads, [], command.source_key, _kept(command, item.refusal))
        return item.unit
    size = len(item.records)
    shown, records = [], []
    for place, record in enumerate(item.records, start=1):
        record.unit = (place, size)
        shown.append(_shown(record, item))
        records.append(_to_append(record, item))
    item.shown = shown
    item.unit = UnitToAppend(reads, records, records[item.own].source_key, counters=item.counters)
    return item.unit


def stamp(item: Pending, recorded_at: int, prev: bytes | None, beside: Beside | None = None) -> bytes | None:
    """Stamp, chain and serialise what a drawn-up unit writes to its command's stream; again wherever it is sent again.

    Args:
        recorded_at: microseconds.
        prev: hash of the record of that stream before it.
        beside: stamp what it writes to its other stream instead.

    Returns:
        The hash of that stream's last record after it.

    Raises:
        RecordTooLarge
    """
    unit = item.unit or draw_up(item)
    parts: Iterable[_Part] = zip(item.records, item.shown, unit.records, strict=True)
    if item.beside is not None:
        stream_id = item.stream_id if beside is None else beside.stream_id
        parts = [part for part in parts if part[2].stream_id == stream_id]
    unit.reads[0 if beside is None else 1].head_hash = prev
    text = show(recorded_at)
    spare = 0 if recorded_at % SECOND else FRACTION_BYTES
    for record, shown, drawn in parts:
        record.recorded_at = recorded_at
        record.prev = None if prev is None else prev.hex()
        shown["recorded_at"] = text
        shown["prev"] = record.prev
        body = orjson.dumps(shown)
        if len(body) + spare > RECORD_BYTES_MAX:
            raise RecordTooLarge(bytes=len(body), bytes_max=RECORD_BYTES_MAX)
        prev = leaf_hash(body)
        drawn.record = body
    (beside or item).hash = prev
    return prev


def draw_up_head(item: Pending, beside: Beside | None = None) -> HeadToWrite:
    """The head that a unit leaves behind, on its other stream where that is given, but for its hash and place in the batch."""
    if item.for_program:
        stream_id, customer, version = item.stream_id, item.command.subject, item.records[-1].version
        return HeadToWrite(stream_id, customer, version, _UNSTAMPED, STATE_SCHEMA, b"null", None, unit=0)
    state = item.state if beside is None else beside.state
    stream_id, customer = (
        (item.stream_id, item.command.subject) if beside is None else (beside.stream_id, beside.customer)
    )
    due_at = state.due_at()
    instant = None if due_at is None else to_datetime(due_at)
    return HeadToWrite(
        stream_id, customer, state.version, _UNSTAMPED, STATE_SCHEMA, accounts.to_bytes(state), instant, unit=0
    )


def _shown(record: Record, item: Pending) -> dict[str, Any]:
    """The record's JSON, with the parts that a receipt repeats serialised once."""
    shown = record.to_json()
    if shown["postings"]:
        shown["postings"] = orjson.Fragment(orjson.dumps(shown["postings"]))
    command = item.command
    if isinstance(command, Command) and record.data is command.data:
        shown["data"] = orjson.Fragment(item.data)
    return shown


def _to_append(record: Record, item: Pending) -> RecordToAppend:
    command = item.command
    own = isinstance(command, Command) and record is item.records[item.own]
    beside = item.beside
    return RecordToAppend(
        item.stream_id if beside is None or record.subject != beside.customer else beside.stream_id,
        record.version,
        command.source_key if own and isinstance(command, Command) else source_key(record.source, record.id),
        None if record.reference is None else reference_key(record.reference),
        record.type,
        to_datetime(record.time),
        _UNSTAMPED,
    )


def _kept(command: Command, refusal: Refused) -> RefusalToKeep:
    waits_for = refusal.waits_for if refusal.retryable else None
    return RefusalToKeep(
        source_key=command.source_key,
        fingerprint=fingerprint(command),
        code=refusal.code,
        status="final" if waits_for is None else "waiting",
        waits_for=None if waits_for is None else reference_key(waits_for),
        customer_id=command.subject,
        problem=kept_problem(refusal),
        event=kept_event(command),
    )
