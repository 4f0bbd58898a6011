"""Metrics beside the same numbers recomputed in plain Python, over small towns with everything in them.

Against: a refund that lowers the wrong category, a review that is not written, a reward counted on both streams.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from projections.errors import ReviewsUnwritten
from projections.twin.fleet import Fleet
from tests.metrics import naive
from tests.metrics.fleets import fleet_of, rows, texts_of
from tests.metrics.naive import Plain
from tests.metrics.town import BEGINS, DAYS, ZONE, town

IN_ZONE = ZoneInfo(ZONE)
END = datetime(BEGINS.year, BEGINS.month, BEGINS.day, tzinfo=IN_ZONE) + timedelta(days=DAYS)
EDGES = ((30.0, 60.0, 120.0, 365.0), (1.0, 2.0, 4.0, 8.0))

TOWNS = [(1, 0), pytest.param((2, 0), marks=pytest.mark.slow), pytest.param((2, 120), marks=pytest.mark.slow)]
"""Seeds, and how many days before the end."""

Seen = tuple[Fleet, Plain]


@pytest.fixture(scope="module", params=TOWNS, ids=["town 1", "town 2", "town 2 earlier"])
def seen(request: pytest.FixtureRequest) -> Seen:
    seed, days = request.param
    return look(seed, END - timedelta(days=days, hours=8))


def look(seed: int, as_of: datetime) -> Seen:
    of = town(seed)
    fleet = fleet_of(texts_of(of.records), as_of=naive.microseconds(as_of), zone=ZONE, state=of.program)
    return fleet, Plain(of.records, as_of, IN_ZONE)


def keyed(found: list[dict[str, Any]], by: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = tuple("period" if name == "month" else name for name in by)
    return {tuple(row[name] for name in names): row for row in found}


BY = [
    (),
    ("tier",),
    ("category",),
    ("cohort",),
    ("month", "category"),
    ("store", "tier"),
    ("brand", "category"),
    ("guide",),
]


@pytest.mark.parametrize("by", BY, ids="-".join)
def test_orders_by_tier_category_cohort_and_place(seen: Seen, by: tuple[str, ...]):
    """Against: refunds of an order taken off each of its categories whole."""
    fleet, plain = seen
    wanted = naive.trade(plain, by)
    for name in ("orders", "aov/order", "spend_per_buyer"):
        found = keyed(rows(fleet, name, by=",".join(by)), by)
        shown = {key: row for key, row in found.items() if row.get("orders", row.get("buyers"))}
        assert shown.keys() == wanted.keys()
        for key, row in shown.items():
            for part in {"orders", "buyers", "amount"} & row.keys():
                assert row[part] == wanted[key][part], (name, key, part)


@pytest.mark.parametrize("by", [one for one in BY if "store" not in one], ids="-".join)
def test_revenue_by_tier_category_and_cohort_sums_up(seen: Seen, by: tuple[str, ...]):
    fleet, plain = seen
    found = keyed(rows(fleet, "revenue", by=",".join(by)), by)
    wanted = naive.revenue(plain, by)
    shown = {key: (row["gross"], row["refunds"]) for key, row in found.items() if row["orders"] or row["refunds_count"]}
    assert shown == wanted
    (whole,) = rows(fleet, "revenue")
    assert sum(gross for gross, _ in wanted.values()) == whole["gross"]
    assert sum(refunds for _, refunds in wanted.values()) == whole["refunds"]


@pytest.mark.parametrize("by", [(), ("month",), ("store", "channel"), ("brand",)], ids="-".join)
def test_cash_in(seen: Seen, by: tuple[str, ...]):
    """Against: a cancelled membership's money back left out; partner tenders counted."""
    fleet, plain = seen
    wanted = naive.cash(plain, by)
    for untendered in ("exclude", "include"):
        found = keyed(rows(fleet, "cash_in", by=",".join(by), untendered=untendered), by)
        names = ("orders", "stored_value", "memberships", "packages", "refunds", "untendered")
        shown = {key: row for key, row in found.items() if any(row[name] for name in names)}
        assert shown.keys() == wanted.keys()
        for key, row in shown.items():
            parts = wanted[key]
            assert {name: row[name] for name in names} == {name: parts[name] for name in names}
            value = sum(parts[name] for name in names[:4]) - parts["refunds"]
            assert row["value"] == value + (parts["untendered"] if untendered == "include" else 0)


