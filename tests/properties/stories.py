"""Settings, instants and events as Hypothesis draws them: few values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

HOUR = 3_600_000_000
ZONES = ["UTC", "America/Sao_Paulo", "Asia/Shanghai", "Asia/Beirut"]
BEGINNING = "2018-10-24T00:00:00Z"
"""Sao Paulo skips the midnight of 4 November 2018; Beirut repeats an hour before that of 28 October."""

SKUS = ["A", "B", "C"]
CATEGORIES = ["food", "gift card"]
CURRENCIES = ["CNY", "JPY", "KWD"]

purchase_rules = st.fixed_dictionaries(
    {"on": st.just("purchase.recorded"), "points_per_unit": st.sampled_from(["1", "10/3", "2.5", "7"])},
    optional={
        "rounding": st.sampled_from(["down", "half_up", "up"]),
        "minimum_spend": st.sampled_from([0, 500]),
        "exclude_categories": st.sampled_from([[], ["gift card"]]),
        "exclude_tenders": st.sampled_from([["points"], [], ["points", "card"]]),
        "cap_per_order": st.sampled_from([12, 40]),
        "cap_per_day": st.sampled_from([15, 60]),
    },
)
fixed_rules = st.fixed_dictionaries(
    {"on": st.just("purchase.recorded"), "points": st.integers(1, 9)}, optional={"cap_per_day": st.integers(1, 12)}
)
signup_rules = st.fixed_dictionaries({"on": st.just("customer.signed_up"), "points": st.sampled_from([10])})
expiries = st.one_of(
    st.fixed_dictionaries({"kind": st.just("after_days"), "n": st.sampled_from([0, 1, 3, 9])}),
    st.fixed_dictionaries({"kind": st.sampled_from(["never", "end_of_month", "after_months"]), "n": st.integers(0, 1)}),
    st.fixed_dictionaries({"kind": st.just("end_of_year"), "n": st.just(0)}),
)
availabilities = st.fixed_dictionaries(
    {"kind": st.sampled_from(["at_once", "after_days", "after_delivery"]), "days": st.integers(0, 3)}
)
reversals = st.fixed_dictionaries(
    {"expired_lots": st.sampled_from(["reinstate", "grace"]), "grace_days": st.integers(0, 2)}
)


consumptions = st.sampled_from(["proportional", "principal_first", "bonus_first"])
stored_values = st.fixed_dictionaries(
    {"consumption": consumptions},
    optional={
        "refund_order": st.sampled_from(["newest_first", "oldest_first"]),
        "refund_bonus": st.sampled_from(["void", "proportional", "keep"]),
        "cooling_off_days": st.sampled_from([0, 1, 7]),
        "after_cooling_off": st.sampled_from(["allowed", "refused"]),
        "bonus_expiry": expiries,
        "principal_expiry": expiries,
    },
)
tenders = st.fixed_dictionaries(
    {"refund": st.sampled_from(["proportional", "ledger_first", "ledger_last"])},
    optional={"points": st.just({"value": {"CNY": "0.5", "JPY": "3", "KWD": "0.001"}})},
)
own_tenders = st.lists(
    st.tuples(st.sampled_from(["points", "stored_value", "card"]), st.sampled_from([50, 100, 150, 6, 33])),
    min_size=1,
    max_size=3,
)


@st.composite
def versions(draw: st.DrawFn) -> dict[str, Any]:
    """What may differ between the versions of one program's rules."""
    earning = draw(st.lists(purchase_rules | fixed_rules | signup_rules, min_size=1, max_size=3))
    return {
        "earning": [{**rule, "id": f"rule_{number}"} for number, rule in enumerate(earning)],
        "expiry": draw(expiries),
        "availability": draw(availabilities),
        "refunds": draw(st.sampled_from(["allow_negative", "within_balance", "pending_only", "allow_negative"])),
        "redemption_reversal": draw(reversals),
        "business_day_starts_at": draw(st.sampled_from(["00:00", "05:00"])),
        "stored_value": draw(stored_values),
        "tenders": draw(tenders),
    }


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A program's first rules."""
    program = {
        "time_zone": draw(st.sampled_from(ZONES)),
        "points_scale": draw(st.sampled_from([0, 0, 2])),
        "currencies": draw(st.sampled_from([[], ["CNY", "JPY"]])),
    }
    return {"program": program, **draw(versions())}


amounts = st.sampled_from([333, 500, 1000, 1001, 100, 0])
quantities = st.sampled_from([1, 2, 3, "0.5"])
lines = st.lists(
    st.fixed_dictionaries(
        {"sku": st.sampled_from(SKUS), "amount": amounts, "quantity": quantities},
        optional={
            "category": st.sampled_from(CATEGORIES),
            "earns": st.booleans(),
            "fulfilled_at": st.sampled_from([BEGINNING, "2018-10-29T12:00:00Z"]),
        },
    ),
    max_size=3,
)


@st.composite
def purchases(draw: st.DrawFn) -> dict[str, Any]:
    """A purchase's data but for its number."""
    bought = [{**one, "line": number} for number, one in enumerate(draw(lines), start=1)]
    total = sum(one["amount"] for one in bought) if bought else draw(amounts)
    data: dict[str, Any] = {"currency": draw(st.sampled_from(["CNY", "CNY", *CURRENCIES])), "total": total}
    if bought:
        data["lines"] = bought
    if draw(st.booleans()):
        by_points = total * draw(st.integers(0, 3)) // 3
        data["tenders"] = [
            {"kind": "points", "amount": by_points, "reference": "R"},
            {"kind": "card", "amount": total - by_points},
        ]
    if draw(st.integers(0, 4)) == 0:
        data["business_day"] = "2018-11-01"
    return data


instants = st.tuples(
    st.sampled_from(["now", "now", "now", "back", "back", "seen", "seen", "seen", "ahead"]), st.integers(0, 24)
)
"""How an event is dated: at the clock, so many quarters of a day before it, at an instant that occurred, or ahead."""

waits = st.sampled_from([0, 0, 1, 2, 6, 24, 24 * 4])
"""Hours that pass before an event."""

parts = st.sampled_from([4, 2, 4, 1, 3, 4, 5])
"""Quarters of what is there; five are too many."""

refunded_lines = st.lists(st.tuples(st.integers(0, 2), parts, parts), min_size=1, max_size=2)
goods = st.lists(st.tuples(st.sampled_from(SKUS), quantities, amounts), min_size=1, max_size=2)
delivered_lines = st.none() | st.dictionaries(st.integers(1, 3), quantities, min_size=1, max_size=2)
opening_lots = st.lists(
    st.tuples(
        st.sampled_from(["points", "points", "growth"]),
        st.integers(1, 9),
        st.integers(0, 5),
        st.none() | st.integers(1, 5),
    ),
    max_size=3,
)
