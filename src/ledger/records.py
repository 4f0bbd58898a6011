"""Records: the facts of the ledger, their postings, and the bytes they are.

A record is serialised once, to compact UTF-8 JSON with a fixed order of keys, and stored exactly so. Those bytes are the
truth: hashed as stored, never serialised again to verify. `schema` numbers the shape; `upcast` lifts older shapes.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson

from ledger.errors import StreamUnreadable
from ledger.instants import NEVER, parse, show

SCHEMA = 2
RECORD_BYTES_MAX = 60 * 1024

NAMESPACE = UUID("5f6d1c6e-6f0e-5b7e-9a51-0d7c6c1f5a10")

OURS = "ledger:"
"""Sources that begin so are the ledger's own; a sender may not use them."""

FOLLOWS = "ledger:follows"
"""Source of records that follow from an event at once, such as an upgrade; they come after the event's own in its unit."""

PROGRAM_TYPES = frozenset(
    {
        *("place.registered", "codes.made"),
        "program.published",
        *("change.proposed", "change.approved", "correction.ordered"),
        "source.declared",
        "declaration.waived",
    }
)
"""Types of the program's own stream; their subject is the program's name."""

TYPES = PROGRAM_TYPES | frozenset(
    {
        "customer.signed_up",
        "purchase.recorded",
        "purchase.refunded",
        "purchase.returned",
        "order.delivered",
        "points.granted",
        "points.redeemed",
        "points.redemption_reversed",
        "points.adjusted",
        "points.transferred",
        *("points.expired", "points.expiry_reversed"),
        "account.opened_from",
        "hold.placed",
        "hold.captured",
        "hold.released",
        "hold.timed_out",
        "stored_value.loaded",
        "stored_value.spent",
        "stored_value.refunded",
        *("coupon.issued", "coupon.claimed"),
        "coupon.redeemed",
        "coupon.returned",
        "coupon.voided",
        "coupon.expired",
        "coupon.expiry_reversed",
        *("customer.frozen", "customer.unfrozen", "customer.closed"),
        *("account.authorised", "account.authorisation_ended", "account.charged", "account.charge_reversed"),
        *("referral.made", "referral.noted", "referral.qualified", "referral.disqualified"),
        *("referral.rewarded", "referral.revoked"),
        "package.sold",
        "package.used",
        "package.refunded",
        "package.expired",
        "package.expiry_reversed",
        *("benefit.taken", "benefit.granted"),
        *("tier.assigned", "tier.introduced"),
        "tier.changed",
        "membership.purchased",
        "membership.renewed",
        "membership.paused",
        "membership.resumed",
        "membership.cancelled",
        "membership.ended",
    }
)


class Posting(NamedTuple):
    """One movement of an asset from one account to another.

    `lot` opens a lot (or, out of the debt account, a debt). `lots` and `debts` name what is moved, with amounts; read together
    with the accounts they take from lots (from customer), give back to lots (to customer) or close debts.
    Instants are microseconds. `at` is None where it equals the record's time. `available_at` and `expires_at` are NEVER where
    the lot waits for a delivery or has no expiry, `available_at` is None where it is available at once.
    `restores` carries what recreates the lots given back to, since they may have left the state.
    """

    asset: str
    amount: int
    source: str
    to: str
    lot: str | None = None
    lots: tuple[tuple[str, int], ...] = ()
    debts: tuple[tuple[str, int], ...] = ()
    at: int | None = None
    available_at: int | None = None
    expires_at: int = NEVER
    granted_at: int | None = None
    reason: str | None = None
    rule: str | None = None
    why: dict[str, Any] | None = None
    restores: tuple["Lot", ...] = ()


class Lot(NamedTuple):
    """What one posting put into a customer account, and how much of it is left.

    `available_at` is 0 where it was available at once, NEVER while it waits for a delivery; `expires_at` is the first instant at
    which the lot is gone, NEVER for no expiry.
    """

    id: str
    asset: str
    amount: int
    remaining: int
    granted_at: int
    available_at: int
    expires_at: int
    reason: str


class Debt(NamedTuple):
    """A clawback not yet covered: a lot the customer owes."""

    id: str
    asset: str
    amount: int
    remaining: int
    at: int


