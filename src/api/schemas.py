"""The schemas of the OpenAPI document: envelopes and answers by hand, event data and rules from their own definitions."""

from typing import Any

from pydantic import TypeAdapter

from api.problems import TABLE
from api.schemas_corrections import CORRECTIONS
from api.schemas_read import READ
from api.schemas_reports import REPORTS
from ledger.events import SHAPES
from ledger.money import AMOUNT_MAX
from ledger.records import PROGRAM_TYPES
from ledger.rules import RulesDocument

Schema = dict[str, Any]

NO_NUL = r"^[^\u0000]*$"
CUSTOMER_PATTERN = r"^[A-Za-z0-9._~:@-]{1,128}$"
PROGRAM_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Schema]:
    """Every schema the document refers to, by name."""
    return {**_BY_HAND, **READ, **REPORTS, **CORRECTIONS, **_event_schemas(), **_rules_schemas()}


def event_name(event_type: str) -> str:
    """The name of the schema of a whole event: `purchase.recorded` is EventPurchaseRecorded."""
    return "Event" + "".join(part.capitalize() for part in event_type.replace(".", "_").split("_"))


def _event_schemas() -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    for event_type, shape in SHAPES.items():
        data = TypeAdapter(shape).json_schema(ref_template="#/components/schemas/{model}")
        schemas.update({name: _tidy(schema) for name, schema in data.pop("$defs", {}).items()})
        schemas[data["title"]] = _tidy(data)
        schemas[event_name(event_type)] = _envelope(event_type, data["title"])
    schemas["Event"] = {
        "description": "A CloudEvent 1.0 of one of the types the ledger takes. Extension attributes are taken and dropped.",
        "oneOf": [ref(event_name(event_type)) for event_type in SHAPES],
        "discriminator": {
            "propertyName": "type",
            "mapping": {event_type: ref(event_name(event_type))["$ref"] for event_type in SHAPES},
        },
    }
    return schemas


def _envelope(event_type: str, data: str) -> Schema:
    ours = event_type in PROGRAM_TYPES
    subject = {"type": "string", "pattern": PROGRAM_PATTERN if ours else CUSTOMER_PATTERN}
    subject["description"] = "The program's name." if ours else "The customer's id; never a personal identifier."
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**_TEXT, "description": "Unique among the events of the source, for ever."},
            "source": {**_TEXT, "description": "Who sends, such as `/pos/sz-001`. Not beginning `ledger:`."},
            "type": {"const": event_type},
            "subject": subject,
            "time": {"type": "string", "format": "date-time", "description": "When it happened, with offset."},
            "datacontenttype": {"type": ["string", "null"], "pattern": "^application/json"},
            "dataschema": {"type": ["string", "null"], "minLength": 1},
            "expectedversion": {
                "type": ["integer", "string", "null"],
                "minimum": 0,
                "maximum": 2**53,
                "pattern": "^[0-9]{1,16}$",
                "description": "The stream's version that this event insists on; 0 = no stream yet.",
            },
            "data": ref(data),
        },
        "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
        "additionalProperties": {
            "type": ["string", "integer", "boolean", "null"],
            "minimum": -(2**31),
            "maximum": 2**31 - 1,
        },
    }


def _rules_schemas() -> dict[str, Schema]:
    document = RulesDocument.model_json_schema(ref_template="#/components/schemas/Rules{model}", mode="validation")
    schemas = {f"Rules{name}": schema for name, schema in document.pop("$defs", {}).items()}
    return {**schemas, "RulesDocument": document}


