"""The OpenAPI document: what each operation takes, and every status it can answer."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from starlette.responses import Response

from api.answers import JSON, NDJSON
from api.problems import PROBLEM_TYPE, TABLE, PathUnknown, TooLarge, problem
from api.routing import Endpoint, access_of
from api.schemas import Schema, components, ref
from ledger.errors import FormError, LedgerError, NotFound, Refused

DESCRIPTION = """\
The book of a retailer's customers as an asset: an append-only log per program, an account per customer, as of any date, as
known at any date.

Events are CloudEvents 1.0 and count once for ever, by `(source, id)` and by their business key. Every no is an RFC 9457
problem document; branch on its `code`. Amounts are whole smallest units within 2^53. Instants are UTC in every answer.
"""

_ALWAYS = (500,)
_WITH_KEY = (401, 403, 503)


class Operation(NamedTuple):
    """One line of the table of routes.

    `answers` are the good ones by status; `problems` the statuses of problem documents besides those every operation of its
    kind has.
    """

    method: str
    path: str
    endpoint: Endpoint
    tag: str
    answers: dict[int, Schema]
    problems: tuple[int, ...] = ()
    parameters: Sequence[Schema] = ()
    body: Schema | None = None
    description: str = ""


def route(operation: Operation) -> dict[str, Any]:
    """What a RawRoute is made of."""
    endpoint = operation.endpoint
    return {
        "path": operation.path,
        "endpoint": endpoint,
        "methods": [operation.method],
        "operation_id": endpoint.__name__,
        "summary": (endpoint.__doc__ or "").split("\n")[0],
        "description": _description(operation),
        "tags": [operation.tag],
        "response_class": Response,
        "response_model": None,
    }


def complete(document: dict[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """Add to the frame that FastAPI makes of the routes what it cannot know: parameters, bodies, answers, schemas, keys."""
    document["info"]["description"] = DESCRIPTION
    document["components"] = {
        "schemas": dict(sorted(components().items())),
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key bound to a principal, programs and scopes.",
            }
        },
    }
    for operation in operations:
        document["paths"][operation.path][operation.method.lower()].update(_details(operation))
    return document


def good(
    description: str,
    schema: Schema,
    example: Any,
    *,
    media_type: str = JSON,
    headers: dict[str, str] | None = None,
) -> Schema:
    """A good answer; `headers` says what each required header of it carries."""
    answer: Schema = {"description": description, "content": {media_type: {"schema": schema, "example": example}}}
    if headers:
        answer["headers"] = {
            name: {"required": True, "description": said, "schema": {"type": "string"}}
            for name, said in headers.items()
        }
    return answer


def lines(description: str, examples: Sequence[Any]) -> Schema:
    """A good answer of NDJSON."""
    text = "".join(orjson.dumps(example).decode() + "\n" for example in examples)
    return good(description, {"type": "string"}, text, media_type=NDJSON)


def parameter(name: str, where: str, description: str, schema: Schema, example: Any = None) -> Schema:
    """A parameter; those of the path are required."""
    shown: Schema = {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": description,
        "schema": schema,
    }
    if example is not None:
        shown["example"] = example
    return shown


def _details(operation: Operation) -> dict[str, Any]:
    any_of = access_of(operation.endpoint)
    statuses = {*operation.problems, *_ALWAYS, *(() if any_of is None else _WITH_KEY)}
    answers = {**operation.answers, **{status: _problem_answer(status) for status in statuses}}
    details: dict[str, Any] = {
        "security": [] if any_of is None else [{"key": []}],
        "parameters": list(operation.parameters),
        "responses": {str(status): answers[status] for status in sorted(answers)},
    }
    if operation.body is not None:
        details["requestBody"] = {"required": True, "content": operation.body}
    return details


def _description(operation: Operation) -> str:
    any_of = access_of(operation.endpoint)
    who = "No key is needed." if any_of is None else f"Scope: {' or '.join(sorted(any_of))}."
    return f"{operation.description}\n\n{who}".strip()


def _problem_answer(status: int) -> Schema:
    known = [kind for kind, row in TABLE.items() if row.status == status and kind not in _ABSTRACT]
    answer: Schema = {
        "description": f"{HTTPStatus(status).phrase}: " + ", ".join(sorted({f"`{kind.code}`" for kind in known})),
        "content": {PROBLEM_TYPE: {"schema": ref("Problem"), "example": problem(_example(known[-1]))}},
    }
    header = _HEADERS.get(status)
    if header is not None:
        answer["headers"] = {header: {"required": True, "schema": {"type": "string"}}}
    return answer


def _example(kind: type[LedgerError]) -> LedgerError:
    if issubclass(kind, FormError):
        return FormError("The event is malformed.", errors=[{"pointer": "/data/total", "reason": "Field required"}])
    error = kind.__new__(kind)
    LedgerError.__init__(error)
    return error


_ABSTRACT = (LedgerError, NotFound, PathUnknown, TooLarge, Refused)

_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
