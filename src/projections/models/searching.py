"""Customers by filter and sort, a page at a time: from the read model, at the position it has folded.

Paging goes on after the last row's own values, so a page costs the same wherever it is, and a row that changes meanwhile is
never skipped unless it moved. What a row shows of points is exact at the moment of reading: lots past their expiry are left
out whether or not the clock has written it. Filters and order go by what is recorded.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from ledger.errors import DatabaseUnavailable, FormError
from ledger.instants import DAY, NEVER, show
from ledger.reading import Book
from ledger.store import Pool
from ledger.store_connecting import translated
from projections.errors import ReadModelBuilding, currencies_mixed
from projections.models.customers import CUSTOMERS

SORTS = {
    "customer": "customer",
    "spend": "net",
    "orders": "orders",
    "average": "average",
    "points": "points",
    "first_order": "first_order_at",
    "last_order": "last_order_at",
    "expires": "expires_at",
}
"""What customers can be sorted by → its column."""

EQUALS = ("first_channel", "first_store", "first_guide", "channel", "store", "guide", "tier", "currency")
"""Filters that name a value; `channel`, `store` and `guide` are those of the last place."""

NUMBERS = {"orders": "orders", "spend": "net", "average": "average", "points": "points"}
"""Filters by bounds: `<name>_min` and `<name>_max`, both inclusive."""

INSTANTS = {"first_order": "first_order_at", "last_order": "last_order_at", "expires": "expires_at"}
"""Filters by time: `<name>_from`, inclusive, and `<name>_before`, exclusive."""

TRIES = 5
"""How often a build that was replaced at this moment is looked up again."""

_MONEY = ("spend", "average")


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for.

    Attributes:
        prefix: of the customer's id. equals, least, most: column → value; `most` is exclusive for instants.
        sort, descending: of `SORTS`. after: the cursor of the page before. soon_days: what expires within them is shown.
    """

    prefix: str | None = None
    equals: dict[str, str] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    sort: str = "customer"
    descending: bool = False
    after: str | None = None
    limit: int = 100
    soon_days: int = 30


async def search_customers(pool: Pool, book: Book, search: Search, *, now: int) -> dict[str, Any]:
    """A page of customers, the position they are folded to, and the cursor to go on with.

    Raises:
        ReadModelBuilding: not whole yet.
        FormError: money is compared and there are several currencies, or the cursor is of another order.
        DatabaseUnavailable
    """
    for _ in range(TRIES):
        try:
            return await _searched(pool, book, search, now)
        except asyncpg.UndefinedTableError:
            continue  # another build has taken its place, and its table is gone
    raise ReadModelBuilding(model=CUSTOMERS.name)


async def _searched(pool: Pool, book: Book, search: Search, now: int) -> dict[str, Any]:
    with translated(DatabaseUnavailable):
        async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            live = await conn.fetchrow(_LIVE, book.log_id, CUSTOMERS.name)
            if live is None:
                raise ReadModelBuilding(model=CUSTOMERS.name)
            table = CUSTOMERS.table(live["build"])
            await _check_currency(conn, table, book, search)
            statement, values = _statement(table, book.log_id, search)
            rows = await conn.fetch(statement, *values)
    more = len(rows) > search.limit
    rows = rows[: search.limit]
    return {
        "program": book.program,
        "position": live["position"],
        "as_of": show(now),
        "customers": [_shown(row, now, search.soon_days) for row in rows],
        "next": _cursor(search, rows[-1]) if more else None,
    }


_LIVE = """
SELECT
    v.build,
    c.position
FROM read_models.live AS v
JOIN read_models.checkpoints AS c ON c.log_id = v.log_id AND c.build = v.build
WHERE v.log_id = $1 AND v.model = $2
"""

_COLUMNS = (
    "customer, version, first_channel, first_store, first_guide, channel, store, guide, tier, orders, refunds, currency, gross, "
    "net, average, other_net, first_order_at, last_order_at, points, debt, expires_at, lots"
)


