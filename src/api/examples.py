"""Examples of bodies and answers, as the OpenAPI document shows them; a test posts and validates each."""

from typing import Any

PURCHASE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d2",
    "source": "/pos/sz-001",
    "type": "purchase.recorded",
    "subject": "c-1001",
    "time": "2026-11-21T10:00:00+08:00",
    "data": {
        "order_id": "SO-1",
        "currency": "CNY",
        "total": 8588,
        "lines": [
            {"line": 1, "sku": "A1", "quantity": 2, "amount": 2598},
            {"line": 2, "sku": "B7", "quantity": 1, "amount": 5990},
        ],
        "place": {"store": "SZ-001", "channel": "mini_program", "guide": "g-7"},
    },
}

SIGN_UP: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d1",
    "source": "/pos/sz-001",
    "type": "customer.signed_up",
    "subject": "c-1001",
    "time": "2026-11-21T09:55:00+08:00",
    "data": {"place": {"store": "SZ-001", "channel": "mini_program"}},
}

REDEMPTION: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d3",
    "source": "/pos/sz-001",
    "type": "points.redeemed",
    "subject": "c-1001",
    "time": "2026-11-21T10:05:00+08:00",
    "data": {"redemption_id": "R-1", "points": 60},
}

PAID_FROM_LOTS: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d7",
    "source": "/pos/sz-001",
    "type": "purchase.recorded",
    "subject": "c-1001",
    "time": "2026-11-21T10:20:00+08:00",
    "data": {
        "order_id": "SO-2",
        "currency": "CNY",
        "total": 4500,
        "tenders": [{"kind": "stored_value", "amount": 4000}, {"kind": "wechat", "amount": 500}],
    },
}

HOLD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d8",
    "source": "/shop",
    "type": "hold.placed",
    "subject": "c-1001",
    "time": "2026-11-21T10:25:00+08:00",
    "data": {"hold_id": "H-1", "asset": "points", "amount": 50, "until": "2026-11-21T10:55:00+08:00"},
}

CAPTURE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d9",
    "source": "/shop",
    "type": "hold.captured",
    "subject": "c-1001",
    "time": "2026-11-21T10:30:00+08:00",
    "data": {"hold_id": "H-1", "amount": 40, "order_id": "SO-3"},
}

LOAD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d4",
    "source": "/pos/sz-001",
    "type": "stored_value.loaded",
    "subject": "c-1001",
    "time": "2026-11-21T10:10:00+08:00",
    "data": {
        "load_id": "L-1",
        "currency": "CNY",
        "principal": 100000,
        "bonus": 20000,
        "payment_reference": "wx-4200001",
        "place": {"store": "SZ-001", "channel": "mini_program"},
    },
}

SPENDING: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d5",
    "source": "/pos/sz-001",
    "type": "stored_value.spent",
    "subject": "c-1001",
    "time": "2026-11-21T10:15:00+08:00",
    "data": {"spend_id": "SP-1", "currency": "CNY", "amount": 60000},
}

LOAD_REFUND: dict[str, Any] = {
    "specversion": "1.0",
    "id": "5f0c41d6",
    "source": "/pos/sz-001",
    "type": "stored_value.refunded",
    "subject": "c-1001",
    "time": "2026-11-22T10:00:00+08:00",
    "data": {"refund_id": "LR-1", "load_id": "L-1", "reason": "within seven days"},
}

BINARY_HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "5f0c41d2",
    "ce-source": "/pos/sz-001",
    "ce-type": "purchase.recorded",
    "ce-subject": "c-1001",
    "ce-time": "2026-11-21T10:00:00+08:00",
}

_POSTING: dict[str, Any] = {
    "asset": "points",
    "amount": 85,
    "from": "program:issued:purchase",
    "to": "customer:points",
    "lot": "2.1",
    "expires_at": "2027-12-01T00:00:00Z",
    "rule": "base",
    "why": {"base": 8588, "rate": "1/100", "lines": [1, 2]},
}

RECEIPT: dict[str, Any] = {
    "status": "recorded",
    "id": "5f0c41d2",
    "source": "/pos/sz-001",
    "subject": "c-1001",
    "records": [{"type": "purchase.recorded", "subject": "c-1001", "version": 2, "position": 5}],
    "version": 2,
    "position": 5,
    "recorded_at": "2026-11-21T02:00:00.481516Z",
    "postings": [_POSTING],
    "balances": {"points": 185},
    "notes": [],
}

DRY_RUN: dict[str, Any] = {
    **RECEIPT,
    "status": "dry_run",
    "records": [{"type": "purchase.recorded", "subject": "c-1001", "version": 2, "position": None}],
    "position": None,
    "recorded_at": None,
    "rules": 1,
}

