"""The table of routes: where each endpoint hangs, and what the OpenAPI document says of it."""

import orjson

from api import codes, declarations, examples, examples_held, examples_standing, examples_together
from api.answers import EVENT_STREAM, JSON, NDJSON
from api.customers import EVENTS_LIMIT, explain, read_customer, read_events, replay
from api.events import BATCH, BATCH_EVENTS_MAX, BINARY, LINES, STRUCTURED, post_events
from api.feed import LIMIT, read_feed
from api.metric_routes import metric_operations
from api.openapi import Operation, good, lines, parameter
from api.operations import healthz, metrics, openapi, readyz
from api.parameters import AS_OF as _AS_OF
from api.parameters import CUSTOMER as _CUSTOMER
from api.parameters import KNOWN_AT as _KNOWN_AT
from api.parameters import PROGRAM as _PROGRAM
from api.parameters import limit as _limit
from api.receipts import read_receipt
from api.refusals import LIMIT as REFUSALS_LIMIT
from api.refusals import LIMIT_MAX as REFUSALS_LIMIT_MAX
from api.refusals import STATUSES, read_refusals
from api.routes_changes import CHANGES
from api.routes_corrections import CORRECTIONS
from api.routes_reports import REPORTS
from api.rules import YAML, publish_rules, read_rules, try_rules
from api.schemas import CUSTOMER_PATTERN, Schema, ref
from ledger.reading import EVENTS_LIMIT_MAX, FEED_LIMIT_MAX
from ledger.shapes.basics import ASSET_PATTERN

_CUT_OFFS = (_PROGRAM, _CUSTOMER, _AS_OF, _KNOWN_AT)


def _text(name: str, description: str, example: str) -> Schema:
    schema = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\u0000]+$"}
    return {**parameter(name, "query", description, schema, example), "required": True}


_FURTHER = examples_held.EVENTS | examples_held.CODES | examples_standing.EVENTS | examples_together.EVENTS
_REPLAYED = {"Idempotency-Replayed": {"description": "true: it was decided before.", "schema": {"const": "true"}}}
_EVENT_LINE = orjson.dumps(examples.PURCHASE).decode() + "\n"

_POST = Operation(
    "POST",
    "/v1/programs/{program}/events",
    post_events,
    "events",
    {
        201: good(
            "Recorded. Sent only after the commit.",
            ref("Receipt"),
            examples.RECEIPT,
            headers={"Location": "Where the receipt is found, for ever."},
        ),
        200: {
            "description": "One event: replayed, this is the first receipt again; run dry, the one it would get. A batch: receipts "
            "and refused items in the order sent. Lines: a line per refused item, with `receipts=all` per item, and a summary; "
            "an answer without its summary is a cut one.",
            "headers": _REPLAYED,
            "content": {
                JSON: {
                    "schema": {
                        "anyOf": [
                            ref("Receipt"),
                            ref("DryRun"),
                            {"type": "array", "items": {"anyOf": [ref("Receipt"), ref("RefusedItem")]}},
                        ]
                    },
                    "examples": {
                        "replayed": {"value": {**examples.RECEIPT, "status": "replayed"}},
                        "dry_run": {"value": examples.DRY_RUN},
                        "batch": {"value": [examples.RECEIPT, examples.REFUSED_ITEM]},
                    },
                },
                NDJSON: {
                    "schema": {"type": "string"},
                    "example": "".join(
                        orjson.dumps(shown).decode() + "\n"
                        for shown in ({"line": 3, **examples.REFUSED_ITEM}, examples.SUMMARY)
                    ),
                },
            },
        },
    },
    problems=(400, 404, 408, 409, 412, 413, 415, 422, 429),
    parameters=(
        _PROGRAM,
        parameter(
            "If-Match",
            "header",
            'The stream version a single event insists on, such as "5"; "0" = no stream yet. In a batch: `expectedversion`.',
            {"type": "string", "pattern": '^"[0-9]{1,16}"$'},
        ),
        parameter("receipts", "query", "Of lines: answer refused items only, or all.", {"enum": ["refused", "all"]}),
        parameter(
            "dry_run",
            "query",
            "Of a single event: answer as if it were posted now, and write nothing. A no is answered with its status.",
            {"enum": ["true", "false"], "default": "false"},
        ),
    ),
    body={
        STRUCTURED: {
            "schema": ref("Event"),
            "examples": {
                "purchase": {"value": examples.PURCHASE},
                "sign_up": {"value": examples.SIGN_UP},
                "redemption": {"value": examples.REDEMPTION},
                "paid_from_lots": {"value": examples.PAID_FROM_LOTS},
                "hold": {"value": examples.HOLD},
                "capture": {"value": examples.CAPTURE},
                "load": {"value": examples.LOAD},
                "spending": {"value": examples.SPENDING},
                "load_refund": {"value": examples.LOAD_REFUND},
                **{name: {"value": event} for name, event in _FURTHER.items()},
            },
        },
        BATCH: {
            "schema": {
                "type": "array",
                "maxItems": BATCH_EVENTS_MAX,
                "items": {"anyOf": [ref("Event"), {"description": "What is no event is refused on its own feet."}]},
            },
            "example": [examples.SIGN_UP, examples.PURCHASE],
        },
        LINES: {"schema": {"description": "Text: an event a line, any number."}, "example": _EVENT_LINE},
        BINARY: {
            "schema": {"type": "object", "description": "Binary mode: the data; the attributes are ce- headers."},
            "example": examples.PURCHASE["data"],
        },
    },
    description="An event may have 48 KiB in every mode; a batch 1,000 events and 8 MiB; lines may be any number. In binary "
    "mode the attributes come as headers (`ce-specversion: 1.0`, `ce-id`, `ce-source`, `ce-type`, `ce-subject`, `ce-time`), "
    "percent-encoded, and the body is the data. Of two JSON members of one name the last counts. Checked in this order: form "
    "(400), rights (403), key (a replay, or 409), If-Match (412), decision (422).",
)

