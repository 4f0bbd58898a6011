"""Deciding on proposals and approvals, which stand on the program's own stream."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ledger import changes
from ledger.deciding.command import Command
from ledger.errors import ApprovalNeeded, ChangeDiffers, ChangeOutdated, ChangeSettled, ChangeUnknown, SamePrincipal
from ledger.program import ProgramState
from ledger.records import FOLLOWS, Record


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


def publication(approval: Record, data: dict[str, Any]) -> Record:
    """The `program.published` that follows at once from the approval of rules."""
    return Record(
        id=str(uuid5(NAMESPACE_URL, f"{approval.program}/{approval.id}/published")),
        source=FOLLOWS,
        type="program.published",
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
