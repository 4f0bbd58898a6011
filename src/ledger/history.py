"""The history of one stream, for decisions that need more than its head: late events, refunds, returns, reversals, deliveries.

`Timeline` folds the stream's records into the course of every lot and debt over time, and into its orders and redemptions.
What is free from an instant until now is the least that the lot held at any instant since; that a lot has expired meanwhile
does not count against it (its expiry is then reversed for exactly what is taken).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger import account as accounts
from ledger.account import order_of_consumption
from ledger.corrections import gave_points
from ledger.events import milli
from ledger.history_value import Held, Load, Paid, load_of, note_charged, note_hold, note_tender, note_tenders_back
from ledger.instants import NEVER
from ledger.lots import Free
from ledger.records import Debt, Lot, Posting, Record


@dataclass(slots=True)
class Course:
    """How much a lot or debt held over time.

    Attributes:
        opened_at: the instant from which it holds `amount`.
        moves: (instant, change) of everything but expiry.
        expired: what expiry took, less what was reversed of it; all of it at the lot's `expires_at`.
        expired_in: version of the last record that expired it.
        lapsed: (instant, amount) of what expired at once when a hold freed it; moves like any other, unlike `expired`.
        counted: what of the expired counted as taken back in refunds so far; a joined lot belongs to several earnings.
    """

    opened_at: int
    amount: int
    moves: list[tuple[int, int]] = field(default_factory=list)
    expired: int = 0
    expired_in: int = 0
    lapsed: list[tuple[int, int]] = field(default_factory=list)
    counted: int = 0

    def held(self) -> int:
        """What it held last, were there no expiry."""
        return self.amount + sum(change for _, change in self.moves)

    def gone(self, instant: int = NEVER) -> int:
        """What expired of it by an instant after its expiry."""
        return self.expired + sum(amount for at, amount in self.lapsed if at <= instant)

    def free_from(self, instant: int) -> int:
        """The least it held from an instant until now, expiry left aside."""
        if instant < self.opened_at:
            return 0
        changes: dict[int, int] = {}
        for at, change in self.moves:
            key = max(at, instant)
            changes[key] = changes.get(key, 0) + change
        level = least = self.amount + changes.pop(instant, 0)
        for at in sorted(changes):
            level += changes[at]
            least = min(least, level)
        return least


@dataclass(slots=True)
class Line:
    """What is left of a purchase's line: money in minor units, quantities in thousandths."""

    number: int
    sku: str
    amount: int
    quantity: int
    amount_left: int
    quantity_left: int
    quantity_delivered: int = 0


@dataclass(slots=True)
class Earning:
    """What one posting gave: of a purchase, or points given otherwise, which have no bases and are never refunded.

    Attributes:
        lots: the lot it opened, and those its points were moved into since.
        points: what it gave, or what a correction has made of it since.
        bases: line number → the part of the line that earned.
        due: points that refunds so far were to take back.
        moved: points made available by deliveries.
        dropped: what refunds were to take back and let go, since it was spent.
    """

    lots: list[str]
    points: int
    bases: dict[int, int]
    due: int = 0
    moved: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Order:
    """A purchase as later events see it.

    Attributes:
        counted_on: the day on which it counts towards tiers; None where there were none, "" its own where they came later.
    """

    reference: str
    version: int
    source: str
    id: str
    instant: int
    currency: str
    lines: dict[int, Line]
    earnings: list[Earning]
    paid: list[Paid] = field(default_factory=list)
    counted_on: str | None = None

    @property
    def amount_left(self) -> int:
        """Money not refunded yet, in minor units."""
        return sum(line.amount_left for line in self.lines.values())

    def named(self) -> dict[str, Any]:
        """How a record that concerns this order names it."""
        return {"source": self.source, "id": self.id, "version": self.version}


@dataclass(slots=True)
class Redemption:
    """A redemption as its reversals see it: what it took, lot by lot in order of consumption, less what was given back.

    `owner` is the other customer whose lots they are, and `authorisation` what it counted against.
    """

    version: int
    instant: int
    left: dict[str, int]
    owner: str = ""
    authorisation: int = 0


