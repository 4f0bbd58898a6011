"""Back-test: every event that was sent, decided again under a proposed document, and what came of it beside what had come.

Customer by customer, from the log, in memory: nothing is written. An event keeps its `time` and arrives when it arrived, so a
late one is late again; what time brought and what followed at once is left to the proposed rules. Sums across customers
(budgets, caps of coupons) are taken in the order of the streams, so who is at their end may differ, not how much is given.
Rewards that a policy posted are decided again as they were posted; of what concerned two customers, each decides its own part again
and takes the other's as it was recorded. What was refused is not in the log and stays out.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any

from ledger import account as accounts
from ledger import store
from ledger.account import Account
from ledger.corrections import DECIDED_BY_RULES
from ledger.deciding import Context, advance
from ledger.errors import InvariantBroken, LedgerError
from ledger.parts.tiers import tier_of
from ledger.program import ProgramState
from ledger.records import FOLLOWS, Record, program_stream_id
from ledger.rules import RulesDocument
from ledger.store import Connection
from ledger.trial import Trial, check_fixed, ruled_by
from projections.backtest_alone import Alone, arrived

ASSET = "points"

SEGMENTS = (("no order", 0), ("1 order", 1), ("2 to 5 orders", 5), ("6 to 20 orders", 20))
"""Customers by their orders: the name, and the most orders of it; then come those with more."""

WITH_MORE = "more than 20 orders"


@dataclass(slots=True)
class Side:
    """What one set of rules came to.

    Attributes:
        accounts: points that each of the program's accounts gave out less what it took back; their sum is what is outstanding.
        tiers: customers by the tier they are in. moved: `tier.changed` by kind. refused: events by code.
        outstanding: by segment.
    """

    accounts: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    outstanding: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count a record."""
        for posting in record.postings:
            if posting.asset != ASSET:
                continue
            if posting.source.startswith("program:"):
                self.accounts[posting.source.split(":", 2)[1]] += posting.amount
            if posting.to.startswith("program:"):
                self.accounts[posting.to.split(":", 2)[1]] -= posting.amount
        if record.type == "tier.changed":
            self.moved[record.data["kind"]] += 1

    def close(self, account: Account, segment: str) -> int:
        """Count what a customer's stream ends with; the points outstanding."""
        tier = tier_of(account.parts.get("tiers"))
        if tier is not None:
            self.tiers[tier] += 1
        points = account.balances()[ASSET]
        self.outstanding[segment] += points
        return points


@dataclass(slots=True)
class Backtest:
    """The comparison; `now` are the rules as they decided, `then` the proposed ones.

    Attributes:
        segments: customers by segment. gain, lose: customers who would have more points, or fewer.
        seconds: on the clock; seconds_at_work: of this process's processor.
    """

    now: Side = field(default_factory=Side)
    then: Side = field(default_factory=Side)
    segments: Counter[str] = field(default_factory=Counter)
    customers: int = 0
    records: int = 0
    events: int = 0
    gain: int = 0
    lose: int = 0
    seconds: float = 0.0
    seconds_at_work: float = 0.0

    @property
    def records_per_second(self) -> int:
        """Records read, followed and decided again, for each second of one core."""
        return round(self.records / self.seconds_at_work) if self.seconds_at_work else 0

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        sides = {
            name: {part: dict(getattr(side, part)) for part in ("accounts", "tiers", "moved", "refused", "outstanding")}
            for name, side in (("now", self.now), ("then", self.then))
        }
        own = ("customers", "records", "events", "gain", "lose", "seconds", "seconds_at_work", "records_per_second")
        return {**sides, "segments": dict(self.segments), **{name: getattr(self, name) for name in own}}


async def backtest(
    conn: Connection,
    log_id: int,
    program: str,
    state: ProgramState,
    proposed: RulesDocument,
    *,
    now: int,
    on_progress: Callable[[int], None],
) -> Backtest:
    """Decide a whole log again under a document.

    Args:
        now: until when what falls due is counted, on both sides; microseconds.
        on_progress: called with the number of records done since the last call.

    Raises:
        FixedAtCreation: the document changes what was fixed when the program was made.
        InvariantBroken: the program's accounts do not come to what is outstanding.
    """
    check_fixed(state, proposed)
    run = _Run(program, state, proposed, now)
    began, began_at_work = perf_counter(), process_time()
    own = program_stream_id(program)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for stream_id, stored in store.streams_in_order(conn, log_id):
            if stream_id != own:
                run.replay([Record.from_bytes(record) for record in stored])
            on_progress(len(stored))
    found = run.found
    found.seconds, found.seconds_at_work = perf_counter() - began, process_time() - began_at_work
    for side in (found.now, found.then):
        if side.accounts.total() != side.outstanding.total():
            detail = (
                f"the program's accounts gave out {side.accounts.total()}, {side.outstanding.total()} are outstanding"
            )
            raise InvariantBroken(detail)
    return found


class _Run:
    def __init__(self, program: str, state: ProgramState, proposed: RulesDocument, now: int) -> None:
        self.found = Backtest()
        self._now = now
        self._context = Context(program, now, state)
        self._trial = Trial(program, ruled_by(state, proposed), alone=True)

    def replay(self, records: list[Record]) -> None:
        """Follow a customer's stream as it is, and decide it again."""
        found, customer = self.found, records[0].subject
        as_it_is = self._follow(records, customer)
        proposed = self._decide_again(records, customer)
        segment = _segment(as_it_is.totals.orders)
        found.segments[segment] += 1
        difference = found.then.close(proposed, segment) - found.now.close(as_it_is, segment)
        found.gain += difference > 0
        found.lose += difference < 0
        found.customers += 1
        found.records += len(records)

    def _is_moot(self, record: Record) -> bool:
        """Whether it corrects what rules had decided wrong: here the proposed ones have decided it."""
        order = self._context.state.corrections.get(record.data.get("correction", ""))
        return order is not None and not DECIDED_BY_RULES.isdisjoint(order.types)

    def _follow(self, records: list[Record], customer: str) -> Account:
        account, side = accounts.empty(), self.found.now
        for record in records:
            accounts.apply(account, record)
            side.add(record)
        due_at = account.due_at()
        if due_at is None or due_at > self._now:
            return account
        self._context.history = records
        decision = advance(account, customer, self._now, self._context)
        for record in decision.records:
            side.add(record)
        return decision.account

    def _decide_again(self, records: list[Record], customer: str) -> Account:
        trial, side = self._trial, self.found.then
        alone = Alone()
        for record in records:
            if self._is_moot(record):
                continue
            trial.now = max(trial.now, record.recorded_at)
            account = trial.accounts.get(customer) or accounts.empty()
            came = arrived(account, record) if record.source == FOLLOWS else None
            if came is not None:
                trial.accept(came)
                side.add(came)
            for command in alone.commands(record):
                self.found.events += 1
                try:
                    decided = trial.post(command)
                except LedgerError as error:
                    side.refused[error.code] += 1
                    continue
                for one in decided:
                    if one.subject == customer:
                        side.add(one)
        trial.now = max(self._now, trial.now)
        for one in trial.advance(customer, self._now):
            side.add(one)
        account = trial.accounts.get(customer) or accounts.empty()
        trial.forget(customer)
        return account


def _segment(orders: int) -> str:
    for name, most in SEGMENTS:
        if orders <= most:
            return name
    return WITH_MORE
