"""Heads folded again: after a change of the fold, before their streams are touched, without downtime.

A page of heads is folded outside any lock, then written where each still has the version that was folded; a stream that has
moved on meanwhile carries a state of its writer's already.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from ledger import account as accounts
from ledger import store
from ledger.account import STATE_SCHEMA, Account
from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.instants import to_datetime
from ledger.records import Record, program_stream_id
from ledger.store import Connection, Head, HeadToRebuild, Log, StoredRecord

HEADS_AT_ONCE = 500
RECORDS_AT_ONCE = 500

SHORT = 100
"""Streams of so many records are read together, a page of heads at once; longer ones by themselves."""


@dataclass(slots=True)
class Rebuilt:
    """What became of the heads; `unreadable` names customers whose records cannot be folded, and why."""

    rebuilt: int = 0
    moved_on: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


async def rebuild(conn: Connection, log: Log, *, every: bool, progress: Callable[[int], None]) -> Rebuilt:
    """Fold the heads of a log again: those whose state is not of this fold, or all of them.

    Raises:
        DatabaseUnavailable
    """
    done = Rebuilt()
    own = program_stream_id(log.program)
    after: UUID | None = None
    while page := await _page(conn, log.log_id, after, every=every):
        after = page[-1].stream_id
        customers = [head for head in page if head.stream_id != own]
        short = await store.read_streams(
            conn, log.log_id, [head.stream_id for head in customers if head.version <= SHORT]
        )
        folded = [await _folded(conn, log.log_id, head, short.get(head.stream_id, []), done) for head in customers]
        ready = [head for head in folded if head is not None]
        written = await store.rebuild_heads(conn, log.log_id, ready) if ready else set()
        done.rebuilt += len(written)
        done.moved_on += len(ready) - len(written)
        progress(len(page))
    return done


async def _page(conn: Connection, log_id: int, after: UUID | None, *, every: bool) -> list[Head]:
    if every:
        return await store.list_heads(conn, log_id, after=after, limit=HEADS_AT_ONCE)
    return await store.heads_of_other_schema(conn, log_id, state_schema=STATE_SCHEMA, after=after, limit=HEADS_AT_ONCE)


async def _folded(
    conn: Connection, log_id: int, head: Head, records: list[StoredRecord], done: Rebuilt
) -> HeadToRebuild | None:
    """A head's state from its records up to its version; None where they cannot be folded.

    Args:
        records: the first ones, where they were read already.
    """
    state = accounts.empty()
    try:
        while state.version < head.version:
            _fold(state, records, head.version)
            if state.version < head.version:
                after = state.version
                records = await store.read_stream(conn, log_id, head.stream_id, after=after, limit=RECORDS_AT_ONCE)
                _must_go_on(records, after, head)
    except (StreamUnreadable, InvariantBroken) as error:
        done.unreadable.append((head.customer_id, str(error)))
        return None
    due_at = state.due_at()
    due = None if due_at is None else to_datetime(due_at)
    return HeadToRebuild(head.stream_id, head.version, STATE_SCHEMA, accounts.to_bytes(state), due)


def _fold(state: Account, records: list[StoredRecord], version: int) -> None:
    """Apply records as far as a version."""
    for stored in records:
        if stored.version <= version:
            accounts.apply(state, Record.from_bytes(stored.record))


def _must_go_on(records: list[StoredRecord], version: int, head: Head) -> None:
    if not records:
        raise InvariantBroken(f"after record {version} of {head.version} there is none")
