"""The state machines: random events to the real ledger three times over, and the naive model beside it."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ledger import account as accounts
from ledger.errors import LedgerError
from ledger.history import Line, Timeline
from ledger.instants import MINUTE, parse, show
from ledger.lots import total
from tests.builders import Event, MemoryLedger, event
from tests.properties import stories
from tests.properties.agreement import check_accounts, check_like_naive
from tests.properties.invariants import check_records
from tests.properties.naive_points import Naive

QUARTER_DAY = 6 * stories.HOUR
DAY = 4 * QUARTER_DAY


class Books(RuleBasedStateMachine):
    """The same events to ledgers whose clock runs after every event, now and then, and never.

    Attributes:
        Model: the naive model beside them. blocks: of the rules, besides those that are drawn.
    """

    Model: type[Naive] = Naive
    blocks: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @initialize(document=stories.documents(), first=stories.purchases())
    def opens(self, document: dict[str, Any], first: dict[str, Any]) -> None:
        self.now = parse(stories.BEGINNING)
        document = {**document, **self.blocks}
        self.document = document
        self.naive = self.Model(document)
        self.always = MemoryLedger(document, clock=True, now=self.now)
        self.sometimes = MemoryLedger(document, now=self.now)
        self.never = MemoryLedger(document, now=self.now)
        self.ledgers = self.always, self.sometimes, self.never
        self.lengths = [[0], [0], [0]]
        self.events: list[Event] = []
        self.orders: list[str] = []
        self.redemptions: list[str] = []
        self.loads: list[str] = []
        self.holds: list[str] = []
        self.broken = False
        self.buy(first, ("now", 1), 0)

    def teardown(self) -> None:
        if not hasattr(self, "naive") or self.broken:
            return
        self.agreed()

    def agreed(self) -> None:
        """What must hold at the end."""
        for ledger in self.ledgers:
            check_records(ledger.records)
        kept = [(ledger.records, lengths) for ledger, lengths in zip(self.ledgers, self.lengths, strict=True)]
        check_like_naive(kept, self.naive)
        for ledger in self.ledgers:
            ledger.run_clock(self.now)
            check_accounts(ledger.records, self.naive, self.now)

    def agree(self, posted: Event) -> None:
        """What must hold after each event."""
        wanted = self.naive.post(posted, self.now)
        for ledger, lengths in zip(self.ledgers, self.lengths, strict=True):
            assert outcome(ledger, posted) == wanted
            lengths.append(len(ledger.records))

    def buy(self, data: dict[str, Any], when: tuple[str, int], wait: int) -> None:
        """A purchase under the next number."""
        number = f"SO-{len(self.events)}"
        if self.post("purchase.recorded", when, wait, order_id=number, **data):
            self.orders.append(number)

    def post(self, event_type: str, when: tuple[str, int], wait: int, **data: Any) -> bool:
        """To all three, and to the naive model, which must say the same; whether it was recorded."""
        before = len(self.never.records)
        time = self.instant(when)
        self.now += wait * stories.HOUR
        drawn = event(event_type, time, **data)
        posted = Event(drawn.type, time, drawn.data, id=f"e-{len(self.events)}", arrives=self.now)
        self.events.append(posted)
        self.broken = True  # until all have answered: what failed here is not to be covered up by the checks at the end
        self.agree(posted)
        self.broken = False
        if when[1] % 3 == 0:
            self.sometimes.run_clock(self.now)
        return len(self.never.records) > before

    def instant(self, when: tuple[str, int]) -> int:
        how, number = when
        if how == "now":
            return self.now
        if how == "ahead":
            return self.now + number * MINUTE // 4
        if how == "back":
            return self.now - number * QUARTER_DAY
        ends = [lot.expires_at + step for lot in self.never.account.lots.values() for step in (-1, 0)]
        ends += [parse(one.data["until"]) + step for one in self.events if "until" in one.data for step in (-1, 0)]
        past = sorted({instant for instant in ends if instant <= self.now} | {one.time for one in self.events})
        return past[-1 - number % len(past)] if past else self.now

    def order(self, which: int) -> str:
        return self.orders[-1 - which % len(self.orders)]

    def lines_of(self, number: str) -> dict[int, Line]:
        """What is left of the lines of an order. Only to draw amounts that mean something."""
        return Timeline(self.never.records).orders[f"purchase:shop:{number}"].lines

    def spendable(self, when: tuple[str, int], asset: str = "points") -> int:
        """Points, or what there is of another asset, that may be spent then."""
        return total(Timeline(self.never.records).free_at(asset, min(self.instant(when), self.now), pending=False))


class Buys(Books):
    """Purchases."""

    @rule(data=stories.purchases(), when=stories.instants, wait=stories.waits)
    def purchase(self, data: dict[str, Any], when: tuple[str, int], wait: int) -> None:
        self.buy(data, when, wait)


class Trades(Buys):
    """What may become of purchases."""

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 3), part=stories.parts)
    def refund(self, when: tuple[str, int], wait: int, which: int, part: int) -> None:
        order = self.order(which)
        amount = sum(line.amount_left for line in self.lines_of(order).values()) * part // 4 or 1
        self.post("purchase.refunded", when, wait, refund_id=f"RF-{len(self.events)}", order_id=order, amount=amount)

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 3), parts=stories.refunded_lines)
    def refund_of_lines(self, when: tuple[str, int], wait: int, which: int, parts: list[Any]) -> None:
        order = self.order(which)
        there = list(self.lines_of(order).values())
        asked = {there[number % len(there)].number: (money, goods) for number, money, goods in parts}
        lines = [
            {
                "line": number or 1,
                "amount": left.amount_left * asked[number][0] // 4,
                "quantity": f"{max(1, left.quantity_left * asked[number][1] // 4) / 1000:.3f}",
            }
            for number, left in self.lines_of(order).items()
            if number in asked
        ]
        data = {"refund_id": f"RF-{len(self.events)}", "amount": sum(one["amount"] for one in lines), "lines": lines}
        if data["amount"]:
            self.post("purchase.refunded", when, wait, order_id=order, **data)

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits, goods=stories.goods, match=st.sampled_from(["latest", "none"]))
    def return_goods(self, when: tuple[str, int], wait: int, goods: list[Any], match: str) -> None:
        lines = [{"sku": sku, "quantity": quantity, "amount": amount} for sku, quantity, amount in goods]
        data = {"return_id": f"RT-{len(self.events)}", "currency": "CNY", "lines": lines, "match": match}
        self.post("purchase.returned", when, wait, amount=sum(one["amount"] for one in lines), **data)

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 3), lines=stories.delivered_lines)
    def deliver(self, when: tuple[str, int], wait: int, which: int, lines: dict[int, Any] | None) -> None:
        parts = lines and [{"line": number, "quantity": quantity} for number, quantity in lines.items()]
        self.post("order.delivered", when, wait, order_id=self.order(which), lines=parts)


class Spends(Books):
    """Points granted, redeemed, given back, adjusted."""

    @rule(
        when=stories.instants,
        wait=stories.waits,
        points=st.sampled_from([20, 5, 1]),
        days=st.none() | st.integers(1, 9),
    )
    def grant(self, when: tuple[str, int], wait: int, points: int, days: int | None) -> None:
        until = None if days is None else show(self.instant(when) + days * DAY)
        self.post("points.granted", when, wait, points=points, reason="goodwill", expires_at=until)

    @precondition(lambda self: self.never.account.lots)
    @rule(when=stories.instants, wait=stories.waits, part=stories.parts)
    def redeem(self, when: tuple[str, int], wait: int, part: int) -> None:
        """A part of what can be spent then, or now and then a point too many."""
        there = self.spendable(when)
        points = there * part // 4 if part < 5 else there + 1
        number = f"R-{len(self.events)}"
        if self.post("points.redeemed", when, wait, redemption_id=number, points=points or 1):
            self.redemptions.append(number)

    @precondition(lambda self: self.redemptions)
    @rule(
        when=stories.instants, wait=stories.waits, which=st.integers(0, 2), points=st.none() | st.sampled_from([1, 4])
    )
    def give_back(self, when: tuple[str, int], wait: int, which: int, points: int | None) -> None:
        known = self.redemptions[-1 - which % len(self.redemptions)]
        self.post("points.redemption_reversed", when, wait, redemption_id=known, points=points)

    @rule(when=stories.instants, wait=stories.waits, points=st.sampled_from([8, 1, -1, -2]))
    def adjust(self, when: tuple[str, int], wait: int, points: int) -> None:
        self.post("points.adjusted", when, wait, points=points, reason="by hand")


class Joins(Books):
    """How customers come, what nobody knows, and what the program changes."""

    @rule(when=stories.instants, wait=stories.waits)
    def sign_up(self, when: tuple[str, int], wait: int) -> None:
        self.post("customer.signed_up", when, wait)

    @rule(when=stories.instants, wait=stories.waits, lots=stories.opening_lots, orders=st.none() | st.integers(0, 3))
    def open_from(self, when: tuple[str, int], wait: int, lots: list[Any], orders: int | None) -> None:
        time = min(self.instant(when), self.now)
        parts = [
            {"asset": asset, "amount": amount, "granted_at": show(time - before * QUARTER_DAY), "reason": "opening"}
            | ({} if days is None else {"expires_at": show(time + days * DAY)})
            for asset, amount, before, days in lots
        ]
        history = orders and {"orders": orders, "spend": {"CNY": orders}, "last_order_at": show(time - QUARTER_DAY)}
        if parts or history:
            data = {
                "system": f"old-{len(self.events)}",
                "part": 1,
                "cutover_at": show(time),
                "history": history or None,
            }
            self.post("account.opened_from", when, wait, lots=parts, **data)

    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 2))
    def name_the_unknown(self, when: tuple[str, int], wait: int, which: int) -> None:
        if which == 0:
            self.post("purchase.refunded", when, wait, refund_id="RF", order_id="none", amount=1)
        elif which == 1:
            self.post("order.delivered", when, wait, order_id="none")
        else:
            self.post("points.redemption_reversed", when, wait, redemption_id="none")

    @rule(document=stories.versions(), when=stories.instants)
    def publish(self, document: dict[str, Any], when: tuple[str, int]) -> None:
        begins = self.instant(when)
        document = {**document, "program": self.document["program"], "effective_from": show(begins)}
        for ledger in self.ledgers:
            ledger.post(Event("program.published", self.now, {"document": document}))
        self.naive.publish(document, begins)


class Everything(Trades, Spends, Joins):
    """All types, under rules that change."""


class Checkout(Trades, Spends):
    """Buying, bringing back, spending: the rules stay."""


class Clawbacks(Trades):
    """Orders and what becomes of them, with one way to spend."""

    @precondition(lambda self: self.never.account.lots)
    @rule(when=stories.instants, wait=stories.waits)
    def spend_all(self, when: tuple[str, int], wait: int) -> None:
        there = self.spendable(when)
        self.post("points.redeemed", when, wait, redemption_id=f"R-{len(self.events)}", points=there or 1)


def outcome(ledger: MemoryLedger, posted: Event) -> str:
    """`recorded`, or the code of the refusal; decided twice, which must give the same and change nothing."""
    before = accounts.to_bytes(ledger.account)
    ledger.now = max(ledger.now, posted.arrives or 0)
    try:
        once = ledger.decide(posted)
        twice = ledger.decide(posted)
        assert [record.to_bytes() for record in once.records] == [record.to_bytes() for record in twice.records]
        assert accounts.to_bytes(ledger.account) == before
        ledger.keep(once)
    except LedgerError as error:
        assert accounts.to_bytes(ledger.account) == before
        return str(getattr(error, "form_code", error.code))
    return "recorded"
