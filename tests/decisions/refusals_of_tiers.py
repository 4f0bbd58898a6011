"""Table of `test_refusals`: an assignment of a tier with all the faults there are, and what repairs them one by one."""

from ledger.instants import MINUTE, parse
from tests.builders import event
from tests.decisions.refusals_of_coupons import COUPON_KINDS, PACKAGE_KINDS
from tests.decisions.refusals_of_membership import PLANS

FAR_AHEAD = parse("2026-06-01T12:00:00Z") + 6 * MINUTE
TOO_OLD = "2026-01-10T00:00"

TIERS = {
    "window": {"kind": "lifetime"},
    "levels": [
        {"name": "gold", "rank": 1, "qualifies": {"orders": 100}},
        {"name": "host", "rank": 2, "qualifies": {"orders": 1}},
    ],
    "benefits": [
        {"id": "gift", "tiers": ["host"], "moments": ["birthday"], "points": 5},
        {"id": "gold_gift", "tiers": ["gold"], "points": 5},
    ],
}
MOMENTS = [{"id": "birthday", "birthday_month": "birthday_month"}]
BLOCKS = {
    "coupons": COUPON_KINDS,
    "packages": PACKAGE_KINDS,
    "membership": PLANS,
    "tiers": TIERS,
    "moments": MOMENTS,
    "transfers": {},
}
"""What the rules have besides what earns."""

TIER_TABLES = {
    "tier.assigned": (
        event("tier.assigned", FAR_AHEAD, tier="lead", reason="", until="2026-01-01T00:00:00Z"),
        [
            ("malformed", {"reason": "a mistake made good"}),
            ("malformed", {"until": "2026-12-01T00:00:00Z"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("tier_unknown", {"tier": "gold"}),
            ("recorded", {}),
        ],
    ),
    "tier.introduced": (
        event("tier.introduced", FAR_AHEAD, reason=""),
        [
            ("malformed", {"reason": "tiers since May"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("recorded", {}),
        ],
    ),
    "benefit.taken": (
        event("benefit.taken", FAR_AHEAD, benefit="Gift"),
        [
            ("malformed", {"benefit": "none"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("benefit_unknown", {"benefit": "gold_gift"}),
            ("benefit_not_for_tier", {"benefit": "gift"}),
            ("benefit_not_now", {"attributes": {"birthday_month": 5}}),
            ("recorded", {}),
        ],
    ),
}
