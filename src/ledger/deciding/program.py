"""Decisions on the program's own stream: rules published, places registered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import program as programs
from ledger.deciding.changes import check_approval, check_publication, publication
from ledger.deciding.command import Command, Context, instant_of
from ledger.errors import FixedAtCreation, FormError
from ledger.instants import show
from ledger.program import ProgramState
from ledger.records import Record
from ledger.rules import effective_from, read_document


@dataclass(slots=True)
class ProgramDecision:
    """The records of a unit on the program's own stream, and its state after them."""

    records: list[Record]
    state: ProgramState
    own: int = -1
    counters: Sequence[tuple[str, int, int | None]] = ()
    may_go_without: Collection[str] = ()


def decide_program(state: ProgramState, command: Command, context: Context) -> ProgramDecision:
    """Decide a command on the program's own stream.

    Raises:
        FormError: the rules document is malformed, the subject is not the program, or `time_in_future`.
        ApprovalNeeded, ChangeUnknown, ChangeSettled, SamePrincipal, ChangeDiffers, ChangeOutdated
        FixedAtCreation: the document changes what was fixed when the program was created.
    """
    if command.subject != context.program:
        raise FormError(
            "The subject of this type is the program's name.",
            errors=[{"pointer": "/subject", "reason": f"expected {context.program!r}"}],
        )
    instant = instant_of(command, context)
    data, follows = _decided(state, command, context.now)
    record = Record(
        id=command.id,
        source=command.source,
        type=command.type,
        subject=command.subject,
        program=context.program,
        time=command.time,
        version=state.version + 1,
        rules=state.rulebook.latest.version if state.rulebook else 0,
        actor=command.actor,
        data=data,
        derived={"at": show(instant)} if instant != command.time else None,
    )
    state = programs.evolve(state, record)
    if follows is None:
        return ProgramDecision([record], state)
    published = publication(record, follows)
    return ProgramDecision([record, published], programs.evolve(state, published), own=0)


def _decided(state: ProgramState, command: Command, now: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The data of the event's own record, and of the publication that follows from it at once."""
    if command.type == "program.published":
        check_publication(state)
        return _published(state, command.data["document"], now), None
    if command.type == "change.proposed" and command.data["kind"] == "rules":
        _published(state, command.data["content"], now)  # what could not be published is not proposed
    if command.type == "change.approved":
        change = check_approval(state, command)
        return command.data, _published(state, change.content, now) if change.kind == "rules" else None
    return command.data, None


def _published(state: ProgramState, sent: Any, now: int) -> dict[str, Any]:
    """What is kept of a publication: its number, from when it counts, and the document with every default spelled out."""
    document = read_document(sent)
    first = state.rulebook is None
    if state.rulebook is not None:
        fixed = state.rulebook.latest.document.program
        changed = [name for name in type(fixed).model_fields if getattr(fixed, name) != getattr(document.program, name)]
        if changed:
            raise FixedAtCreation(
                fields=[f"/program/{name}" for name in changed],
                fixed=fixed.model_dump(mode="json"),
                sent=document.program.model_dump(mode="json"),
            )
    return {
        "version": 1 if state.rulebook is None else state.rulebook.latest.version + 1,
        "effective_from": show(effective_from(document, first=first, published_at=now)),
        "document": document.model_dump(mode="json", exclude_none=True),
    }
