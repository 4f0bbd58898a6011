"""One stream checked: folded again from its records, and kept in a second, naive book beside the fold.

The fold says what the state must be. The book, which shares no code with the fold, says that every posting takes from lots
exactly what it moves, that a lot holds 0 … its amount at every instant as known at every record, and what the balances are.
"""

import hashlib
from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from ledger import account as accounts
from ledger import program as programs
from ledger.account import STATE_SCHEMA
from ledger.instants import from_datetime, show
from ledger.program import ProgramState
from ledger.records import FOLLOWS, Posting, Record, customer_stream_id, leaf_hash, program_stream_id


class StoredRow(NamedTuple):
    """A row of events: the record's bytes and the columns beside them."""

    position: int
    stream_id: UUID
    version: int
    source_key: UUID
    reference: UUID | None
    type: str
    time: datetime
    recorded_at: datetime
    record: str


class StoredHead(NamedTuple):
    """A row of streams."""

    stream_id: UUID
    customer_id: str
    version: int
    head_hash: bytes
    state_schema: int
    state: str | None
    due_at: datetime | None


class Differs(Exception):
    """Something is not as it must be.

    Attributes:
        what: in a word: `prev`, `balances`, `column reference` …
    """

    def __init__(self, what: str, detail: str, position: int | None = None) -> None:
        self.what = what
        self.detail = detail
        self.position = position
        super().__init__(f"{what}: {detail}")


@dataclass(slots=True)
class Course:
    """A lot or debt in the book: what it holds, and every change with its instant."""

    amount: int
    opened_at: int
    level: int
    last_at: int
    moves: list[tuple[int, int]] = field(default_factory=list)

    def move(self, name: str, at: int, change: int) -> None:
        """Change what it holds at an instant.

        Raises:
            Differs: it would hold less than nothing or more than its amount at some instant.
        """
        if at < self.opened_at:
            raise Differs("lot", f"{name} is moved at {show(at)}, before it was opened at {show(self.opened_at)}")
        self.level += change
        if at >= self.last_at:
            self.moves.append((at, change))
            self.last_at = at
            levels = [self.level]
        else:
            insort(self.moves, (at, change), key=_instant_of)
            levels = self._levels()
        for level in levels:
            if not 0 <= level <= self.amount:
                raise Differs("lot", f"{name} would hold {level} of {self.amount}")

    def _levels(self) -> list[int]:
        """What it held after each instant at which it changed."""
        after: dict[int, int] = {}
        level = self.amount
        for at, change in self.moves:
            level += change
            after[at] = level
        return list(after.values())


@dataclass(slots=True)
class Book:
    """Lots, debts and balances of one stream, entered posting by posting."""

    courses: dict[str, Course] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)

    def enter(self, posting: Posting, instant: int, recorded_at: int) -> None:
        """Enter a posting.

        Raises:
            Differs: in ≠ out, or a lot would leave 0 … its amount.
        """
        at = instant if posting.at is None else posting.at
        if at > recorded_at:
            raise Differs("posting", f"it counts from {show(at)}, after it was recorded")
        for named in (posting.lots, posting.debts):
            if named and sum(amount for _, amount in named) != posting.amount:
                raise Differs("posting", f"it moves {posting.amount}, what it names adds up to another amount")
        asset, debt_account = posting.asset, f"customer:{posting.asset}:debt"
        own = f"customer:{asset}", f"customer:{asset}:held"
        takes, gives = posting.source in own, posting.to in own
        if takes and not posting.lots:
            raise Differs("posting", "it takes from the customer and names no lot")
        if gives and posting.lot is None and not posting.lots:
            raise Differs("posting", "it gives to the customer and names no lot")
        self._open(posting, at)
        for lot, amount in posting.lots:
            self._course(lot).move(f"lot {lot}", at, -amount if takes else amount)
        for debt, amount in posting.debts:
            self._course(debt).move(f"debt {debt}", at, -amount)
        self.held[asset] = self.held.get(asset, 0) + (posting.amount if gives else 0) - (posting.amount if takes else 0)
        change = (posting.source == debt_account) - (posting.to == debt_account)
        if change:
            self.owed[asset] = self.owed.get(asset, 0) + change * posting.amount

    def balances(self) -> dict[str, int]:
        """Per asset what is held less what is owed, and `<asset>:debt` where not 0; `points` is always there."""
        shown = {"points": 0} | {asset: held for asset, held in self.held.items() if held}
        for asset, owed in self.owed.items():
            if owed:
                shown[asset] = shown.get(asset, 0) - owed
                shown[f"{asset}:debt"] = owed
        return shown

    def open(self) -> dict[str, int]:
        """What is left in every lot and debt that is not used up."""
        return {name: course.level for name, course in self.courses.items() if course.level}

    def _open(self, posting: Posting, at: int) -> None:
        if posting.lot is None:
            return
        if posting.lot in self.courses or posting.amount <= 0:
            raise Differs("lot", f"{posting.lot} is opened twice, or with {posting.amount}")
        self.courses[posting.lot] = Course(posting.amount, at, posting.amount, at)

    def _course(self, name: str) -> Course:
        course = self.courses.get(name)
        if course is None:
            raise Differs("lot", f"{name} was never opened")
        return course


