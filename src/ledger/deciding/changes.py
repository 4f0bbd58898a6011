"""Deciding on proposals and approvals, which stand on the program's own stream."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ledger import changes
from ledger.deciding.command import Command, Context
from ledger.errors import ApprovalNeeded, ChangeDiffers, ChangeOutdated, ChangeSettled, ChangeUnknown, SamePrincipal
from ledger.program import ProgramState
from ledger.records import FOLLOWS, Record
from ledger.rules.approvals import Approvals


def check_publication(state: ProgramState) -> None:
    """Refuse rules that are published by one person alone where it takes two.

    Raises:
        ApprovalNeeded
    """
    approvals = state.rulebook.latest.document.approvals if state.rulebook else None
    if approvals is not None and approvals.rules:
        raise ApprovalNeeded("Rules of this program are proposed by one and approved by another.", kind="rules")


def check_approval(state: ProgramState, command: Command) -> changes.Change:
    """The proposal that a `change.approved` is of.

    Raises:
        ChangeUnknown, ChangeSettled, SamePrincipal, ChangeDiffers, ChangeOutdated: in this order.
    """
    change = state.changes.get(command.data["change"])
    if change is None:
        raise ChangeUnknown(change=command.data["change"])
    if change.approved_by is not None:
        raise ChangeSettled(change=change.id, approved_by=change.approved_by)
    if change.proposed_by == command.actor:
        raise SamePrincipal(change=change.id, principal=command.actor)
    if change.hash != command.data["hash"]:
        raise ChangeDiffers(change=change.id, hash=change.hash, sent=command.data["hash"])
    if change.kind == "rules" and change.rules != state.rules.latest.version:
        raise ChangeOutdated(change=change.id, proposed_on=change.rules, latest=state.rules.latest.version)
    return change


def check_order(state: ProgramState) -> None:
    """Refuse a correction that is ordered by one person alone where it takes two.

    Raises:
        ApprovalNeeded
    """
    approvals = state.rules.latest.document.approvals
    if approvals is not None and approvals.corrections:
        raise ApprovalNeeded("Corrections are proposed by one and approved by another.", kind="correction")


def approvals_at(context: Context) -> Approvals | None:
    """What takes two people: a matter of when it is written, or an older date would be a way round it."""
    return context.state.rules.at(context.now).document.approvals


def is_approved(state: ProgramState, command: Command, kind: str) -> bool:
    """Whether an event is what an approved change of this kind brings about: posted by us, under the change's id."""
    if command.source != changes.SOURCE:
        return False
    return changes.covers(state.changes.get(command.id.partition("/")[0]), kind, command.subject, command.data)


def following(approval: Record, kind: str, data: dict[str, Any]) -> Record:
    """What follows at once from an approval: `program.published`, or `correction.ordered`."""
    return Record(
        id=str(uuid5(NAMESPACE_URL, f"{approval.program}/{approval.id}/{kind.partition('.')[2]}")),
        source=FOLLOWS,
        type=kind,
        subject=approval.subject,
        program=approval.program,
        time=approval.time,
        version=approval.version + 1,
        rules=approval.rules,
        actor=approval.actor,
        cause={"source": approval.source, "id": approval.id},
        data=data,
        derived=approval.derived,
    )
