"""Examples of events about who brought a customer, how it stands, and what a till declares."""

from typing import Any


def _event(number: int, event_type: str, data: dict[str, Any], subject: str = "c-1002") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"5f0c43{number:02d}",
        "source": "/pos/sz-001",
        "type": event_type,
        "subject": subject,
        "time": f"2026-11-21T12:{number:02d}:00+08:00",
        "data": data,
    }


_TILL = {"source": "/pos/sz-001", "store": "SZ-001", "business_day": "2026-11-21", "currency": "CNY"}

EVENTS: dict[str, dict[str, Any]] = {
    "referral": _event(1, "customer.signed_up", {"referred_by": "c-1001"}),
    "freeze": _event(2, "customer.frozen", {"what": "redeem", "reason": "card reported stolen"}),
    "unfreezing": _event(3, "customer.unfrozen", {"what": "redeem", "reason": "card replaced"}),
    "closing": _event(4, "customer.closed", {"reason": "asked to leave"}),
    "declaration": _event(
        5,
        "source.declared",
        {**_TILL, "orders": 2, "gross": 14578, "refunds": 2598, "net": 11980, "order_ids": ["SO-1", "SO-2"]},
        subject="default",
    ),
    "waiver": _event(6, "declaration.waived", {**_TILL, "reason": "the till is gone"}, subject="default"),
}
"""In this order they are all recorded."""
