"""`account.opened_from` beyond lots: coupons, membership, and a history that keeps the customer from being new."""

from typing import Any

from ledger import account as accounts
from tests.builders import (
    at,
    clock_runs,
    coupon,
    coupon_back,
    coupon_used,
    earns,
    event,
    member,
    membership,
    opened,
    purchase,
    renewal,
    rules,
    signed_up,
)
from tests.given import Given, given, table
from tests.memberships import PLANS, periods, seen
from tests.vouchers import KINDS

BOUGHT = {"first_order_at": "2024-03-08T12:00:00Z", "last_order_at": "2025-12-30T18:00:00Z", "orders": 41}
HELD = rules(coupons=KINDS, membership=[{**plan, "bundle": {}} for plan in PLANS])


def tea(kind: str = "tea", **more: Any) -> dict[str, Any]:
    return {"coupon_id": "T-1", "kind": kind, "issued_at": "2025-12-20T00:00:00Z", **more}


def having(*steps: Any) -> Given:
    return given(*steps, document=HELD)


TAKEN_OVER = opened("2026-02-01", coupons=[tea("ten", uses=3, code="X9", expires_at="2026-06-01T00:00:00Z")])
NAME = "opening:old:T-1"


@table(
    (
        "with the uses that are left and its own end, under a name of its own",
        lambda: (
            having()
            .when(TAKEN_OVER)
            .then("3 coupon:ten program:opening:old -> customer:coupon:ten opens 1.1 until 2026-06-01")
            .derived(
                coupons=[{"coupon_id": NAME, "kind": "ten", "lot": "1.1", "code": "X9"}],
                counters=[["coupon:ten:total", 1]],
            )
        ),
    ),
    (
        "whose end is not said ends as its kind does, counted from its issue",
        lambda: (
            having()
            .when(opened("2025-12-25", coupons=[tea("march")]))
            .then("1 coupon:march program:opening:old -> customer:coupon:march opens 1.1 until 2025-12-30")
        ),
    ),
    (
        "is used like any other",
        lambda: (
            having(TAKEN_OVER)
            .when(coupon_used(NAME, "U-1", "2026-02-02"))
            .then("1 coupon:ten customer:coupon:ten -> program:redeemed of 1.1:1")
            .derived(amount=1000)
        ),
    ),
    (
        "is given back to its lot",
        lambda: (
            having(TAKEN_OVER, coupon_used(NAME, "U-1", "2026-02-02"))
            .when(coupon_back("U-1", "2026-02-03"))
            .then("1 coupon:ten program:redeemed -> customer:coupon:ten of 1.1:1")
        ),
    ),
    (
        "expires by itself",
        lambda: (
            having(TAKEN_OVER)
            .when(clock_runs("2026-06-01"))
            .unit(("coupon.expired", "2026-06-01", ["3 coupon:ten customer:coupon:ten -> program:expired of 1.1:3"]))
        ),
    ),
    (
        "begins when its kind does",
        lambda: (
            having(opened("2026-02-01", coupons=[tea("festival")]))
            .when(coupon_used(NAME, "U-1", "2026-03-31"))
            .refused("coupon_not_yet_valid")
        ),
    ),
    (
        "is one of those a customer may have",
        lambda: (
            having(opened("2026-02-01", coupons=[tea("one")]))
            .when(coupon("C-1", "2026-02-02", "one"))
            .refused("limit_reached", counter="coupon:one:per_customer")
        ),
    ),
    (
        "is never refused for the cap: it was promised before",
        lambda: having(coupon("C-1", "2026-01-02", "one")).when(opened("2026-02-01", coupons=[tea("one")])).notes(),
    ),
    (
        "its name cannot be given to another",
        lambda: having(TAKEN_OVER).when(coupon(NAME, "2026-02-02")).refused("malformed").nothing_changed(),
    ),
    (
        "comes once, whatever the part",
        lambda: (
            having(TAKEN_OVER)
            .when(opened("2026-02-01", coupons=[tea()], part=2))
            .refused("already_taken_over", coupon_id="T-1")
            .nothing_changed()
        ),
    ),
    (
        "of another system is another",
        lambda: having(TAKEN_OVER).when(opened("2026-03-01", coupons=[tea()], system="crm")).notes(),
    ),
)
def test_a_coupon_is_taken_over(scenario):
    """Planted: the coupon left out of the customer's count; its end counted from the opening."""
    scenario()


