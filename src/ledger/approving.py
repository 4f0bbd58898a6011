"""Proposing, approving and ordering, for the faces: what an approval brings about is posted with it, again where that was cut."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from ledger.changes import SOURCE, Change, hash_of
from ledger.corrections import ORDERS, Correction, read_order
from ledger.deciding import Command
from ledger.errors import ChangeUnknown, FormError
from ledger.events import check_customer, validated
from ledger.examples import check_examples
from ledger.program import ProgramState
from ledger.rules import read_document
from ledger.service import Ledger, Program

KINDS = ("rules", "adjustment", "opening", "correction")

PROPOSALS = f"{SOURCE}:proposals"
APPROVALS = f"{SOURCE}:approvals"

OPENINGS_MAX = 500


async def propose(ledger: Ledger, program: Program, kind: str, content: Any, *, actor: str) -> Change:
    """Propose a change.

    Args:
        kind: `rules`, whose content is the whole document; `adjustment`, with customer, points, reason and perhaps ticket;
            `opening`, with `openings`, each a customer and the data of an `account.opened_from`; `correction`, an order.

    Raises:
        FormError: the content is malformed, or one of the document's examples does not hold.
        FixedAtCreation, RecordTooLarge
    """
    read = _READ.get(kind)
    if read is None:
        raise FormError("There is no such kind of change.", errors=[{"pointer": "/kind", "reason": " or ".join(KINDS)}])
    kept = read(content, program.state, ledger.now())
    data = {"kind": kind, "content": kept, "hash": hash_of(kind, kept)}
    change = str(uuid4())
    await _post(ledger, program, "change.proposed", PROPOSALS, change, data, actor)
    return program.state.changes[change]


async def approve(ledger: Ledger, program: Program, change: str, content_hash: str, *, actor: str) -> Change:
    """Approve a change and let it happen. Approving what one approved before with the same hash changes nothing.

    A correction is ordered by it, in the same unit; the customers are adjusted by the policy `correcting`.

    Raises:
        ChangeUnknown, ChangeSettled, SamePrincipal, ChangeDiffers, ChangeOutdated
        Refused: what was approved is not possible any more; the approval stands.
    """
    known = program.state.changes.get(change)
    if known is None:
        raise ChangeUnknown(change=change)
    if (known.approved_by, known.hash) != (actor, content_hash):
        data = {"change": change, "hash": content_hash}
        await _post(ledger, program, "change.approved", APPROVALS, str(uuid4()), data, actor)
        known = program.state.changes[change]
    for command in brought_about(known):
        answer = await ledger.post(program.name, command)
        if answer.error is not None:
            raise answer.error
    return known


async def order(ledger: Ledger, program: Program, content: Any, *, actor: str) -> Correction:
    """Order a correction where one person may; the customers are adjusted by the policy `correcting`.

    Raises:
        FormError: the order is malformed.
        ApprovalNeeded: the rules let two people decide on it.
    """
    number = str(uuid4())
    kept = _correction(content, program.state, ledger.now(), pointer="")
    await _post(ledger, program, "correction.ordered", ORDERS, number, {"order": kept}, actor)
    return program.state.corrections[number]


def brought_about(change: Change) -> list[Command]:
    """What an approved change posts for customers: under ids made from the change, dated by its approval; once, however often."""
    if change.kind == "adjustment":
        return [_command(change, change.id, "points.adjusted", change.content)]
    if change.kind == "opening":
        openings = enumerate(change.content["openings"])
        return [_command(change, f"{change.id}/{place}", "account.opened_from", one) for place, one in openings]
    return []


def _command(change: Change, number: str, kind: str, content: dict[str, Any]) -> Command:
    return Command(
        source=SOURCE,
        id=number,
        type=kind,
        subject=content["customer"],
        time=change.approved_at or change.proposed_at,
        data={name: value for name, value in content.items() if name != "customer"},
        actor=change.approved_by or "",
        cause={"source": PROPOSALS, "id": change.id},
    )


async def _post(
    ledger: Ledger, program: Program, kind: str, source: str, number: str, data: dict[str, Any], actor: str
) -> None:
    command = Command(
        source=source, id=number, type=kind, subject=program.name, time=ledger.now(), data=data, actor=actor
    )
    answer = await ledger.post(program.name, command)
    if answer.error is not None:
        raise answer.error


def _rules(content: Any, _: ProgramState, __: int) -> dict[str, Any]:
    document = read_document(content)
    check_examples(document)
    return document.model_dump(mode="json", exclude_none=True)


def _adjustment(content: Any, _: ProgramState, now: int) -> dict[str, Any]:
    return _of_customer("points.adjusted", content, now, "An adjustment", "/content")


def _opening(content: Any, _: ProgramState, now: int) -> dict[str, Any]:
    openings = content.get("openings") if isinstance(content, dict) and content.keys() == {"openings"} else None
    if not isinstance(openings, list) or not 0 < len(openings) <= OPENINGS_MAX:
        reason = f"a list of 1 to {OPENINGS_MAX} opening balances, and nothing else"
        raise FormError("Send the openings.", errors=[{"pointer": "/content/openings", "reason": reason}])
    return {
        "openings": [
            _of_customer("account.opened_from", one, now, "An opening", f"/content/openings/{place}")
            for place, one in enumerate(openings)
        ]
    }


def _correction(content: Any, state: ProgramState, now: int, pointer: str = "/content") -> dict[str, Any]:
    latest = state.rules.latest
    return read_order(content, versions=latest.version, refunds=latest.document.refunds, now=now, pointer=pointer)


def _of_customer(event_type: str, content: Any, now: int, what: str, pointer: str) -> dict[str, Any]:
    """The customer, and the data of an event of a type.

    Raises:
        FormError: every fault with its pointer below the content.
    """
    if not isinstance(content, dict) or not isinstance(content.get("customer"), str):
        raise FormError(f"{what} names its customer.", errors=[{"pointer": f"{pointer}/customer", "reason": "missing"}])
    customer = content["customer"]
    check_customer(customer)
    rest = {name: value for name, value in content.items() if name != "customer"}
    return {"customer": customer, **validated(event_type, rest, now)}


_READ: dict[str, Callable[[Any, ProgramState, int], dict[str, Any]]] = {
    "rules": _rules,
    "adjustment": _adjustment,
    "opening": _opening,
    "correction": _correction,
}