class Timeline:
    """The courses, orders, redemptions and loads of one stream."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.lots: dict[str, Lot] = {}
        self.debts: dict[str, Debt] = {}
        self.courses: dict[str, Course] = {}
        self.orders: dict[str, Order] = {}
        self.redemptions: dict[str, Redemption] = {}
        self.held: dict[str, Lot] = {}
        self.holds: dict[str, Held] = {}
        self.loads: dict[str, Load] = {}
        self.given: dict[str, Earning] = {}
        self.completed: dict[str, list[str]] = {}
        self._belongs: dict[str, list[list[str]]] = {}
        self._earned_by_day: dict[tuple[str, str], int] = {}
        for record in records:
            self._add(record)

    def free_at(self, asset: str, instant: int, *, pending: bool) -> list[Free]:
        """What was free from an instant until now; soonest expiry first, then oldest. See `lots.free_at`."""
        candidates = sorted(
            (
                lot
                for lot in self.lots.values()
                if lot.asset == asset and lot.expires_at > instant and (pending or lot.available_at <= instant)
            ),
            key=order_of_consumption,
        )
        free = (Free(lot, self.courses[lot.id].free_from(instant)) for lot in candidates)
        return [part for part in free if part.amount > 0]

    def own(self, lots: Iterable[str], instant: int) -> list[Free]:
        """What was free of certain lots from an instant until now."""
        alive = (self.lots[lot] for lot in lots if lot in self.lots and self.lots[lot].expires_at > instant)
        free = (Free(lot, self.courses[lot.id].free_from(instant)) for lot in alive)
        return [part for part in free if part.amount > 0]

    def take(self, lot: str, amount: int, at: int) -> int:
        """Take from a lot at an instant; returns how much of its expiry must be reversed for that."""
        course = self.courses[lot]
        spare = course.held() - course.expired
        course.moves.append((at, -amount))
        back = max(0, amount - spare)
        course.expired -= back
        return back

    def restore(self, lot: str, amount: int, at: int) -> None:
        """Give back to a lot at an instant."""
        self.courses[lot].moves.append((at, amount))

    def cover(self, debt: str, lots: list[tuple[str, int]], at: int) -> None:
        """Take from lots at an instant what closes a debt; lots that the present decision opens have no course yet."""
        for lot, amount in lots:
            if lot in self.courses:
                self.courses[lot].moves.append((at, -amount))
            self.courses[debt].moves.append((at, -amount))

    def expired_of(self, lots: Iterable[str], instant: int) -> int:
        """What expiry had taken from certain lots by an instant and did not count as taken back yet."""
        gone = (self.courses[lot] for lot in lots if self._terms(lot).expires_at <= instant)
        return max(0, sum(course.gone(instant) - course.counted for course in gone))

    def count_expired(self, lots: Iterable[str], amount: int) -> None:
        """Count what expired of certain lots as taken back, in their order."""
        for lot in lots:
            course = self.courses[lot]
            part = min(amount, max(0, course.gone() - course.counted))
            course.counted += part
            amount -= part

    def open_debts(self, asset: str) -> list[Debt]:
        """Debts not wholly closed, oldest first, with what is open of each from its beginning or `at` on."""
        return [debt for debt in self.debts.values() if debt.asset == asset and self.courses[debt.id].held() > 0]

    def earned_on(self, rule: str, day: str) -> int:
        """What a rule has earned on a business day."""
        return self._earned_by_day.get((rule, day), 0)

    def _add(self, record: Record) -> None:  # noqa: C901 - one branch a type
        instant = record.instant
        day = (record.derived or {}).get("business_day")
        for posting in record.postings:
            at = instant if posting.at is None else posting.at
            self._move(record, posting, at)
            self._count_towards_caps(posting, day)
        match record.type:
            case "purchase.recorded":
                self._note_purchase(record, instant)
            case "purchase.refunded" | "purchase.returned":
                self._note_refund(record)
            case "tier.introduced":
                self._note_introduction(record)
            case "order.delivered":
                self._note_delivery(record)
            case "points.adjusted":
                self._note_correction(record)
            case "points.redeemed":
                self._note_redemption(record, instant)
            case "points.redemption_reversed":
                self._note_reversal(record)
            case "hold.placed" | "hold.captured" | "hold.released" | "hold.timed_out":
                note_hold(self.holds, record, instant)
            case "stored_value.loaded":
                self._note_load(record, instant)

    def _note_load(self, record: Record, instant: int) -> None:
        load = self.loads[record.data["load_id"]] = load_of(record, instant)
        self._belongs |= {lot: [lots] for lots in (load.principal, load.bonus) for lot in lots}

    def _count_towards_caps(self, posting: Posting, day: str | None) -> None:
        if day is not None and posting.rule is not None and posting.lot is not None:
            key = (posting.rule, day)
            self._earned_by_day[key] = self._earned_by_day.get(key, 0) + posting.amount

    def _move(self, record: Record, posting: Posting, at: int) -> None:
        expiry = "program:expired" in (posting.source, posting.to)
        held = posting.source.endswith(":held") or posting.to.endswith(":held")
        sign = -1 if posting.source.startswith("customer:") else 1
        for lot, amount in posting.lots:
            course = self.courses[lot]
            if expiry and held:
                course.lapsed.append((at, -sign * amount))
                course.moves.append((at, sign * amount))
            elif expiry:
                course.expired -= sign * amount
                course.expired_in = record.version if sign < 0 else course.expired_in
            else:
                course.moves.append((at, sign * amount))
        for debt, amount in posting.debts:
            self.courses[debt].moves.append((at, -amount))
        if posting.lot is not None:
            self.courses[posting.lot] = Course(at, posting.amount)
            if posting.source.endswith(":debt"):
                self.debts[posting.lot] = Debt(posting.lot, posting.asset, posting.amount, posting.amount, at)
            else:
                lots = self.held if posting.to.endswith(":held") else self.lots
                lots[posting.lot] = accounts.lot_of(posting, at)
                self._follow(posting)
                if gave_points(posting):
                    self._note_gift(posting.lot, posting.amount, posting.why or {})

    def _terms(self, lot: str) -> Lot:
        return self.lots.get(lot) or self.held[lot]

    def _follow(self, posting: Posting) -> None:
        """What is moved into a new lot still belongs to the earnings and loads it came from; of joined lots that may be several."""
        if posting.source.startswith("customer:") and posting.lot is not None:
            followed = self._belongs.setdefault(posting.lot, [])
            for lots in (lots for lot, _ in posting.lots for lots in self._belongs.get(lot, ())):
                if posting.lot not in lots:
                    lots.append(posting.lot)
                    followed.append(lots)

    def _note_purchase(self, record: Record, instant: int) -> None:
        data = record.data
        lines = [
            Line(
                line["line"],
                line["sku"],
                line["amount"],
                milli(line["quantity"]),
                line["amount"],
                milli(line["quantity"]),
            )
            for line in data.get("lines") or ()
        ] or [Line(0, "", data["total"], 1000, data["total"], 1000)]
        reference = (record.derived or {})["reference"]
        order = Order(
            reference,
            record.version,
            record.source,
            record.id,
            instant,
            data["currency"],
            {line.number: line for line in lines},
            [],
            counted_on=(record.derived or {}).get("tier", {}).get("day"),
        )
        for posting in record.postings:
            if posting.lot is not None and posting.why is not None and posting.source.startswith("program:issued:"):
                earning = self.given.get(posting.lot) or self._note_gift(posting.lot, posting.amount, posting.why)
                order.earnings.append(earning)
            elif posting.why is not None and "tender" in posting.why:
                note_tender(order.paid, posting.asset, posting.lots, posting.why)
        if record.derived is not None and "charged" in record.derived:
            note_charged(order.paid, record.derived["charged"])
        self.orders[reference] = order

    def _note_gift(self, lot: str, points: int, why: dict[str, Any]) -> Earning:
        bases = dict(zip(why.get("lines", ()), why.get("bases", ()), strict=True))
        earning = self.given[lot] = Earning([lot], points, bases)
        self._belongs[lot] = [earning.lots]
        return earning

    def _note_correction(self, record: Record) -> None:
        """What a correction has made of the gifts it names; what it gave besides belongs to the order that lacked it."""
        corrected = (record.derived or {}).get("corrected", ())
        why = {posting.lot: posting.why or {} for posting in record.postings if posting.lot is not None}
        orders = {order.version: order for order in self.orders.values()}
        for part in corrected:
            lot = part["lot"]
            if lot in why and lot not in self.given:
                earning = self._note_gift(lot, part["right"], why[lot])
                self.completed.setdefault(part["of"], []).append(lot)
                if part["record"] in orders and earning.bases:
                    orders[part["record"]].earnings.append(earning)
            if lot is not None:
                earning = self.given[lot]
                earning.points, earning.due, earning.moved = part["right"], part["refunded"], part["delivered"]
                earning.dropped -= part["forgone"]
                self.count_expired(earning.lots, part["expired"])

    def _note_introduction(self, record: Record) -> None:
        """Orders from before the program had tiers count from now on, with the growth that was told of each."""
        for order in self.orders.values():
            order.counted_on = order.counted_on or ""
        for lot, why in ((one.lot or "", one.why) for one in record.postings if one.why and "order" in one.why):
            bases = dict(zip(why["lines"], why["bases"], strict=True))
            earning = Earning([lot], why["growth"], bases, due=why["due"])
            self.orders[why["order"]].earnings.append(earning)
            self._belongs[lot] = [earning.lots]

    def _note_refund(self, record: Record) -> None:
        for part in (record.derived or {}).get("orders", ()):
            order = self.orders[part["order"]]
            for number, amount, quantity in part["lines"]:
                line = order.lines[number]
                line.amount_left -= amount
                line.quantity_left -= quantity
            note_tenders_back(order.paid, part.get("tenders", ()))
            for earning, clawed in zip(order.earnings, part["clawback"], strict=True):
                earning.due += clawed["due"]
                earning.dropped += clawed["dropped"]
                self.count_expired(earning.lots, clawed["expired"])

    def _note_delivery(self, record: Record) -> None:
        derived = record.derived or {}
        order = self.orders.get(derived.get("reference", ""))
        if order is None:
            return
        for number, quantity in derived["lines"]:
            order.lines[number].quantity_delivered += quantity
        for earning, moved in zip(order.earnings, derived["moved"], strict=True):
            earning.moved += moved

    def _note_redemption(self, record: Record, instant: int) -> None:
        left = {lot: amount for posting in record.postings for lot, amount in posting.lots}
        redemption = self.redemptions[record.data["redemption_id"]] = Redemption(record.version, instant, left)
        charged = (record.derived or {}).get("charged")
        if charged is not None:
            redemption.left = {lot: amount for taken in charged["taken"] for lot, amount in taken["lots"]}
            redemption.owner, redemption.authorisation = charged["customer"], charged["charges"][0]["authorisation"]

    def _note_reversal(self, record: Record) -> None:
        redemption = self.redemptions[record.data["redemption_id"]]
        for lot, amount in (record.derived or {})["reversed"]:
            redemption.left[lot] -= amount
