"""The book of points: what every lot and debt holds at two cut-offs, and every flow between them.

A lot lapses at its `expires_at` whether or not the clock has written it, so what the clock wrote is no flow here: the points
that a lot still holds then are what expired. All else is the plain arithmetic of movements. Pure: movements in, figures out.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.errors import InvariantBroken
from ledger.instants import NEVER, business_day
from projections.reports.movements import Movement

ACCOUNT = "customer:points"
DEBT = "customer:points:debt"
HELD = "customer:points:held"
LOTS = (ACCOUNT, HELD)
"""Where lots lie."""

EXPIRED = "program:expired"

NO_EXPIRY = "no expiry"

ORDER = (
    "opened",
    "granted",
    "reinstated",
    "adjusted",
    "transferred",
    "moved",
    "held",
    "redeemed",
    "expired",
    "clawed_back",
    "debts_covered",
)
"""The order of the lines between opening and closing; any other line comes after them."""


class Slice(NamedTuple):
    """What outstanding points are told apart by. Months are of the program's zone; the expiry month is the last one alive."""

    entity: str | None
    grant_month: str
    expiry_month: str
    reason: str


class Line(NamedTuple):
    """A line of the roll-forward, such as granted for purchases."""

    line: str
    detail: str = ""


class Trace(NamedTuple):
    """A record behind a line: `points` as they count there."""

    position: int
    customer: str
    version: int
    type: str
    at: int
    lot: str
    points: int
    line: Line
    slice: Slice


@dataclass(slots=True)
class LotCourse:
    """A lot: how much it would hold at both cut-offs, were there no expiry. `held_until`: a hold has set it aside until then."""

    id: str
    customer: str
    position: int
    version: int
    type: str
    slice: Slice
    amount: int
    lapses_at: int
    available_at: int
    held_until: int | None = None
    opening: int = 0
    closing: int = 0


@dataclass(slots=True)
class DebtCourse:
    """A debt at both cut-offs."""

    id: str
    customer: str
    position: int
    version: int
    type: str
    entity: str | None
    amount: int
    at: int
    opening: int = 0
    closing: int = 0


