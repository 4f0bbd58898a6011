"""Tables of `test_refusals`: an event with all the faults there are, and what repairs them one by one."""

from ledger.instants import MINUTE, parse
from tests.builders import coupon, coupon_used, event
from tests.vouchers import KINDS

FAR_AHEAD = parse("2026-06-01T12:00:00Z") + 6 * MINUTE
TOO_OLD = "2026-01-10T00:00"
PLACE = {"store": "BJ-1", "channel": "shop"}

COUPON_KINDS = [
    *KINDS,
    {
        "id": "strict",
        "value": {"kind": "amount", "amount": 1000, "currency": "CNY"},
        "minimum_spend": 5000,
        "usable_at": {"stores": ["BJ-1"]},
        "campaigns": ["may"],
        "validity": {"begins": "2026-05-02T00:00:00Z", "until": "2026-05-20T00:00:00Z"},
        "caps": {"per_customer": 3},
    },
]
COUPONS_BEFORE = (
    coupon("C-1", "2026-03-01", "strict", campaign="may"),
    coupon("C-2", "2026-03-01", "strict", campaign="may"),
    coupon("C-3", "2026-03-01", "strict", campaign="may"),
    coupon_used("C-1", "U-1", "2026-05-03", spend=5000, place=PLACE),
    event("coupon.voided", "2026-05-03", coupon_id="C-2", reason="by hand"),
    coupon("C-4", "2026-05-03", "strict", campaign="may"),
)
COUPON_TABLES = {
    "coupon.issued": (
        event("coupon.issued", FAR_AHEAD, coupon_id="", kind="nothing", expires_at="2026-01-01T00:00:00Z"),
        [
            ("malformed", {"coupon_id": "C-9"}),
            ("expires_before_grant", {"expires_at": "2027-01-01T00:00:00Z"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("coupon_kind_unknown", {"kind": "strict"}),
            ("coupon_not_for_campaign", {"campaign": "may"}),
            ("coupon_expired", {"time": "2026-05-10"}),
            ("limit_reached", {"kind": "tea"}),
            ("recorded", {}),
        ],
    ),
    "coupon.redeemed": (
        event("coupon.redeemed", FAR_AHEAD, coupon_id="C-9", redemption_id="", amount=1001),
        [
            ("malformed", {"redemption_id": "U-9"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("coupon_unknown", {"coupon_id": "C-2"}),
            ("coupon_voided", {"coupon_id": "C-1"}),
            ("coupon_used", {"coupon_id": "C-3"}),
            ("coupon_expired", {"time": "2026-05-01"}),
            ("coupon_not_yet_valid", {"time": "2026-05-10"}),
            ("coupon_not_valid_here", {"place": PLACE}),
            ("minimum_spend_not_met", {"spend": 5000}),
            ("coupon_worth_exceeded", {"amount": 1000}),
            ("recorded", {}),
        ],
    ),
    "coupon.returned": (
        event("coupon.returned", FAR_AHEAD, redemption_id="U-9", reason=""),
        [
            ("malformed", {"reason": "refunded"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-02"}),
            ("coupon_redemption_unknown", {"redemption_id": "U-1"}),
            ("reversal_before_redemption", {"time": "2026-05-04"}),
            ("recorded", {}),
        ],
    ),
    "coupon.voided": (
        event("coupon.voided", FAR_AHEAD, coupon_id="C-9", reason=""),
        [
            ("malformed", {"reason": "by hand"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("coupon_unknown", {"coupon_id": "C-2"}),
            ("coupon_voided", {"coupon_id": "C-1"}),
            ("coupon_used", {"coupon_id": "C-3"}),
            ("coupon_expired", {"time": "2026-05-10"}),
            ("recorded", {}),
        ],
    ),
}