def test_tiers_and_who_is_reviewed_soon(seen: Seen):
    """Against: the change with the latest instant, instead of the last written, as the one that stands."""
    fleet, plain = seen
    standing = plain.tiers()
    members = Counter(one["data"]["tier"] for one in standing.values())
    members[None] = len(plain.present()) - sum(members.values())
    found = rows(fleet, "tiers", days="45")
    assert {row["tier"]: row["members"] for row in found} == members
    for row in found:
        due = [one for one in standing.values() if one["data"]["tier"] == row["tier"]]
        soon = sum(plain.instant(one["data"]["review_at"]) <= plain.as_of + timedelta(days=45) for one in due)
        assert row["due_for_review"] == soon
    by_tier = keyed(rows(fleet, "customers", by="tier"), ("tier",))
    assert {tier: row["customers"] for (tier,), row in by_tier.items() if row["customers"]} == {
        tier: count for tier, count in members.items() if count
    }


def test_tiers_are_refused_where_a_review_is_not_written():
    """Against: tiers as they stood before a review that the clock has not come to."""
    fleet, plain = look(2, END + timedelta(days=100))
    late = [one for one in plain.tiers().values() if plain.instant(one["data"]["review_at"]) <= plain.as_of]
    assert late
    for name, given in (("tiers", {}), ("customers", {"by": "tier"}), ("super_members", {"rule": "tier"})):
        with pytest.raises(ReviewsUnwritten) as refused:
            rows(fleet, name, **given)
        assert refused.value.facts["customers"] == len(late)


@pytest.mark.parametrize("by", [(), ("month",), ("tier",), ("month", "tier")], ids="-".join)
def test_changes_of_tier(seen: Seen, by: tuple[str, ...]):
    fleet, plain = seen

    def key_of(one: dict[str, Any]) -> tuple[Any, ...]:
        return tuple({"month": f"{one['at']:%Y-%m}", "tier": one["data"]["tier"]}[name] for name in by)

    wanted = {key: counts for key, counts in naive.tier_changes(plain, key_of).items() if any(counts.values())}
    found = keyed(rows(fleet, "tiers/changes", by=",".join(by)), by)
    kinds = ("upgraded", "downgraded", "retained")
    shown = {key: {kind: row[kind] for kind in kinds} for key, row in found.items() if any(row[kind] for kind in kinds)}
    assert shown == {key: {kind: counts[kind] for kind in kinds} for key, counts in wanted.items()}


@pytest.mark.parametrize(
    "given", [{}, {"rule": "tier"}, {"rule": "tier", "tier": "gold"}, {"rule": "segment", "segment": "loyal_customers"}]
)
def test_super_members_beside_the_rest(seen: Seen, given: dict[str, str]):
    fleet, plain = seen
    if given.get("rule") == "tier":
        least = 2 if given.get("tier") == "gold" else 1
        inside = {customer for customer, one in plain.tiers().items() if one["data"]["rank"] >= least}
    elif given.get("rule") == "segment":
        inside = {customer for customer, name in plain.segments(EDGES).items() if name == given["segment"]}
    else:
        inside = plain.paid_members()
    found = {row["group"]: row for row in rows(fleet, "super_members", **given)}
    present, orders = plain.present(), plain.counted()
    assert found["super"]["customers"] == len(inside & present)
    assert found["rest"]["customers"] == len(present - inside)
    for group, members in (("super", inside), ("rest", {one["customer"] for one in orders} - inside)):
        own = [one for one in orders if one["customer"] in members]
        assert (found[group]["orders"], found[group]["amount"]) == (len(own), sum(naive.net(one) for one in own))
        assert found[group]["buyers"] == len({one["customer"] for one in own})
    above, rest = found["super"], found["rest"]
    if above["buyers"]:
        ratio = (above["amount"] / above["buyers"]) / (rest["amount"] / rest["buyers"])
        assert above["spend_per_buyer_ratio"] == pytest.approx(ratio)


