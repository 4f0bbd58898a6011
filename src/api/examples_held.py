"""Examples of events about what a customer holds: coupons, packages, membership; and rules under which they are recorded."""

from typing import Any


def _event(number: int, event_type: str, data: dict[str, Any], subject: str = "c-1001") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"5f0c42{number:02d}",
        "source": "/pos/sz-001",
        "type": event_type,
        "subject": subject,
        "time": f"2026-11-21T11:{number:02d}:00+08:00",
        "data": data,
    }


_PLACE = {"store": "SZ-001", "channel": "pos"}

RULES: dict[str, Any] = {
    "coupons": [
        {
            "id": "tea_10",
            "value": {"kind": "amount", "amount": 1000, "currency": "CNY"},
            "minimum_spend": 5000,
            "validity": {"expiry": {"kind": "after_days", "n": 30}},
            "bearers": [{"party": "brand", "share": 2}, {"party": "fr-9", "share": 1}],
            "caps": {"total": 10000, "per_customer": 10, "budget": 5000000},
        }
    ],
    "packages": [{"id": "wash", "refund": "less_used_at_list", "list_price": 12000}],
    "membership": [
        {
            "id": "vip",
            "price": 36500,
            "currency": "CNY",
            "months": 12,
            "bundle": {"points": 500, "coupons": [{"kind": "tea_10", "count": 3}]},
            "benefit": {"percent_off": "12"},
            "pause_days_max": 30,
            "tier": "vip",
        }
    ],
    "moments": [{"id": "birthday", "birthday_month": "birthday_month"}],
    "tiers": {
        "window": {"kind": "lifetime"},
        "levels": [{"name": "vip", "rank": 1}],
        "benefits": [
            {"id": "birthday_gift", "tiers": ["vip"], "moments": ["birthday"], "points": 200},
        ],
    },
}

_OPENING: dict[str, Any] = {
    "system": "old-crm",
    "cutover_at": "2026-01-01T00:00:00+08:00",
    "lots": [
        {
            "asset": "points",
            "amount": 320,
            "granted_at": "2025-06-01T00:00:00+08:00",
            "expires_at": "2028-07-01T00:00:00+08:00",
            "reason": "purchase",
        },
        {
            "asset": "stored.principal:CNY",
            "amount": 40000,
            "granted_at": "2025-06-01T00:00:00+08:00",
            "reason": "load",
        },
    ],
    "history": {
        "signed_up_at": "2019-03-01T10:00:00+08:00",
        "first_order_at": "2019-03-08T12:00:00+08:00",
        "last_order_at": "2025-12-30T18:00:00+08:00",
        "orders": 41,
        "spend": {"CNY": 523400},
    },
    "coupons": [
        {
            "coupon_id": "T-881",
            "kind": "tea_10",
            "issued_at": "2025-12-20T00:00:00+08:00",
            "expires_at": "2028-02-01T00:00:00+08:00",
        }
    ],
    "membership": {
        "membership_id": "V-17",
        "plan": "vip",
        "start": "2025-08-01T00:00:00+08:00",
        "end": "2028-08-01T00:00:00+08:00",
        "price": 36500,
        "currency": "CNY",
    },
}

EVENTS: dict[str, dict[str, Any]] = {
    "coupon": _event(1, "coupon.issued", {"coupon_id": "C-1", "kind": "tea_10", "code": "TEA-7K3M"}),
    "coupon_use": _event(
        2, "coupon.redeemed", {"coupon_id": "C-1", "redemption_id": "U-1", "spend": 8588, "place": _PLACE}
    ),
    "coupon_return": _event(3, "coupon.returned", {"redemption_id": "U-1", "reason": "refunded"}),
    "coupon_void": _event(4, "coupon.voided", {"coupon_id": "C-1", "reason": "sent to the wrong customer"}),
    "package": _event(
        5, "package.sold", {"package_id": "P-1", "kind": "wash", "uses": 10, "price": 99900, "currency": "CNY"}
    ),
    "package_use": _event(6, "package.used", {"package_id": "P-1", "use_id": "V-1", "place": _PLACE}),
    "package_refund": _event(7, "package.refunded", {"package_id": "P-1", "refund_id": "RF-7"}),
    "membership": _event(8, "membership.purchased", {"membership_id": "M-1", "plan": "vip"}),
    "benefit": _event(43, "benefit.taken", {"benefit": "birthday_gift", "attributes": {"birthday_month": 1}}),
    "coupon_payment": _event(
        44,
        "purchase.recorded",
        {
            "order_id": "SO-14",
            "currency": "CNY",
            "total": 8588,
            "tenders": [
                {"kind": "coupon", "amount": 1000, "coupon_id": "membership:M-1:1:tea_10:1"},
                {"kind": "wechat", "amount": 7588, "reference": "wx-14"},
            ],
        },
    ),
    "coupon_hold": _event(
        45,
        "hold.placed",
        {
            "hold_id": "H-15",
            "asset": "coupon",
            "coupon_id": "membership:M-1:1:tea_10:2",
            "spend": 6000,
            "until": "2026-12-21T00:00:00+08:00",
        },
    ),
    "coupon_capture": _event(46, "hold.captured", {"hold_id": "H-15", "order_id": "SO-15"}),
    "renewal": _event(9, "membership.renewed", {"membership_id": "M-1", "renewal_id": "N-1", "automatic": True}),
    "pause": _event(10, "membership.paused", {"membership_id": "M-1", "reason": "travels"}),
    "resumption": _event(11, "membership.resumed", {"membership_id": "M-1"}),
    "cancellation": _event(12, "membership.cancelled", {"membership_id": "M-1", "reason": "moved away"}),
    "opening": _event(13, "account.opened_from", _OPENING, subject="c-0042"),
}
"""In an order in which all of them are recorded."""

CODES: dict[str, dict[str, Any]] = {
    "codes": {
        **_event(47, "codes.made", {"batch": "spring-2026", "kind": "tea_10", "count": 100000, "per_customer": 1}),
        "subject": "default",
    },
    "claim": _event(48, "coupon.claimed", {"code": "00G000-01A3F7-QKXP5Z"}),
}
"""A batch of codes, and the claim of one; which codes are genuine is a matter of the installation's key."""
