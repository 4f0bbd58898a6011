"""The schemas of what is read: accounts, records, explanations, refusals, rules, readiness."""

from typing import Any

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members; others may come."""
    return {
        "type": "object",
        "description": description,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_TEXT: Schema = {"type": "string"}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BY_ASSET: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_MONEY: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}

_LOT = _object(
    "What one posting put into the account, and what of it is left.",
    {"lot": _TEXT, "asset": _TEXT, "amount": _COUNT, "remaining": _COUNT, "granted_at": _INSTANT, "reason": _TEXT},
    {"available_at": _INSTANT_OR_NULL, "expires_at": _INSTANT},
)
_DEBT = _object(
    "A clawback not yet covered.",
    {"lot": _TEXT, "asset": _TEXT, "amount": _COUNT, "remaining": _COUNT, "at": _INSTANT},
)
_COUPON = _object(
    "An open coupon: its lot, and how many uses are left.",
    {"coupon_id": _TEXT, "kind": _TEXT, "left": _COUNT, "lot": _TEXT},
    {"available_at": _INSTANT, "expires_at": _INSTANT, "code": _TEXT, "campaign": _TEXT},
)
_PERIOD = _object(
    "A time paid for; half open.",
    {"start": _INSTANT, "end": _INSTANT, "months": _COUNT, "paused_days": _COUNT, "price": _COUNT, "currency": _TEXT},
)
_MEMBERSHIP = _object(
    "The paid membership bought last.",
    {
        "membership_id": _TEXT,
        "plan": _TEXT,
        "status": {"enum": ["active", "paused", "cancelled", "ended"]},
        "start": _INSTANT,
        "end": _INSTANT,
        "paused_days": _COUNT,
        "periods": _list(_PERIOD),
    },
    {"paused_at": _INSTANT, "benefit": {"type": "object"}},
)
_PACKAGE = _object(
    "An open package: its lot, and how many uses are left.",
    {"package_id": _TEXT, "kind": _TEXT, "left": _COUNT, "lot": _TEXT},
    {"expires_at": _INSTANT},
)
_TOTALS = _object(
    "Orders and money; money in minor units by currency.",
    {
        "orders": _COUNT,
        "refunds": _COUNT,
        "gross": _MONEY,
        "net": _MONEY,
        "first_order_at": _INSTANT_OR_NULL,
        "last_order_at": _INSTANT_OR_NULL,
    },
)
_BROUGHT = _object(
    "A customer this one brought, and in a read of the present whom that one brought in its turn.",
    {"customer": _TEXT, "since": _INSTANT, "status": {"enum": ["made", "rewarded", "revoked"]}, "points": _COUNT},
    {"referred": {"type": "array", "items": {"type": "object"}}},
)
_REFERRAL = _object(
    "Who brought this customer, whom it brought, and the points all of it earned.",
    {"referred": _list(_BROUGHT), "earned": {"type": "integer"}},
    {
        "referred_by": _object(
            "The referrer.",
            {
                "customer": _TEXT,
                "since": _INSTANT,
                "status": {"enum": ["made", "lapsed", "qualified", "disqualified", "revoked"]},
            },
        )
    },
)
_LINE = _object(
    "A record with its position in the log and the SHA-256 leaf hash of its bytes.",
    {
        "position": {"type": "integer", "minimum": 1},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "record": {"type": "object"},
    },
)
_NAMED_RECORD = _object(
    "Which record.", {"version": _COUNT, "position": _COUNT, "type": _TEXT, "id": _TEXT, "source": _TEXT}
)
_TAKEN = _object(
    "What was taken from the lot; back into it with a minus.",
    {"record": {"anyOf": [_NAMED_RECORD, {"type": "null"}]}, "amount": {"type": "integer"}},
)
_TERM = _object(
    "A lot, or a debt: amount = remaining + Σ taken.",
    {
        "lot": _TEXT,
        "amount": _COUNT,
        "remaining": _COUNT,
        "record": _NAMED_RECORD,
        "rules": _COUNT,
        "rule": {"type": ["string", "null"]},
        "taken": _list(_TAKEN),
    },
)
_VERSION: dict[str, Schema] = {"version": {"type": "integer", "minimum": 1}, "effective_from": _INSTANT_OR_NULL}

READ: dict[str, Schema] = {
    "Customer": _object(
        "The account of a customer at `as_of`, as known at `known_at`.",
        {
            "program": _TEXT,
            "customer": _TEXT,
            "version": _COUNT,
            "position": _COUNT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "balances": _BY_ASSET,
            "available": _BY_ASSET,
            "pending": _BY_ASSET,
            "held": _BY_ASSET,
            "lots": _list(_LOT),
            "debts": _list(_DEBT),
            "tier": {"type": ["object", "null"]},
            "totals": _TOTALS,
        },
        {"coupons": _list(_COUPON), "packages": _list(_PACKAGE), "membership": _MEMBERSHIP, "referral": _REFERRAL},
    ),
    "Page": _object(
        "Records of a customer.", {"records": _list(_LINE), "next": {"type": ["integer", "null"], "minimum": 1}}
    ),
    "Explanation": _object(
        "Where a balance comes from.",
        {
            "program": _TEXT,
            "customer": _TEXT,
            "of": _TEXT,
            "value": {"type": "integer"},
            "terms": _list(_TERM),
            "debts": _list(_TERM),
            "position": _COUNT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
        },
    ),
    "Refusals": _object(
        "What was decided against.",
        {
            "refusals": _list(
                _object(
                    "A refusal and the event it answered.",
                    {
                        "status": {"enum": ["final", "waiting", "settled", "waived"]},
                        "id": _TEXT,
                        "source": _TEXT,
                        "type": _TEXT,
                        "subject": _TEXT,
                        "time": _INSTANT,
                        "recorded_at": _INSTANT,
                        "problem": _ref("Problem"),
                    },
                )
            ),
            "next": {"type": ["string", "null"]},
        },
    ),
    "Rules": _object(
        "A version of the rules; `effective_from` null = from ever.",
        {"program": _TEXT, **_VERSION, "rules": _ref("RulesDocument")},
    ),
    "RulesRead": _object(
        "A version of the rules, and which versions there are.",
        {
            "program": _TEXT,
            **_VERSION,
            "rules": _ref("RulesDocument"),
            "versions": _list(_object("A version.", _VERSION)),
        },
    ),
    "Metrics": _object(
        "Every metric's definition.",
        {
            "program": _TEXT,
            "metrics": _list(
                _object(
                    "A versioned definition.",
                    {
                        "metric": _TEXT,
                        "sentence": _TEXT,
                        "formula": _TEXT,
                        "by": _list(_TEXT),
                        "parameters": _list(_object("A parameter.", {"name": _TEXT, "says": _TEXT, "kind": _TEXT})),
                    },
                )
            ),
        },
    ),
    "MetricAnswer": _object(
        "The answer of a metric; `position` reproduces it as `known_at`.",
        {
            "metric": _TEXT,
            "sentence": _TEXT,
            "program": _TEXT,
            "parameters": {"type": "object"},
            "from": _INSTANT_OR_NULL,
            "to": _INSTANT_OR_NULL,
            "by": _list(_TEXT),
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "position": _COUNT,
            "sealed_through": _COUNT,
            "counts": {"type": "object", "additionalProperties": _COUNT},
            "rows": _list({"type": "object"}),
        },
        {"currency": {"type": ["string", "null"]}},
    ),
    "Health": _object("The process lives.", {"status": {"const": "ok"}}),
    "Ready": _object(
        "Each check by name.",
        {"status": {"const": "ready"}, "checks": {"type": "object", "additionalProperties": {"type": "boolean"}}},
    ),
}