@dataclass(slots=True)
class Book:
    """Takes movements in the order of positions.

    Attributes:
        opens_at, closes_at: the cut-offs in microseconds; what happens at one still counts for it.
        flows: signed points by line and slice, between the cut-offs. debt_flows: by line and entity.
        accounts: plain sums of every account at the closing cut-off: what came in less what went out.
        held_flows: of points that holds set aside; a hold's expiry lies outside of the flows of lots.
        written_lapses: of what lapsed, what the clock has written. released_unwritten: of holds timed out, what it has not;
            expired_held_unwritten: of that, what had expired by then.
        lapsed_before: points that lapsed by the opening cut-off.
        traces: the records behind the lines, where they are wanted.
    """

    zone: ZoneInfo
    opens_at: int
    closes_at: int
    keeps_traces: bool = False
    lots: dict[tuple[str, str], LotCourse] = field(default_factory=dict)
    debts: dict[tuple[str, str], DebtCourse] = field(default_factory=dict)
    flows: Counter[tuple[Line, Slice]] = field(default_factory=Counter)
    debt_flows: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    held_flows: Counter[Line] = field(default_factory=Counter)
    held_opening: int = 0
    held_closing: int = 0
    written_lapses: int = 0
    released_unwritten: int = 0
    expired_held_unwritten: int = 0
    traces: list[Trace] = field(default_factory=list)
    movements: int = 0
    lapsed_before: int = 0

    def add(self, move: Movement) -> None:
        """Count one movement, if it happened by the closing cut-off.

        Raises:
            InvariantBroken: it names a lot or debt that nothing opened.
        """
        if move.at > self.closes_at:
            return
        self.movements += 1
        self.accounts[move.source] -= move.amount
        self.accounts[move.to] += move.amount
        if move.source == DEBT and move.lot is not None:
            self._owe(move)
        for debt, amount in move.debts:
            self._cover(move, debt, amount)
        if move.to == EXPIRED and move.source == ACCOUNT:
            self.written_lapses += move.amount
        elif move.source == EXPIRED and move.to == ACCOUNT:
            self.written_lapses -= move.amount
        else:
            self._move(move)

    def close(self) -> None:
        """Let time do what it has done by the closing cut-off, written or not: holds time out, lots lapse. Once, at the end.

        Raises:
            InvariantBroken: a lot holds less than nothing or more than it was opened with.
        """
        for lot in self.lots.values():
            if not 0 <= lot.closing <= lot.amount or not 0 <= lot.opening <= lot.amount:
                raise InvariantBroken(f"lot {lot.id} of {lot.customer} would hold {lot.closing} of {lot.amount}")
            if lot.held_until is not None:
                self._time_out(lot, lot.held_until)
            if lot.held_until is None:
                self._lapse(lot)
        if self.keeps_traces:
            self._trace_ends()

    def _move(self, move: Movement) -> None:
        if move.source in LOTS:
            for lot, amount in move.lots:
                self._change(move, lot, -amount, line_out(move.type, move.to))
        elif move.to in LOTS:
            for lot, amount in move.lots:
                self._change(move, lot, amount, line_in(move.source))
        if move.lot is not None and move.to in LOTS:
            self._open(move, move.lot)

    def _time_out(self, lot: LotCourse, until: int) -> None:
        """What a hold set aside and nobody captured is free again when the hold times out; past its expiry it is gone then."""
        if until > self.closes_at:
            self.held_opening += lot.opening
            self.held_closing += lot.closing
            return
        lot.held_until = None
        if until > self.opens_at:
            self.held_opening += lot.opening
            lot.opening = 0
        if lot.lapses_at <= until:
            self.expired_held_unwritten += lot.closing
            if until > self.opens_at:
                self.held_flows[Line("expired")] -= lot.closing
            lot.opening = lot.closing = 0
            return
        self.released_unwritten += lot.closing
        if lot.closing and until > self.opens_at:
            self.held_flows[Line("released")] -= lot.closing
            line = Line("held", "released")
            self.flows[line, lot.slice] += lot.closing
            self._trace_lot(lot, until, lot.closing, line)

    def _lapse(self, lot: LotCourse) -> None:
        if lot.lapses_at <= self.opens_at:
            self.lapsed_before += lot.closing
            lot.opening = lot.closing = 0
        elif lot.lapses_at <= self.closes_at:
            if lot.closing:
                line = Line("expired")
                self.flows[line, lot.slice] -= lot.closing
                self._trace_lot(lot, lot.lapses_at, -lot.closing, line)
            lot.closing = 0

    def _open(self, move: Movement, lot_id: str) -> None:
        eldest = self.lots.get((move.customer, move.lots[0][0])) if move.source in LOTS and move.lots else None
        months = month_of(move.granted_at, self.zone), expiry_month(move.expires_at, self.zone)
        entity = move.entity if eldest is None else eldest.slice.entity
        self.lots[move.customer, lot_id] = LotCourse(
            lot_id,
            move.customer,
            move.position,
            move.version,
            move.type,
            Slice(entity, *months, move.reason),
            move.amount,
            max(move.expires_at, move.at),
            move.available_at,
            move.until if move.to == HELD else None,
        )
        self._change(move, lot_id, move.amount, line_in(move.source))

    def _change(self, move: Movement, lot_id: str, amount: int, line: Line) -> None:
        lot = self.lots.get((move.customer, lot_id))
        if lot is None:
            raise InvariantBroken(f"lot {lot_id} of {move.customer} is named at position {move.position}, but not open")
        lot.closing += amount
        if move.at <= self.opens_at:
            lot.opening += amount
            return
        if lot.held_until is not None:
            self.held_flows[held_line(move.source, move.to)] += amount
            return
        self.flows[line, lot.slice] += amount
        if self.keeps_traces:
            self.traces.append(
                Trace(move.position, move.customer, move.version, move.type, move.at, lot_id, amount, line, lot.slice)
            )

    def _owe(self, move: Movement) -> None:
        debt = DebtCourse(
            move.lot or "",
            move.customer,
            move.position,
            move.version,
            move.type,
            move.entity,
            move.amount,
            move.at,
            closing=move.amount,
        )
        self.debts[move.customer, debt.id] = debt
        if move.at <= self.opens_at:
            debt.opening = move.amount
        else:
            self._flow_debt(move, debt, move.amount, "opened")

    def _cover(self, move: Movement, debt_id: str, amount: int) -> None:
        debt = self.debts.get((move.customer, debt_id))
        if debt is None:
            raise InvariantBroken(
                f"debt {debt_id} of {move.customer} is covered at position {move.position}, but not open"
            )
        debt.closing -= amount
        if move.at <= self.opens_at:
            debt.opening -= amount
        else:
            self._flow_debt(move, debt, -amount, "covered")

    def _flow_debt(self, move: Movement, debt: DebtCourse, amount: int, line: str) -> None:
        self.debt_flows[line, debt.entity] += amount
        if self.keeps_traces:
            slice_ = Slice(debt.entity, month_of(debt.at, self.zone), NO_EXPIRY, "debt")
            self.traces.append(
                Trace(
                    move.position,
                    move.customer,
                    move.version,
                    move.type,
                    move.at,
                    debt.id,
                    amount,
                    Line("debt", line),
                    slice_,
                )
            )

    def _trace_ends(self) -> None:
        for lot in self.lots.values():
            if lot.held_until is not None:
                continue
            for line, points in ((Line("opening"), lot.opening), (Line("closing"), lot.closing)):
                if points:
                    self._trace_lot(lot, None, points, line)
        for debt in self.debts.values():
            for name, points in (("opening", debt.opening), ("closing", debt.closing)):
                if points:
                    slice_ = Slice(debt.entity, month_of(debt.at, self.zone), NO_EXPIRY, "debt")
                    line = Line("debt", name)
                    self.traces.append(
                        Trace(
                            debt.position,
                            debt.customer,
                            debt.version,
                            debt.type,
                            debt.at,
                            debt.id,
                            points,
                            line,
                            slice_,
                        )
                    )

    def _trace_lot(self, lot: LotCourse, at: int | None, points: int, line: Line) -> None:
        """The record that opened a lot stands for what the lot holds, and for its lapse."""
        if self.keeps_traces:
            instant = NEVER if at is None else at
            self.traces.append(
                Trace(lot.position, lot.customer, lot.version, lot.type, instant, lot.id, points, line, lot.slice)
            )


