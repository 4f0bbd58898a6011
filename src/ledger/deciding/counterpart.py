"""The other customer of an event that concerns two: one unit on both streams, all of it or nothing.

The event's own record stands on its subject's stream. The other stream gets a record of the same type that follows from it, the
event's half there, which names the first customer as the first names the other. Both are decided on heads that the append compares.
"""

from dataclasses import replace
from typing import Any

from ledger.deciding.command import Command, NeedsCounterpart
from ledger.deciding.numbering import due_id
from ledger.deciding.unit import Unit
from ledger.records import FOLLOWS


def counterpart(unit: Unit, customer: str) -> Unit:
    """The unit in the making on the other customer's stream, advanced to the event's instant like the subject's own.

    Raises:
        NeedsCounterpart: its head was not read; the decision is taken again with it.
    """
    if unit.other is not None and unit.other.subject == customer:
        return unit.other
    read = unit.context.counterpart
    if read is None or read.customer != customer:
        raise NeedsCounterpart(customer)
    context = replace(unit.context, history=read.history, counterpart=None)
    other = unit.other = Unit(read.account, context, customer, unit.instant, unit.rules)
    other.begin()
    return other


def finish_half(unit: Unit, command: Command, what: str, data: dict[str, Any], derived: dict[str, Any]) -> None:
    """Write the other stream's record of an event, with what was posted there; the subject's own follows with `unit.finish`."""
    other = unit.other
    if other is None:
        return
    half = Command(
        source=FOLLOWS,
        id=str(due_id(unit.context.program, other.subject, what, command.time, other.account.version + 1)),
        type=what,
        subject=other.subject,
        time=command.time,
        data=data,
        actor=command.actor,
        cause={"source": command.source, "id": command.id},
    )
    unit.half = other.finish(half, reference=None, derived=derived)