class StreamCheck:
    """Checks the records of one stream in order of version, then its head."""

    def __init__(self, program: str, order_scope: str, stream_id: UUID) -> None:
        self.program = program
        self.order_scope = order_scope
        self.stream_id = stream_id
        self.is_program = stream_id == program_stream_id(program)
        self.subject = ""
        self.version = 0
        self.position = 0
        self.hash: bytes | None = None
        self.book = Book()
        self.account = accounts.empty()
        self.program_state = ProgramState()

    def check(self, row: StoredRow) -> Record:
        """Check the next record.

        Raises:
            Differs: what it must not be.
            StreamUnreadable: of a type or schema this version does not know.
        """
        self.position = row.position
        record = _decoded(row)
        self._check_chain(row, record)
        self._check_columns(row, record)
        if self.is_program:
            self.program_state = programs.evolve(self.program_state, record)
        else:
            self._check_fold(record)
        self.version = record.version
        self.hash = leaf_hash(row.record.encode())
        return record

    def check_head(self, head: StoredHead) -> None:
        """Compare the head with what the records gave.

        Raises:
            Differs
        """
        _same("head version", head.version, self.version)
        _same("head hash", head.head_hash.hex(), self.hash.hex() if self.hash else None)
        _same("head customer_id", head.customer_id, self.subject)
        if not self.is_program:
            self._check_state(head)

    def due_at(self) -> int | None:
        """The first instant at which something falls due on the stream."""
        return None if self.is_program else self.account.due_at()

    def _check_chain(self, row: StoredRow, record: Record) -> None:
        _same("version", row.version, self.version + 1)
        _same("version in the record", record.version, row.version)
        _same("prev", record.prev, self.hash.hex() if self.hash else None)
        _same("program in the record", record.program, self.program)
        if not self.subject:
            self.subject = record.subject
            stream = (
                program_stream_id(self.program) if self.is_program else customer_stream_id(self.program, record.subject)
            )
            _same("stream_id", row.stream_id, stream)
        _same("subject", record.subject, self.subject)

    def _check_columns(self, row: StoredRow, record: Record) -> None:
        _same("column type", row.type, record.type)
        _same_instant("column time", row.time, record.time)
        _same_instant("column recorded_at", row.recorded_at, record.recorded_at)
        _same("column source_key", row.source_key.hex, _key([record.source, record.id]))
        reference = reference_of(record, self.order_scope)
        found = None if row.reference is None else row.reference.hex
        _same("column reference", found, None if reference is None else _key(reference))

    def _check_fold(self, record: Record) -> None:
        instant = record.instant
        for posting in record.postings:
            self.book.enter(posting, instant, record.recorded_at)
        _same("balances in the record", record.balances, self.book.balances())
        accounts.apply(self.account, record)

    def _check_state(self, head: StoredHead) -> None:
        state = self.account
        left = {lot.id: lot.remaining for lot in (*state.lots.values(), *state.held.values())} | {
            debt.id: debt.remaining for debt in state.debts.values()
        }
        _same("what lots hold after the fold", left, self.book.open())
        _same("balances after the fold", state.balances(), self.book.balances())
        due = state.due_at()
        if due is not None and (head.due_at is None or from_datetime(head.due_at) > due):
            raise Differs("head due_at", f"{head.due_at} is later than {show(due)}, when the first lot expires")
        if (
            head.state_schema == STATE_SCHEMA
            and head.state is not None
            and head.state.encode() != accounts.to_bytes(state)
        ):
            raise Differs(
                "head state", f"{head.state} is not the fold of the records: {accounts.to_bytes(state).decode()}"
            )


