"""The schemas of reports."""

from api.schemas_read import Schema, list_of, shape
from projections.tieout.figures import SIDES, STREAMS

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_POINTS: Schema = {"type": "integer"}
_BY_CURRENCY: Schema = {"type": "object", "additionalProperties": _COUNT}

_FLOW = shape("A line; `points` are signed.", {"line": _TEXT, "detail": _TEXT_OR_NULL, "points": _POINTS})
_OUTSTANDING = {
    "closing": _COUNT,
    "available": _COUNT,
    "pending": _COUNT,
    "held": _COUNT,
    "lots": _COUNT,
    "money": _BY_CURRENCY,
}
_SLICE = {"entity": _TEXT_OR_NULL, "grant_month": _TEXT, "expiry_month": _TEXT, "reason": _TEXT}


def _dimension(name: str) -> Schema:
    return list_of(
        shape(
            "A value of the dimension, which rolls forward by itself.",
            {name: _SLICE[name], "opening": _COUNT, "flows": list_of(_FLOW), **_OUTSTANDING},
        )
    )


_SUMMED = ("streams", "found", "difference")
_PLACE: Schema = {"type": ["object", "null"]}

REPORTS: dict[str, Schema] = {
    "Customers": shape(
        "A page of customers, as far as the log was folded at `position`. Money is minor units.",
        {
            "program": _TEXT,
            "position": _COUNT,
            "as_of": _INSTANT,
            "customers": list_of(
                shape(
                    "A customer; `first_place` and `last_place` are those of the earliest and the latest event with a place.",
                    {
                        "customer": _TEXT,
                        "version": _COUNT,
                        "first_place": _PLACE,
                        "last_place": _PLACE,
                        "tier": _TEXT_OR_NULL,
                        "orders": _COUNT,
                        "refunds": _COUNT,
                        "currency": _TEXT_OR_NULL,
                        "gross": _POINTS,
                        "net": _POINTS,
                        "average": {"type": ["integer", "null"]},
                        "other_net": {"type": "object", "additionalProperties": _POINTS},
                        "first_order_at": _INSTANT_OR_NULL,
                        "last_order_at": _INSTANT_OR_NULL,
                        "points": _POINTS,
                        "pending": _COUNT,
                        "debt": _COUNT,
                        "expiring": shape(
                            "What expires soon.",
                            {"within_days": _COUNT, "points": _COUNT, "next_at": _INSTANT_OR_NULL},
                        ),
                    },
                )
            ),
            "next": _TEXT_OR_NULL,
        },
    ),
    "TieOut": shape(
        "The fold of the streams against everything derived from it. Figures are whole numbers: points, minor units, counts.",
        {
            "program": _TEXT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "position": _COUNT,
            "sealed_through": _COUNT,
            "holds": {"type": "boolean"},
            "sides": shape(
                "The position at which each side was compared; null: it is not there.",
                {side: {"type": ["integer", "null"]} for side in SIDES},
            ),
            "counts": {"type": "object", "additionalProperties": _COUNT},
            "differences": list_of(
                shape(
                    "What a side says of a customer, and what the fold of the stream says.",
                    {
                        "customer": _TEXT,
                        "side": {"enum": [STREAMS, *SIDES]},
                        "figure": _TEXT,
                        "expected": {"type": ["integer", "null"]},
                        "found": {"type": ["integer", "null"]},
                        "detail": _TEXT_OR_NULL,
                    },
                )
            ),
            "sums": list_of(
                shape(
                    "A figure over the customers of this answer.",
                    {"side": {"enum": [*SIDES]}, "figure": _TEXT, **dict.fromkeys(_SUMMED, _POINTS)},
                )
            ),
            "next": _TEXT_OR_NULL,
        },
    ),
    "PointsReport": shape(
        "Points owed at `as_of`, as known at `position`. Points are whole numbers of 10^-points_scale, money of minor units.",
        {
            "report": {"const": "points@1"},
            "basis": {"const": "effective"},
            "program": _TEXT,
            "time_zone": _TEXT,
            "points_scale": _COUNT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "position": _COUNT,
            "from": _INSTANT_OR_NULL,
            "totals": {"type": "object", "additionalProperties": _POINTS},
            "money": list_of(
                shape(
                    "Outstanding points × value × rate, rounded half up once; the parameters come from the rules.",
                    {
                        "currency": _TEXT,
                        "effective_from": _INSTANT,
                        "value_per_point": _TEXT,
                        "redemption_rate": _TEXT,
                        "amount": _COUNT,
                        "amount_if_all_redeemed": _COUNT,
                    },
                )
            ),
            "roll_forward": shape(
                "Opening + the lines = closing; debts and held points beside it.",
                {
                    "lines": list_of(_FLOW),
                    "debt": list_of(
                        shape(
                            "Debts of an entity.",
                            {
                                "entity": _TEXT_OR_NULL,
                                "opening": _COUNT,
                                "opened": _COUNT,
                                "covered": _POINTS,
                                "closing": _COUNT,
                            },
                        )
                    ),
                    "held": list_of(shape("A line of what holds set aside.", {"line": _TEXT, "points": _POINTS})),
                },
            ),
            "by": shape("Each dimension adds up to the total.", {name: _dimension(name) for name in _SLICE}),
            "slices": list_of(shape("What is outstanding.", {**_SLICE, **_OUTSTANDING})),
            "checks": list_of(
                shape(
                    "What must hold.",
                    {
                        "check": _TEXT,
                        "expected": _POINTS,
                        "actual": _POINTS,
                        "difference": _POINTS,
                        "holds": {"type": "boolean"},
                    },
                )
            ),
            "counts": {"type": "object", "additionalProperties": _COUNT},
        },
    ),
    "PointsReportRecords": shape(
        "The records behind a line: their `points` add up to it over all pages.",
        {
            "program": _TEXT,
            "as_of": _INSTANT,
            "known_at": _INSTANT,
            "position": _COUNT,
            "from": _INSTANT_OR_NULL,
            "line": _TEXT,
            "detail": _TEXT_OR_NULL,
            "points": _POINTS,
            "count": _COUNT,
            "records": list_of(
                shape(
                    "A record; of a line of what is there or lapsed, the one that opened the lot.",
                    {
                        "position": _COUNT,
                        "customer": _TEXT,
                        "version": _COUNT,
                        "type": _TEXT,
                        "at": _INSTANT_OR_NULL,
                        "lot": _TEXT,
                        "points": _POINTS,
                        "line": _TEXT,
                        "detail": _TEXT_OR_NULL,
                        **_SLICE,
                    },
                )
            ),
            "next": {"type": ["integer", "null"]},
        },
    ),
}
