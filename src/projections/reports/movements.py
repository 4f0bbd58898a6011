"""Movements of one asset, read from the log in bulk: what a report of it is computed from.

A report takes any async iterator of pages of `Movement`s in the order of positions; `read_movements` reads them from
PostgreSQL, another reader (of Parquet, say) takes its place without the report knowing.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import orjson

from ledger import store
from ledger.errors import StreamUnreadable
from ledger.instants import NEVER, parse
from ledger.records import TYPES, upcast
from ledger.store import Connection

RECORDS_AT_ONCE = 1_000
"""Records read and decoded before others have their turn."""


class Movement(NamedTuple):
    """One posting with what a report needs of its record. Instants are microseconds; `entity` is None where it is not known.

    `until` is when a hold times out, of the record that placed it.
    """

    position: int
    customer: str
    version: int
    type: str
    entity: str | None
    at: int
    source: str
    to: str
    amount: int
    lot: str | None
    lots: list[tuple[str, int]]
    debts: list[tuple[str, int]]
    granted_at: int
    available_at: int
    expires_at: int
    reason: str
    until: int = NEVER


class Page(NamedTuple):
    """Movements of some records, and how many records they were."""

    records: int
    movements: list[Movement]


async def read_movements(conn: Connection, log_id: int, *, asset: str, up_to: int) -> AsyncIterator[Page]:
    """Every movement of an asset up to a position.

    Raises:
        StreamUnreadable: a record of a type or schema that this version does not know; a report over it would be a guess.
        DatabaseUnavailable
    """
    after = 0
    while after < up_to:
        page = await store.read_log(conn, log_id, after=after, limit=RECORDS_AT_ONCE, up_to=up_to)
        if not page:
            return
        found: list[Movement] = []
        for stored in page:
            found += movements_of(stored.position, orjson.loads(stored.record), asset)
        yield Page(len(page), found)
        after = page[-1].position


def movements_of(position: int, shown: dict[str, Any], asset: str) -> Iterator[Movement]:
    """The movements of an asset in one record's JSON.

    Raises:
        StreamUnreadable
    """
    record = upcast(shown)
    if record["type"] not in TYPES:
        raise StreamUnreadable(type=record["type"], version=record["version"])
    derived = record.get("derived") or {}
    for posting in record["postings"]:
        if posting["asset"] == asset:
            yield _movement(position, record, derived, posting)


def _movement(position: int, record: dict[str, Any], derived: dict[str, Any], posting: dict[str, Any]) -> Movement:
    at = parse(posting.get("at") or derived.get("at") or record["time"])
    source = posting["from"]
    return Movement(
        position,
        record["subject"],
        record["version"],
        record["type"],
        derived.get("entity"),
        at,
        source,
        posting["to"],
        posting["amount"],
        posting.get("lot"),
        posting.get("lots", []),
        posting.get("debts", []),
        parse(posting["granted_at"]) if "granted_at" in posting else at,
        _instant(posting, "available_at", absent=0),
        _instant(posting, "expires_at", absent=NEVER),
        posting.get("reason") or source.rpartition(":")[2],
        parse(record["data"]["until"]) if record["type"] == "hold.placed" else NEVER,
    )


def _instant(posting: dict[str, Any], key: str, *, absent: int) -> int:
    """An instant of a posting; null = not known yet, which is NEVER."""
    if key not in posting:
        return absent
    text = posting[key]
    return NEVER if text is None else parse(text)
