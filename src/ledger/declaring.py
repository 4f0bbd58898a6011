"""Declarations of a store's day compared with the log: what a source says it sold, and what of it arrived.

A declaration counts for its source, store, business day and currency; the last one of these is the one that holds, and a waiver is
of the declaration before it. Nothing is kept of the comparison: orders that arrive later close the difference by themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

import orjson

from ledger import store
from ledger.errors import DatabaseUnavailable
from ledger.instants import DAY, midnight, to_datetime
from ledger.reading import Book
from ledger.records import Record, program_stream_id
from ledger.store import Connection
from ledger.store_connecting import translated

FIELDS = ("orders", "gross", "refunds", "net", "hash")
STATUSES = ("agrees", "open", "waived", "undeclared")


class Till(NamedTuple):
    """Whose day it is: the CloudEvents source, the store, and in which currency it sold."""

    source: str
    store: str
    currency: str


@dataclass(slots=True)
class Declaration:
    """The last declaration of a till for a day, with its waiver."""

    position: int
    data: dict[str, Any]
    waived: dict[str, Any] | None = None


@dataclass(slots=True)
class Day:
    """Everything about one business day up to a position."""

    position: int
    declared: dict[Till, Declaration] = field(default_factory=dict)
    found: dict[Till, dict[str, Any]] = field(default_factory=dict)
    order_ids: dict[Till, list[str]] = field(default_factory=dict)


async def declarations(conn: Connection, book: Book, day: date) -> dict[str, Any]:
    """Every till that declared a business day or sold on it, with what differs.

    Args:
        day: of the program's zone; orders belong to the day that their records say.
    """
    read = await _read(conn, book, day)
    tills = sorted(read.declared.keys() | read.found.keys())
    return {
        "program": book.program,
        "business_day": day.isoformat(),
        "position": read.position,
        "declarations": [_shown(till, read) for till in tills],
    }


def differences(declared: dict[str, Any], found: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields in which a declaration and the log differ; a hash that was not declared differs in nothing."""
    return [
        {"field": name, "declared": declared[name], "found": found[name]}
        for name in FIELDS
        if name in declared and declared[name] != found[name]
    ]


def missing_and_extra(declared: Iterable[str], found: Iterable[str]) -> tuple[list[str], list[str]]:
    """Orders that were declared and are not in the log, and the other way round."""
    ours, theirs = set(found), set(declared)
    return sorted(theirs - ours), sorted(ours - theirs)


def _shown(till: Till, read: Day) -> dict[str, Any]:
    found = read.found.get(till, _NOTHING)
    declaration = read.declared.get(till)
    shown: dict[str, Any] = {**till._asdict(), "found": found}
    if declaration is None:
        return {**shown, "status": "undeclared", "declared": None, "differences": [], "missing": None, "extra": None}
    differing = differences(declaration.data, found)
    missing: list[str] | None = None
    extra: list[str] | None = None
    if "order_ids" in declaration.data:
        missing, extra = missing_and_extra(declaration.data["order_ids"], read.order_ids.get(till, ()))
    agrees = not differing and not missing and not extra
    shown |= {
        "status": "agrees" if agrees else "open" if declaration.waived is None else "waived",
        "declared": {name: declaration.data[name] for name in FIELDS if name in declaration.data},
        "differences": differing,
        "missing": missing,
        "extra": extra,
        "declared_in": declaration.position,
    }
    if declaration.waived is not None:
        shown["waived"] = declaration.waived
    return shown


