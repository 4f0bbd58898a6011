"""The rules of a program: published as a whole document, every version kept."""

import asyncio
from contextlib import nullcontext
from typing import Any

from starlette.requests import Request

from api.answers import JSON, Whole, json_answer
from api.auth import Scope
from api.bodies import read_body
from api.books import find_program, ledger_of
from api.documents import Marks, read_json, read_yaml_with_marks
from api.events import dry_answer
from api.headers import check_coding, content_length, header, media_type
from api.intake import check_size, read_event, sender_of
from api.problems import DocumentTooLarge, MediaTypeUnsupported, VersionUnknown
from api.queries import AnyText, read_query, read_whole
from api.routing import caller_of, open_to
from ledger.dry_run import dry_run
from ledger.errors import FormError, ProgramUnknown
from ledger.instants import EARLIEST, show
from ledger.rules import RuleVersion, read_document

DOCUMENT_BYTES_MAX = 48 * 1024

YAML = ("application/yaml", "application/x-yaml", "text/yaml")


@open_to(Scope.ADMIN)
async def publish_rules(request: Request) -> Whole:
    """Publish rules. The first for a program create it (201); the same document again changes nothing (200)."""
    read_query(request)
    document, marks = await _read_document(request)
    name = request.path_params["program"]
    created = await _is_new(request)
    with marks.named() if marks is not None else nullcontext():
        published = await ledger_of(request).publish(name, document, actor=caller_of(request).principal)
    return json_answer(_shown(name, published), 201 if created else 200)


@open_to(Scope.READ, Scope.AUDIT, Scope.FINANCE)
async def read_rules(request: Request) -> Whole:
    """The rules of a program: the version published last, or the one asked for, and the list of all."""
    query = read_query(request, version=AnyText)
    program = await find_program(request)
    name, rulebook = program.name, program.state.rules
    number = read_whole(query, "version", default=rulebook.latest.version)
    for version in rulebook.versions:
        if version.version == number:
            return json_answer(_shown(name, version) | {"versions": [_listed(each) for each in rulebook.versions]})
    raise VersionUnknown(version=number, latest=rulebook.latest.version)


@open_to(Scope.ADMIN, Scope.AUDIT)
async def try_rules(request: Request) -> Whole:
    """Run an event dry by a proposed document, as if that counted from ever. Nothing is written."""
    read_query(request)
    program, ledger = await find_program(request), ledger_of(request)
    body = await read_body(request.receive, content_length(request.scope), 2 * DOCUMENT_BYTES_MAX, DocumentTooLarge)
    sent = read_json(body)
    if not isinstance(sent, dict) or sent.keys() != {"event", "rules"}:
        raise FormError("Send the event and the rules.", errors=[{"pointer": "", "reason": "needs event and rules"}])
    document = read_document(sent["rules"])
    check_size(sent["event"])
    command = read_event(sent["event"], sender_of(caller_of(request), program.name, ledger.now(), ledger.codes_key))
    return dry_answer(
        await dry_run(
            ledger.pool, program.log_id, program.name, program.state, command, now=ledger.now(), proposed=document
        )
    )


async def _is_new(request: Request) -> bool:
    try:
        await find_program(request)
    except ProgramUnknown:
        return True
    return False


async def _read_document(request: Request) -> tuple[Any, Marks | None]:
    """The document, and of YAML where its parts stand."""
    scope = request.scope
    coding = header(scope, b"content-encoding")
    if coding is not None:
        check_coding(coding)
    sent = media_type(header(scope, b"content-type"))
    if sent != JSON and sent not in YAML:
        raise MediaTypeUnsupported(f"Rules come as {JSON} or {YAML[0]}.", content_type=sent)
    body = await read_body(request.receive, content_length(scope), DOCUMENT_BYTES_MAX, DocumentTooLarge)
    if sent == JSON:
        return read_json(body), None
    return await asyncio.to_thread(read_yaml_with_marks, body)  # a long one takes a second


def _shown(program: str, version: RuleVersion) -> dict[str, Any]:
    return {"program": program, **_listed(version), "rules": version.document.model_dump(mode="json")}


def _listed(version: RuleVersion) -> dict[str, Any]:
    """A version without its text; the first counts from ever, which is null."""
    since = version.effective_from
    return {"version": version.version, "effective_from": None if since == EARLIEST else show(since)}
