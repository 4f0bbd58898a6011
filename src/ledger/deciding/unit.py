"""The unit in the making: what falls due on the way, what the decision takes, and the event's own record at the end.

Instants: `instant` is when the event takes effect (its `time`, or `now` where it is dated a little ahead). An event whose
instant lies before the latest on its stream is late: what it takes must have been free from then until now, as the history says.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ledger import account as accounts
from ledger.account import OPEN_LOTS_MAX, Account
from ledger.deciding.command import Beside, Command, Context, Decision, NeedsHistory, told_after
from ledger.deciding.expiring import expiries, expiry_reversal
from ledger.deciding.numbering import due_id, renumbered
from ledger.errors import InvariantBroken, LimitReached, TooManyLots
from ledger.history import Timeline
from ledger.instants import show
from ledger.lots import Free, free_at, joinable, open_after
from ledger.money import AMOUNT_MAX
from ledger.parts.family import DUE
from ledger.records import FOLLOWS, Lot, Posting, Record
from ledger.rules import RuleVersion

FALLS_DUE: list[Callable[["Unit", int], None]] = []
"""What the families write when time changes their part: each is called with an instant at which something is due."""

FOLLOWS_AT_ONCE: list[Callable[["Unit", Record], None]] = []
"""What the families write after an event's own record, such as an upgrade."""


