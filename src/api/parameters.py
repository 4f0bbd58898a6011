"""Parameters that several endpoints share, as the OpenAPI document says them."""

from api.openapi import parameter
from api.schemas import CUSTOMER_PATTERN, PROGRAM_PATTERN, Schema

INSTANT: Schema = {"type": "string", "format": "date-time"}

PROGRAM = parameter("program", "path", "The program's name.", {"type": "string", "pattern": PROGRAM_PATTERN}, "default")
CUSTOMER = parameter(
    "customer", "path", "The customer's id.", {"type": "string", "pattern": CUSTOMER_PATTERN}, "c-1001"
)
AS_OF = parameter(
    "as_of",
    "query",
    "What had happened by then: an instant with offset, or a date (the end of that day in the program's zone). Left out: now.",
    {"anyOf": [INSTANT, {"type": "string", "format": "date"}]},
    "2025-12-31",
)
KNOWN_AT = parameter(
    "known_at",
    "query",
    "What was written by then: an instant with offset, or a position in digits. Left out: the last position.",
    {"anyOf": [INSTANT, {"type": "string", "pattern": "^[0-9]{1,16}$"}]},
    "1",
)


def limit(default: int, most: int) -> Schema:
    """How many at most."""
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return parameter("limit", "query", "How many at most.", schema)
