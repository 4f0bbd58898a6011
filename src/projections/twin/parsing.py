"""Records → rows: DuckDB parses the JSON text of a page once and fills every table from it.

Measured on records of 630 bytes: DuckDB takes about 3.5 µs a record for parsing, pyarrow's JSON reader 6.1 (see
docs/decisions/2026-11-22-the-twin-is-parsed-by-duckdb.md).
"""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson

from ledger.records import PROGRAM_TYPES
from projections.twin.declaring import RECORD_SHAPE, merged
from projections.twin.tables import TABLES

if TYPE_CHECKING:
    import duckdb

PAGE = 25_000
"""Records parsed at once."""

_SHAPE = orjson.dumps(merged(RECORD_SHAPE, *(table.shape for table in TABLES))).decode()


def create_tables(con: "duckdb.DuckDBPyConnection", zone: ZoneInfo) -> None:
    """Make the empty tables, and what their SQL needs."""
    con.execute(f"CREATE OR REPLACE MACRO local_time(t) AS timezone('{zone.key}', timezone('UTC', t))")
    for table in TABLES:
        con.execute(table.create())


def add_page(con: "duckdb.DuckDBPyConnection", first: int, records: list[str]) -> None:
    """Fill the tables from a page of records.

    Args:
        con: where `create_tables` was called.
        first: position of the first record; the others follow without a gap.
        records: their bytes as text.

    Raises:
        duckdb.ConstraintException: a record lacks what a table requires.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only wanted here

    page = pa.table(
        {"position": pa.array(range(first, first + len(records)), pa.int64()), "record": pa.array(records, pa.string())}
    )
    con.register("page", page)
    try:
        con.execute(_PARSE)
        con.execute(_LEAVE_OUT)
    finally:
        con.unregister("page")
    for table in TABLES:
        con.execute(table.insert())


_PARSE = f"""
CREATE OR REPLACE TEMP TABLE parsed AS
SELECT *, local_time("at") AS local_at
FROM (
    SELECT position, unnest(r), coalesce(r.derived."at", r.time) AS "at"
    FROM (SELECT position, from_json(record, '{_SHAPE}') AS r FROM page)
)
"""
_OF_PROGRAM = ", ".join(f"'{kind}'" for kind in sorted(PROGRAM_TYPES))
_LEAVE_OUT = f"DELETE FROM parsed WHERE type IN ({_OF_PROGRAM})"
"""Afterwards: a filter above would have DuckDB parse twice."""
