"""Table of `test_refusals`: an opening with all the faults there are, and what repairs them one by one."""

from typing import Any

from tests.builders import event, opened
from tests.decisions.refusals_of_coupons import COUPON_KINDS

LOT = {"asset": "points", "amount": 5, "granted_at": "2026-01-01T00:00:00Z", "reason": "opening"}
DOLLARS = {**LOT, "asset": "stored.principal:USD"}
CUTOVER = "2026-03-01T00:00:00Z"
MEMBERSHIP = {"membership_id": "M-7", "start": "2025-12-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
OPENED_BEFORE = (
    opened(
        "2026-03-01",
        history={"orders": 1},
        system="crm",
        coupons=[{"coupon_id": "T-1", "kind": "tea", "issued_at": "2026-01-01T00:00:00Z"}],
    ),
)
"""One part of what the table takes over."""


def coupon(coupon_id: str, kind: str, **more: Any) -> list[dict[str, Any]]:
    assert kind in {"coffee", *(one["id"] for one in COUPON_KINDS)}
    return [{"coupon_id": coupon_id, "kind": kind, "issued_at": "2026-01-01T00:00:00Z", **more}]


OPENING_TABLES = {
    "account.opened_from": (
        event(
            "account.opened_from",
            "2026-06-01T12:04",
            system="crm",
            part=2,
            cutover_at="yesterday",
            lots=[{**LOT, "asset": "gold", "granted_at": "2026-07-01T00:00:00Z"}],
        ),
        [
            ("malformed", {"cutover_at": "2026-02-01T00:00:00Z"}),
            ("malformed", {"lots": [{**LOT, "granted_at": "2026-02-02T00:00:00Z"}]}),
            ("granted_after_cutover", {"lots": [{**LOT, "expires_at": "2026-01-02T00:00:00Z"}]}),
            ("expires_before_grant", {"lots": []}),
            ("malformed", {"history": {"orders": 0, "last_order_at": "2026-02-02T00:00:00Z"}}),
            ("malformed", {"history": {"orders": 1, "last_order_at": "2026-02-02T00:00:00Z"}}),
            ("granted_after_cutover", {"history": {"counted": [{"on": "2026-02-04", "orders": 1}]}}),
            ("granted_after_cutover", {"history": {"orders": 2}, "lots": [DOLLARS]}),
            ("already_live", {"cutover_at": CUTOVER, "tier": {"tier": "lead", "since": "2026-03-02T00:00:00Z"}}),
            ("granted_after_cutover", {"tier": {"tier": "lead", "review_at": "2026-04-01T00:00:00Z"}}),
            ("malformed", {"tier": {"tier": "lead"}, "coupons": coupon("T-1", "coffee") * 2}),
            ("malformed", {"coupons": coupon("T-1", "coffee", issued_at="2026-03-02T00:00:00Z")}),
            ("granted_after_cutover", {"coupons": coupon("T-1", "coffee", expires_at="2026-03-02T00:00:00Z")}),
            ("expires_before_grant", {"coupons": coupon("T-1", "coffee"), "membership": {**MEMBERSHIP, "plan": "no"}}),
            ("already_taken_over", {"history": None}),
            ("currency_not_accepted", {"lots": [LOT]}),
            ("tier_unknown", {"tier": {"tier": "gold"}}),
            ("already_taken_over", {"coupons": coupon("T-2", "coffee")}),
            ("coupon_kind_unknown", {"coupons": coupon("T-2", "tea", uses=2)}),
            ("coupon_uses_exceeded", {"coupons": coupon("T-2", "march")}),
            ("coupon_expired", {"coupons": coupon("T-2", "march", expires_at="2026-09-01T00:00:00Z")}),
            ("membership_plan_unknown", {"membership": {**MEMBERSHIP, "plan": "dollars"}}),
            ("currency_not_accepted", {"membership": {**MEMBERSHIP, "plan": "vip"}, "time": "2026-05-04"}),
            ("membership_out_of_order", {"time": "2026-06-01T12:04"}),
            ("recorded", {}),
        ],
    ),
}
