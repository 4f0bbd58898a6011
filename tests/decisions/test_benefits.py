"""Benefits of a tier: a gift taken once a year, a coupon when a tier is reached; each granted by a record."""

import pytest

from ledger.errors import FormError
from ledger.rules import read_document
from tests.builders import MemoryLedger, at, coupon_used, event, purchase, refunded
from tests.given import given, table
from tests.tiering import GOLD, SILVER, assigned, stands, tiered
from tests.vouchers import TEN_OFF

MOMENTS = [{"id": "birthday", "birthday_month": "birthday_month"}]
COUPONS = [
    {"id": "tea", "value": TEN_OFF},
    {"id": "cake", "value": {"kind": "gift", "sku": "CAKE"}, "caps": {"total": 1, "per_customer": 1}},
    {"id": "gone", "value": TEN_OFF, "validity": {"until": "2026-01-02T00:00:00Z"}},
]
BIRTHDAY = {
    "id": "birthday_gift",
    "tiers": ["silver", "gold"],
    "moments": ["birthday"],
    "points": 200,
    "coupons": [{"kind": "cake"}],
}
WELCOME = {
    "id": "welcome",
    "tiers": ["gold"],
    "given": "reached",
    "once": "ever",
    "coupons": [{"kind": "tea", "count": 2}],
}
MONTHLY = {"id": "monthly_tea", "tiers": ["silver"], "once": "month", "coupons": [{"kind": "tea"}]}


def document(*benefits):
    block = tiered(SILVER, GOLD, benefits=list(benefits) or [BIRTHDAY, WELCOME, MONTHLY])
    return {**block, "coupons": COUPONS, "moments": MOMENTS}


def having(*steps, rules=None):
    return given(*steps, document=rules or document())


def takes(benefit, time, month=None):
    return event("benefit.taken", time, benefit=benefit, attributes={"birthday_month": month} if month else None)


TO_SILVER = purchase("SO-1", 10_000, "2026-03-01")
TO_GOLD = purchase("SO-2", 50_000, "2026-03-02")
MARCH = takes("birthday_gift", "2026-03-05", 3)


class TestTaken:
    @table(
        (
            "one record with the points and the coupon",
            lambda: (
                having(TO_SILVER)
                .when(MARCH)
                .then(
                    "200 points program:issued:birthday -> customer:points opens 3.1 by birthday_gift",
                    "1 coupon:cake program:issued:benefit -> customer:coupon:cake opens 3.2",
                )
                .derived(
                    tier_held="silver",
                    period="2026",
                    coupons=[{"coupon_id": "benefit:birthday_gift:2026:cake:1", "kind": "cake", "lot": "3.2"}],
                )
            ),
        ),
        (
            "once a year",
            lambda: (
                having(TO_SILVER, MARCH)
                .when(takes("birthday_gift", "2026-03-31", 3))
                .refused("benefit_taken", benefit="birthday_gift", period="2026")
            ),
        ),
        (
            "in the month of birth",
            lambda: having(TO_SILVER).when(takes("birthday_gift", "2026-04-01", 3)).refused("benefit_not_now"),
        ),
        (
            "that the event says",
            lambda: having(TO_SILVER).when(takes("birthday_gift", "2026-03-05")).refused("benefit_not_now"),
        ),
        (
            "by who holds the tier",
            lambda: having().when(MARCH).refused("benefit_not_for_tier", tier=None, tiers=["silver", "gold"]),
        ),
        ("known to the rules", lambda: having(TO_SILVER).when(takes("other", "2026-03-05")).refused("benefit_unknown")),
        (
            "as long as there are coupons for the customer",
            lambda: (
                having(TO_SILVER, MARCH, purchase("SO-9", 10_000, "2027-02-01"))
                .when(takes("birthday_gift", "2027-03-01", 3))
                .refused("limit_reached", counter="coupon:cake:per_customer")
            ),
        ),
        (
            "each month, where the rules say so",
            lambda: (
                having(TO_SILVER, takes("monthly_tea", "2026-03-31"))
                .when(takes("monthly_tea", "2026-04-01"))
                .derived(period="2026-04")
            ),
        ),
        (
            "what was not given when the tier was reached can be taken",
            lambda: (
                having(assigned("gold", "2026-03-01"), rules=document(WELCOME | {"once": "month"}))
                .when(takes("welcome", "2026-04-01"))
                .derived(period="2026-04")
            ),
        ),
    )
    def test_a_benefit_is_taken(self, scenario):
        """Against: the period taken from the calendar year of the writer's clock."""
        scenario()

    @pytest.mark.parametrize(
        ("once", "period"), [("month", "2026-05"), ("quarter", "2026-Q2"), ("year", "2026"), ("ever", "ever")]
    )
    def test_a_period_is_of_business_days(self, once, period):
        rules = document(MONTHLY | {"once": once}) | {"business_day_starts_at": "05:00"}
        having(TO_SILVER, rules=rules).when(takes("monthly_tea", "2026-06-01T04:59")).derived(period=period)

    def test_a_frozen_customer_takes_none(self):
        frozen = event("customer.frozen", "2026-03-03", what="earn", reason="looked at")
        having(TO_SILVER, frozen).when(MARCH).refused("customer_frozen")

    def test_its_coupon_can_be_used(self):
        steps = (TO_SILVER, MARCH)
        use = coupon_used("benefit:birthday_gift:2026:cake:1", "U-1", "2026-03-06")
        having(*steps).when(use).then("1 coupon:cake customer:coupon:cake -> program:redeemed of 3.2:1")

    def test_a_late_one_is_given_once_all_the_same(self):
        late = takes("birthday_gift", "2026-03-04", 3).late("2026-03-06")
        having(TO_SILVER, MARCH).when(late).refused("benefit_taken")