async def _read(conn: Connection, book: Book, day: date) -> Day:
    """What is in the log about a day; nothing about it was written more than a day before it began."""
    begins = midnight(day, book.zone) - DAY
    last = (await store.read_logs(conn, [book.log_id]))[book.log_id].next_position - 1
    first = await store.position_known_at(conn, book.log_id, to_datetime(begins))
    read = Day(last)
    with translated(DatabaseUnavailable):
        stream = program_stream_id(book.program)
        for row in await conn.fetch(_DECLARED, book.log_id, stream, first, last, day.isoformat()):
            _take(read, row["position"], Record.from_json(orjson.loads(row["record"])))
        for row in await conn.fetch(_FOUND, book.log_id, first, last, day.isoformat()):
            till = Till(row["source"], row["store"], row["currency"])
            read.found[till] = {name: row[name] for name in FIELDS}
        listed = [till for till, one in read.declared.items() if "order_ids" in one.data and till in read.found]
        for row in await conn.fetch(_ORDERS, book.log_id, first, last, day.isoformat(), *_columns(listed)):
            read.order_ids[Till(row["source"], row["store"], row["currency"])] = row["order_ids"]
    return read


def _take(read: Day, position: int, record: Record) -> None:
    till = Till(record.data["source"], record.data["store"], record.data["currency"])
    if record.type == "source.declared":
        read.declared[till] = Declaration(position, record.data)
    elif till in read.declared:
        read.declared[till].waived = {"reason": record.data["reason"], "by": record.actor, "position": position}


def _columns(tills: list[Till]) -> tuple[list[str], list[str], list[str]]:
    return [till.source for till in tills], [till.store for till in tills], [till.currency for till in tills]


_NOTHING = {
    "orders": 0,
    "gross": 0,
    "refunds": 0,
    "net": 0,
    "hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}
"""What is found of a till that sent nothing; the hash is that of no bytes."""

_DECLARED: Final = """
SELECT
    position,
    record::text
FROM events
WHERE
    log_id = $1
    AND stream_id = $2
    AND position > $3
    AND position <= $4
    AND type IN ('source.declared', 'declaration.waived')
    AND record -> 'data' ->> 'business_day' = $5
ORDER BY position
"""

_SOLD: Final = """
WITH sold AS (
    SELECT
        type,
        record ->> 'source' AS source,
        record -> 'data' -> 'place' ->> 'store' AS store,
        coalesce(record -> 'data' ->> 'currency', record -> 'derived' ->> 'currency') AS currency,
        record -> 'data' ->> 'order_id' AS order_id,
        coalesce(record -> 'data' ->> 'total', record -> 'data' ->> 'amount')::bigint AS amount
    FROM events
    WHERE
        log_id = $1
        AND position > $2
        AND position <= $3
        AND type IN ('purchase.recorded', 'purchase.refunded', 'purchase.returned')
        AND record -> 'derived' ->> 'business_day' = $4
        AND record -> 'data' -> 'place' ->> 'store' IS NOT NULL
)
"""

_FOUND: Final = (
    _SOLD
    + r"""
SELECT
    source,
    store,
    currency,
    count(*) FILTER (WHERE type = 'purchase.recorded') AS orders,
    coalesce(sum(amount) FILTER (WHERE type = 'purchase.recorded'), 0)::bigint AS gross,
    coalesce(sum(amount) FILTER (WHERE type <> 'purchase.recorded'), 0)::bigint AS refunds,
    coalesce(sum(CASE WHEN type = 'purchase.recorded' THEN amount ELSE -amount END), 0)::bigint AS net,
    encode(
        sha256(
            convert_to(
                coalesce(
                    string_agg(order_id || E'\n', '' ORDER BY order_id COLLATE "C")
                        FILTER (WHERE type = 'purchase.recorded'),
                    ''
                ),
                'UTF8'
            )
        ),
        'hex'
    ) AS hash
FROM sold
GROUP BY
    source,
    store,
    currency
ORDER BY
    source,
    store,
    currency
"""
)

_ORDERS: Final = (
    _SOLD
    + """
SELECT
    source,
    store,
    currency,
    array_agg(order_id ORDER BY order_id) AS order_ids
FROM sold
WHERE
    type = 'purchase.recorded'
    AND (source, store, currency) IN (SELECT * FROM unnest($5::text[], $6::text[], $7::text[]))
GROUP BY
    source,
    store,
    currency
ORDER BY
    source,
    store,
    currency
"""
)