OPERATIONS: tuple[Operation, ...] = (
    _POST,
    Operation(
        "GET",
        "/v1/programs/{program}/customers/{customer}",
        read_customer,
        "customers",
        {
            200: good(
                "The account. `position` reproduces the answer as `known_at`.",
                ref("Customer"),
                examples.CUSTOMER,
                headers={"ETag": "The stream's version, for If-Match."},
            )
        },
        problems=(400, 404),
        parameters=_CUT_OFFS,
        description="No record of the customer at `known_at` is 404; an `as_of` before the first record is an account of zeros.",
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/customers/{customer}/events",
        read_events,
        "customers",
        {200: good("A page of records; `next` goes on as `after`, null = the end.", ref("Page"), examples.PAGE)},
        problems=(400, 404),
        parameters=(
            *_CUT_OFFS,
            parameter(
                "after", "query", "Go on after this version.", {"type": "integer", "minimum": 0, "maximum": 10**16 - 1}
            ),
            _limit(EVENTS_LIMIT, EVENTS_LIMIT_MAX),
        ),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/customers/{customer}/replay",
        replay,
        "customers",
        {
            200: lines(
                "Every record in order of version with the state after it, and a summary; without it the answer is cut.",
                [{**examples.LINE, "state": examples.CUSTOMER}, {"summary": {"records": 2, "position": 5}}],
            )
        },
        problems=(400, 404),
        parameters=_CUT_OFFS,
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/customers/{customer}/explain",
        explain,
        "customers",
        {200: good("Σ remaining − Σ debts = value.", ref("Explanation"), examples.EXPLANATION)},
        problems=(400, 404),
        parameters=(
            *_CUT_OFFS,
            parameter("of", "query", "Which asset.", {"type": "string", "pattern": ASSET_PATTERN, "default": "points"}),
        ),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/receipts",
        read_receipt,
        "events",
        {200: good("The receipt, as a replay gives it.", ref("Receipt"), {**examples.RECEIPT, "status": "replayed"})},
        problems=(400, 404),
        parameters=(
            _PROGRAM,
            _text("source", "The event's source.", "/pos/sz-001"),
            _text("id", "The event's id.", "5f0c41d2"),
        ),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/refusals",
        read_refusals,
        "events",
        {200: good("A page of refusals; `next` goes on as `after`.", ref("Refusals"), examples.REFUSALS)},
        problems=(400, 404),
        parameters=(
            _PROGRAM,
            parameter("status", "query", "Only these.", {"enum": list(STATUSES)}),
            parameter("customer", "query", "Only of this customer.", {"type": "string", "pattern": CUSTOMER_PATTERN}),
            parameter(
                "after",
                "query",
                "The `next` of the page before.",
                {"type": "string", "pattern": "^[0-9]{1,16}-[0-9a-f]{32}$"},
            ),
            _limit(REFUSALS_LIMIT, REFUSALS_LIMIT_MAX),
        ),
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/feed",
        read_feed,
        "feed",
        {
            200: {
                "description": "Records in commit order, none skipped. `Accept: text/event-stream` follows live.",
                "content": {
                    NDJSON: lines("", [examples.LINE])["content"][NDJSON],
                    EVENT_STREAM: {
                        "schema": {"type": "string"},
                        "example": f"id: 5:{examples.LINE['hash']}\ndata: {orjson.dumps(examples.LINE).decode()}\n\n",
                    },
                },
            }
        },
        problems=(400, 404, 409),
        parameters=(
            _PROGRAM,
            parameter(
                "after",
                "query",
                "A checkpoint: a position, or position:hash, which is refused where the log has another record; 0 = the start.",
                {"type": "string", "pattern": "^[0-9]{1,16}(:[0-9a-f]{64})?$", "default": "0"},
            ),
            _limit(LIMIT, FEED_LIMIT_MAX),
            parameter(
                "Last-Event-ID", "header", "A checkpoint; of a live feed it wins over `after`.", {"type": "string"}
            ),
        ),
    ),
    Operation(
        "PUT",
        "/v1/programs/{program}/rules",
        publish_rules,
        "rules",
        {
            200: good(
                "The version that decides from now on; a new one unless nothing changed.",
                ref("Rules"),
                _RULES := {
                    "program": "default",
                    "version": 2,
                    "effective_from": "2026-11-21T02:00:00Z",
                    "rules": examples.RULES,
                },
            ),
            201: good(
                "The program was created with these rules as its first version.",
                ref("Rules"),
                {**_RULES, "version": 1, "effective_from": None},
            ),
        },
        problems=(400, 408, 409, 413, 415, 422, 429),
        parameters=(_PROGRAM,),
        body={
            JSON: {"schema": ref("RulesDocument"), "example": examples.RULES},
            YAML[0]: {"schema": ref("RulesDocument"), "example": examples.RULES_YAML},
        },
        description="The whole document. Its block `program` is fixed when the program is created. YAML is read by the rules of "
        "JSON: `on` is text, there are no aliases.",
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/rules",
        read_rules,
        "rules",
        {
            200: good(
                "The rules, and the list of all versions.",
                ref("RulesRead"),
                {
                    **_RULES,
                    "versions": [
                        {"version": 1, "effective_from": None},
                        {"version": 2, "effective_from": "2026-11-21T02:00:00Z"},
                    ],
                },
            )
        },
        problems=(400, 404),
        parameters=(
            _PROGRAM,
            parameter(
                "version",
                "query",
                "Which version; left out: the last one.",
                {"type": "integer", "minimum": 1, "maximum": 10**16 - 1},
            ),
        ),
    ),
    Operation(
        "POST",
        "/v1/programs/{program}/rules/dry-run",
        try_rules,
        "rules",
        {
            200: good(
                "The receipt it would get.",
                {"anyOf": [ref("DryRun"), ref("Receipt")]},
                examples.DRY_RUN,
            )
        },
        problems=(400, 404, 408, 409, 412, 413, 415, 422, 429),
        parameters=(_PROGRAM,),
        body={
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["event", "rules"],
                    "properties": {"event": ref("Event"), "rules": ref("RulesDocument")},
                    "additionalProperties": False,
                },
                "example": {"event": examples.PURCHASE, "rules": examples.RULES},
            }
        },
        description="What an event would do under a document that is not published. The document counts from ever.",
    ),
    *metric_operations(_PROGRAM, (_AS_OF, _KNOWN_AT)),
    *REPORTS,
    *CHANGES,
    *CORRECTIONS,
    declarations.OPERATION,
    codes.OPERATION,
    Operation("GET", "/healthz", healthz, "operations", {200: good("Alive.", ref("Health"), {"status": "ok"})}),
    Operation(
        "GET",
        "/readyz",
        readyz,
        "operations",
        {200: good("Ready.", ref("Ready"), {"status": "ready", "checks": {"migrated": True, "writers": True}})},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/metrics",
        metrics,
        "operations",
        {200: good("Metrics.", {"type": "string"}, "ledger_events_total 5\n", media_type="text/plain")},
    ),
    Operation(
        "GET",
        "/openapi.json",
        openapi,
        "operations",
        {200: good("This document.", {"type": "object"}, {"openapi": "3.1.0"})},
    ),
)
