"""What needs two people: proposals, approvals, and the register of both."""

from typing import Any

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.bodies import read_body
from api.books import find_program, ledger_of
from api.documents import read_json
from api.headers import content_length
from api.problems import DocumentTooLarge
from api.queries import read_query
from api.routing import caller_of, open_to
from api.rules import DOCUMENT_BYTES_MAX
from ledger.approving import approve, propose
from ledger.changes import Change
from ledger.errors import FormError
from ledger.instants import show


@open_to(Scope.ADMIN)
async def propose_change(request: Request) -> Whole:
    """Propose rules, an adjustment, opening balances or a correction; another principal approves it."""
    read_query(request)
    program = await find_program(request)
    body = await _read(request, "kind", "content")
    change = await propose(
        ledger_of(request), program, body["kind"], body["content"], actor=caller_of(request).principal
    )
    return json_answer(shown(change), 201)


@open_to(Scope.ADMIN)
async def approve_change(request: Request) -> Whole:
    """Approve a proposal by the hash of its content; it happens at once. Whoever proposed it cannot, with any key."""
    read_query(request)
    program = await find_program(request)
    body = await _read(request, "hash")
    number = request.path_params["change"]
    change = await approve(ledger_of(request), program, number, body["hash"], actor=caller_of(request).principal)
    return json_answer(shown(change))


@open_to(Scope.ADMIN, Scope.AUDIT, Scope.FINANCE)
async def read_changes(request: Request) -> Whole:
    """The register: every change proposed, oldest first, with who proposed and who approved it."""
    read_query(request)
    program = await find_program(request)
    return json_answer({"changes": [shown(change) for change in program.state.changes.values()]})


def shown(change: Change) -> dict[str, Any]:
    """A change as answers show it."""
    return {
        "change": change.id,
        "status": "proposed" if change.approved_by is None else "approved",
        "kind": change.kind,
        "hash": change.hash,
        "rules": change.rules,
        "proposed_by": change.proposed_by,
        "proposed_at": show(change.proposed_at),
        "approved_by": change.approved_by,
        "approved_at": None if change.approved_at is None else show(change.approved_at),
        "content": change.content,
    }


async def _read(request: Request, *names: str) -> dict[str, Any]:
    body = await read_body(request.receive, content_length(request.scope), DOCUMENT_BYTES_MAX, DocumentTooLarge)
    sent = read_json(body)
    if not isinstance(sent, dict) or sent.keys() != set(names):
        wanted = " and ".join(names)
        raise FormError(f"Send {wanted}.", errors=[{"pointer": "", "reason": f"needs {wanted}"}])
    for name in ("kind", "hash"):
        if name in sent and not isinstance(sent[name], str):
            raise FormError(f"{name} is text.", errors=[{"pointer": f"/{name}", "reason": "not text"}])
    return sent