@dataclass(slots=True)
class Record:
    """One stored fact with its postings. `time` and `recorded_at` are microseconds; `unit` is (i, n), the i-th of n records."""

    id: str
    source: str
    type: str
    subject: str
    program: str
    time: int
    version: int
    recorded_at: int = 0
    unit: tuple[int, int] = (1, 1)
    prev: str | None = None
    rules: int = 0
    actor: str = ""
    cause: dict[str, str] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    derived: dict[str, Any] | None = None
    postings: tuple[Posting, ...] = ()
    balances: dict[str, int] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    reference: str | None = None
    """Business key; not in the bytes, an index beside them."""

    @property
    def instant(self) -> int:
        """When it takes effect: its `time`, or the moment of writing for an event dated a little ahead."""
        derived = self.derived
        return parse(derived["at"]) if derived and "at" in derived else self.time

    def to_bytes(self) -> bytes:
        """The record as it is stored, hashed and exported."""
        return orjson.dumps(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The record's keys in their fixed order; empty `cause`, `derived` and `notes` are left out."""
        shown: dict[str, Any] = {
            "schema": SCHEMA,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "program": self.program,
            "time": show(self.time),
            "recorded_at": show(self.recorded_at),
            "version": self.version,
            "unit": self.unit,
            "prev": self.prev,
            "rules": self.rules,
            "actor": self.actor,
        }
        if self.cause:
            shown["cause"] = self.cause
        shown["data"] = self.data
        if self.derived:
            shown["derived"] = self.derived
        shown["postings"] = [posting_to_json(posting) for posting in self.postings]
        shown["balances"] = self.balances
        if self.notes:
            shown["notes"] = self.notes
        return shown

    @classmethod
    def from_bytes(cls, stored: bytes | str) -> "Record":
        """Read a record of this or any older schema.

        Raises:
            StreamUnreadable: the schema or type is not known to this version.
        """
        return cls.from_json(upcast(orjson.loads(stored)))

    @classmethod
    def from_json(cls, shown: dict[str, Any]) -> "Record":
        """Read a record of the present schema from its JSON object.

        Raises:
            StreamUnreadable: the type is not known to this version.
        """
        if shown["type"] not in TYPES:
            raise StreamUnreadable(type=shown["type"], version=shown["version"])
        return cls(
            id=shown["id"],
            source=shown["source"],
            type=shown["type"],
            subject=shown["subject"],
            program=shown["program"],
            time=parse(shown["time"]),
            version=shown["version"],
            recorded_at=parse(shown["recorded_at"]),
            unit=tuple(shown["unit"]),
            prev=shown["prev"],
            rules=shown["rules"],
            actor=shown["actor"],
            cause=shown.get("cause"),
            data=shown["data"],
            derived=shown.get("derived"),
            postings=tuple([posting_from_json(posting) for posting in shown["postings"]]),
            balances=shown["balances"],
            notes=shown.get("notes", []),
        )


def own_place(sources: Sequence[str]) -> int:
    """Where in a unit the event's own record stands: what fell due comes before it, what follows from it comes after.

    Args:
        sources: of the unit's records, in order.
    """
    place = len(sources) - 1
    while place and sources[place] == FOLLOWS:
        place -= 1
    return place


def leaf_hash(record: bytes) -> bytes:
    """The record's leaf in the log's Merkle tree: SHA-256(0x00 ‖ bytes). Source: RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + record).digest()


@lru_cache(maxsize=256)
def program_stream_id(program: str) -> UUID:
    """The program's own stream: rules, places. Also the namespace of its customers' streams."""
    return uuid5(NAMESPACE, program)


@lru_cache(maxsize=4_096)
def customer_stream_id(program: str, customer: str) -> UUID:
    """The stream of a customer of a program."""
    return uuid5(program_stream_id(program), customer)


def source_key(source: str, event_id: str) -> UUID:
    """The sender's key as the store indexes it: the first 16 bytes of SHA-256 over `["source","id"]`."""
    return UUID(bytes=hashlib.sha256(orjson.dumps([source, event_id])).digest()[:16])


def reference_key(reference: str) -> UUID:
    """A business key as the store indexes it: the first 16 bytes of SHA-256 over its JSON."""
    return UUID(bytes=hashlib.sha256(orjson.dumps(reference)).digest()[:16])


def upcast(shown: dict[str, Any]) -> dict[str, Any]:
    """Lift a record's JSON to the present schema, one step at a time.

    Raises:
        StreamUnreadable: a schema newer than ours.
    """
    schema = shown["schema"]
    while schema != SCHEMA:
        step = _UPCASTERS.get(schema)
        if step is None:
            raise StreamUnreadable(schema=schema, version=shown.get("version"))
        shown = step(shown)
        schema = shown["schema"]
    return shown


def posting_to_json(posting: Posting) -> dict[str, Any]:  # noqa: C901 - one branch a key, in the order of the bytes
    """A posting's keys in their fixed order; what does not apply is left out."""
    shown: dict[str, Any] = {"asset": posting.asset, "amount": posting.amount, "from": posting.source, "to": posting.to}
    if posting.lot is not None:
        shown["lot"] = posting.lot
    if posting.lots:
        shown["lots"] = posting.lots
    if posting.debts:
        shown["debts"] = posting.debts
    if posting.at is not None:
        shown["at"] = show(posting.at)
    if posting.available_at is not None:
        shown["available_at"] = _show_or_null(posting.available_at)
    if posting.granted_at is not None:
        shown["granted_at"] = show(posting.granted_at)
    if posting.expires_at != NEVER:
        shown["expires_at"] = show(posting.expires_at)
    if posting.reason is not None:
        shown["reason"] = posting.reason
    if posting.rule is not None:
        shown["rule"] = posting.rule
    if posting.why is not None:
        shown["why"] = posting.why
    if posting.restores:
        shown["restores"] = [lot_to_json(lot) for lot in posting.restores]
    return shown


def posting_from_json(shown: dict[str, Any]) -> Posting:
    """Read a posting of the present schema."""
    at, expires_at, granted_at = shown.get("at"), shown.get("expires_at"), shown.get("granted_at")
    lots, debts, restores = shown.get("lots"), shown.get("debts"), shown.get("restores")
    return Posting(
        shown["asset"],
        shown["amount"],
        shown["from"],
        shown["to"],
        shown.get("lot"),
        tuple([(lot, amount) for lot, amount in lots]) if lots else (),
        tuple([(debt, amount) for debt, amount in debts]) if debts else (),
        None if at is None else parse(at),
        _parse_or_never(shown["available_at"]) if "available_at" in shown else None,
        NEVER if expires_at is None else parse(expires_at),
        None if granted_at is None else parse(granted_at),
        shown.get("reason"),
        shown.get("rule"),
        shown.get("why"),
        tuple([_lot_from_json(lot) for lot in restores]) if restores else (),
    )


def lot_to_json(lot: Lot) -> dict[str, Any]:
    """A lot as answers show it: no `available_at` where it was available at once, null while it waits for a delivery."""
    shown: dict[str, Any] = {
        "lot": lot.id,
        "asset": lot.asset,
        "amount": lot.amount,
        "remaining": lot.remaining,
        "granted_at": show(lot.granted_at),
    }
    if lot.available_at:
        shown["available_at"] = _show_or_null(lot.available_at)
    if lot.expires_at != NEVER:
        shown["expires_at"] = show(lot.expires_at)
    shown["reason"] = lot.reason
    return shown


def _lot_from_json(shown: dict[str, Any]) -> Lot:
    return Lot(
        shown["lot"],
        shown["asset"],
        shown["amount"],
        shown["remaining"],
        parse(shown["granted_at"]),
        _parse_or_never(shown["available_at"]) if "available_at" in shown else 0,
        parse(shown["expires_at"]) if "expires_at" in shown else NEVER,
        shown["reason"],
    )


def _show_or_null(instant: int) -> str | None:
    return None if instant == NEVER else show(instant)


def _parse_or_never(text: str | None) -> int:
    return NEVER if text is None else parse(text)


def _upcast_1(shown: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 wrote the lots a posting names as an object, which says nothing about their order."""
    postings = [
        {**posting, **{key: list(posting[key].items()) for key in ("lots", "debts") if key in posting}}
        for posting in shown["postings"]
    ]
    return {**shown, "schema": 2, "postings": postings}


_UPCASTERS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _upcast_1}