class TestReached:
    def test_reaching_the_tier_brings_it_with_the_purchase(self):
        found = having(TO_SILVER).when(TO_GOLD)
        assert [record.type for record in found.records] == ["purchase.recorded", "tier.changed", "benefit.granted"]
        granted = found.records[-1]
        assert granted.data == {"benefit": "welcome", "tier": "gold", "period": "ever"}
        assert granted.derived["counters"] == [["coupon:tea:total", 1]] * 2
        assert [posting.lot for posting in granted.postings] == ["5.1", "5.2"]

    @table(
        ("assigned by staff it is reached, too", lambda: having().when(assigned("gold", "2026-03-01"))),
        ("passing silver by on the way", lambda: having().when(TO_GOLD)),
    )
    def test_it_is_reached(self, scenario):
        assert scenario().records[-1].type == "benefit.granted"

    @table(
        (
            "reached a second time",
            lambda: having(
                assigned("gold", "2026-03-01", until="2026-03-10T00:00:00Z"), purchase("SO-0", 100, "2026-03-11")
            ).when(assigned("gold", "2026-03-12")),
        ),
        ("kept at a review", lambda: having(TO_GOLD).when(purchase("SO-3", 50_000, "2027-06-01"))),
        ("not reached", lambda: having().when(TO_SILVER)),
        (
            "frozen",
            lambda: having(event("customer.frozen", "2026-03-01", what="earn", reason="looked at")).when(TO_GOLD),
        ),
        (
            "too late to be valid",
            lambda: having(rules=document({**WELCOME, "coupons": [{"kind": "gone"}]})).when(TO_GOLD),
        ),
    )
    def test_it_is_not_granted(self, scenario):
        assert "benefit.granted" not in [record.type for record in scenario().records]

    def test_what_was_given_stays_when_the_tier_is_undone(self):
        block = document()
        block["tiers"]["refunds_undo_upgrade"] = True
        found = having(TO_GOLD, rules=block).when(refunded("SO-2", 50_000, "2026-03-03"))
        assert stands(found.ledger, "2026-03-04") is None
        assert sum(lot.asset == "coupon:tea" for lot in found.ledger.account.lots.values()) == 2

    def test_a_late_purchase_that_corrects_the_tier_brings_it_once(self):
        """Against: one more grant for each correction."""
        steps = (TO_SILVER, purchase("SO-3", 39_900, "2026-03-10"))
        found = having(*steps).when(purchase("SO-2", 10_000, "2026-03-05").late("2026-03-11"))
        assert [record.type for record in found.records].count("benefit.granted") == 1
        found.ledger.post(
            purchase("SO-4", 100, "2026-03-06").late("2026-03-12") if False else TO_GOLD.late("2026-03-12")
        )
        assert [record.type for record in found.ledger.records].count("benefit.granted") == 1

    def test_no_room_left_stops_no_purchase(self):
        """What was to be counted is left out and its record says so. Against: the limit refused the purchase."""
        rules = document({**WELCOME, "points": 50, "coupons": [{"kind": "cake"}, {"kind": "tea"}]})
        ledger = MemoryLedger(rules, now=TO_GOLD.time)
        decision = ledger.decide(TO_GOLD)
        assert set(decision.may_go_without) == {"coupon:cake:total", "coupon:tea:total"}
        ledger.used_up = {"coupon:cake:total": 0}
        granted = ledger.post(TO_GOLD).records[-1]
        assert granted.notes == [{"code": "left_out", "kind": "cake", "reason": "limit_reached"}]
        assert [posting.asset for posting in granted.postings] == ["coupon:tea", "points"]


@pytest.mark.parametrize(
    ("pointer", "benefit"),
    [
        ("/tiers/benefits/0/tiers", {**MONTHLY, "tiers": ["lead"]}),
        ("/tiers/benefits/0/coupons/0/kind", {**MONTHLY, "coupons": [{"kind": "none"}]}),
        ("/tiers/benefits/0/moments", {**MONTHLY, "moments": ["none"]}),
        ("/tiers/benefits/0/id", {**MONTHLY, "id": "base"}),
        ("/tiers/benefits/0", {**WELCOME, "moments": ["birthday"]}),
        ("/tiers/benefits/0", {"id": "nothing", "tiers": ["gold"]}),
    ],
)
def test_faults_of_the_rules_say_where(pointer, benefit):
    with pytest.raises(FormError) as found:
        read_document(document(benefit))
    assert [error["pointer"] for error in found.value.errors] == [pointer]


def test_the_month_of_birth_is_on_the_record_and_no_date():
    ledger = having(TO_SILVER, MARCH).ledger
    assert ledger.records[-1].data == {"benefit": "birthday_gift", "attributes": {"birthday_month": 3}}
    assert at("2026-03-05") == ledger.records[-1].time
