"""Tables of `test_refusals`: an event with all the faults there are, and what repairs them one by one."""

from ledger import codes
from ledger.instants import MINUTE, parse
from tests.builders import PROGRAM, coupon, coupon_used, event, package, package_used
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
PACKAGE_KINDS = [
    {
        "id": "strict",
        "refund": "less_used_at_list",
        "list_price": 100,
        "usable_at": {"stores": ["BJ-1"]},
        "validity": {"until": "2026-05-20T00:00:00Z"},
    },
    {"id": "fixed", "refund": "none"},
]
COUPONS_BEFORE = (
    package("P-1", 5, 1000, "2026-05-02", "strict"),
    package("P-2", 1, 1000, "2026-05-02", "strict"),
    package("P-3", 1, 1000, "2026-05-02", "fixed"),
    package_used("P-2", "V-1", "2026-05-02", place=PLACE),
    coupon("C-1", "2026-03-01", "strict", campaign="may"),
    coupon("C-2", "2026-03-01", "strict", campaign="may"),
    coupon("C-3", "2026-03-01", "strict", campaign="may"),
    coupon_used("C-1", "U-1", "2026-05-03", spend=5000, place=PLACE),
    event("coupon.voided", "2026-05-03", coupon_id="C-2", reason="by hand"),
    coupon("C-4", "2026-05-03", "strict", campaign="may"),
    event("codes.made", "2026-05-03", batch="b1", kind="tea", count=1, claim_until="2026-05-10T00:00:00Z"),
    event("codes.made", "2026-05-03", batch="b2", kind="strict", count=1),
    event("codes.made", "2026-05-03", batch="b3", kind="strict", count=1, campaign="may"),
    event("codes.made", "2026-05-03", batch="b4", kind="tea", count=1),
)


def code(batch: int) -> str:
    return codes.make(b"key", PROGRAM, batch, 1).text


COUPON_TABLES = {
    "codes.made": (
        event("codes.made", FAR_AHEAD, batch="b1", kind="nothing", count=0),
        [
            ("malformed", {"count": 1}),
            ("time_in_future", {"time": "2026-06-01T12:00"}),
            ("codes_known", {"batch": "b9"}),
            ("coupon_kind_unknown", {"kind": "tea"}),
            ("recorded", {}),
        ],
    ),
    "coupon.claimed": (
        event("coupon.claimed", FAR_AHEAD, code="nonsense"),
        [
            ("code_not_genuine", {"code": code(9)}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("code_unknown", {"code": code(1)}),
            ("code_too_late", {"code": code(2)}),
            ("coupon_not_for_campaign", {"code": code(3)}),
            ("coupon_expired", {"code": code(4)}),
            ("recorded", {}),
        ],
    ),
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
    "package.sold": (
        event(
            "package.sold",
            FAR_AHEAD,
            package_id="P-9",
            kind="nothing",
            uses=0,
            price=1,
            currency="USD",
            valid_until="2026-01-01T00:00:00Z",
        ),
        [
            ("malformed", {"uses": 1}),
            ("expires_before_grant", {"valid_until": "2027-01-01T00:00:00Z"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("currency_not_accepted", {"currency": "CNY"}),
            ("package_kind_unknown", {"kind": "strict"}),
            ("package_expired", {"time": "2026-05-10"}),
            ("recorded", {}),
        ],
    ),
    "package.used": (
        event("package.used", FAR_AHEAD, package_id="P-9", use_id="", uses=6),
        [
            ("malformed", {"use_id": "V-9"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("package_unknown", {"package_id": "P-1"}),
            ("package_used_up", {"uses": 5}),
            ("package_expired", {"time": "2026-05-01"}),
            ("package_not_yet_valid", {"time": "2026-05-10"}),
            ("package_not_valid_here", {"place": PLACE}),
            ("recorded", {}),
        ],
    ),
    "package.refunded": (
        event("package.refunded", FAR_AHEAD, package_id="P-9", refund_id="", uses=6),
        [
            ("malformed", {"refund_id": "RF-9"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-21"}),
            ("package_unknown", {"package_id": "P-1"}),
            ("package_expired", {"time": "2026-05-10"}),
            ("package_used_up", {"uses": 4}),
            ("package_not_refundable", {"package_id": "P-3", "uses": 1}),
            ("package_not_refundable", {"package_id": "P-2"}),
            ("package_used_up", {"package_id": "P-1", "uses": 5}),
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
