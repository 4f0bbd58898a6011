"""Changes that need two people: proposed by one principal, approved by another, with the hash of what was approved.

Both are records on the program's own stream. The hash is over the content as canonical JSON, so whoever approves says which
content they saw. A proposal is of the rules that held when it was made; after another publication it is out of date.
"""

import hashlib
from typing import Any, NamedTuple

import orjson

from ledger.records import Record

SOURCE = "ledger:changes"
"""Source of what approvals bring about."""


class Change(NamedTuple):
    """A proposal, and who approved it; `version` and `approved_version` are of the program's own stream."""

    id: str
    kind: str
    content: dict[str, Any]
    hash: str
    rules: int
    proposed_by: str
    proposed_at: int
    version: int
    approved_by: str | None = None
    approved_at: int | None = None
    approved_version: int | None = None


def hash_of(kind: str, content: dict[str, Any]) -> str:
    """SHA-256 over the kind and the content as JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(orjson.dumps([kind, content], option=orjson.OPT_SORT_KEYS)).hexdigest()


def proposed(record: Record) -> Change:
    """The proposal a `change.proposed` makes."""
    data = record.data
    return Change(
        record.id,
        data["kind"],
        data["content"],
        data["hash"],
        record.rules,
        record.actor,
        record.time,
        record.version,
    )


def approved(change: Change, record: Record) -> Change:
    """The proposal after its `change.approved`."""
    return change._replace(approved_by=record.actor, approved_at=record.time, approved_version=record.version)


def covers(change: Change | None, kind: str, customer: str, data: dict[str, Any]) -> bool:
    """Whether a change is of this kind, approved, and of exactly this, or has exactly this among several."""
    if change is None or change.approved_by is None or change.kind != kind:
        return False
    wanted = {"customer": customer, **data}
    return change.content == wanted or wanted in change.content.get("openings", ())
