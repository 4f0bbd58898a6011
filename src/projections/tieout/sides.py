"""What each side says of a range of customers: heads and read models by SQL, the twin by what DuckDB sums up once."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from ledger import account as accounts
from ledger.account import STATE_SCHEMA
from ledger.errors import InvariantBroken
from ledger.records import customer_stream_id, program_stream_id
from ledger.store import Connection
from projections.errors import TwinDamaged
from projections.metrics.lots import balances
from projections.models import MODELS, Model
from projections.tieout.figures import Figures, of_account, without_zeros
from projections.twin.fleet import Expression, Fleet

if TYPE_CHECKING:
    import duckdb

Said = dict[str, Figures]
"""Customer → figures; a customer of whom nothing is said is not there."""

NAMED_MAX = 100
"""Rows without a stream that are named of a read model."""


@dataclass(frozen=True, slots=True)
class Live:
    """The build of a read model that answers, and the position it is folded to."""

    model: Model
    build: int
    position: int


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it is stored; `state` is None where another version of the fold has written it."""

    customer: str
    version: int
    state: str | None

    def figures(self) -> Figures:
        """What its state says.

        Raises:
            InvariantBroken: its state is no state.
        """
        try:
            return of_account(accounts.from_bytes(self.state or "", self.version))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise InvariantBroken(f"the head's state cannot be read: {error!r}") from error


async def live_models(conn: Connection, log_id: int) -> dict[str, Live]:
    """The read models that answer for a log, of our version."""
    rows = await conn.fetch(_LIVE, log_id, list(MODELS))
    return {
        row["model"]: Live(MODELS[row["model"]], row["build"], row["position"])
        for row in rows
        if row["version"] == MODELS[row["model"]].version
    }


_LIVE = """
SELECT
    v.model,
    v.build,
    b.version,
    c.position
FROM read_models.live AS v
JOIN read_models.builds AS b ON b.build = v.build
JOIN read_models.checkpoints AS c ON c.log_id = v.log_id AND c.build = v.build
WHERE v.log_id = $1 AND v.model = ANY ($2)
ORDER BY v.model
"""


async def read_heads(conn: Connection, log_id: int, program: str, after: UUID, last: UUID) -> dict[UUID, Head]:
    """The heads of customers' streams after one, up to another."""
    rows = await conn.fetch(_HEADS, log_id, after, last)
    own = program_stream_id(program)
    return {
        row["stream_id"]: Head(
            row["customer_id"], row["version"], row["state"] if row["state_schema"] == STATE_SCHEMA else None
        )
        for row in rows
        if row["stream_id"] != own
    }


_HEADS = """
SELECT
    stream_id,
    customer_id,
    version,
    state_schema,
    state::text
FROM streams
WHERE log_id = $1 AND stream_id > $2 AND stream_id <= $3
ORDER BY stream_id
"""


async def read_customers(conn: Connection, log_id: int, live: Live, names: Collection[str]) -> Said:
    """What the rows of customers say."""
    rows = await conn.fetch(
        f"SELECT * FROM {live.model.table(live.build)} WHERE log_id = $1 AND customer = ANY ($2)", log_id, list(names)
    )
    return {row["customer"]: of_customer_row(live.model, row) for row in rows}


def of_customer_row(model: Model, row: Mapping[str, Any]) -> Figures:
    """A row's columns, which are what is answered; of what has no column, the account that the row remembers."""
    remembered = of_account(model.read(row["memory"]).account)
    figures = {name: amount for name, amount in remembered.items() if name not in ("balance:points", "debt:points")}
    figures |= {"records": row["version"], "orders": row["orders"], "refunds": row["refunds"]}
    figures |= {"balance:points": row["points"], "debt:points": row["debt"]}
    figures |= {f"net:{currency}": amount for currency, amount in orjson.loads(row["other_net"]).items()}
    if row["currency"]:
        figures |= {f"gross:{row['currency']}": row["gross"], f"net:{row['currency']}": row["net"]}
    return without_zeros(figures)


async def read_orders(conn: Connection, log_id: int, live: Live, names: Collection[str]) -> Said:
    """What the rows of orders add up to, by customer."""
    rows = await conn.fetch(_ORDERS.format(table=live.model.table(live.build)), log_id, list(names))
    said: Said = {}
    for row in rows:
        add_orders(said.setdefault(row["customer"], {}), dict(row))
    return {customer: without_zeros(figures) for customer, figures in said.items()}


def add_orders(figures: Figures, row: Mapping[str, Any]) -> None:
    """Add the orders of one currency: what they were, and what of them is undone."""
    figures["orders"] = figures.get("orders", 0) + row["orders"]
    for name, amount in (("gross", row["gross"]), ("undone", row["gross"] - row["net"])):
        key = f"{name}:{row['currency']}"
        figures[key] = figures.get(key, 0) + amount


_ORDERS = """
SELECT
    customer,
    currency,
    count(*) AS orders,
    sum(gross)::bigint AS gross,
    sum(net)::bigint AS net
FROM {table}
WHERE log_id = $1 AND customer = ANY ($2)
GROUP BY
    customer,
    currency
ORDER BY
    customer,
    currency
"""


