"""The routes of corrections and of the registers: adjustments, and who holds which scope."""

from typing import Any

from pydantic import TypeAdapter

from api import examples
from api.answers import JSON
from api.corrections import LIMIT, LIMIT_MAX, order_correction, read_adjustments, read_corrections
from api.openapi import Operation, good, parameter
from api.parameters import PROGRAM, limit
from api.schemas import CUSTOMER_PATTERN, Schema, ref
from api.scopes import read_scopes
from ledger.shapes.correcting import CorrectionOrder

SENT: dict[str, Any] = {
    "from": "2026-11-21T02:00:00Z",
    "until": "2026-11-21T05:00:00Z",
    "rule": "base",
    "factor": "1/10",
    "spent": "within_balance",
    "reason": "a hundred points for ten",
    "ticket": "T-91",
}

_KEPT = {**SENT, "types": ["account.opened_from", "customer.signed_up", "points.granted", "purchase.recorded"]}
_SUMS = {
    "records": 2,
    "due": 900,
    "own": 600,
    "others": 200,
    "expired": 0,
    "dropped": 100,
    "debt": 0,
    "given": 0,
    "forgone": 0,
}
_OUTCOME = {"customer": "c-1001", **_SUMS, "refused": None, "spent": 300, "change": -800}
_TOTALS = {"customers": 1, **_SUMS, "spent": 300, "change": -800, "refused": 0, "customers_spent": 1}

_ORDERED = {
    "correction": "7d1f6f60-3f0e-4f6e-9a51-0d7c6c1f5a10",
    "status": "ordered",
    "hash": examples.CHANGE["hash"],
    "ordered_by": "ann",
    "ordered_at": "2026-11-21T06:00:00Z",
    "change": None,
    "order": _KEPT,
}

_ADJUSTMENT = {
    "position": 4181,
    "customer": "c-1001",
    "time": "2026-11-21T06:00:00Z",
    "recorded_at": "2026-11-21T06:00:00.481516Z",
    "points": -800,
    "reason": "a hundred points for ten",
    "ticket": "T-91",
    "actor": "ann",
    "proposed_by": None,
    "approved_by": None,
    "change": None,
    "correction": _ORDERED["correction"],
}

_HOLDER = {
    "principal": "ann",
    "scopes": ["admin"],
    "keys": [
        {
            "key": "0e5751c026e5",
            "scopes": ["admin"],
            "every_program": True,
            "sources": None,
            "label": "laptop",
            "created_at": "2026-11-01T09:00:00Z",
        }
    ],
}


def _order_schema() -> Schema:
    schema = TypeAdapter(CorrectionOrder).json_schema(ref_template="#/components/schemas/{model}")
    return {**schema, "description": "What is set right; see docs/OPERATIONS.md."}


CORRECTIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/programs/{program}/corrections",
        order_correction,
        "corrections",
        {
            200: good(
                "What it would come to; nothing is written.",
                ref("Survey"),
                {"program": "default", "order": _KEPT, "totals": _TOTALS, "customers": [_OUTCOME]},
            ),
            201: good("Ordered; the customers are adjusted one after the other.", ref("Correction"), _ORDERED),
        },
        problems=(400, 404, 408, 409, 413, 415, 422, 429),
        parameters=(
            PROGRAM,
            parameter(
                "dry_run", "query", "Say what it would come to, and write nothing.", {"enum": ["true", "false"]}, "true"
            ),
            limit(LIMIT, LIMIT_MAX),
        ),
        body={JSON: {"schema": _order_schema(), "example": SENT}},
        description="Records within the window that gave points are set right: by a `factor` of what was issued, or `as_rules` of "
        "another version would have decided. `limit` is of the customers a dry run lists; the sums are of all. With "
        "`approvals: {corrections: true}` in the rules, propose it as a change instead.",
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/corrections",
        read_corrections,
        "corrections",
        {200: good("All of them.", ref("Corrections"), {"corrections": [_ORDERED]})},
        problems=(400, 404),
        parameters=(PROGRAM,),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/adjustments",
        read_adjustments,
        "corrections",
        {
            200: good(
                "A page; `next` goes on as `after`, null = the end.",
                ref("Adjustments"),
                {"adjustments": [_ADJUSTMENT], "next": None},
            )
        },
        problems=(400, 404),
        parameters=(
            PROGRAM,
            parameter(
                "customer", "query", "Only of this customer.", {"type": "string", "pattern": CUSTOMER_PATTERN}, "c-1001"
            ),
            parameter(
                "correction",
                "query",
                "Only by this order to correct.",
                {"type": "string", "pattern": "^[0-9a-f-]{36}$"},
                _ORDERED["correction"],
            ),
            parameter(
                "after",
                "query",
                "The `next` of the page before.",
                {"type": "integer", "minimum": 0, "maximum": 10**16 - 1},
                0,
            ),
            limit(LIMIT, LIMIT_MAX),
        ),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/scopes",
        read_scopes,
        "corrections",
        {200: good("By principal.", ref("Holders"), {"program": "default", "principals": [_HOLDER]})},
        problems=(400, 404),
        parameters=(PROGRAM,),
    ),
)