_LINES_IN = {
    "program:redeemed": Line("reinstated"),
    "program:adjusted": Line("adjusted", "up"),
    "program:reversed": Line("clawed_back", "given back"),
    ACCOUNT: Line("moved", "between lots"),
    HELD: Line("held", "released"),
}
_LINES_OUT = {
    "program:redeemed": Line("redeemed"),
    "program:adjusted": Line("adjusted", "down"),
    "program:reversed": Line("clawed_back"),
    ACCOUNT: Line("moved", "between lots"),
    DEBT: Line("debts_covered"),
    HELD: Line("held", "placed"),
}


def month_of(instant: int, zone: ZoneInfo) -> str:
    """The calendar month of an instant, as `YYYY-MM`."""
    return _month(business_day(instant, zone))


def expiry_month(expires_at: int, zone: ZoneInfo) -> str:
    """The month of the last day on which a lot is alive; `no expiry` where it never lapses."""
    if expires_at == NEVER:
        return NO_EXPIRY
    return month_of(expires_at - 1, zone)


@lru_cache(maxsize=65_536)
def _month(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}"


def line_in(source: str) -> Line:
    """The line of what came to a customer from an account."""
    if source.startswith("program:issued:"):
        return Line("granted", source.removeprefix("program:issued:"))
    if source.startswith("program:opening:"):
        return Line("opened", source.removeprefix("program:opening:"))
    return _LINES_IN.get(source) or Line(source.rpartition(":")[2], "in")


def line_out(kind: str, target: str) -> Line:
    """The line of what a record of a type took from a customer to an account."""
    if kind == "hold.captured" and target == "program:reversed":
        return Line("held", "time-out taken back")
    return _LINES_OUT.get(target) or Line(target.rpartition(":")[2], "out")


def held_line(source: str, target: str) -> Line:
    """The line of what is held: placed, captured, released, or expired while it was."""
    if target == HELD:
        return Line("placed" if source == ACCOUNT else "time-out taken back")
    return _HELD_OUT.get(target) or Line(target.rpartition(":")[2])


_HELD_OUT = {ACCOUNT: Line("released"), "program:redeemed": Line("captured"), EXPIRED: Line("expired")}