class Unit:
    """Collects the records of one decision.

    Attributes:
        account: the state, advanced as records are written; never the caller's own.
        postings: of the event's own record, so far.
        notes: of the event's own record, so far.
        counters: what the event's own record adds to sums across customers: name, amount, limit.
        counters_beside: what the unit's other records add; each says so itself.
        other, half: the unit in the making on the other customer's stream, and that customer's half of this one.
        may_go_without: counters that stop nothing: where one has no room, what was to be counted is left out.
    """

    def __init__(self, account: Account, context: Context, subject: str, instant: int, rules: RuleVersion) -> None:
        self.account = accounts.copied(account)
        self.context = context
        self.subject = subject
        self.instant = instant
        self.late = instant < account.latest
        self.rules = rules
        self.records: list[Record] = []
        self.postings: list[Posting] = []
        self.notes: list[dict[str, Any]] = []
        self.counters: list[tuple[str, int, int | None]] = []
        self.may_go_without: set[str] = set()
        self.counters_beside: list[tuple[str, int, int | None]] = []
        self.other: Unit | None = None
        self.half: Decision | None = None
        self._taken: dict[str, int] = {}
        self._covered: dict[str, int] = {}
        self._reversals: dict[str, int] = {}
        self._timeline: Timeline | None = None

    @property
    def history(self) -> list[Record]:
        """The stream's records before this unit.

        Raises:
            NeedsHistory: they were not read; the decision is taken again with them.
        """
        if self.context.history is None:
            raise NeedsHistory
        return self.context.history

    @property
    def timeline(self) -> Timeline:
        """The stream's history.

        Raises:
            NeedsHistory: it was not read; the decision is taken again with it.
        """
        if self._timeline is None:
            self._timeline = Timeline([*self.history, *self.records])
        return self._timeline

    def begin(self) -> None:
        """Write what fell due by the event's instant; what a hold frees meanwhile counts whether or not the clock wrote it."""
        self.advance(self.instant)
        if self.late and "holds" in self.account.parts and told_after(self.context, self.instant):
            self.advance(self.context.now)

    def advance(self, until: int) -> None:
        """Write what falls due by an instant, each at its own.

        Raises:
            InvariantBroken: something stays due whatever is written.
        """
        while (instant := self.account.due_at()) is not None and instant <= until:
            version = self.account.version
            lots = [lot for lot in self.account.lots.values() if lot.expires_at <= instant]
            if lots:
                self._expire(instant, lots)
            if self.account.parts:
                for fall_due in FALLS_DUE:
                    fall_due(self, instant)
            if self.account.version == version:
                raise InvariantBroken(f"nothing is written for what is due at {show(instant)}")

    def free(self, asset: str, instant: int, *, pending: bool) -> list[Free]:
        """What can be taken at an instant, soonest expiry first: of the head, or for a late event what was free until now."""
        if self.late:
            return self.timeline.free_at(asset, instant, pending=pending)
        free = free_at(self.account, asset, instant, pending=pending)
        if not self._taken:
            return free
        left = (Free(lot, amount - self._taken.get(lot.id, 0)) for lot, amount in free)
        return [part for part in left if part.amount]

    def take(self, parts: list[Free], at: int) -> tuple[tuple[str, int], ...]:
        """Take from lots at an instant, noting what expiry must be reversed for it; returns the lots as a posting names them."""
        for lot, amount in parts:
            self._taken[lot.id] = self._taken.get(lot.id, 0) + amount
        if self.late or self._timeline is not None:
            for lot, amount in parts:
                needed = self.timeline.take(lot.id, amount, at)
                if needed:
                    self._reversals[lot.id] = self._reversals.get(lot.id, 0) + needed
        return tuple((lot.id, amount) for lot, amount in parts)

    def restore(self, parts: list[tuple[str, int]], at: int) -> tuple[tuple[str, int], ...]:
        """Give back to lots at an instant: what is decided next finds it there. Returns the lots as a posting names them."""
        for lot, amount in parts:
            self.timeline.restore(lot, amount, at)
        return tuple(parts)

    def next_lot(self) -> str:
        """The id of the lot that the next posting opens: the record's version and the posting's place."""
        return f"{self.account.version + 1}.{len(self.postings) + 1}"

    def post(self, posting: Posting) -> str:
        """Add a posting to the event's own record. A posting that opens a lot (`lot=""`) is given its id, which is returned."""
        if posting.lot == "":
            posting = posting._replace(lot=self.next_lot())
        self.postings.append(posting)
        return posting.lot or ""

    def pay_debts(self, lots: list[tuple[str, int, int]], asset: str, *, since: int | None = None) -> None:
        """Let what was just put into the account cover open debts first.

        Args:
            lots: id, amount and expiry of the lots opened or reopened.
            since: from when they hold it, where that is not the event's instant.
        """
        if not self.account.debts:
            return
        if self.late:
            open_debts = self.timeline.open_debts(asset)
        else:
            open_debts = [debt for debt in self.account.debts.values() if debt.asset == asset]
        for debt in open_debts:
            at = max(self.instant if since is None else since, debt.at)
            covered = self._covered.get(debt.id, 0)
            left = self.timeline.courses[debt.id].free_from(at) if self.late else debt.remaining - covered
            lots = self._cover(debt.id, left, lots, asset, at)

    def finish(self, command: Command, *, reference: str | None, derived: dict[str, Any]) -> Decision:
        """Write the reversed expiries, then the event's own record, and hand over the unit.

        Raises:
            LimitReached: a balance or total would not be exact in every JSON reader.
        """
        planned = self.account.version + 1
        for (expires_at, version), lots in self._reversals_by_expiry().items():
            self._reverse_expiry(expires_at, version, lots, command)
        if self.account.version + 1 != planned:
            self.postings = [renumbered(posting, planned, self.account.version + 1) for posting in self.postings]
        if self.counters:
            derived = {**derived, "counters": [[name, amount] for name, amount, _ in self.counters]}
        if self.instant != command.time:
            derived = {"at": show(self.instant), **derived}
            self.postings = [
                posting._replace(at=self.instant) if posting.at is None else posting for posting in self.postings
            ]
        own = Record(
            id=command.id,
            source=command.source,
            type=command.type,
            subject=self.subject,
            program=self.context.program,
            time=command.time,
            version=self.account.version + 1,
            rules=self.rules.version,
            actor=command.actor,
            cause=command.cause,
            data=command.data,
            derived=derived or None,
            postings=tuple(self.postings),
            notes=self.notes,
            reference=reference,
        )
        self._write(own)
        _check_exact(self.account, own.balances)
        before = len(self.records)
        for follow in FOLLOWS_AT_ONCE:
            follow(self, own)
        decision = Decision(self.records, self.account, before - 1 - len(self.records), self.all_counters)
        decision.may_go_without = self.may_go_without
        return decision if self.half is None else decision.joined(self.half)

    @property
    def all_counters(self) -> list[tuple[str, int, int | None]]:
        """What the unit adds to sums across customers."""
        return [*self.counters_beside, *self.counters] if self.counters_beside else self.counters

    @contextmanager
    def beside(self) -> Iterator[Beside]:
        """What is posted within belongs to a record that follows from the event's own, which is written already."""
        kept = self.postings, self.notes, self.counters
        beside = Beside([], [], [])
        self.postings, self.notes, self.counters = beside
        self._taken, self._covered = {}, {}
        try:
            yield beside
        finally:
            self.postings, self.notes, self.counters = kept
            self.counters_beside += beside.counters

    def write_due(
        self,
        what: str,
        instant: int,
        data: dict[str, Any],
        postings: tuple[Posting, ...] = (),
        derived: dict[str, Any] | None = None,
    ) -> None:
        """Write a record that time itself brings."""
        record = self._due_record(what, instant, self.account.version + 1, postings, data, None)
        record.derived = derived
        self._write(record)

    def write_following(
        self,
        own: Record,
        what: str,
        data: dict[str, Any],
        postings: tuple[Posting, ...] = (),
        derived: dict[str, Any] | None = None,
        at: int | None = None,
    ) -> Record:
        """Write a record that follows from the event's own at once. A posting names its lot itself.

        Args:
            at: where a late event makes something untrue that time brought, its instant; None: the event's own.
        """
        version = self.account.version + 1
        instant = own.instant if at is None else at
        record = Record(
            id=str(due_id(self.context.program, self.subject, what, instant, version)),
            source=FOLLOWS,
            type=what,
            subject=self.subject,
            program=self.context.program,
            time=instant,
            version=version,
            rules=self.rules.version,
            actor=own.actor,
            cause={"source": own.source, "id": own.id},
            data=data,
            derived=derived,
            postings=postings,
        )
        self._write(record)
        return record

    def join_lots(self, asset: str) -> None:
        """Keep the number of open lots of an asset within bounds: join those that agree, at the stream's latest instant.

        Stored value is never joined: a load is refunded from its own lots.

        Raises:
            TooManyLots: too few of them agree.
        """
        if len(self.account.lots) + sum(1 + len(posting.lots) for posting in self.postings) <= OPEN_LOTS_MAX:
            return
        at = max(self.instant, self.account.latest)
        surplus = open_after(self.account, self.postings, asset, at) - OPEN_LOTS_MAX
        taken = {lot for posting in self.postings for lot, _ in posting.lots}
        for agreeing in () if asset.startswith("stored.") else joinable(self.account, asset, at):
            group = [lot for lot in agreeing if lot.id not in taken]
            if surplus > 0 and len(group) > 1:
                self._join(asset, group, at)
                surplus -= len(group) - 1
        if surplus > 0:
            raise TooManyLots(open=surplus + OPEN_LOTS_MAX, limit=OPEN_LOTS_MAX)

    def _join(self, asset: str, group: list[Lot], at: int) -> None:
        eldest = min(group, key=lambda lot: lot.granted_at)
        self.post(
            Posting(
                asset,
                sum(lot.remaining for lot in group),
                f"customer:{asset}",
                f"customer:{asset}",
                lot="",
                lots=tuple((lot.id, lot.remaining) for lot in group),
                at=None if at == self.instant else at,
                available_at=eldest.available_at if eldest.available_at > at else None,
                granted_at=eldest.granted_at,
                expires_at=eldest.expires_at,
                reason=eldest.reason,
            )
        )

    def _cover(
        self, debt: str, left: int, lots: list[tuple[str, int, int]], asset: str, at: int
    ) -> list[tuple[str, int, int]]:
        """Close a debt from lots, as far as they reach; returns what is left of the lots."""
        kept, used = [], []
        for lot, amount, expires_at in lots:
            part = min(left, amount) if expires_at > at else 0
            left -= part
            if part:
                used.append((lot, part))
            if amount > part:
                kept.append((lot, amount - part, expires_at))
        if used:
            covered = sum(amount for _, amount in used)
            self._covered[debt] = self._covered.get(debt, 0) + covered
            if self._timeline is not None:
                self._timeline.cover(debt, used, at)
            moved_at = None if at == self.instant else at
            self.post(
                Posting(
                    asset,
                    covered,
                    f"customer:{asset}",
                    f"customer:{asset}:debt",
                    lots=tuple(used),
                    debts=((debt, covered),),
                    at=moved_at,
                )
            )
        return kept

    def _expire(self, expires_at: int, lots: list[Lot]) -> None:
        for what, postings in expiries(lots).items():
            self._write(self._due_record(what, expires_at, self.account.version + 1, postings, {}, None))

    def _reversals_by_expiry(self) -> dict[tuple[int, int], list[tuple[str, int]]]:
        grouped: dict[tuple[int, int], list[tuple[str, int]]] = {}
        for lot, amount in self._reversals.items():
            key = (self.timeline.lots[lot].expires_at, self.timeline.courses[lot].expired_in)
            grouped.setdefault(key, []).append((lot, amount))
        return grouped

    def _reverse_expiry(self, expires_at: int, expired_in: int, lots: list[tuple[str, int]], command: Command) -> None:
        what, postings = expiry_reversal([(self.timeline.lots[lot], amount) for lot, amount in lots])
        cause = {"source": command.source, "id": command.id}
        data = {"expired_in": expired_in}
        self._write(self._due_record(what, expires_at, self.account.version + 1, postings, data, cause))

    def _due_record(
        self,
        what: str,
        instant: int,
        version: int,
        postings: tuple[Posting, ...],
        data: dict[str, Any],
        cause: dict[str, str] | None,
    ) -> Record:
        return Record(
            id=str(due_id(self.context.program, self.subject, what, instant, version)),
            source=DUE,
            type=what,
            subject=self.subject,
            program=self.context.program,
            time=instant,
            version=version,
            rules=self.rules.version,
            actor="ledger:clock",
            cause=cause,
            data=data,
            postings=postings,
        )

    def _write(self, record: Record) -> None:
        accounts.apply(self.account, record)
        record.balances = self.account.balances()
        self.records.append(record)


def _check_exact(account: Account, balances: dict[str, int]) -> None:
    totals = account.totals
    amounts = (*balances.values(), *totals.gross.values(), *totals.net.values(), totals.orders)
    if max(amounts) > AMOUNT_MAX or min(amounts) < -AMOUNT_MAX:
        raise LimitReached("A balance or total of this customer would be larger than 2^53 - 1.", limit=AMOUNT_MAX)