def _statement(table: str, log_id: int, search: Search) -> tuple[str, list[Any]]:
    """The statement and its values; names of columns are ours, whatever was sent stands among the values."""
    values: list[Any] = [log_id]
    conditions = ["log_id = $1"]

    def where(condition: str, *given: Any) -> None:
        numbers = [f"${len(values) + number}" for number in range(1, len(given) + 1)]
        values.extend(given)
        conditions.append(condition.format(*numbers))

    for column, value in search.equals.items():
        where(f"{column} = {{}}", value)
    for comparison, bounds in ((">=", search.least), ("<=", search.most), ("<", search.before)):
        for column, bound in bounds.items():
            where(f"{column} {comparison} {{}}", bound)
    if search.prefix is not None:
        where("starts_with(customer, {})", search.prefix)
    column, way = SORTS[search.sort], "<" if search.descending else ">"
    if search.after is not None:
        value, customer = _read_cursor(search)
        if column == "customer":
            where(f"customer {way} {{}}", customer)
        else:
            where(f"({column}, customer) {way} ({{}}, {{}})", value, customer)
    order = "DESC" if search.descending else "ASC"
    sorted_by = f"customer {order}" if column == "customer" else f"{column} {order}, customer {order}"
    values.append(search.limit + 1)
    # Names of columns and tables are ours, whatever was sent stands among the values.
    chosen = f"SELECT {_COLUMNS} FROM {table} WHERE {' AND '.join(conditions)}"
    return f"{chosen} ORDER BY {sorted_by} LIMIT ${len(values)}", values


async def _check_currency(conn: Any, table: str, book: Book, search: Search) -> None:
    """Money is compared within one currency: the only one there is, or the one that is named."""
    compares = {NUMBERS[name] for name in _MONEY} & {*search.least, *search.most} or search.sort in _MONEY
    if not compares or "currency" in search.equals:
        return
    statement = f"SELECT DISTINCT currency FROM {table} WHERE log_id = $1 AND currency <> '' ORDER BY 1 LIMIT 50"
    found = [row["currency"] for row in await conn.fetch(statement, book.log_id)]
    if len(found) > 1:
        raise currencies_mixed(found)


def _shown(row: asyncpg.Record, now: int, soon_days: int) -> dict[str, Any]:
    lots = [lot for lot in orjson.loads(row["lots"]) if lot[0] > now]
    held = sum(remaining for *_, remaining in lots)
    soon = now + soon_days * DAY
    currency = row["currency"]
    return {
        "customer": row["customer"],
        "version": row["version"],
        "first_place": _place(row["first_channel"], row["first_store"], row["first_guide"]),
        "last_place": _place(row["channel"], row["store"], row["guide"]),
        "tier": row["tier"],
        "orders": row["orders"],
        "refunds": row["refunds"],
        "currency": currency or None,
        "gross": row["gross"],
        "net": row["net"],
        "average": row["average"] or None,
        "other_net": orjson.loads(row["other_net"]),
        "first_order_at": _instant(row["first_order_at"]),
        "last_order_at": _instant(row["last_order_at"]),
        "points": held - row["debt"],
        "pending": sum(remaining for _, available_at, remaining in lots if available_at > now),
        "debt": row["debt"],
        "expiring": {
            "within_days": soon_days,
            "points": sum(remaining for expires_at, _, remaining in lots if expires_at <= soon),
            "next_at": _instant(min((lot[0] for lot in lots), default=NEVER)),
        },
    }


def _place(channel: str | None, store: str | None, guide: str | None) -> dict[str, Any] | None:
    if store is None:
        return None
    return {"channel": channel, "store": store, **({"guide": guide} if guide else {})}


def _instant(instant: int) -> str | None:
    return None if instant in (NEVER, -NEVER) else show(instant)


def _cursor(search: Search, row: asyncpg.Record) -> str:
    """Where a page ends: the order it belongs to, the value and the customer of its last row."""
    said = [_order_of(search), row[SORTS[search.sort]], row["customer"]]
    return base64.urlsafe_b64encode(orjson.dumps(said)).decode().rstrip("=")


def _read_cursor(search: Search) -> tuple[Any, str]:
    text = search.after or ""
    try:
        said = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        order, value, customer = _parts(said)
    except (binascii.Error, ValueError):
        order, value, customer = "", 0, ""
    if order != _order_of(search):
        raise FormError(
            "The cursor is not one of this search.",
            code="parameter_malformed",
            errors=[{"pointer": "?after", "reason": "the `next` of the page before, asked in the same order"}],
        )
    return value, customer


def _parts(said: Sequence[Any]) -> tuple[str, Any, str]:
    order, value, customer = said
    is_named = isinstance(value, str) if str(order).endswith("customer") else type(value) is int
    if not (isinstance(order, str) and isinstance(customer, str) and is_named) or "\x00" in customer:
        raise ValueError(said)
    if type(value) is int and abs(value) > NEVER:
        raise ValueError(said)
    return order, value, customer


def _order_of(search: Search) -> str:
    return f"{'-' if search.descending else ''}{search.sort}"