CHANGE: dict[str, Any] = {
    "change": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "status": "approved",
    "kind": "adjustment",
    "hash": "5c0e4a6d9f3c1b7d2e8f00a4c6b1d3e5f7a9081726354453627180f9e8d7c6b5",
    "rules": 2,
    "proposed_by": "ann",
    "proposed_at": "2026-11-21T02:00:00Z",
    "approved_by": "bob",
    "approved_at": "2026-11-21T02:10:00Z",
    "content": {"customer": "c-1001", "points": 5000, "reason": "credited to the wrong account", "ticket": "T-88"},
}

REFUSAL: dict[str, Any] = {
    "type": "urn:ledger:problem:insufficient_points",
    "title": "Insufficient points",
    "status": 422,
    "code": "insufficient_points",
    "detail": "Fewer points are available than requested; nothing was taken.",
    "facts": {"available": 25, "requested": 60},
    "retryable": False,
}

REFUSED_ITEM: dict[str, Any] = {
    "status": "refused",
    "id": "5f0c41d3",
    "source": "/pos/sz-001",
    "subject": "c-1001",
    "problem": REFUSAL,
}

SUMMARY: dict[str, Any] = {
    "summary": {"read": 3, "recorded": 1, "replayed": 1, "refused": {"insufficient_points": 1}, "position": 5}
}

CUSTOMER: dict[str, Any] = {
    "program": "default",
    "customer": "c-1001",
    "version": 2,
    "position": 5,
    "as_of": "2026-11-21T02:00:01Z",
    "known_at": "2026-11-21T02:00:01Z",
    "balances": {"points": 85},
    "available": {"points": 85},
    "pending": {"points": 0},
    "held": {"points": 0},
    "lots": [
        {
            "lot": "2.1",
            "asset": "points",
            "amount": 85,
            "remaining": 85,
            "granted_at": "2026-11-21T02:00:00Z",
            "expires_at": "2027-12-01T00:00:00Z",
            "reason": "purchase",
        }
    ],
    "debts": [],
    "tier": None,
    "totals": {
        "orders": 1,
        "refunds": 0,
        "gross": {"CNY": 8588},
        "net": {"CNY": 8588},
        "first_order_at": "2026-11-21T02:00:00Z",
        "last_order_at": "2026-11-21T02:00:00Z",
    },
}

RULES: dict[str, Any] = {
    "program": {"time_zone": "Asia/Shanghai", "currencies": ["CNY"], "points_scale": 0, "order_scope": "program"},
    "earning": [
        {"id": "base", "on": "purchase.recorded", "points_per_unit": "1"},
        {"id": "signup", "on": "customer.signed_up", "points": 100},
    ],
    "expiry": {"kind": "end_of_month", "n": 12},
    "refunds": "within_balance",
}

RULES_YAML = """\
program: {time_zone: Asia/Shanghai, currencies: [CNY]}
earning:
  - {id: base, on: purchase.recorded, points_per_unit: "1"}
  - {id: signup, on: customer.signed_up, points: 100}
expiry: {kind: end_of_month, n: 12}
"""

_RECORD: dict[str, Any] = {
    "schema": 2,
    "id": "5f0c41d2",
    "source": "/pos/sz-001",
    "type": "purchase.recorded",
    "subject": "c-1001",
    "program": "default",
    "time": "2026-11-21T02:00:00Z",
    "recorded_at": "2026-11-21T02:00:00.481516Z",
    "version": 2,
    "unit": [1, 1],
    "prev": "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
    "rules": 1,
    "actor": "pos",
    "data": PURCHASE["data"],
    "postings": [_POSTING],
    "balances": {"points": 185},
}

LINE: dict[str, Any] = {
    "position": 5,
    "hash": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "record": _RECORD,
}

PAGE: dict[str, Any] = {"records": [LINE], "next": None}

EXPLANATION: dict[str, Any] = {
    "program": "default",
    "customer": "c-1001",
    "of": "points",
    "value": 85,
    "terms": [
        {
            "lot": "2.1",
            "amount": 85,
            "remaining": 85,
            "record": {
                "version": 2,
                "position": 5,
                "type": "purchase.recorded",
                "id": "5f0c41d2",
                "source": "/pos/sz-001",
            },
            "rules": 1,
            "rule": "base",
            "taken": [],
        }
    ],
    "debts": [],
    "position": 5,
    "as_of": "2026-11-21T02:00:01Z",
    "known_at": "2026-11-21T02:00:01Z",
}

REFUSALS: dict[str, Any] = {
    "refusals": [
        {
            "status": "final",
            "id": "5f0c41d3",
            "source": "/pos/sz-001",
            "type": "points.redeemed",
            "subject": "c-1001",
            "time": "2026-11-21T02:05:00Z",
            "recorded_at": "2026-11-21T02:05:00.108000Z",
            "problem": REFUSAL,
        }
    ],
    "next": None,
}