def reference_of(record: Record, order_scope: str) -> str | None:  # noqa: PLR0911 - one line a type
    """The business key of a record, found from its bytes. Source: docs/EVENTS.md."""
    data = record.data
    if record.source == FOLLOWS:
        return None
    match record.type:
        case "customer.signed_up":
            return f"signup:{record.subject}"
        case "tier.introduced":
            return f"tiers_introduced:{record.subject}"
        case "customer.closed":
            return f"closing:{record.subject}"
        case "purchase.recorded":
            return f"purchase:{_scope(record, order_scope)}:{data['order_id']}"
        case "purchase.refunded":
            return f"refund:{_scope(record, order_scope)}:{data['refund_id']}"
        case "purchase.returned":
            return f"return:{_scope(record, order_scope)}:{data['return_id']}"
        case "points.granted":
            return f"grant:{data['grant_id']}" if "grant_id" in data else None
        case "account.opened_from":
            return f"opening:{data['system']}:{record.subject}:{data.get('part', 1)}"
        case _:
            kind, number = _NAMED.get(record.type, ("", ""))
            return f"{kind}:{data[number]}" if kind else None


_NAMED = {
    "points.redeemed": ("redemption", "redemption_id"),
    "points.transferred": ("transfer", "transfer_id"),
    "hold.placed": ("hold", "hold_id"),
    "hold.captured": ("capture", "hold_id"),
    "hold.released": ("release", "hold_id"),
    "stored_value.loaded": ("load", "load_id"),
    "stored_value.spent": ("spend", "spend_id"),
    "stored_value.refunded": ("load_refund", "refund_id"),
    "coupon.issued": ("coupon", "coupon_id"),
    "coupon.claimed": ("coupon_code", "code"),
    "coupon.redeemed": ("coupon_redemption", "redemption_id"),
    "coupon.returned": ("coupon_return", "redemption_id"),
    "coupon.voided": ("coupon_void", "coupon_id"),
    "package.sold": ("package", "package_id"),
    "package.used": ("package_use", "use_id"),
    "package.refunded": ("package_refund", "refund_id"),
    "membership.purchased": ("membership", "membership_id"),
    "membership.renewed": ("membership_renewal", "renewal_id"),
}


def _scope(record: Record, order_scope: str) -> str:
    if order_scope == "program":
        return record.program
    return record.source if order_scope == "source" else str(record.data.get("place", {}).get("store", ""))


def _key(named: object) -> str:
    """Under what the index finds a source key or a reference: the first 16 bytes of SHA-256 over its JSON, in hex."""
    return hashlib.sha256(orjson.dumps(named)).hexdigest()[:32]


def _decoded(row: StoredRow) -> Record:
    try:
        return Record.from_bytes(row.record)
    except (KeyError, ValueError, TypeError) as error:
        raise Differs("record", f"its bytes are no record: {error!r}") from error


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Differs(what, f"is {found}, must be {expected}")


def _same_instant(what: str, found: datetime, expected: int) -> None:
    if from_datetime(found) != expected:
        raise Differs(what, f"is {found.isoformat()}, the record says {show(expected)}")


def _instant_of(move: tuple[int, int]) -> int:
    return move[0]
