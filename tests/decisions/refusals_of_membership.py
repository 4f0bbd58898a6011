"""Tables of `test_refusals` for coupons, packages and membership; see `refusals_of_coupons`."""

from tests.builders import event, member, membership
from tests.decisions.refusals_of_coupons import COUPON_TABLES, COUPONS_BEFORE, FAR_AHEAD, TOO_OLD

_PLAN = {"price": 3000, "currency": "CNY", "months": 1}
PLANS = [
    {"id": "vip", **_PLAN},
    {"id": "dollars", **_PLAN, "currency": "USD"},
    {"id": "spent", **_PLAN, "bundle": {"coupons": [{"kind": "strict"}]}},
]
HELD_BEFORE = (
    *COUPONS_BEFORE,
    member("M-1", "2026-03-01"),
    member("M-2", "2026-05-01"),
    membership("cancelled", "M-2", "2026-05-05"),
)


def changes(what: str, name: str, *more: tuple[str, dict[str, str]]) -> tuple[object, list[object]]:
    """The table of a change that needs a membership of a certain state."""
    return (
        event(f"membership.{what}", FAR_AHEAD, membership_id="M-9", reason=""),
        [
            ("malformed", {"reason": "by hand"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-02"}),
            ("membership_out_of_order", {"time": "2026-05-06"}),
            ("membership_unknown", {"membership_id": "M-1"}),
            ("membership_not_active", {"membership_id": name}),
            *more,
        ],
    )


HELD_TABLES = COUPON_TABLES | {
    "membership.purchased": (
        event("membership.purchased", FAR_AHEAD, membership_id="M-9", plan="gold", price=1),
        [
            ("malformed", {"currency": "USD"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-02"}),
            ("membership_plan_unknown", {"plan": "spent"}),
            ("membership_out_of_order", {"time": "2026-05-06"}),
            ("currency_not_accepted", {"currency": "CNY"}),
            ("limit_reached", {"plan": "vip"}),
            ("recorded", {}),
        ],
    ),
    "membership.renewed": (
        event("membership.renewed", FAR_AHEAD, membership_id="M-9", renewal_id="N-1", price=1),
        [
            ("malformed", {"currency": "USD"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-02"}),
            ("membership_out_of_order", {"time": "2026-05-06"}),
            ("membership_unknown", {"membership_id": "M-1"}),
            ("membership_not_active", {"membership_id": "M-2"}),
            ("currency_not_accepted", {"currency": "CNY"}),
            ("recorded", {}),
        ],
    ),
    "membership.paused": changes("paused", "M-2", ("membership_not_active", {})),
    "membership.resumed": changes("resumed", "M-2", ("membership_not_active", {})),
    "membership.cancelled": changes("cancelled", "M-2", ("membership_not_active", {})),
}
