"""Events, rules and a ledger in memory, for tests of the domain.

`MemoryLedger` is what the writer does without a database: it decides, stamps, chains and serialises, and decides the next
event on what was read back. Instants are written as text: `2026-03-01`, `2026-03-01T10:00` (both UTC) or with an offset.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.deciding import (
    Command,
    Context,
    Counterpart,
    Decision,
    NeedsCounterpart,
    NeedsHistory,
    ProgramDecision,
    advance,
    decide,
    decide_program,
)
from ledger.events import SHAPES, validated
from ledger.instants import parse, show
from ledger.program import ProgramState
from ledger.records import PROGRAM_TYPES, TYPES, Record, leaf_hash

PROGRAM = "shop"
CUSTOMER = "c-1"
SECOND_OF_ALL_TIME = parse("1970-01-02T00:00:00Z")


def at(text: str | int) -> int:
    """Microseconds of an instant as tests write it."""
    if isinstance(text, int):
        return text
    if len(text) == 10:
        text += "T00:00:00Z"
    elif "+" not in text and not text.endswith("Z") and "-" not in text[10:]:
        text += "Z"
    return parse(text)


@dataclass(frozen=True)
class Event:
    """An event as a sender posts it; `arrives` is when, at the earliest, the ledger's clock shows it."""

    type: str
    time: int
    data: dict[str, Any]
    id: str = ""
    source: str = "/till"
    arrives: int | None = None
    may_backdate: bool = True

    def late(self, arrives: str) -> "Event":
        """The same event, arriving then."""
        return replace(self, arrives=at(arrives))


@dataclass(frozen=True)
class ClockRuns:
    """The clock writes what is due by then."""

    until: int


def event(event_type: str, time: str | int, **data: Any) -> Event:
    """An event of a type; what is None is left out."""
    return Event(event_type, at(time), {name: value for name, value in data.items() if value is not None})


def clock_runs(until: str | int) -> ClockRuns:
    """The clock writes what is due by then."""
    return ClockRuns(at(until))


def signed_up(time: str | int, **more: Any) -> Event:
    return event("customer.signed_up", time, **more)


def purchase(order: str, total: int, time: str | int, *, currency: str = "CNY", **more: Any) -> Event:
    return event("purchase.recorded", time, order_id=order, currency=currency, total=total, **more)


def line(number: int, amount: int, *, sku: str = "A", quantity: int | str = 1, **more: Any) -> dict[str, Any]:
    return {"line": number, "sku": sku, "quantity": quantity, "amount": amount, **more}


def refunded(order: str, amount: int, time: str | int, *, refund: str = "RF", **more: Any) -> Event:
    return event("purchase.refunded", time, refund_id=refund, order_id=order, amount=amount, **more)


def refunded_line(number: int, amount: int, *, quantity: int | str = 1) -> dict[str, Any]:
    return {"line": number, "quantity": quantity, "amount": amount}


def returned(*lines: tuple[str, int | str, int], time: str | int, match: str = "latest", **more: Any) -> Event:
    """Goods brought back: (sku, quantity, amount) each."""
    goods = [{"sku": sku, "quantity": quantity, "amount": amount} for sku, quantity, amount in lines]
    amount = sum(one["amount"] for one in goods)
    data = {"return_id": "RT", "currency": "CNY", "amount": amount, "lines": goods, "match": match, **more}
    return event("purchase.returned", time, **data)


def delivered(order: str, time: str | int, lines: dict[int, int | str] | None = None) -> Event:
    """A delivery of line number → quantity, or of all."""
    parts = None if lines is None else [{"line": number, "quantity": quantity} for number, quantity in lines.items()]
    return event("order.delivered", time, order_id=order, lines=parts)


def granted(points: int, time: str | int, *, reason: str = "goodwill", **more: Any) -> Event:
    return event("points.granted", time, points=points, reason=reason, **more)


def redeemed(redemption: str, points: int, time: str | int, **more: Any) -> Event:
    return event("points.redeemed", time, redemption_id=redemption, points=points, **more)


def given_back(redemption: str, time: str | int, points: int | None = None) -> Event:
    return event("points.redemption_reversed", time, redemption_id=redemption, points=points)


def loaded(load: str, principal: int, bonus: int, time: str | int, *, currency: str = "CNY", **more: Any) -> Event:
    data = {"load_id": load, "currency": currency, "principal": principal, "payment_reference": f"wx-{load}", **more}
    return event("stored_value.loaded", time, bonus=bonus or None, **data)


