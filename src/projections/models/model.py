"""What a read model is: which rows a record touches, how a row's memory is folded, and what of it stands in columns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ledger.account import STATE_SCHEMA
from ledger.records import Record

SCHEMA = "read_models"


@dataclass(frozen=True, slots=True)
class Model:
    """A read model. Its rows are a function of the log up to a position, however that was cut into pages.

    Attributes:
        name: of the model; its tables are `<name>_<build>`.
        shape: number of its columns and of what stands in them; another shape is another version.
        key: the column that tells the rows of a log apart.
        columns: name → type of the others, in order. None is null in a column that is sorted by.
        indexes: lists of columns, each after `log_id`.
        keys: record → keys of the rows it changes.
        fold: (memory, or None for a row that is not there yet; key; position; record) → memory; may change what it is given.
        write, read: memory ↔ text.
        row: memory → values of the columns.
    """

    name: str
    shape: int
    key: str
    columns: dict[str, str]
    indexes: tuple[str, ...]
    keys: Callable[[Record], Iterable[str]]
    fold: Callable[[Any, str, int, Record], Any]
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    row: Callable[[Any], tuple[Any, ...]]

    @property
    def version(self) -> str:
        """Its own shape, and the number of the fold it builds on."""
        return f"{self.shape}.{STATE_SCHEMA}"

    def table(self, build: int) -> str:
        """The table of a build."""
        return f"{SCHEMA}.{self.name}_{build}"

    def ddl(self, build: int) -> list[str]:
        """The statements that make a build's table."""
        table = self.table(build)
        columns = "".join(f", {name} {kind}" for name, kind in self.columns.items())
        primary = f"CONSTRAINT {self.name}_{build}_row_once PRIMARY KEY (log_id, {self.key})"
        return [
            f"CREATE TABLE {table} (log_id integer NOT NULL, {self.key} text NOT NULL, memory text NOT NULL{columns}, {primary})",
            *(f"CREATE INDEX ON {table} (log_id, {columns})" for columns in self.indexes),
            f"GRANT SELECT ON {table} TO ledger_service",
        ]

    def upsert(self, build: int) -> str:
        """The statement that writes rows: $1 the log, then an array a column."""
        names = [self.key, "memory", *self.columns]
        kinds = ["text", "text", *(kind.split()[0] for kind in self.columns.values())]
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, start=2))
        changed = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        listed = ", ".join(names)
        return (
            f"INSERT INTO {self.table(build)} (log_id, {listed}) "
            f"SELECT $1, {listed} FROM unnest({arrays}) AS rows ({listed}) "
            f"ON CONFLICT (log_id, {self.key}) DO UPDATE SET {changed}"
        )
