"""State machines of stored value, tenders that pay, and holds."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.instants import show
from tests.properties import stories
from tests.properties.machine import DAY, QUARTER_DAY, Books, Spends, Trades


class Stored(Books):
    """Stored value loaded, spent and refunded; purchases paid from what is held here."""

    @rule(
        when=stories.instants,
        wait=stories.waits,
        principal=st.sampled_from([100, 30, 7]),
        bonus=st.sampled_from([20, 0, 3]),
        days=st.none() | st.integers(1, 5),
    )
    def load(self, when: tuple[str, int], wait: int, principal: int, bonus: int, days: int | None) -> None:
        until = None if days is None or not bonus else show(self.instant(when) + days * DAY)
        data = {"load_id": f"L-{len(self.events)}", "currency": "CNY", "principal": principal, "bonus": bonus or None}
        data |= {"payment_reference": "wx", "bonus_expires_at": until}
        if self.post("stored_value.loaded", when, wait, **data):
            self.loads.append(str(data["load_id"]))

    @rule(when=stories.instants, wait=stories.waits, amount=st.sampled_from([10, 50, 1, 130]))
    def spend(self, when: tuple[str, int], wait: int, amount: int) -> None:
        self.post("stored_value.spent", when, wait, spend_id=f"S-{len(self.events)}", currency="CNY", amount=amount)

    @precondition(lambda self: self.loads)
    @rule(
        when=stories.instants,
        wait=stories.waits,
        which=st.none() | st.integers(0, 2),
        amount=st.none() | st.sampled_from([5, 40]),
    )
    def refund_load(self, when: tuple[str, int], wait: int, which: int | None, amount: int | None) -> None:
        named = {"currency": "CNY"} if which is None else {"load_id": self.loads[-1 - which % len(self.loads)]}
        self.post("stored_value.refunded", when, wait, refund_id=f"LR-{len(self.events)}", amount=amount, **named)

    @rule(
        when=stories.instants, wait=stories.waits, parts=stories.own_tenders, currency=st.sampled_from(["CNY", "JPY"])
    )
    def pay(self, when: tuple[str, int], wait: int, parts: list[tuple[str, int]], currency: str) -> None:
        tenders = [{"kind": kind, "amount": amount} for kind, amount in parts]
        self.buy({"currency": currency, "total": sum(one for _, one in parts), "tenders": tenders}, when, wait)

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 2), parts=stories.own_tenders)
    def refund_to(self, when: tuple[str, int], wait: int, which: int, parts: list[tuple[str, int]]) -> None:
        tenders = [{"kind": kind, "amount": amount} for kind, amount in parts]
        data = {"refund_id": f"RF-{len(self.events)}", "amount": sum(one for _, one in parts), "tenders": tenders}
        self.post("purchase.refunded", when, wait, order_id=self.order(which), **data)


class Holds(Books):
    """Points and stored value set aside, and what becomes of that."""

    @rule(
        when=stories.instants,
        wait=stories.waits,
        asset=st.sampled_from([{"asset": "points"}, {"asset": "stored_value", "currency": "CNY"}]),
        part=stories.parts,
        quarters=st.sampled_from([1, 2, 6, 20]),
    )
    def hold(self, when: tuple[str, int], wait: int, asset: dict[str, str], part: int, quarters: int) -> None:
        """A part of what can be spent then, or now and then more."""
        number = f"H-{len(self.events)}"
        there = self.spendable(when) if asset["asset"] == "points" else self.spendable(when, "stored.principal:CNY")
        amount = there * part // 4 or 1
        until = self.instant(when) + quarters * QUARTER_DAY
        if self.post("hold.placed", when, wait, hold_id=number, amount=amount, until=show(until), **asset):
            self.holds.append(number)

    @precondition(lambda self: self.holds)
    @rule(
        when=stories.instants,
        wait=stories.waits,
        which=st.integers(0, 2),
        amount=st.none() | st.sampled_from([1, 3, 9]),
    )
    def capture(self, when: tuple[str, int], wait: int, which: int, amount: int | None) -> None:
        known = self.holds[-1 - which % len(self.holds)]
        self.post("hold.captured", when, wait, hold_id=known, amount=amount)

    @precondition(lambda self: self.holds)
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 2))
    def release(self, when: tuple[str, int], wait: int, which: int) -> None:
        self.post("hold.released", when, wait, hold_id=self.holds[-1 - which % len(self.holds)])


class Purse(Stored, Holds, Trades, Spends):
    """Stored value, tenders and holds beside buying, bringing back and spending."""


class Aside(Holds):
    """Holds and little else, so that they meet: late, timed out, expired meanwhile, spent since."""

    @rule(when=stories.instants, wait=stories.waits, days=st.none() | st.integers(1, 9))
    def grant(self, when: tuple[str, int], wait: int, days: int | None) -> None:
        until = None if days is None else show(self.instant(when) + days * DAY)
        self.post("points.granted", when, wait, points=20, reason="goodwill", expires_at=until)

    @rule(when=stories.instants, wait=stories.waits, bonus=st.sampled_from([20, 3]))
    def load(self, when: tuple[str, int], wait: int, bonus: int) -> None:
        data = {"load_id": f"L-{len(self.events)}", "currency": "CNY", "principal": 50, "bonus": bonus}
        self.post("stored_value.loaded", when, wait, payment_reference="wx", **data)

    @rule(when=stories.instants, wait=stories.waits, part=stories.parts)
    def redeem(self, when: tuple[str, int], wait: int, part: int) -> None:
        points = self.spendable(when) * part // 4 or 1
        self.post("points.redeemed", when, wait, redemption_id=f"R-{len(self.events)}", points=points)

    @precondition(lambda self: self.orders)
    @rule(when=stories.instants, wait=stories.waits)
    def refund(self, when: tuple[str, int], wait: int) -> None:
        data = {"refund_id": f"RF-{len(self.events)}", "amount": 100, "order_id": self.order(0)}
        self.post("purchase.refunded", when, wait, **data)