def test_signups_and_guides(seen: Seen):
    fleet, plain = seen
    by_month = Counter(f"{one['at']:%Y-%m}" for one in plain.of("customer.signed_up"))
    found = rows(fleet, "signups", by="month")
    assert {row["period"]: row["signups"] for row in found if row["signups"]} == by_month
    spring = [one for one in plain.of("customer.signed_up") if one["data"].get("campaign")]
    assert keyed(rows(fleet, "signups", by="campaign"), ("campaign",))["spring",]["signups"] == len(spring)
    (guides,) = rows(fleet, "guides")
    theirs = [one for one in plain.counted() if one["data"]["place"].get("guide")]
    assert guides["active"] == len({one["data"]["place"]["guide"] for one in theirs})
    assert (guides["orders"], guides["amount"]) == (len(theirs), sum(naive.net(one) for one in theirs))


def test_referrals_by_month(seen: Seen):
    """Against: rewards of both sides counted as two."""
    fleet, plain = seen
    brought = plain.brought()
    found = {row["period"]: row for row in rows(fleet, "referral", by="month")}
    for month, row in found.items():
        steps = [one for one in plain.records if one["type"].startswith("referral.") and f"{one['at']:%Y-%m}" == month]
        kinds = Counter(one["type"].partition(".")[2] for one in steps)
        assert (row["made"], row["qualified"]) == (kinds["made"], kinds["qualified"])
        referrers = {one["data"]["referrer"] for one in steps if one["type"] == "referral.made"}
        assert row["k"] == (kinds["qualified"] / len(referrers) if referrers else None)
        rewards = [one for one in steps if one["type"] == "referral.rewarded"]
        assert row["rewarded"] == sum(one["data"]["role"] == "referrer" for one in rewards)
        assert row["cost_points"] == sum(points(one) for one in steps)
        own = [one for one in bought_since(plain, brought) if f"{one['at']:%Y-%m}" == month]
        assert (row["orders"], row["amount"]) == (len(own), sum(naive.net(one) for one in own))
    assert sum(row["made"] for row in found.values()) == len(plain.of("referral.made")) > 10


def points(one: dict[str, Any]) -> int:
    """What a step of a referral gave, in points."""
    gave = sum(posting["amount"] for posting in one["postings"] if posting["from"].startswith("program:"))
    took = sum(posting["amount"] for posting in one["postings"] if posting["to"].startswith("program:"))
    return int(gave - took)


def bought_since(plain: Plain, brought: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        one for one in plain.counted() if one["customer"] in brought and one["at"] >= brought[one["customer"]]["at"]
    ]


def test_generations_of_referrals(seen: Seen):
    fleet, plain = seen
    brought = plain.brought()

    def generation(customer: str) -> int:
        by = brought[customer]["referrer"]
        return 1 + (generation(by) if by in brought else 0)

    wanted = Counter(generation(customer) for customer in brought)
    found = {row["generation"]: row for row in rows(fleet, "referral/generations", generations="10")}
    assert {number: row["customers"] for number, row in found.items()} == wanted
    for number, row in found.items():
        own = [one for one in bought_since(plain, brought) if generation(one["customer"]) == number]
        assert row["amount"] == sum(naive.net(one) for one in own)
    for before, after in pairwise(sorted(found)):
        assert found[after]["per_referrer"] == wanted[after] / wanted[before]


def test_top_referrers(seen: Seen):
    fleet, plain = seen
    brought = plain.brought()
    found = rows(fleet, "referral/top", limit="1000")
    assert {row["referrer"]: row["made"] for row in found} == Counter(one["referrer"] for one in brought.values())
    assert [(-row["qualified"], -row["made"], row["referrer"]) for row in found] == sorted(
        (-row["qualified"], -row["made"], row["referrer"]) for row in found
    )
    for row in found:
        own = [one for one in bought_since(plain, brought) if brought[one["customer"]]["referrer"] == row["referrer"]]
        assert (row["orders"], row["amount"]) == (len(own), sum(naive.net(one) for one in own))
        steps = plain.of("referral.rewarded", "referral.revoked")
        assert row["points"] == sum(points(one) for one in steps if one["data"]["referrer"] == row["referrer"])
    assert [row["referrer"] for row in rows(fleet, "referral/top", limit="2")] == [row["referrer"] for row in found[:2]]


@pytest.mark.parametrize("item", ["category", "sku"])
def test_what_is_bought_together(seen: Seen, item: str):
    fleet, plain = seen
    both, each, whole = naive.pairs(plain, item)
    found = rows(fleet, "products/together", item=item, limit="1000")
    assert {(row["first"], row["second"]): row["orders"] for row in found} == both
    for row in found:
        together, first, second = row["orders"], each[row["first"]], each[row["second"]]
        assert row["support"] == pytest.approx(together / whole)
        assert row["confidence"] == pytest.approx(together / first)
        assert row["lift"] == pytest.approx(together / whole / (first / whole * second / whole))
    top = rows(fleet, "products/together", item=item, limit="3")
    assert top == found[:3]


