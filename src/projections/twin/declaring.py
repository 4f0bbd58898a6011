"""What a table of the twin is: a sentence, the part of a record it reads, and typed columns. One schema a file, in `tables`."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

Shape = dict[str, Any]
"""A part of a record's JSON as DuckDB reads it: nested objects, `[element]` for arrays, and the names of DuckDB's types."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its DuckDB type, and the SQL that gives it.

    The SQL may use the parsed record `r` (`r.position`, `r.data.total`), and of tables with several rows a record what `rows`
    names. `required`: a null in it is a record that was not understood, and stops the build.
    """

    name: str
    type: str
    sql: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the twin.

    Attributes:
        name: of the table and of its file.
        says: what a row is.
        shape: what it reads of a record besides what every table has.
        rows: the FROM clause and what follows; `parsed AS r` holds the records of a page, those of customers only, `posted AS r`
            their postings, each as `each`.
        columns: in the order of the file; the first are `position`, `customer`, `at`.
        control: (column, group): sums that stand in the manifest, by group; `*` counts rows.
    """

    name: str
    says: str
    shape: Shape
    rows: str
    columns: tuple[Column, ...]
    control: tuple[tuple[str, str], ...] = ()

    def create(self) -> str:
        """SQL that makes the empty table."""
        columns = ", ".join(f'"{column.name}" {column.type}{_null(column)}' for column in self.columns)
        return f'CREATE OR REPLACE TABLE "{self.name}" ({columns})'

    def insert(self) -> str:
        """SQL that adds the rows of the parsed page."""
        columns = ", ".join(f'{column.sql} AS "{column.name}"' for column in self.columns)
        return f'INSERT INTO "{self.name}" SELECT {columns} FROM {self.rows}'


POSITION = Column("position", "BIGINT", "r.position", required=True)
CUSTOMER = Column("customer", "VARCHAR", "r.subject", required=True)
AT = Column("at", "TIMESTAMP", "r.at", required=True)
LOCAL_AT = Column("local_at", "TIMESTAMP", "r.local_at", required=True)
VERSION = Column("version", "BIGINT", "r.version", required=True)
OF_RECORD = (POSITION, CUSTOMER, AT, LOCAL_AT)
"""`at` is UTC, `local_at` the same instant on the program's clocks; both without an offset."""

PLACE_SHAPE: Shape = {
    "data": {"place": {"store": "VARCHAR", "channel": "VARCHAR", "guide": "VARCHAR", "terminal": "VARCHAR"}},
    "derived": {"brand": "VARCHAR", "entity": "VARCHAR", "franchisee": "VARCHAR"},
}
PLACE = (
    Column("store", "VARCHAR", "r.data.place.store"),
    Column("channel", "VARCHAR", "r.data.place.channel"),
    Column("guide", "VARCHAR", "r.data.place.guide"),
    Column("brand", "VARCHAR", "r.derived.brand"),
    Column("entity", "VARCHAR", "r.derived.entity"),
    Column("franchisee", "VARCHAR", "r.derived.franchisee"),
)

RECORD_SHAPE: Shape = {
    "type": "VARCHAR",
    "subject": "VARCHAR",
    "time": "TIMESTAMP",
    "recorded_at": "TIMESTAMP",
    "version": "BIGINT",
    "derived": {"at": "TIMESTAMP"},
}


def merged(*shapes: Shape) -> Shape:
    """Shapes as one, so that a record is parsed once for all tables.

    Raises:
        ValueError: two of them read one key in two ways.
    """
    whole: Shape = {}
    for shape in shapes:
        for key, wanted in shape.items():
            whole[key] = _both(key, whole[key], wanted) if key in whole else wanted
    return whole


def one_of(kinds: Iterable[str]) -> str:
    """SQL that holds for records of these types."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"r.type IN ({listed})"


def digest(tables: Iterable[Table]) -> str:
    """What a sealed range was built with: another digest, and it is built again."""
    declared = [[table.name, table.shape, table.create(), table.insert(), table.control] for table in tables]
    return hashlib.sha256(orjson.dumps(declared)).hexdigest()


def _null(column: Column) -> str:
    return " NOT NULL" if column.required else ""


def _both(key: str, one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return merged(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return [_both(key, one[0], other[0])]
    if one != other:
        raise ValueError(f"{key} is read as {one} by one table and as {other} by another")
    return one