def _tidy(schema: Any) -> Any:
    """Say of text what its validator says: no U+0000."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {name: _tidy(part) for name, part in schema.items() if not (name == "title" and isinstance(part, str))}
    if tidied.get("type") == "string" and "maxLength" in tidied:
        tidied.setdefault("pattern", NO_NUL)
    return tidied


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": NO_NUL}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BALANCES: Schema = {
    "type": "object",
    "additionalProperties": {"type": "integer"},
    "description": "Per asset lots − debts, pending and held included; `<asset>:debt` where not 0.",
}
_OTHERS: Schema = {
    "type": "array",
    "description": "Of an event that concerns two customers: what it did on the other's stream, record by record. Else left out.",
    "items": {
        "type": "object",
        "required": ["type", "subject", "version", "postings", "balances", "notes"],
        "properties": {
            "type": _TEXT,
            "subject": _TEXT,
            "version": _COUNT,
            "postings": {"type": "array", "items": {"$ref": "#/components/schemas/Posting"}},
            "balances": _BALANCES,
            "notes": {"type": "array", "items": {"type": "object"}},
        },
    },
}
_RECORDS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "subject", "version", "position"],
        "properties": {"type": _TEXT, "subject": _TEXT, "version": _COUNT, "position": _COUNT},
    },
}

_BY_HAND: dict[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "An RFC 9457 problem document. Branch on `code`.",
        "required": ["type", "title", "status", "code", "detail", "retryable"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "enum": sorted({row.status for row in TABLE.values()})},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "reason"],
                    "properties": {
                        "pointer": {"type": "string"},
                        "reason": {"type": "string"},
                        "line": {"type": "integer", "description": "Of a document in YAML, from 1."},
                        "column": {"type": "integer"},
                    },
                },
            },
            "facts": {"type": "object"},
            "retryable": {
                "type": "boolean",
                "description": "The same request may succeed later. A refusal that is retryable is tried again by itself.",
            },
        },
    },
    "Posting": {
        "type": "object",
        "required": ["asset", "amount", "from", "to"],
        "properties": {
            "asset": {"type": "string"},
            "amount": {"type": "integer", "minimum": 0, "maximum": AMOUNT_MAX},
            "from": {"type": "string"},
            "to": {"type": "string"},
        },
    },
    "Receipt": {
        "type": "object",
        "description": "What an event did; the same for ever.",
        "required": [
            "status",
            "id",
            "source",
            "subject",
            "records",
            "version",
            "position",
            "recorded_at",
            "postings",
            "balances",
            "notes",
        ],
        "properties": {
            "status": {"enum": ["recorded", "replayed"]},
            "id": _TEXT,
            "source": _TEXT,
            "subject": _TEXT,
            "records": _RECORDS,
            "version": _COUNT,
            "position": _COUNT,
            "recorded_at": _INSTANT,
            "postings": {"type": "array", "items": ref("Posting")},
            "balances": _BALANCES,
            "notes": {"type": "array", "items": {"type": "object"}},
            "others": _OTHERS,
        },
    },
    "DryRun": {
        "type": "object",
        "description": "The receipt an event would get now; nothing was written. What only the log gives is null.",
        "required": [
            "status",
            "id",
            "source",
            "subject",
            "records",
            "version",
            "postings",
            "balances",
            "notes",
            "rules",
        ],
        "properties": {
            "status": {"const": "dry_run"},
            "id": _TEXT,
            "source": _TEXT,
            "subject": _TEXT,
            "records": {"type": "array", "items": {"type": "object"}},
            "version": _COUNT,
            "position": {"type": "null"},
            "recorded_at": {"type": "null"},
            "postings": {"type": "array", "items": ref("Posting")},
            "balances": _BALANCES,
            "notes": {"type": "array", "items": {"type": "object"}},
            "others": _OTHERS,
            "rules": {**_COUNT, "description": "The version that decided; of a proposed document the next one."},
        },
    },
    "Change": {
        "type": "object",
        "description": "What needs two people. `hash` is SHA-256 over the content; `rules` the version it was proposed on.",
        "required": [
            "change",
            "status",
            "kind",
            "hash",
            "rules",
            "proposed_by",
            "proposed_at",
            "approved_by",
            "content",
        ],
        "properties": {
            "change": _TEXT,
            "status": {"enum": ["proposed", "approved"]},
            "kind": {"enum": ["rules", "adjustment", "opening", "correction"]},
            "hash": _HASH,
            "rules": _COUNT,
            "proposed_by": _TEXT,
            "proposed_at": _INSTANT,
            "approved_by": {"type": ["string", "null"]},
            "approved_at": {"type": ["string", "null"]},
            "content": {"type": "object"},
        },
    },
    "Changes": {
        "type": "object",
        "required": ["changes"],
        "properties": {"changes": {"type": "array", "items": ref("Change")}},
    },
    "RefusedItem": {
        "type": "object",
        "description": "An event of a batch that is not in the log.",
        "required": ["status", "id", "source", "subject", "problem"],
        "properties": {
            "status": {"const": "refused"},
            "id": {"type": ["string", "null"]},
            "source": {"type": ["string", "null"]},
            "subject": {"type": ["string", "null"]},
            "problem": ref("Problem"),
        },
    },
}
