"""The schemas of corrections and registers."""

from api.schemas_read import Schema, list_of, shape

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_POINTS: Schema = {"type": "integer"}
_SUMS = dict.fromkeys(
    ("records", "due", "own", "others", "expired", "dropped", "debt", "given", "forgone", "spent"), _COUNT
)

CORRECTIONS: dict[str, Schema] = {
    "Survey": shape(
        "What an order would come to. due = own + others + expired + dropped + debt; spent = due − own − expired + forgone.",
        {
            "program": _TEXT,
            "order": {"type": "object"},
            "totals": shape(
                "Of all customers.",
                {"customers": _COUNT, **_SUMS, "change": _POINTS, "refused": _COUNT, "customers_spent": _COUNT},
            ),
            "customers": list_of(
                shape(
                    "One customer; those whose points are spent come first.",
                    {"customer": _TEXT, **_SUMS, "change": _POINTS, "refused": _TEXT_OR_NULL},
                )
            ),
        },
    ),
    "Correction": shape(
        "An order; `done` when every customer is adjusted. `change` is the approved proposal it follows from.",
        {
            "correction": _TEXT,
            "status": {"enum": ["ordered", "done"]},
            "hash": _TEXT,
            "ordered_by": _TEXT,
            "ordered_at": _INSTANT,
            "change": _TEXT_OR_NULL,
            "order": {"type": "object"},
        },
    ),
    "Corrections": shape("Oldest first.", {"corrections": list_of({"$ref": "#/components/schemas/Correction"})}),
    "Adjustments": shape(
        "A page of the register; `points` is what the balance changed by.",
        {
            "adjustments": list_of(
                shape(
                    "An adjustment by hand, or by an order to correct.",
                    {
                        "position": _COUNT,
                        "customer": _TEXT,
                        "time": _INSTANT,
                        "recorded_at": _INSTANT,
                        "points": _POINTS,
                        "reason": _TEXT,
                        "ticket": _TEXT_OR_NULL,
                        "actor": _TEXT,
                        "proposed_by": _TEXT_OR_NULL,
                        "approved_by": _TEXT_OR_NULL,
                        "change": _TEXT_OR_NULL,
                        "correction": _TEXT_OR_NULL,
                    },
                )
            ),
            "next": {"type": ["integer", "null"], "minimum": 0},
        },
    ),
    "Holders": shape(
        "Who holds which scope for a program; `admin` stands for every scope.",
        {
            "program": _TEXT,
            "principals": list_of(
                shape(
                    "A person or a service, with what its living keys may do together.",
                    {
                        "principal": _TEXT,
                        "scopes": list_of(_TEXT),
                        "keys": list_of(
                            shape(
                                "A key, named by the first digits of its hash.",
                                {
                                    "key": _TEXT,
                                    "scopes": list_of(_TEXT),
                                    "every_program": {"type": "boolean"},
                                    "sources": {"type": ["array", "null"], "items": _TEXT},
                                    "label": _TEXT,
                                    "created_at": _INSTANT,
                                },
                            )
                        ),
                    },
                )
            ),
        },
    ),
}
