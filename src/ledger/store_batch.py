"""A batch as the arrays `append_units` takes, and what in it builds on what."""

from collections.abc import Iterable
from typing import Any, TypeAlias
from uuid import UUID

from ledger.records import leaf_hash
from ledger.store_units import HeadRead, HeadToWrite, RecordToAppend, RefusalToKeep, UnitToAppend

_Placed: TypeAlias = list[tuple[int, HeadToWrite]]


class Arrays:
    """The arrays `append_units` takes, built unit by unit.

    It also finds what depends on what: the first unit that reads a head is compared with the log; one that reads a
    head an earlier unit of the batch writes must have read exactly what that unit leaves, and then builds on it.
    """

    def __init__(self, program_head: HeadRead) -> None:
        self.program_head = program_head
        self.program_written = False
        self.keys: set[UUID] = set()
        self.references: set[UUID] = set()
        # Stream → its last unit so far, the place of that unit's last record of it, and whether the stream begins here.
        self.written: dict[UUID, tuple[int, int, bool]] = {}
        self.stale: list[int] = []
        self.other_units: list[int] = []
        self.other_keys: list[UUID] = []
        self.read_units: list[int] = [0]
        self.reads: list[HeadRead] = [program_head]
        self.dependent_units: list[int] = []
        self.depends_on: list[int] = []
        self.record_units: list[int] = []
        self.records: list[RecordToAppend] = []
        self.refusal_units: list[int] = []
        self.refusals: list[RefusalToKeep] = []
        self.counters: dict[str, int] = {}
        self.raise_units: list[int] = []
        self.raise_counters: list[int] = []
        self.raise_amounts: list[int] = []
        self.raise_limits: list[int | None] = []

    def add(self, place: int, unit: UnitToAppend) -> None:
        """Add the unit that stands at a place of the batch, counted from 1.

        Raises:
            ValueError: the unit contradicts itself, which is our mistake: a key twice, or versions that do not follow.
        """
        free = self._claim_keys(place, unit)
        if not self._add_reads(place, unit) or not free:
            self.stale.append(place)
        self._add_records(place, unit)
        if unit.refusal is not None:
            self.refusal_units.append(place)
            self.refusals.append(unit.refusal)
        for name, amount, limit in unit.counters:
            self.raise_units.append(place)
            self.raise_counters.append(self.counters.setdefault(name, len(self.counters) + 1))
            self.raise_amounts.append(amount)
            self.raise_limits.append(limit)

    def _claim_keys(self, place: int, unit: UnitToAppend) -> bool:
        """Whether no earlier unit of the batch uses a source key or a reference of this one."""
        keys = [record.source_key for record in unit.records]
        references = [record.reference for record in unit.records if record.reference is not None]
        if unit.source_key not in keys:
            keys.append(unit.source_key)
            self.other_units.append(place)
            self.other_keys.append(unit.source_key)
        claimed = len(self.keys) + len(self.references) + len(keys) + len(references)
        self.keys.update(keys)
        self.references.update(references)
        if len(self.keys) + len(self.references) == claimed:
            return True
        if len(set(keys)) < len(keys) or len(set(references)) < len(references):
            raise ValueError("a unit uses one key twice")
        return False

    def _add_reads(self, place: int, unit: UnitToAppend) -> bool:
        """Whether every head was read as the earlier units of the batch leave it; the rest is the log's to compare."""
        holds = True
        for read in unit.reads:
            writer = self.written.get(read.stream_id)
            if writer is None:
                self.read_units.append(place)
                self.reads.append(read)
            else:
                self.dependent_units.append(place)
                self.depends_on.append(writer[0])
                left = self.records[writer[1] - 1]
                holds = holds and read.version == left.version and read.head_hash == leaf_hash(left.record)
        if self.program_written:
            # An earlier unit of the batch changed the rules: what did not read them so was decided under the old ones.
            holds = holds and any(read.stream_id == self.program_head.stream_id for read in unit.reads)
        return holds

    def _add_records(self, place: int, unit: UnitToAppend) -> None:
        versions = {read.stream_id: read.version for read in unit.reads}
        for record in unit.records:
            stream_id, version = record.stream_id, record.version
            if version != versions.get(stream_id, -1) + 1:
                raise ValueError("a record's version does not follow the one its unit read or wrote last")
            versions[stream_id] = version
            self.record_units.append(place)
            self.records.append(record)
            begins = version == 1 or (stream_id in self.written and self.written[stream_id][2])
            self.written[stream_id] = (place, len(self.records), begins)
            if version == self.program_head.version + 1 and stream_id == self.program_head.stream_id:
                self.program_written = True

    def awakens_itself(self) -> bool:
        """Whether a refusal of this batch waits for a reference of this batch."""
        return any(refusal.waits_for in self.references for refusal in self.refusals if refusal.waits_for is not None)

    def arguments(self, heads: Iterable[HeadToWrite]) -> list[Any]:
        """Everything from `p_stale` on, in the order of the function's parameters."""
        new, known = self._sorted_heads(heads)
        written = [head for _, head in new + known]
        return [
            self.stale,
            self.read_units,
            [read.stream_id for read in self.reads],
            [read.version for read in self.reads],
            [read.head_hash for read in self.reads],
            self.dependent_units,
            self.depends_on,
            self.record_units,
            [record.stream_id for record in self.records],
            [record.version for record in self.records],
            [record.source_key for record in self.records],
            [record.reference for record in self.records],
            [record.type for record in self.records],
            [record.time for record in self.records],
            [record.record.decode() for record in self.records],
            self.other_units,
            self.other_keys,
            len(new),
            [place for place, _ in new + known],
            [head.customer_id for head in written],
            [head.head_hash for head in written],
            [head.state_schema for head in written],
            [head.state.decode() for head in written],
            [head.due_at for head in written],
            self.refusal_units,
            [refusal.source_key for refusal in self.refusals],
            [refusal.fingerprint for refusal in self.refusals],
            [refusal.code for refusal in self.refusals],
            [refusal.status for refusal in self.refusals],
            [refusal.waits_for for refusal in self.refusals],
            [refusal.customer_id for refusal in self.refusals],
            [refusal.problem.decode() for refusal in self.refusals],
            [refusal.event.decode() for refusal in self.refusals],
            list(self.counters),
            self.raise_units,
            self.raise_counters,
            self.raise_amounts,
            self.raise_limits,
        ]

    def _sorted_heads(self, heads: Iterable[HeadToWrite]) -> tuple[_Placed, _Placed]:
        """The heads of streams that begin in this batch, and the others, each with the place of its last record."""
        new: _Placed = []
        known: _Placed = []
        for head in heads:
            unit, place, begins = self.written.get(head.stream_id, (0, 0, False))
            if unit != head.unit + 1 or self.records[place - 1].version != head.version:
                raise ValueError("a head to write is not what the units leave")
            (new if begins else known).append((place, head))
        if len(new) + len(known) != len(self.written):
            raise ValueError("a stream is written without its head")
        return new, known
