"""The schemas of what is read: accounts, records, explanations, refusals, rules, readiness."""

from typing import Any

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def shape(description: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members; others may come."""
    return {
        "type": "object",
        "description": description,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def list_of(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


_TEXT: Schema = {"type": "string"}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BY_ASSET: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_MONEY: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}

_LOT = shape(
    "What one posting put into the account, and what of it is left.",
    {"lot": _TEXT, "asset": _TEXT, "amount": _COUNT, "remaining": _COUNT, "granted_at": _INSTANT, "reason": _TEXT},
    {"available_at": _INSTANT_OR_NULL, "expires_at": _INSTANT},
)
_DEBT = shape(
    "A clawback not yet covered.",
    {"lot": _TEXT, "asset": _TEXT, "amount": _COUNT, "remaining": _COUNT, "at": _INSTANT},
)
_COUPON = shape(
    "An open coupon: its lot, and how many uses are left.",
    {"coupon_id": _TEXT, "kind": _TEXT, "left": _COUNT, "lot": _TEXT},
    {"available_at": _INSTANT, "expires_at": _INSTANT, "code": _TEXT, "campaign": _TEXT},
)
_PERIOD = shape(
    "A time paid for; half open.",
    {"start": _INSTANT, "end": _INSTANT, "months": _COUNT, "paused_days": _COUNT, "price": _COUNT, "currency": _TEXT},
)
_MEMBERSHIP = shape(
    "The paid membership bought last.",
    {
        "membership_id": _TEXT,
        "plan": _TEXT,
        "status": {"enum": ["active", "paused", "cancelled", "ended"]},
        "start": _INSTANT,
        "end": _INSTANT,
        "paused_days": _COUNT,
        "periods": list_of(_PERIOD),
    },
    {"paused_at": _INSTANT, "benefit": {"type": "object"}, "tier": _TEXT},
)
_PACKAGE = shape(
    "An open package: its lot, and how many uses are left.",
    {"package_id": _TEXT, "kind": _TEXT, "left": _COUNT, "lot": _TEXT},
    {"expires_at": _INSTANT},
)
_TOTALS = shape(
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
_BROUGHT = shape(
    "A customer this one brought, and in a read of the present whom that one brought in its turn.",
    {"customer": _TEXT, "since": _INSTANT, "status": {"enum": ["made", "rewarded", "revoked"]}, "points": _COUNT},
    {"referred": {"type": "array", "items": {"type": "object"}}},
)
_REFERRAL = shape(
    "Who brought this customer, whom it brought, and the points all of it earned.",
    {"referred": list_of(_BROUGHT), "earned": {"type": "integer"}},
    {
        "referred_by": shape(
            "The referrer.",
            {
                "customer": _TEXT,
                "since": _INSTANT,
                "status": {"enum": ["made", "lapsed", "qualified", "disqualified", "revoked"]},
            },
        )
    },
)
_STANDING = shape(
    "What is frozen, and since when the account is closed.",
    {
        "frozen": list_of(
            shape(
                "A freeze.",
                {"what": {"enum": ["earn", "redeem"]}, "since": _INSTANT, "reason": _TEXT},
                {"until": _INSTANT},
            )
        )
    },
    {"closed": shape("The end of the account.", {"at": _INSTANT, "reason": _TEXT})},
)
_OPENED_FROM = shape(
    "A system the customer was taken over from, and how many parts came of it.",
    {"system": _TEXT, "cutover_at": _INSTANT, "parts": _COUNT},
)
_LENT = {"asset": {"enum": ["points", "stored_value"]}, "limit": _COUNT, "since": _INSTANT}
_LENT_MORE = {"currency": _TEXT, "until": _INSTANT}
_AUTHORISATIONS = shape(
    "Who may spend on whose account; those that run.",
    {
        "given": list_of(
            shape(
                "Another may spend on this account; what is left of it.",
                {"spender": _TEXT, **_LENT, "left": {"type": "integer"}},
                _LENT_MORE,
            )
        ),
        "held": list_of(shape("This customer may spend on another's.", {"owner": _TEXT, **_LENT}, _LENT_MORE)),
    },
)
_MISSING: Schema = {"type": "object", "description": "What is missing by measure; under `any` the ways there are."}
_TIER = shape(
    "Where the customer stands, and the way on; null in a program without tiers.",
    {
        "tier": {"type": ["string", "null"]},
        "since": _INSTANT_OR_NULL,
        "review_at": _INSTANT_OR_NULL,
        "qualifies_by": list_of({"enum": ["growth", "spend", "orders"]}),
        "value": _MONEY,
        "window": shape("The days that count.", {"from": {"type": ["string", "null"]}, "to": _TEXT}),
        "next": {"anyOf": [shape("The next tier.", {"tier": _TEXT, "missing": _MISSING}), {"type": "null"}]},
        "retain": {"anyOf": [shape("To keep this one.", {"missing": _MISSING, "value": _MONEY}), {"type": "null"}]},
    },
)
_LINE = shape(
    "A record with its position in the log and the SHA-256 leaf hash of its bytes.",
    {
        "position": {"type": "integer", "minimum": 1},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "record": {"type": "object"},
    },
)
_NAMED_RECORD = shape(
    "Which record.", {"version": _COUNT, "position": _COUNT, "type": _TEXT, "id": _TEXT, "source": _TEXT}
)
_TAKEN = shape(
    "What was taken from the lot; back into it with a minus.",
    {"record": {"anyOf": [_NAMED_RECORD, {"type": "null"}]}, "amount": {"type": "integer"}},
)
_TERM = shape(
    "A lot, or a debt: amount = remaining + Σ taken.",
    {
        "lot": _TEXT,
        "amount": _COUNT,
        "remaining": _COUNT,
        "record": _NAMED_RECORD,
        "rules": _COUNT,
        "rule": {"type": ["string", "null"]},
        "taken": list_of(_TAKEN),
    },
)
_VERSION: dict[str, Schema] = {"version": {"type": "integer", "minimum": 1}, "effective_from": _INSTANT_OR_NULL}

READ: dict[str, Schema] = {
    "Customer": shape(
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
            "lots": list_of(_LOT),
            "debts": list_of(_DEBT),
            "tier": {"anyOf": [_TIER, {"type": "null"}]},
            "totals": _TOTALS,
        },
        {
            "coupons": list_of(_COUPON),
            "packages": list_of(_PACKAGE),
            "membership": _MEMBERSHIP,
            "benefits": {"type": "object", "additionalProperties": list_of(_TEXT)},
            "referral": _REFERRAL,
            "standing": _STANDING,
            "opened_from": list_of(_OPENED_FROM),
            "authorisations": _AUTHORISATIONS,
        },
    ),
    "Page": shape(
        "Records of a customer.", {"records": list_of(_LINE), "next": {"type": ["integer", "null"], "minimum": 1}}
    ),
    "Explanation": shape(
        "Where a balance comes from.",
        {
            "program": _TEXT,
            "customer": _TEXT,
            "of": _TEXT,
            "value": {"type": "integer"},
            "terms": list_of(_TERM),
            "debts": list_of(_TERM),
            "position": _COUNT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
        },
    ),
    "Declarations": shape(
        "What each till declared for a business day, what of it arrived, and what differs.",
        {
            "program": _TEXT,
            "business_day": _TEXT,
            "position": _COUNT,
            "declarations": list_of(
                shape(
                    "A till: a source, a store, a currency. `missing` and `extra` name orders where the till named its own.",
                    {
                        **dict.fromkeys(("source", "store", "currency"), _TEXT),
                        "status": {"enum": ["agrees", "open", "waived", "undeclared"]},
                        "declared": {"type": ["object", "null"]},
                        "found": {"type": "object"},
                        "differences": list_of({"type": "object"}),
                        "missing": {"type": ["array", "null"], "items": _TEXT},
                        "extra": {"type": ["array", "null"], "items": _TEXT},
                    },
                    {"waived": {"type": "object"}, "declared_in": _COUNT},
                )
            ),
        },
    ),
    "Refusals": shape(
        "What was decided against.",
        {
            "refusals": list_of(
                shape(
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
    "Rules": shape(
        "A version of the rules; `effective_from` null = from ever.",
        {"program": _TEXT, **_VERSION, "rules": _ref("RulesDocument")},
    ),
    "RulesRead": shape(
        "A version of the rules, and which versions there are.",
        {
            "program": _TEXT,
            **_VERSION,
            "rules": _ref("RulesDocument"),
            "versions": list_of(shape("A version.", _VERSION)),
        },
    ),
    "Metrics": shape(
        "Every metric's definition.",
        {
            "program": _TEXT,
            "metrics": list_of(
                shape(
                    "A versioned definition.",
                    {
                        "metric": _TEXT,
                        "sentence": _TEXT,
                        "formula": _TEXT,
                        "by": list_of(_TEXT),
                        "explained": {"type": "boolean"},
                        "parameters": list_of(shape("A parameter.", {"name": _TEXT, "says": _TEXT, "kind": _TEXT})),
                    },
                )
            ),
        },
    ),
    "MetricAnswer": shape(
        "The answer of a metric; `position` reproduces it as `known_at`.",
        {
            "metric": _TEXT,
            "sentence": _TEXT,
            "program": _TEXT,
            "parameters": {"type": "object"},
            "from": _INSTANT_OR_NULL,
            "to": _INSTANT_OR_NULL,
            "by": list_of(_TEXT),
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "position": _COUNT,
            "sealed_through": _COUNT,
            "counts": {"type": "object", "additionalProperties": _COUNT},
            "rows": list_of({"type": "object"}),
        },
        {
            "currency": {"type": ["string", "null"]},
            "explained": shape(
                "The records behind the rows, a page of `count` in all; `next` goes on as `records_after`, null = the end.",
                {
                    "cell": {"type": ["object", "null"]},
                    "count": _COUNT,
                    "records": list_of(
                        shape(
                            "A record.",
                            {"position": _COUNT, "customer": _TEXT, "version": _COUNT, "type": _TEXT, "at": _INSTANT},
                        )
                    ),
                    "next": {"type": ["integer", "null"]},
                },
            ),
        },
    ),
    "Health": shape("The process lives.", {"status": {"const": "ok"}}),
    "Ready": shape(
        "Each check by name.",
        {"status": {"const": "ready"}, "checks": {"type": "object", "additionalProperties": {"type": "boolean"}}},
    ),
}
