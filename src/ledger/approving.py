"""Proposing and approving, for the faces: what an approval brings about is posted with it, and again wherever that was cut."""

from typing import Any
from uuid import uuid4

from ledger.changes import SOURCE, Change, hash_of
from ledger.deciding import Command
from ledger.errors import ChangeUnknown, FormError
from ledger.events import check_customer, validated
from ledger.examples import check_examples
from ledger.rules import read_document
from ledger.service import Ledger, Program

KINDS = ("rules", "adjustment")

PROPOSALS = f"{SOURCE}:proposals"
APPROVALS = f"{SOURCE}:approvals"


async def propose(ledger: Ledger, program: Program, kind: str, content: Any, *, actor: str) -> Change:
    """Propose a change.

    Args:
        kind: `rules`, whose content is the whole document, or `adjustment`, with customer, points, reason and perhaps ticket.

    Raises:
        FormError: the content is malformed, or one of the document's examples does not hold.
        FixedAtCreation
    """
    kept = _read(kind, content, ledger.now())
    data = {"kind": kind, "content": kept, "hash": hash_of(kind, kept)}
    change = str(uuid4())
    await _post(ledger, program, "change.proposed", change, data, actor)
    return program.state.changes[change]


async def approve(ledger: Ledger, program: Program, change: str, content_hash: str, *, actor: str) -> Change:
    """Approve a change and let it happen. Approving what one approved before with the same hash changes nothing.

    Raises:
        ChangeUnknown, ChangeSettled, SamePrincipal, ChangeDiffers, ChangeOutdated
        Refused: the adjustment is not possible any more; the approval stands.
    """
    known = program.state.changes.get(change)
    if known is None:
        raise ChangeUnknown(change=change)
    if (known.approved_by, known.hash) != (actor, content_hash):
        data = {"change": change, "hash": content_hash}
        await _post(ledger, program, "change.approved", str(uuid4()), data, actor)
        known = program.state.changes[change]
    if known.kind == "adjustment":
        await _adjust(ledger, program, known)
    return known


async def _adjust(ledger: Ledger, program: Program, change: Change) -> None:
    """Post the adjustment under an id made from the change, dated by its approval: once, however often this is run."""
    data = {name: value for name, value in change.content.items() if name != "customer"}
    command = Command(
        source=SOURCE,
        id=change.id,
        type="points.adjusted",
        subject=change.content["customer"],
        time=change.approved_at or ledger.now(),
        data=data,
        actor=change.approved_by or "",
        cause={"source": PROPOSALS, "id": change.id},
    )
    answer = await ledger.post(program.name, command)
    if answer.error is not None:
        raise answer.error


async def _post(ledger: Ledger, program: Program, kind: str, number: str, data: dict[str, Any], actor: str) -> None:
    source = PROPOSALS if kind == "change.proposed" else APPROVALS
    command = Command(
        source=source, id=number, type=kind, subject=program.name, time=ledger.now(), data=data, actor=actor
    )
    answer = await ledger.post(program.name, command)
    if answer.error is not None:
        raise answer.error


def _read(kind: str, content: Any, now: int) -> dict[str, Any]:
    if kind == "rules":
        document = read_document(content)
        check_examples(document)
        return document.model_dump(mode="json", exclude_none=True)
    if kind != "adjustment":
        raise FormError("There is no such kind of change.", errors=[{"pointer": "/kind", "reason": " or ".join(KINDS)}])
    if not isinstance(content, dict) or not isinstance(content.get("customer"), str):
        raise FormError(
            "An adjustment names its customer.", errors=[{"pointer": "/content/customer", "reason": "missing"}]
        )
    customer = content["customer"]
    check_customer(customer)
    rest = {name: value for name, value in content.items() if name != "customer"}
    return {"customer": customer, **validated("points.adjusted", rest, now)}
