"""Decisions on the program's own stream: rules published, places registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger import program as programs
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


def decide_program(state: ProgramState, command: Command, context: Context) -> ProgramDecision:
    """Decide a command on the program's own stream.

    Raises:
        FormError: the rules document is malformed, the subject is not the program, or `time_in_future`.
        FixedAtCreation: the document changes what was fixed when the program was created.
    """
    if command.subject != context.program:
        raise FormError(
            "The subject of this type is the program's name.",
            errors=[{"pointer": "/subject", "reason": f"expected {context.program!r}"}],
        )
    instant = instant_of(command, context)
    data = _published(state, command, context.now) if command.type == "program.published" else command.data
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
    return ProgramDecision([record], programs.evolve(state, record))


def _published(state: ProgramState, command: Command, now: int) -> dict[str, Any]:
    """What is kept of a publication: its number, from when it counts, and the document with every default spelled out."""
    document = read_document(command.data["document"])
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