async def rows_without_stream(conn: Connection, log_id: int, program: str, live: Live) -> list[str]:
    """Customers of whom a read model has rows though nothing was ever recorded of them."""
    statement = _WITHOUT_HEAD.format(table=live.model.table(live.build))
    names = [name for (name,) in await conn.fetch(statement, log_id, NAMED_MAX)]
    streams = {customer_stream_id(program, name): name for name in names}
    there = {stream for (stream,) in await conn.fetch(_HAS_RECORDS, log_id, list(streams))}
    return [name for stream, name in streams.items() if stream not in there]


_WITHOUT_HEAD = """
SELECT DISTINCT m.customer
FROM {table} AS m
WHERE m.log_id = $1 AND NOT EXISTS (SELECT FROM streams AS s WHERE s.log_id = $1 AND s.customer_id = m.customer)
ORDER BY m.customer
LIMIT $2
"""

_HAS_RECORDS = "SELECT stream_id FROM events WHERE log_id = $1 AND stream_id = ANY ($2) AND version = 1"


class TwinSide:
    """What the twin says of every customer at a fleet's cut-offs, summed once into a table in the order of streams.

    DuckDB keeps the table within its memory and writes aside what is beyond; a range is read where it lies. Sums of another engine
    are brought into a DuckDB of this process, some rows a customer: streams are hashed and ordered in one way only.
    """

    def __init__(self, fleet: Fleet) -> None:
        """Sum up.

        Raises:
            TwinDamaged: a sealed file cannot be read.
        """
        with _trusted(fleet):
            self._con, said = _summed(fleet)
            self._con.execute("DROP TABLE IF EXISTS temp.tied")
            self._con.execute(
                f"CREATE TEMP TABLE tied AS SELECT {_STREAM} AS stream, customer, figure, amount FROM ({said}) "
                "WHERE amount <> 0 ORDER BY stream",
                {"program": program_stream_id(fleet.book.program).hex},
            )

    def read(self, after: UUID, last: UUID) -> Said:
        """What it says of the customers whose streams come after one, up to another."""
        rows = self._con.execute(
            "SELECT customer, figure, amount FROM temp.tied WHERE stream > $1 AND stream <= $2", [after.hex, last.hex]
        ).fetchall()
        said: Said = {}
        for customer, figure, amount in rows:
            said.setdefault(customer, {})[figure] = int(amount)
        return said

    def close(self) -> None:
        """Let go of the table."""
        self._con.execute("DROP TABLE IF EXISTS temp.tied")


_HASHED = "sha1(unhex($program) || encode(customer))"
_VARIANT = f"substr('89ab89ab89ab89ab', strpos('0123456789abcdef', substr({_HASHED}, 17, 1)), 1)"
_STREAM = f"substr({_HASHED}, 1, 12) || '5' || substr({_HASHED}, 14, 3) || {_VARIANT} || substr({_HASHED}, 18, 15)"
"""`customer_stream_id` in SQL: a UUID of version 5 (RFC 9562, 5.5), in hex."""


def _summed(fleet: Fleet) -> tuple["duckdb.DuckDBPyConnection", str]:
    """A DuckDB, and the query that gives what the twin says in it."""
    import duckdb  # noqa: PLC0415 - heavy, and only wanted here

    if fleet.backend.name == "duckdb":
        return fleet.backend.con, fleet.backend.compile(_figures(fleet))
    con = duckdb.connect()
    con.register("said", fleet.backend.to_pyarrow(_figures(fleet)))
    return con, "SELECT * FROM said"


def _figures(fleet: Fleet) -> Expression:
    """`customer`, `figure`, `amount` of everything the twin says."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    records, orders, refunds = fleet.table("records"), fleet.table("orders"), fleet.table("refunds")
    parts = fleet.table("refund_parts").select("position", "amount")
    undone = parts.group_by("position").agg(undone=parts.amount.sum()).join(refunds, "position")
    held = balances(fleet)
    counted = [("records", records), ("orders", orders), ("refunds", refunds)]
    summed = [
        ("gross", orders, "currency", "total"),
        ("refunded", refunds, "currency", "amount"),
        ("undone", undone, "currency", "undone"),
        ("balance", held, "asset", "balance"),
        ("debt", held, "asset", "debt"),
    ]
    said = [table.group_by("customer").agg(figure=ibis.literal(name), amount=table.count()) for name, table in counted]
    for name, table, group, column in summed:
        figure = ibis.literal(f"{name}:") + table[group]
        said.append(table.group_by("customer", figure=figure).agg(amount=table[column].sum()))
    alike = {
        "customer": "string",
        "figure": "string",
        "amount": "int64",
    }  # a sealed table may hold null, the tail may not
    return ibis.union(*(one.select(*alike).cast(alike) for one in said))


@contextmanager
def _trusted(fleet: Fleet) -> Iterator[None]:
    """Where DuckDB cannot read a sealed file, say that the twin is damaged."""
    import duckdb  # noqa: PLC0415 - heavy, and only wanted here

    try:
        yield
    except duckdb.Error as error:
        raise TwinDamaged(program=fleet.book.program, reason=str(error).partition("\n")[0]) from error
