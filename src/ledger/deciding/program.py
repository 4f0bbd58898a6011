"""Decisions on the program's own stream: rules published, places registered, changes approved, corrections ordered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import program as programs
from ledger.changes import Change, hash_of
from ledger.codes import BATCHES_MAX
from ledger.corrections import read_order
from ledger.deciding.changes import check_approval, check_order, check_publication, following
from ledger.deciding.command import Command, Context, instant_of
from ledger.errors import FixedAtCreation, FormError
from ledger.instants import show
from ledger.program import ProgramState
from ledger.records import Record
from ledger.refusals import CodesKnown, CouponKindUnknown
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
        CodesKnown, CouponKindUnknown
    """
    if command.subject != context.program:
        raise FormError(
            "The subject of this type is the program's name.",
            errors=[{"pointer": "/subject", "reason": f"expected {context.program!r}"}],
        )
    instant = instant_of(command, context)
    data, follows = _decided(state, command, context.now)
    derived: dict[str, Any] = {"at": show(instant)} if instant != command.time else {}
    if command.type == "codes.made":
        derived["number"] = _number_of_codes(state, data)
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
        derived=derived or None,
    )
    state = programs.evolve(state, record)
    if follows is None:
        return ProgramDecision([record], state)
    after = following(record, *follows)
    return ProgramDecision([record, after], programs.evolve(state, after), own=0)


def _decided(
    state: ProgramState, command: Command, now: int
) -> tuple[dict[str, Any], tuple[str, dict[str, Any]] | None]:
    """The data of the event's own record, and type and data of the one that follows from it at once."""
    if command.type == "program.published":
        check_publication(state)
        return _published(state, command.data["document"], now), None
    if command.type == "correction.ordered":
        check_order(state)
        return _ordered(state, command.data["order"], now), None
    if command.type == "change.proposed":
        _check_possible(state, command.data, now)
    if command.type == "change.approved":
        return command.data, _approved(state, check_approval(state, command), now)
    return command.data, None


def _check_possible(state: ProgramState, data: dict[str, Any], now: int) -> None:
    """What could not be published or ordered is not proposed."""
    if data["kind"] == "rules":
        _published(state, data["content"], now)
    if data["kind"] == "correction":
        _ordered(state, data["content"], now)


def _approved(state: ProgramState, change: Change, now: int) -> tuple[str, dict[str, Any]] | None:
    if change.kind == "rules":
        return "program.published", _published(state, change.content, now)
    if change.kind == "correction":
        return "correction.ordered", {**_ordered(state, change.content, now), "change": change.id}
    return None


def _ordered(state: ProgramState, content: Any, now: int) -> dict[str, Any]:
    latest = state.rules.latest
    kept = read_order(content, versions=latest.version, refunds=latest.document.refunds, now=now)
    return {"order": kept, "hash": hash_of("correction", kept)}


def _number_of_codes(state: ProgramState, data: dict[str, Any]) -> int:
    """The number of a batch of codes among the program's.

    Raises:
        CodesKnown, CouponKindUnknown
    """
    if state.codes_of(data["batch"]) is not None or len(state.codes) == BATCHES_MAX:
        raise CodesKnown(batch=data["batch"], batches=len(state.codes))
    kinds = state.rules.latest.document.coupon_kinds
    if data["kind"] not in kinds:
        raise CouponKindUnknown(kind=data["kind"], kinds=sorted(kinds))
    return len(state.codes) + 1


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
