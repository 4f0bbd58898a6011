"""Kinds of coupons for tests of the domain, and what happened under them."""

from tests.builders import ClockRuns, Event, registered, rules
from tests.given import Given, given

TEN_OFF = {"kind": "amount", "amount": 1000, "currency": "CNY"}
KINDS = [
    {"id": "tea", "value": TEN_OFF},
    {"id": "spend", "value": TEN_OFF, "minimum_spend": 5000},
    {"id": "share", "value": {"kind": "percentage", "percent": "15", "currency": "CNY", "at_most": 2000}},
    {"id": "cake", "value": {"kind": "gift", "sku": "CAKE"}, "uses": 3},
    {"id": "ten", "value": TEN_OFF, "uses": 10},
    {"id": "march", "value": TEN_OFF, "validity": {"expiry": {"kind": "after_days", "n": 9}}},
    {"id": "grace", "value": TEN_OFF, "validity": {"expiry": {"kind": "after_days", "n": 9}}, "return_days": 7},
    {
        "id": "twice",
        "value": TEN_OFF,
        "uses": 2,
        "validity": {"expiry": {"kind": "after_days", "n": 9}},
        "return_days": 7,
    },
    {
        "id": "festival",
        "value": TEN_OFF,
        "validity": {"begins": "2026-04-01T00:00:00Z", "until": "2026-04-08T00:00:00Z"},
        "campaigns": ["qingming"],
    },
    {"id": "here", "value": TEN_OFF, "usable_at": {"brands": ["red"], "stores": ["BJ-1"]}},
    {"id": "one", "value": TEN_OFF, "caps": {"per_customer": 1, "total": 50, "budget": 20_000}},
    {
        "id": "borne",
        "value": TEN_OFF,
        "bearers": [{"party": "brand", "share": 1}, {"party": "fr-9", "share": 2}],
    },
]
PACKAGES = [
    {"id": "wash", "validity": {"expiry": {"kind": "after_days", "n": 99}}},
    {"id": "yoga", "refund": "less_used_at_list", "list_price": 4000, "usable_at": {"stores": ["BJ-1"]}},
    {"id": "fixed", "refund": "none"},
]
RULES = rules(coupons=KINDS, packages=PACKAGES)
HERE = {"store": "SZ-1", "channel": "shop"}
SZ_1_IS_RED = registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-01-02")


def having(*steps: Event | ClockRuns) -> Given:
    """What happened under these rules."""
    return given(*steps, document=RULES)