@pytest.mark.parametrize(("n", "immature"), [(90, "exclude"), (30, "include")])
def test_which_categories_bring_the_second_purchase(seen: Seen, n: int, immature: str):
    fleet, plain = seen
    by_customer: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(plain.counted(), key=lambda one: (one["at"], one["position"])):
        by_customer.setdefault(one["customer"], []).append(one)
    customers: Counter[Any] = Counter()
    repeated: Counter[Any] = Counter()
    second: Counter[Any] = Counter()
    for own in by_customer.values():
        if immature == "exclude" and own[0]["at"] > plain.as_of - timedelta(days=n):
            continue
        came_back = len(own) > 1 and own[1]["at"] < own[0]["at"] + timedelta(days=n)
        for category in categories(own[0]):
            customers[category] += 1
            repeated[category] += came_back
        if came_back:
            second.update(categories(own[1]))
    found = {row["category"]: row for row in rows(fleet, "products/second_purchase", n=str(n), immature=immature)}
    for category in customers.keys() | second.keys() | found.keys():
        row = found[category]
        assert (row["customers"], row["repeated"]) == (customers[category], repeated[category])
        assert row["second"] == second[category]


def categories(order: dict[str, Any]) -> set[Any]:
    return {line.get("category") for line in order["lines"]} or {None}


def test_categories_by_stage(seen: Seen):
    fleet, plain = seen
    wanted: Counter[Any] = Counter()
    for order in plain.counted():
        for (category,), _, left in plain.parts(order, ("category",)):
            wanted[plain.stage(order["customer"]), category] += left
    found = rows(fleet, "products/by_stage")
    assert {(row["stage"], row["category"]): row["amount"] for row in found} == wanted


def test_moves_between_rfm_segments(seen: Seen):
    fleet, plain = seen
    earlier = look_again(plain, plain.as_of - timedelta(days=90))
    before, after = earlier.segments(EDGES), plain.segments(EDGES)
    wanted = Counter(
        (before.get(customer, "none"), after.get(customer, "none")) for customer in before.keys() | after.keys()
    )
    found = rows(fleet, "rfm/migration", days="90")
    assert {(row["before"], row["after"]): row["customers"] for row in found} == wanted
    quantile = rows(fleet, "rfm/migration", days="90", scoring="quantile")
    now = {row["segment"]: row["customers"] for row in rows(fleet, "rfm/quantile")}
    moved: Counter[str] = Counter()
    for row in quantile:
        moved[row["after"]] += row["customers"]
    assert {name: count for name, count in moved.items() if name != "none"} == now


def look_again(plain: Plain, as_of: datetime) -> Plain:
    """The same records, as of an earlier instant."""
    for seed in (1, 2):
        other = Plain(town(seed).records, as_of, IN_ZONE)
        if [one["id"] for one in other.records] == [one["id"] for one in plain.records if one["at"] <= as_of]:
            return other
    raise AssertionError("no such town")


def test_time_to_redeem(seen: Seen):
    fleet, plain = seen
    (found,) = rows(fleet, "time_to_redeem")
    parts = [(points_, days) for _, points_, days in plain.redemptions()]
    assert found["points"] == sum(points_ for points_, _ in parts) > 0
    assert found["mean_days"] == pytest.approx(sum(points_ * days for points_, days in parts) / found["points"])
    for name, share in (("q25_days", 0.25), ("median_days", 0.5), ("q75_days", 0.75)):
        assert found[name] == pytest.approx(naive.weighted(parts, share))
    by_month = rows(fleet, "time_to_redeem", by="month")
    wanted: Counter[str] = Counter()
    for at, points_, _ in plain.redemptions():
        wanted[f"{at:%Y-%m}"] += points_
    assert {row["period"]: row["points"] for row in by_month} == wanted


def test_the_ultimate_burn_rate_is_the_rules_assumption(seen: Seen):
    fleet, _ = seen
    assert [(row["currency"], row["value"]) for row in rows(fleet, "burn_rate/ultimate")] == [("CNY", 0.7)]
