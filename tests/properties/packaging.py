"""The state machine with packages beside purchases: sold, used once or several times, refunded in parts, early and late."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger import account as accounts
from ledger.instants import show
from tests.properties import stories
from tests.properties.invariants import cut_offs
from tests.properties.machine import DAY, Buys
from tests.properties.naive_packages import NaivePackages

KINDS = [
    {"id": "share", "validity": {"expiry": {"kind": "after_days", "n": 2}}},
    {"id": "list", "refund": "less_used_at_list", "list_price": 400},
    {"id": "never", "refund": "none", "validity": {"expiry": {"kind": "after_days", "n": 1}}},
    {"id": "ahead", "validity": {"begins": "2018-10-26T00:00:00Z", "until": "2018-10-29T00:00:00Z"}},
]


class Packaging(Buys):
    """Packages under rules that stay. Planted: what was paid back before not counted; seen."""

    Model = NaivePackages
    blocks: dict[str, Any] = {"packages": KINDS}  # noqa: RUF012 - never changed

    def packages(self) -> list[str]:
        return [posted.data["package_id"] for posted in self.events if posted.type == "package.sold"]

    def package(self, which: int) -> str:
        return self.packages()[-1 - which % len(self.packages())]

    @rule(
        when=stories.instants,
        wait=stories.waits,
        kind=st.sampled_from([kind["id"] for kind in KINDS]),
        uses=st.sampled_from([3, 1, 10]),
        price=st.sampled_from([1_000, 0, 7]),
        days=st.none() | st.integers(1, 3),
    )
    def sell(self, when: tuple[str, int], wait: int, kind: str, uses: int, price: int, days: int | None) -> None:
        until = None if days is None else show(self.instant(when) + days * DAY)
        data = {"kind": kind, "uses": uses, "price": price, "currency": "CNY", "valid_until": until}
        self.post("package.sold", when, wait, package_id=f"P-{len(self.events)}", **data)

    @precondition(lambda self: self.packages())
    @rule(
        when=stories.instants, wait=stories.waits, which=st.integers(0, 3), uses=st.none() | st.sampled_from([1, 2, 9])
    )
    def use(self, when: tuple[str, int], wait: int, which: int, uses: int | None) -> None:
        name = self.package(which)
        self.post("package.used", when, wait, package_id=name, use_id=f"U-{len(self.events)}", uses=uses)

    @precondition(lambda self: self.packages())
    @rule(
        when=stories.instants, wait=stories.waits, which=st.integers(0, 3), uses=st.none() | st.sampled_from([1, 2, 9])
    )
    def refund_package(self, when: tuple[str, int], wait: int, which: int, uses: int | None) -> None:
        name = self.package(which)
        self.post("package.refunded", when, wait, package_id=name, refund_id=f"PR-{len(self.events)}", uses=uses)

    @rule(price=st.sampled_from([7, 1_000]), late=stories.instants)
    def pay_back_in_parts(self, price: int, late: tuple[str, int]) -> None:
        """Three uses refunded one by one, the second at any instant: thirds of a price that does not divide by three."""
        now, name = ("now", 1), f"P-{len(self.events)}"
        self.post("package.sold", now, 0, package_id=name, kind="share", uses=3, price=price, currency="CNY")
        self.now += stories.HOUR
        for number, when in enumerate((now, late, now)):
            self.post("package.refunded", when, 0, package_id=name, refund_id=f"{name}-{number}", uses=1)

    @rule(when=stories.instants)
    def use_what_nobody_sold(self, when: tuple[str, int]) -> None:
        self.post("package.used", when, 0, package_id="none", use_id=f"U-{len(self.events)}")

    def agreed(self) -> None:
        """And a reader sees each package with the uses that are left, at every instant; what was paid back is the same."""
        super().agreed()
        for ledger in self.ledgers:
            refunds = [record for record in ledger.records if record.type == "package.refunded"]
            amounts = {record.data["refund_id"]: (record.derived or {})["amount"] for record in refunds}
            assert amounts == self.naive.paid_back()
            for as_of in cut_offs(ledger.records):
                part = accounts.show_account(accounts.fold(ledger.records, as_of), as_of).get("packages", [])
                seen = {package["package_id"]: package["left"] for package in part}
                assert seen == self.naive.open_packages(as_of), f"as of {show(as_of)}"
