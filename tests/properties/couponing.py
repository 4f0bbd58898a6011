"""The state machine with coupons beside purchases: issued, used, given back, taken out of use, early, late and too late."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger import account as accounts
from ledger.instants import show
from tests.properties import stories
from tests.properties.invariants import cut_offs
from tests.properties.machine import Buys
from tests.properties.naive_coupons import NaiveCoupons

OFF = {"kind": "amount", "amount": 100, "currency": "CNY"}
KINDS = [
    {"id": "one", "value": OFF, "validity": {"expiry": {"kind": "after_days", "n": 1}}, "caps": {"per_customer": 1}},
    {
        "id": "many",
        "value": OFF,
        "uses": 3,
        "return_days": 2,
        "caps": {"per_customer": 2},
        "validity": {"expiry": {"kind": "after_days", "n": 2}},
    },
    {
        "id": "ahead",
        "value": OFF,
        "uses": 2,
        "validity": {"begins": "2018-10-26T00:00:00Z", "until": "2018-10-29T00:00:00Z"},
    },
    {"id": "stays", "value": OFF, "uses": 2},
]


class Couponing(Buys):
    """Coupons under rules that stay. Planted: a use given back not counted as left; the place of a used coupon given back."""

    Model = NaiveCoupons
    blocks: dict[str, Any] = {"coupons": KINDS}  # noqa: RUF012 - never changed

    def coupons(self) -> list[str]:
        return [posted.data["coupon_id"] for posted in self.events if posted.type == "coupon.issued"]

    def uses(self) -> list[str]:
        return [posted.data["redemption_id"] for posted in self.events if posted.type == "coupon.redeemed"]

    @rule(when=stories.instants, wait=stories.waits, kind=st.sampled_from([kind["id"] for kind in KINDS]))
    def issue(self, when: tuple[str, int], wait: int, kind: str) -> None:
        self.post("coupon.issued", when, wait, coupon_id=f"C-{len(self.events)}", kind=kind)

    @precondition(lambda self: self.coupons())
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 3))
    def use(self, when: tuple[str, int], wait: int, which: int) -> None:
        name = self.coupons()[-1 - which % len(self.coupons())]
        self.post("coupon.redeemed", when, wait, coupon_id=name, redemption_id=f"U-{len(self.events)}")

    @precondition(lambda self: self.uses())
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 3))
    def give_back(self, when: tuple[str, int], wait: int, which: int) -> None:
        self.post("coupon.returned", when, wait, redemption_id=self.uses()[-1 - which % len(self.uses())])

    @precondition(lambda self: self.coupons())
    @rule(when=stories.instants, wait=stories.waits, which=st.integers(0, 5))
    def void(self, when: tuple[str, int], wait: int, which: int) -> None:
        name = self.coupons()[-1 - which % len(self.coupons())]
        self.post("coupon.voided", when, wait, coupon_id=name, reason="by hand")

    @rule(
        kind=st.sampled_from(["one", "many"]),
        hours=st.sampled_from([1, 90]),
        voids=st.booleans(),
        late=stories.instants,
    )
    def come_back(self, kind: str, hours: int, late: tuple[str, int], *, voids: bool) -> None:
        """A coupon used, given back then or after its end, and wanted again; perhaps taken out of use, and another issued."""
        now, name, use = ("now", 1), f"C-{len(self.events)}", f"U-{len(self.events)}"
        self.post("coupon.issued", now, 0, coupon_id=name, kind=kind)
        self.post("coupon.redeemed", now, 0, coupon_id=name, redemption_id=use)
        self.now += hours * stories.HOUR
        self.post("coupon.returned", now, 0, redemption_id=use)
        self.post("coupon.redeemed", late, 0, coupon_id=name, redemption_id=f"{use}-again")
        if voids:
            self.post("coupon.voided", now, 0, coupon_id=name, reason="by hand")
            self.post("coupon.issued", now, 0, coupon_id=f"{name}-again", kind=kind)

    def agreed(self) -> None:
        """And a reader sees each coupon with the uses that are left, at every instant."""
        super().agreed()
        for ledger in self.ledgers:
            for as_of in cut_offs(ledger.records):
                part = accounts.show_account(accounts.fold(ledger.records, as_of), as_of).get("coupons", [])
                seen = {coupon["coupon_id"]: coupon["left"] for coupon in part}
                assert seen == self.naive.open_coupons(as_of), f"as of {show(as_of)}"
