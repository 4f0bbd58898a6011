"""Records → rows: DuckDB parses the JSON text of a page once and fills every table from it.

Measured on records of 630 bytes: DuckDB takes about 3.5 µs a record for parsing, pyarrow's JSON reader 6.1 (see
docs/decisions/2026-11-22-the-twin-is-parsed-by-duckdb.md).
"""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson

from ledger.records import PROGRAM_TYPES, upcast
from ledger.records import SCHEMA as RECORD_SCHEMA
from projections.twin.declaring import RECORD_SHAPE, merged
from projections.twin.tables import TABLES
from projections.twin.tables.postings import WAITS_UNTIL

if TYPE_CHECKING:
    import duckdb

PAGE = 50_000
"""Records parsed at once: the statements of a page take 18 ms however few they are."""

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
        StreamUnreadable: a record of a schema that this version does not know.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only wanted here

    positions = pa.array(range(first, first + len(records)), pa.int64())
    page = pa.table({"position": positions, "record": pa.array(_lifted(records), pa.string())})
    con.register("page", page)
    try:
        con.execute(_PARSE)
        con.execute(_LEAVE_OUT)
        con.execute(_POST)
    finally:
        con.unregister("page")
    for table in TABLES:
        con.execute(table.insert())


def _lifted(records: list[str]) -> list[str]:
    """Records of the present schema, in which what waits for a delivery can be told from what was available at once."""
    return [text if text.startswith(_PRESENT) and _WAITING not in text else _lift(text) for text in records]


def _lift(text: str) -> str:
    present = text if text.startswith(_PRESENT) else orjson.dumps(upcast(orjson.loads(text))).decode()
    return present.replace(_WAITING, f'"available_at":"{WAITS_UNTIL}"')


_PRESENT = f'{{"schema":{RECORD_SCHEMA},'
_WAITING = '"available_at":null'
"""A null is an absent key to DuckDB. In a string these bytes cannot stand: its quotes are escaped."""

_PARSE = f"""
CREATE OR REPLACE TEMP TABLE parsed AS
SELECT *, local_time("at") AS local_at
FROM (
    SELECT position, unnest(r), coalesce(r.derived."at", r.time) AS "at"
    FROM (SELECT position, from_json(record, '{_SHAPE}') AS r FROM page)
)
"""
_POST = """
CREATE OR REPLACE TEMP TABLE posted AS
SELECT position, subject, type, "at", local_at, derived.entity AS entity, data.until AS until, unnest(postings) AS each
FROM parsed
"""
_OF_PROGRAM = ", ".join(f"'{kind}'" for kind in sorted(PROGRAM_TYPES))
_LEAVE_OUT = f"DELETE FROM parsed WHERE type IN ({_OF_PROGRAM})"
"""Afterwards: a filter above would have DuckDB parse twice."""