RUNS = {
    "membership_id": "M-1",
    "plan": "monthly",
    "start": "2026-01-15T00:00:00Z",
    "end": "2026-02-15T00:00:00Z",
    "price": 3100,
    "currency": "CNY",
}
MEMBER = opened("2026-02-01", membership=RUNS)


@table(
    ("its period is seen", lambda: spans(having(MEMBER), "2026-02-01", [("2026-01-15", "2026-02-15")])),
    (
        "renewed, it goes on from its end",
        lambda: spans(
            having(MEMBER, renewal("M-1", "N-1", "2026-02-10"), renewal("M-1", "N-2", "2026-02-11")),
            "2026-02-11",
            [("2026-01-15", "2026-02-15"), ("2026-02-15", "2026-03-15"), ("2026-03-15", "2026-04-15")],
        ),
    ),
    (
        "it ends by itself",
        lambda: having(MEMBER).when(clock_runs("2026-03-01")).unit(("membership.ended", "2026-02-15", [])),
    ),
    (
        "cancelled, the days that are left are paid back",
        lambda: having(MEMBER).when(membership("cancelled", "M-1", "2026-02-04")).derived(refund=1000),
    ),
    (
        "beside one that runs there is no room for it",
        lambda: (
            having(member("M-0", "2026-01-20", "monthly"))
            .when(MEMBER)
            .refused("membership_active", membership_id="M-0")
            .nothing_changed()
        ),
    ),
    (
        "nor for one bought while it runs",
        lambda: having(MEMBER).when(member("M-2", "2026-02-10", "monthly")).refused("membership_active"),
    ),
    (
        "a second part brings none",
        lambda: (
            having(MEMBER)
            .when(opened("2026-02-01", membership=RUNS, part=2))
            .refused("already_taken_over", what="membership")
        ),
    ),
)
def test_a_membership_is_taken_over(scenario):
    """Planted: months of the first renewal counted from the start, so a period of another length drifts."""
    scenario()


def spans(found: Given, as_of: str, wanted: list[tuple[str, str]]) -> None:
    assert periods(found.ledger, as_of) == wanted
    assert seen(found.ledger, as_of)["status"] == "active"


def test_of_a_membership_without_a_price_nothing_is_paid_back():
    unpriced = {name: value for name, value in RUNS.items() if name not in ("price", "currency")}
    found = having(opened("2026-02-01", membership=unpriced))
    found.when(membership("cancelled", "M-1", "2026-02-04")).derived(refund=0, currency="CNY")


HELLO = {"id": "hello", "on": "customer.signed_up", "points": 100}
FIRST_ORDER = earns("5", when="account.totals.orders == 0")
KNOWN = opened("2026-01-01", history=BOUGHT)


