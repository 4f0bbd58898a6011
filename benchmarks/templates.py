"""A history decided once, and its records as templates for many customers.

Two customers whose events differ in nothing but their names, and in how many hours later in the day everything happens, are
decided alike: lots, expiries, refunds and balances are the same, as long as nobody's day becomes another. So a history is
decided by the ledger's own functions, and each further customer gets its records with name, times, ids and chain of their own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from benchmarks.synthetic import NOON, NUMBER, OPENS
from ledger import account as accounts
from ledger.account import Account
from ledger.deciding import Command, Context, NeedsHistory, advance, decide
from ledger.deciding.command import DUE
from ledger.errors import Refused
from ledger.instants import DAY, SECOND, show
from ledger.program import ProgramState
from ledger.records import Record

LATEST_SECOND = NOON + 3_600
"""Events happen before this second of the day; what time itself brings happens at midnights of the program, at another."""

_INSTANT = re.compile(rb"(\d{4}-\d\d-\d\dT)(\d\d):(\d\d):(\d\d)Z")
_MICROSECONDS = re.compile(rb"(?<![\d.\"-])(\d{15,16})(?![\d.\"])")
_PREV = b'"prev":null'


@dataclass(frozen=True, slots=True)
class Template:
    """A record of a history. Formats take `n`, the customer's number, `s<second>` for times of day, `p` and `i`.

    Attributes:
        day, second: of the UTC calendar, when it is written. moves: whether it happens later where the history is moved.
        record: its bytes. source_key, reference: what their keys are hashed from; None: without a reference.
        due: of what time brings, what its id is made of.
        seconds: times of day that move, as they stand in the formats.
    """

    day: int
    second: int
    moves: bool
    type: bytes
    record: bytes
    source_key: bytes
    reference: bytes | None
    due: str | None
    seconds: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class History:
    """A customer's records, and the head after them: `state` with `m<microseconds>` for instants that move."""

    templates: tuple[Template, ...]
    state: bytes
    instants: tuple[int, ...]
    due_at: int | None


def decided(commands: Sequence[Command], program: str, state: ProgramState, until: int) -> list[Record]:
    """The records of a history, with what time brings at its own instants; an event that is refused is left out."""
    account = accounts.empty()
    records: list[Record] = []
    for command in commands:
        account = _advance(account, records, command.subject, command.time, program, state)
        history = None
        while True:
            context = Context(program, command.time, state, history)
            try:
                decision = decide(account, command, context)
            except NeedsHistory:
                history = records
                continue
            except Refused:
                break
            account = decision.account
            _stamp(decision.records, records)
            break
    _advance(account, records, commands[0].subject, until, program, state)
    return records


def templates(records: Sequence[Record]) -> History:
    """The records of a history, and the account after them, as templates."""
    account = accounts.fold(records)
    text = accounts.to_bytes(account)
    found = sorted({int(one) for one in _MICROSECONDS.findall(text) if _moves(int(one))})
    state = _MICROSECONDS.sub(lambda one: b"%(m" + one[1] + b")d" if _moves(int(one[1])) else one[1], _escaped(text))
    return History(tuple(_template(record) for record in records), _named(state), tuple(found), account.due_at())


def _advance(
    account: Account, records: list[Record], subject: str, until: int, program: str, state: ProgramState
) -> Account:
    """Write what falls due before an instant, each at its own, as the clock does."""
    while (due_at := account.due_at()) is not None and due_at < until:
        decision = advance(account, subject, due_at, Context(program, due_at, state))
        account = decision.account
        _stamp(decision.records, records)
    return account


def _stamp(made: list[Record], records: list[Record]) -> None:
    for place, record in enumerate(made, start=1):
        record.unit = (place, len(made))
        record.recorded_at = made[-1].instant
    records.extend(made)


def _template(record: Record) -> Template:
    day, second = divmod(record.recorded_at // SECOND, DAY // SECOND)
    is_due = record.source == DUE
    due = f"{record.type}/{show(record.time)}/{record.version}" if is_due else None
    if is_due:
        record.id = "%(i)s"
    body = _escaped(record.to_bytes()).replace(b"%%(i)s", b"%(i)b", 1) if is_due else _escaped(record.to_bytes())
    body = _timed(_named(body.replace(_PREV, b'"prev":%(p)b', 1)))
    key = _timed(_named(_json([record.source, record.id]).replace(b"%(i)s", b"%(i)b")))
    reference = None if record.reference is None else _timed(_named(_json(record.reference)))
    seconds = {int(one) for part in (body, key, reference or b"") for one in re.findall(rb"%\(s(\d+)\)b", part)}
    return Template(
        day,
        second,
        OPENS <= second < LATEST_SECOND,
        record.type.encode(),
        body,
        key,
        reference,
        due,
        tuple((b"s%d" % second, second) for second in sorted(seconds)),
    )


def _json(value: Any) -> bytes:
    return orjson.dumps(value)


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


def _named(text: bytes) -> bytes:
    return text.replace(NUMBER.encode(), b"%(n)b")


def _timed(text: bytes) -> bytes:
    return _INSTANT.sub(_moved, text)


def _moved(found: "re.Match[bytes]") -> bytes:
    second = int(found[2]) * 3_600 + int(found[3]) * 60 + int(found[4])
    return found[1] + b"%%(s%d)bZ" % second if OPENS <= second < LATEST_SECOND else found[0]


def _moves(instant: int) -> bool:
    return OPENS <= instant // SECOND % (DAY // SECOND) < LATEST_SECOND
