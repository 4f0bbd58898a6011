"""The routes of what needs two people."""

from api import examples
from api.answers import JSON
from api.changes import approve_change, propose_change, read_changes
from api.openapi import Operation, good, parameter
from api.schemas import PROGRAM_PATTERN, ref
from ledger.approving import KINDS

_PROGRAM = parameter(
    "program", "path", "The program's name.", {"type": "string", "pattern": PROGRAM_PATTERN}, "default"
)
_CHANGE = parameter(
    "change", "path", "The change's id.", {"type": "string", "pattern": "^[0-9a-f-]{36}$"}, examples.CHANGE["change"]
)
_PROPOSED = {**examples.CHANGE, "status": "proposed", "approved_by": None, "approved_at": None}

CHANGES: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/programs/{program}/changes",
        propose_change,
        "rules",
        {201: good("Proposed; it counts for nothing yet.", ref("Change"), _PROPOSED)},
        problems=(400, 404, 408, 409, 413, 415, 422, 429),
        parameters=(_PROGRAM,),
        body={
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["kind", "content"],
                    "properties": {"kind": {"enum": list(KINDS)}, "content": {"type": "object"}},
                    "additionalProperties": False,
                },
                "example": {"kind": "adjustment", "content": examples.CHANGE["content"]},
            }
        },
        description="`rules`: the content is the whole document. `adjustment`: `customer` and the data of a `points.adjusted`. "
        "`opening`: `openings`, up to 500, each with `customer` and the data of an `account.opened_from`. `correction`: an order, "
        "as `POST …/corrections` takes it.",
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/changes",
        read_changes,
        "rules",
        {200: good("The register.", ref("Changes"), {"changes": [examples.CHANGE]})},
        problems=(400, 404),
        parameters=(_PROGRAM,),
    ),
    Operation(
        "POST",
        "/v1/programs/{program}/changes/{change}/approve",
        approve_change,
        "rules",
        {200: good("Approved, and done.", ref("Change"), examples.CHANGE)},
        problems=(400, 404, 408, 409, 413, 415, 422, 429),
        parameters=(_PROGRAM, _CHANGE),
        body={
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["hash"],
                    "properties": {"hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
                    "additionalProperties": False,
                },
                "example": {"hash": examples.CHANGE["hash"]},
            }
        },
        description="Approving again what one approved changes nothing; adjustments and openings that were cut are finished by it.",
    ),
)