@table(
    (
        "a rule for first orders does not apply",
        lambda: given(KNOWN, document=rules(FIRST_ORDER)).when(purchase("SO-1", 1000, "2026-01-02")).then(),
    ),
    (
        "nor where only the day of an order is known",
        lambda: (
            given(opened("2026-01-01", history={"last_order_at": BOUGHT["last_order_at"]}), document=rules(FIRST_ORDER))
            .when(purchase("SO-1", 1000, "2026-01-02"))
            .then()
        ),
    ),
    (
        "without orders there it is the first",
        lambda: (
            given(opened("2026-01-01", history={"orders": 0}), document=rules(FIRST_ORDER))
            .when(purchase("SO-1", 1000, "2026-01-02"))
            .balance(50)
        ),
    ),
    (
        "nobody brings a customer who has bought there",
        lambda: (
            given(KNOWN, document=REFERRALS)
            .when(purchase("SO-1", 1000, "2026-01-02", referred_by="c-0"))
            .unit(
                (
                    "purchase.recorded",
                    "2026-01-02",
                    ["10 points program:issued:purchase -> customer:points opens 2.1 by base"],
                )
            )
            .notes({"code": "referral_not_made", "referrer": "c-0", "reason": "not_new"})
        ),
    ),
    (
        "nor by signing up here",
        lambda: (
            given(KNOWN, document=REFERRALS)
            .when(signed_up("2026-01-02", referred_by="c-0"))
            .notes({"code": "referral_not_made", "referrer": "c-0", "reason": "not_new"})
        ),
    ),
    (
        "who had signed up there earns nothing for it again",
        lambda: (
            given(
                opened("2026-01-01", history={"signed_up_at": "2019-03-01T00:00:00Z"}),
                document=rules(HELLO, tiers=JOINED),
            )
            .when(signed_up("2026-01-02"))
            .then()
            .notes({"code": "nothing_earned", "reason": "signed_up_before", "signed_up_at": "2019-03-01T00:00:00Z"})
        ),
    ),
    (
        "who had not, does",
        lambda: given(KNOWN, document=rules(HELLO)).when(signed_up("2026-01-02")).balance(100),
    ),
    (
        "the anniversary is that of the sign-up there",
        lambda: (
            given(
                opened("2026-01-01", history={"signed_up_at": "2019-03-01T00:00:00Z"}),
                document=rules(earns("2", moments=["joined"]), moments=[{"id": "joined", "anniversary": "sign_up"}]),
            )
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .balance(20)
        ),
    ),
)
def test_who_was_loyal_there_is_not_new_here(scenario):
    """Planted: an instant of an order without their number taken for no order."""
    scenario()


REFERRALS = rules(referral={"referrer": [{"from_count": 1, "points": 100}], "referred": 50})
JOINED = {
    "window": {"kind": "lifetime"},
    "levels": [{"name": "member", "rank": 1, "qualifies": {"growth": 0}}],
    "growth": [{"id": "joined", "on": "customer.signed_up", "amount": 50}],
}


@table(
    (
        "parts of one cut-over belong together",
        lambda: given(KNOWN).when(event("account.opened_from", "2026-01-02", part=2, **SECOND)).balance(7),
    ),
    (
        "at another cut-over the customer is live already",
        lambda: (
            given(KNOWN)
            .when(opened("2026-01-02", ONE, part=2))
            .refused("already_live", cutover_at="2026-01-01T00:00:00Z")
            .nothing_changed()
        ),
    ),
    (
        "another system is left at its own",
        lambda: given(KNOWN).when(opened("2026-01-02", ONE, system="crm", history=BOUGHT)).balance(7),
    ),
    (
        "a history comes once",
        lambda: given(KNOWN).when(opened("2026-01-01", ONE, part=2, history=BOUGHT)).refused("already_taken_over"),
    ),
)
def test_a_system_is_left_once(scenario):
    scenario()


ONE = [{"asset": "points", "amount": 7, "granted_at": "2025-06-01T00:00:00Z", "reason": "purchase"}]
SECOND = {"system": "old", "cutover_at": "2026-01-01T00:00:00Z", "lots": ONE}


def test_the_customer_read_names_the_systems_from_their_cut_over_on():
    ledger = given(KNOWN, opened("2026-02-01", ONE, system="crm")).ledger

    def told(as_of: str) -> Any:
        return accounts.show_account(accounts.fold(ledger.records, at(as_of)), at(as_of)).get("opened_from")

    assert told("2025-12-31") is None
    assert [one["system"] for one in told("2026-01-01")] == ["old"]
    assert told("2026-02-01")[1] == {"system": "crm", "cutover_at": "2026-02-01T00:00:00Z", "parts": 1}