def spent(spend: str, amount: int, time: str | int, *, currency: str = "CNY", **more: Any) -> Event:
    return event("stored_value.spent", time, spend_id=spend, currency=currency, amount=amount, **more)


def load_refunded(refund: str, time: str | int, *, load: str | None = None, **more: Any) -> Event:
    """A refund of a load, or of a currency where no load is named."""
    which = {"currency": "CNY"} if load is None else {"load_id": load}
    return event("stored_value.refunded", time, refund_id=refund, **{**which, **more})


def held(hold: str, amount: int, time: str | int, until: str | int, **more: Any) -> Event:
    """A hold of points, or of stored value where a currency is given."""
    asset = "stored_value" if "currency" in more else "points"
    return event("hold.placed", time, hold_id=hold, asset=asset, amount=amount, until=show(at(until)), **more)


def captured(hold: str, time: str | int, amount: int | None = None) -> Event:
    return event("hold.captured", time, hold_id=hold, amount=amount)


def released(hold: str, time: str | int) -> Event:
    return event("hold.released", time, hold_id=hold)


def transferred(transfer: str, points: int, to: str, time: str | int, **more: Any) -> Event:
    return event("points.transferred", time, transfer_id=transfer, points=points, to=to, **more)


def authorised(spender: str, limit: int, time: str | int, *, asset: str = "points", **more: Any) -> Event:
    return event("account.authorised", time, spender=spender, asset=asset, limit=limit, **more)


def authorisation_ended(spender: str, time: str | int, *, asset: str = "points", **more: Any) -> Event:
    return event("account.authorisation_ended", time, spender=spender, asset=asset, **more)


def adjusted(points: int, time: str | int) -> Event:
    return event("points.adjusted", time, points=points, reason="by hand")


def opened(time: str | int, lots: Iterable[dict[str, Any]] = (), *, system: str = "old", **more: Any) -> Event:
    return event("account.opened_from", time, system=system, cutover_at=show(at(time)), lots=list(lots), **more)


def coupon(coupon_id: str, time: str | int, kind: str = "tea", **more: Any) -> Event:
    return event("coupon.issued", time, coupon_id=coupon_id, kind=kind, **more)


def coupon_used(coupon_id: str, redemption: str, time: str | int, **more: Any) -> Event:
    return event("coupon.redeemed", time, coupon_id=coupon_id, redemption_id=redemption, **more)


def coupon_back(redemption: str, time: str | int) -> Event:
    return event("coupon.returned", time, redemption_id=redemption)


def coupon_voided(coupon_id: str, time: str | int) -> Event:
    return event("coupon.voided", time, coupon_id=coupon_id, reason="misprinted")


def package(package_id: str, uses: int, price: int, time: str | int, kind: str = "wash", **more: Any) -> Event:
    data = {"package_id": package_id, "kind": kind, "uses": uses, "price": price, "currency": "CNY", **more}
    return event("package.sold", time, **data)


def package_used(package_id: str, use: str, time: str | int, uses: int | None = None, **more: Any) -> Event:
    return event("package.used", time, package_id=package_id, use_id=use, uses=uses, **more)


def package_refunded(package_id: str, refund: str, time: str | int, uses: int | None = None) -> Event:
    return event("package.refunded", time, package_id=package_id, refund_id=refund, uses=uses)


def member(membership: str, time: str | int, plan: str = "vip", **more: Any) -> Event:
    return event("membership.purchased", time, membership_id=membership, plan=plan, **more)


def renewal(membership: str, number: str, time: str | int, **more: Any) -> Event:
    return event("membership.renewed", time, membership_id=membership, renewal_id=number, **more)


def membership(what: str, name: str, time: str | int) -> Event:
    """`paused`, `resumed` or `cancelled`."""
    return event(f"membership.{what}", time, membership_id=name)


def registered(store: str, brand: str, effective_from: str, time: str | int, **more: Any) -> Event:
    entity = more.pop("entity", f"{brand} Ltd")
    data = {"store": store, "brand": brand, "entity": entity, "effective_from": effective_from, **more}
    return event("place.registered", time, **data)


def published(document: dict[str, Any], time: str | int) -> Event:
    return event("program.published", time, document=document)


