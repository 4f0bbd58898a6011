"""What an order to correct comes to for every customer it concerns: surveyed without writing anything, or carried out.

Both take the same road: the streams with records of the order's types and times are read, and the adjustment is decided on
each as the writer decides it. So a dry run says what the order will do, as long as nothing is posted in between.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from ledger import account as accounts
from ledger import store
from ledger.corrections import Correction, selects
from ledger.deciding import Command, Context, decide
from ledger.deciding.command import AHEAD_MAX_MINUTES
from ledger.deciding.correcting import adjustment
from ledger.errors import LedgerError
from ledger.heads import decoded_records
from ledger.instants import EARLIEST, MINUTE, parse, to_datetime
from ledger.leasing import lent
from ledger.program import ProgramState
from ledger.records import Record
from ledger.store import Pool
from ledger.store_corrections import streams_with

STREAMS_AT_ONCE = 50

DRY_RUN = "dry-run"
"""Id of an order that is only tried."""


class Outcome(NamedTuple):
    """What an order comes to for one customer; points.

    Attributes:
        records: how many of the customer's records were wrong.
        due: too much. own: taken back from the very lots. others: from other lots. expired: gone by itself.
        dropped: not taken back at all. debt: owed from now on. given: was missing.
        forgone: too much as well, and let go by a refund before, since it was spent.
        refused: code of the no, where nothing could be set right.
    """

    customer: str
    records: int = 0
    due: int = 0
    own: int = 0
    others: int = 0
    expired: int = 0
    dropped: int = 0
    debt: int = 0
    given: int = 0
    forgone: int = 0
    refused: str | None = None

    @property
    def spent(self) -> int:
        """What was too much and is not in the lots it was given in any more: for this the order's setting was applied."""
        return self.due - self.own - self.expired + self.forgone

    @property
    def change(self) -> int:
        """What becomes of the balance."""
        return self.given - self.own - self.others - self.debt

    def to_json(self) -> dict[str, Any]:
        """All of it, by name."""
        return {**self._asdict(), "spent": self.spent, "change": self.change}


_SUMMED = ("due", "own", "others", "expired", "dropped", "debt", "given", "forgone")


def outcome_of(customer: str, corrected: Sequence[dict[str, Any]]) -> Outcome:
    """The sums of what an adjustment's record says it corrected."""
    sums = {name: sum(part[name] for part in corrected) for name in _SUMMED}
    return Outcome(customer, len({part["record"] for part in corrected}), **sums)


def tried(content: dict[str, Any], now: int) -> Correction:
    """An order as it would be, were it given now."""
    return Correction(DRY_RUN, DRY_RUN, content, "", now, DRY_RUN, None)


async def survey(
    pool: Pool,
    log_id: int,
    program: str,
    state: ProgramState,
    order: Correction,
    *,
    now: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Outcome]:
    """What an order comes to, customer by customer; who has nothing to be set right is left out.

    Args:
        state: rules, and orders; this one need not be among them.
        now: the ledger's clock.
        on_progress: called with the number of streams looked at since the last call.

    Raises:
        DatabaseUnavailable
    """
    context = Context(program, now, replace(state, corrections={**state.corrections, order.id: order}))
    streams = await _concerned(pool, log_id, order)
    for start in range(0, len(streams), STREAMS_AT_ONCE):
        async with lent(pool) as conn:
            stored = await store.read_streams(conn, log_id, streams[start : start + STREAMS_AT_ONCE])
        for one in stored.values():
            outcome = _outcome(order, context, await decoded_records(one))
            if outcome is not None:
                yield outcome
        on_progress(len(stored))


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Customers, and the sums of all points."""
    found = dict.fromkeys(("customers", "records", *_SUMMED, "spent", "change", "refused", "customers_spent"), 0)
    for outcome in outcomes:
        found["customers"] += 1
        found["customers_spent"] += outcome.spent > 0
        found["refused"] += outcome.refused is not None
        for name in ("records", *_SUMMED, "spent", "change"):
            found[name] += getattr(outcome, name)
    return found


def commands(order: Correction, outcomes: Iterable[Outcome]) -> list[Command]:
    """What is posted for customers."""
    return [adjustment(order, outcome.customer) for outcome in outcomes]


async def _concerned(pool: Pool, log_id: int, order: Correction) -> list[UUID]:
    """Streams with records of the order's types and times. Nothing is written long before it happens, so the look begins there."""
    since, before = parse(order.content["from"]), parse(order.content["until"])
    async with lent(pool) as conn:
        last = (await store.read_logs(conn, [log_id]))[log_id].next_position - 1
        earlier = to_datetime(max(EARLIEST, since - 2 * AHEAD_MAX_MINUTES * MINUTE))
        after = await store.position_known_at(conn, log_id, earlier)
        return await streams_with(
            conn, log_id, order.types, since=to_datetime(since), before=to_datetime(before), after=after, up_to=last
        )


def _outcome(order: Correction, context: Context, records: list[Record]) -> Outcome | None:
    """What the adjustment would be on a stream; None where nothing is to be set right."""
    if not any(selects(order, record) for record in records):
        return None
    customer = records[0].subject
    known = adjustment(order, customer)
    if any((record.source, record.id) == (known.source, known.id) for record in records):
        return None
    try:
        decision = decide(accounts.fold(records), known, replace(context, history=records))
    except LedgerError as error:
        return Outcome(customer, refused=error.code)
    corrected = (decision.records[decision.own].derived or {})["corrected"]
    return outcome_of(customer, corrected) if corrected else None
