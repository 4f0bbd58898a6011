"""Posting events: one, a batch, or a stream of lines, through one door.

    application/cloudevents+json          one event                            201, or 200 for a replay
    ce-specversion header                 one event in binary mode             the same
    application/cloudevents-batch+json    up to 1,000 events, 8 MiB            200, an array in the order sent
    application/x-ndjson                  an event a line, any number          200, see api/lines.py

The handlers read the raw request: parsing, checking and answering an event costs less than FastAPI's own machinery would.
"""

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp

from api import telemetry
from api.answers import Whole, json_answer
from api.auth import Scope
from api.bodies import read_body
from api.books import find_program, ledger_of
from api.documents import read_json
from api.headers import check_coding, media_type
from api.intake import EVENT_BYTES_MAX, Sender, from_headers, precondition, read_event, sender_of
from api.lines import LinesAnswer
from api.posting import read_or_refuse, refused_item
from api.problems import BatchTooLarge, EventTooLarge, MediaTypeUnsupported, problem_answer
from api.queries import bad_parameter, read_query
from api.routing import caller_of, open_to
from ledger.answers import Answer
from ledger.deciding.command import Command
from ledger.dry_run import dry_run
from ledger.errors import FormError

BATCH_BYTES_MAX = 8 * 1024 * 1024
BATCH_EVENTS_MAX = 1_000

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
BINARY = "application/json"

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+\Z")
_REPLAYED = {"Idempotency-Replayed": "true"}


class Posted(NamedTuple):
    """What the headers of a post say. `binary` = it carries `ce-specversion`."""

    media_type: str | None
    length: int | None
    if_match: bytes | None
    binary: bool


@open_to(Scope.POST)
async def post_events(request: Request) -> ASGIApp:
    """Post one event, a batch, or a stream of lines; the Content-Type says which."""
    posted = read_headers(request)
    query = read_query(request, receipts=("all", "refused"), dry_run=("true", "false"))
    ledger = ledger_of(request)
    program = await find_program(request)
    name = program.name
    sender = sender_of(caller_of(request), name, ledger.now(), ledger.codes_key)
    is_dry = query.get("dry_run") == "true"
    if posted.binary or posted.media_type == STRUCTURED:
        command = await _read_one(request, posted, sender)
        if is_dry:
            return dry_answer(await dry_run(ledger.pool, program.log_id, name, program.state, command, now=sender.now))
        return _single(await ledger.post(name, command), name, command)
    if posted.media_type not in (BATCH, LINES):
        raise _unsupported(posted)
    if is_dry:
        raise bad_parameter("dry_run", "only a single event is run dry")
    if posted.if_match is not None:
        raise FormError(
            "If-Match belongs to a single event; in a batch use expectedversion.", code="if_match_malformed"
        )
    if posted.media_type == BATCH:
        events = await _read_batch(request, posted)
        return _many(await ledger.post_many(name, [read_or_refuse(event, sender) for event in events]), events)
    return LinesAnswer(ledger, request.app.state.keys, name, sender, every_receipt=query.get("receipts") == "all")


def dry_answer(answer: Answer) -> Whole:
    """The answer to a dry run: 200, and what would be refused is refused, with the same status."""
    if answer.error is not None:
        return problem_answer(answer.error, _REPLAYED if answer.replayed else None)
    return json_answer(answer.receipt, 200, _REPLAYED if answer.replayed else None)


def read_headers(request: Request) -> Posted:
    """What the headers say, in one pass.

    Raises:
        MediaTypeUnsupported: a content coding or a charset other than UTF-8.
    """
    content_type = length = if_match = None
    binary = False
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value)
        elif name == b"ce-specversion":
            binary = True
        elif name == b"if-match":
            if_match = value
        elif name == b"content-encoding":
            check_coding(value)
    posted = Posted(media_type(content_type), length, if_match, binary)
    if binary and posted.media_type not in (None, BINARY):
        raise _unsupported(posted)
    return posted


async def _read_one(request: Request, posted: Posted, sender: Sender) -> Command:
    body = await read_body(request.receive, posted.length, EVENT_BYTES_MAX, EventTooLarge)
    event = from_headers(request.scope["headers"], body) if posted.binary else read_json(body)
    command = read_event(event, sender)
    if posted.if_match is not None:
        expected = precondition(posted.if_match)
        if command.expected_version not in (None, expected):
            raise FormError("If-Match and expectedversion name different versions.", code="if_match_malformed")
        command.expected_version = expected
    return command


async def _read_batch(request: Request, posted: Posted) -> list[Any]:
    body = await read_body(request.receive, posted.length, BATCH_BYTES_MAX, BatchTooLarge)
    events = read_json(body)
    if not isinstance(events, list):
        raise FormError("A batch is a JSON array of events.", errors=[{"pointer": "", "reason": "not an array"}])
    if len(events) > BATCH_EVENTS_MAX:
        raise BatchTooLarge(events=len(events), events_max=BATCH_EVENTS_MAX)
    return events


def _single(answer: Answer, program: str, command: Command) -> Whole:
    telemetry.count_event(answer)
    if answer.error is not None:
        return problem_answer(answer.error, _REPLAYED if answer.replayed else None)
    if answer.replayed:
        return json_answer(answer.receipt, 200, _REPLAYED)
    return json_answer(answer.receipt, 201, {"Location": _location(program, command)})


def _many(answers: list[Answer], events: list[Any]) -> Whole:
    items = []
    for answer, event in zip(answers, events, strict=True):
        telemetry.count_event(answer)
        items.append(answer.receipt if answer.error is None else refused_item(answer.error, event))
    return json_answer(items)


def _quoted(text: str) -> str:
    return text if _UNRESERVED.match(text) else quote(text, safe="")


def _location(program: str, command: Command) -> str:
    named = f"source={_quoted(command.source)}&id={_quoted(command.id)}"
    return f"/v1/programs/{program}/receipts?{named}"


def _unsupported(posted: Posted) -> MediaTypeUnsupported:
    if posted.binary:
        return MediaTypeUnsupported(
            "ce-specversion means binary mode, whose Content-Type is application/json.", content_type=posted.media_type
        )
    return MediaTypeUnsupported(
        f"Events come as {STRUCTURED}, {BATCH} or {LINES}, or in binary mode with ce- headers.",
        content_type=posted.media_type,
    )
