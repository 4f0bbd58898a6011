"""What is appended to a log, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID


@dataclass(slots=True)
class HeadRead:
    """A head as a decision read it; version 0 and no hash where there was no stream."""

    stream_id: UUID
    version: int
    head_hash: bytes | None


@dataclass(slots=True)
class RecordToAppend:
    """One serialised record and what it is found by."""

    stream_id: UUID
    version: int
    source_key: UUID
    reference: UUID | None
    type: str
    time: datetime
    record: bytes


@dataclass(slots=True)
class HeadToWrite:
    """A stream's head after the batch; `unit` is the place in the batch (from 0) of the last unit that writes it."""

    stream_id: UUID
    customer_id: str
    version: int
    head_hash: bytes
    state_schema: int
    state: bytes
    due_at: datetime | None
    unit: int


@dataclass(slots=True)
class RefusalToKeep:
    """A decided no. A waiting one names the reference whose arrival is reason to try the event again."""

    source_key: UUID
    fingerprint: bytes
    code: str
    status: Literal["final", "waiting"]
    waits_for: UUID | None
    customer_id: str
    problem: bytes
    event: bytes


@dataclass(slots=True)
class UnitToAppend:
    """What one command came to: records, or a refusal to keep; all of it or nothing.

    `reads` names every head the decision read, apart from the program's own (given once for the batch, unless an
    earlier unit of the batch writes it). `counters` are (name, amount, limit or None).
    """

    reads: list[HeadRead]
    records: list[RecordToAppend]
    source_key: UUID
    refusal: RefusalToKeep | None = None
    counters: Sequence[tuple[str, int, int | None]] = ()


@dataclass(slots=True, frozen=True)
class Appended:
    """In the log: the position of the unit's first record, None for a unit that only kept a refusal."""

    position: int | None


@dataclass(slots=True, frozen=True)
class Stale:
    """Not appended: decide again on what the log holds now."""


@dataclass(slots=True, frozen=True)
class Exists:
    """Not appended: one of its keys is in the log at `position`, or was refused for good."""

    position: int | None
    refused: bool


@dataclass(slots=True, frozen=True)
class LimitReached:
    """Not appended: counter `name`, with `used` before the unit, would have passed `limit`."""

    name: str
    used: int
    limit: int


Outcome: TypeAlias = Appended | Stale | Exists | LimitReached


@dataclass(slots=True, frozen=True)
class AppendResult:
    """`outcomes` stand in the order of the units; `behind`: the stamp was earlier than the log's, nothing was done."""

    log_recorded_at: datetime
    behind: bool
    outcomes: list[Outcome]
    awakened: bool
