"""What a posted event is answered with: its receipt, or a named no; and how both are read back from what is stored.

A receipt is a function of its unit's records, their log and positions, and of nothing else: the same function builds it
for an event just appended and for one found in the log years later, and the two differ in `status` alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.deciding import Command
from ledger.errors import KeyReused, LedgerError, Refused
from ledger.instants import parse, show
from ledger.records import own_place, upcast

FIELDS_NAMED_MAX = 20


class Unwritable(LedgerError):
    """The database refuses to store what was decided for this event; nothing was spent or kept."""

    code = "unwritable"


@dataclass(slots=True)
class Answer:
    """The answer to one command: `receipt` or `error`, never both.

    Attributes:
        receipt: JSON-able; parts of it may be `orjson.Fragment`.
        replayed: it was decided before; this is the first answer again.
    """

    receipt: dict[str, Any] | None = None
    error: LedgerError | None = None
    replayed: bool = False

    @property
    def status(self) -> str:
        """`recorded`, `replayed` or `refused`."""
        if self.error is not None:
            return "refused"
        return "replayed" if self.replayed else "recorded"


def receipt(
    status: str,
    event: Mapping[str, Any],
    records: Sequence[tuple[str, str, int]],
    own: int,
    position: int,
    others: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The receipt of an event.

    Args:
        status: `recorded` or `replayed`.
        event: the event's own record as its JSON object.
        records: type, subject and version of every record of the unit, in order.
        own: which of them is the event's own.
        position: of the unit's first record.
        others: what the unit did on another customer's stream, as `others_of` gives it; left out where it has none.
    """
    answer = {
        "status": status,
        "id": event["id"],
        "source": event["source"],
        "subject": event["subject"],
        "records": [
            {"type": kind, "subject": subject, "version": version, "position": position + place}
            for place, (kind, subject, version) in enumerate(records)
        ],
        "version": event["version"],
        "position": position + own,
        "recorded_at": event["recorded_at"],
        "postings": event["postings"],
        "balances": event["balances"],
        "notes": event.get("notes", []),
    }
    if others:
        answer["others"] = others
    return answer


def others_of(shown: Sequence[Mapping[str, Any]], subject: str) -> list[dict[str, Any]]:
    """What a unit on two streams did on the other one, record by record.

    Args:
        shown: its records as JSON objects, in order.
        subject: the event's own.
    """
    return [
        {
            **{name: record[name] for name in ("type", "subject", "version", "postings", "balances")},
            "notes": record.get("notes", []),
        }
        for record in shown
        if record["subject"] != subject
    ]


def replayed_receipt(unit: Sequence[bytes], position: int) -> dict[str, Any]:
    """The receipt of a unit as it is stored.

    Args:
        unit: the bytes of every record of the unit, in order.
        position: of the first of them.
    """
    shown = [upcast(orjson.loads(record)) for record in unit]
    records = [(record["type"], record["subject"], record["version"]) for record in shown]
    own = own_place([record["source"] for record in shown])
    return receipt("replayed", shown[own], records, own, position, others_of(shown, shown[own]["subject"]))


def same(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same whatever the order of their keys; `true` is not 1."""
    return _canonical(first) == _canonical(second)


def differing(command: Command, recorded: Mapping[str, Any]) -> list[str]:
    """JSON pointers of what differs between an event and the one recorded under its key.

    Args:
        recorded: the event's own record, upcast, or an event as `kept_event` keeps it.
    """
    pointers = [f"/{name}" for name in ("type", "subject") if getattr(command, name) != recorded[name]]
    if command.time != parse(recorded["time"]):
        pointers.append("/time")
    if not same(command.data, recorded["data"]):
        pointers.extend(_differences("/data", command.data, recorded["data"]))
    return pointers[:FIELDS_NAMED_MAX]


def key_reused(command: Command, recorded: Mapping[str, Any], pointers: list[str]) -> KeyReused:
    """The no to an event whose key, or business key, was used before with other content."""
    same_sender = (recorded["source"], recorded["id"]) == (command.source, command.id)
    message = None if same_sender else "Another event has recorded this business key with other content."
    return KeyReused(message, source=recorded["source"], id=recorded["id"], fields=pointers)


def fingerprint(command: Command) -> bytes:
    """SHA-256 over what makes two events the same: type, subject, time as an instant, data."""
    return hashlib.sha256(_canonical([command.type, command.subject, command.time, command.data])).digest()


def kept_event(command: Command) -> bytes:
    """An event as a refusal keeps it, so that it can be tried again."""
    event: dict[str, Any] = {
        "id": command.id,
        "source": command.source,
        "type": command.type,
        "subject": command.subject,
        "time": show(command.time),
        "actor": command.actor,
        "data": command.data,
    }
    if command.cause is not None:
        event["cause"] = command.cause
    return orjson.dumps(event)


def command_of(kept: bytes) -> Command:
    """The command of a kept event. Its age was found permitted when it first came."""
    event = orjson.loads(kept)
    return Command(
        source=event["source"],
        id=event["id"],
        type=event["type"],
        subject=event["subject"],
        time=parse(event["time"]),
        data=event["data"],
        actor=event["actor"],
        cause=event.get("cause"),
    )


def kept_problem(refusal: Refused) -> bytes:
    """A refusal as it is kept; `refused` reads it back."""
    shown: dict[str, Any] = {
        "code": refusal.code,
        "detail": refusal.message,
        "facts": refusal.facts,
        "retryable": refusal.retryable,
    }
    if refusal.waits_for is not None:
        shown["waits_for"] = refusal.waits_for
    return orjson.dumps(shown)


def refused(kept: bytes) -> Refused:
    """The refusal that was kept. A code this version no longer raises is answered all the same."""
    shown = orjson.loads(kept)
    kind = _REFUSALS.get(shown["code"])
    if kind is None:
        kind = type(
            "Refused", (Refused,), {"code": shown["code"], "retryable": shown["retryable"], "__doc__": "Refused."}
        )
    error = kind.__new__(kind)
    LedgerError.__init__(error, shown["detail"], **shown["facts"])
    error.waits_for = shown.get("waits_for")
    vars(error)["retryable"] = shown["retryable"]  # of this one: what it waited for may be out of its reach
    return error


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _differences(pointer: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            below = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in ours and key in theirs:
                yield from _differences(below, ours[key], theirs[key])
            else:
                yield below
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(f"{pointer}/{place}", one, other)
    elif not same(ours, theirs):
        yield pointer


def _kinds(kind: type[Refused]) -> Iterator[tuple[str, type[Refused]]]:
    yield kind.code, kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


_REFUSALS: dict[str, type[Refused]] = dict(_kinds(Refused))