def earns(points_per_unit: str | None = "1", **more: Any) -> dict[str, Any]:
    """A rule for purchases; by default one point for a whole unit of money."""
    rule = {"id": "base", "on": "purchase.recorded", "points_per_unit": points_per_unit, **more}
    return {name: value for name, value in rule.items() if value is not None}


def rules(*earning: dict[str, Any], **document: Any) -> dict[str, Any]:
    """A rules document; without rules for earning, the one of `earns()`."""
    return {"earning": list(earning) or [earns()], **document}


@dataclass
class MemoryLedger:
    """One program with one customer's stream.

    Attributes:
        clock: whether the clock runs up to `now` after every event.
        now: the writer's clock; never goes back.
        used_up: what is left of counters that have no room for what is decided.
    """

    document: dict[str, Any]
    clock: bool = False
    now: int = SECOND_OF_ALL_TIME
    account: Account = field(default_factory=accounts.empty)
    records: list[Record] = field(default_factory=list)
    program: ProgramState = field(default_factory=ProgramState)
    program_records: list[Record] = field(default_factory=list)
    used_up: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.post(published(self.document, SECOND_OF_ALL_TIME))

    def post(self, posted: Event) -> Decision | None:
        """Decide an event and keep its records; a refusal leaves everything as it was. None for the program's own stream."""
        self.now = max(self.now, posted.arrives if posted.arrives is not None else posted.time)
        if posted.type in PROGRAM_TYPES:
            self._post_on_program(posted)
            return None
        decision = self.decide(posted)
        self.keep(decision)
        return decision

    def decide(self, posted: Event) -> Decision:
        """What the event would bring, the records stamped; nothing is kept."""
        command = self.command(posted, CUSTOMER)
        decision = _with_history(lambda context: decide(self.account, command, context), self._context(), self.records)
        self._stamp(decision.records, self.records)
        return decision

    def run_clock(self, until: int) -> None:
        """Write what is due."""
        self.now = max(self.now, until)
        decision = advance(self.account, CUSTOMER, until, self._context())
        self._stamp(decision.records, self.records)
        self._take(decision)

    def keep(self, decision: Decision) -> None:
        """Take a decision's records, and run the clock if it runs after every event."""
        self._take(decision)
        if self.clock:
            self.run_clock(self.now)

    def _take(self, decision: Decision) -> None:
        self.account = accounts.from_bytes(accounts.to_bytes(decision.account), decision.account.version)
        self.records += [Record.from_bytes(record.to_bytes()) for record in decision.records]

    def _post_on_program(self, posted: Event) -> None:
        decided = self.decide_on_program(self.command(posted, PROGRAM))
        self.program_records += [Record.from_bytes(record.to_bytes()) for record in decided.records]
        self.program = decided.state

    def decide_on_program(self, command: Command) -> ProgramDecision:
        """What a command would bring on the program's own stream."""
        decided = decide_program(self.program, command, self._context())
        self._stamp(decided.records, self.program_records)
        return decided

    def command(self, posted: Event, subject: str) -> Command:
        """The event as it reaches a decision: its data validated."""
        known_shape = posted.type in SHAPES or posted.type not in TYPES  # the others are the ledger's own
        data = validated(posted.type, posted.data, posted.time) if known_shape else posted.data
        return Command(
            source=posted.source,
            id=posted.id or f"e-{len(self.records) + len(self.program_records) + 1}",
            type=posted.type,
            subject=subject,
            time=posted.time,
            data=data,
            actor="till-1",
            may_backdate=posted.may_backdate,
        )

    def _context(self) -> Context:
        return Context(PROGRAM, self.now, self.program, used_up=self.used_up)

    def _stamp(self, new: list[Record], before: list[Record]) -> None:
        prev = leaf_hash(before[-1].to_bytes()).hex() if before else None
        for number, record in enumerate(new, start=1):
            record.recorded_at, record.prev, record.unit = self.now, prev, (number, len(new))
            prev = leaf_hash(record.to_bytes()).hex()


def _with_history(decided: Any, context: Context, records: list[Record]) -> Decision:
    """As the writer does: decide on the head, and again with the stream's records where they are asked for.

    There is no other customer; see `tests/several.py`.
    """
    while True:
        try:
            result: Decision = decided(context)
        except NeedsHistory:
            context = replace(context, history=list(records))
        except NeedsCounterpart as needed:
            context = replace(context, counterpart=Counterpart(needed.customer, accounts.empty(), []))
        else:
            return result
