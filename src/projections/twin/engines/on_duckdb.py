"""DuckDB, in this process: what an expression runs on where nothing else is chosen."""

from pathlib import Path
from typing import Any

from ledger.reading import Book
from projections.twin import ranges
from projections.twin.parsing import add_page, create_tables
from projections.twin.ranges import Manifest
from projections.twin.tables import TABLES

MEMORY = "1GB"
"""What DuckDB may use for a question; beyond it, it writes aside."""


class DuckDb:
    """A database in memory for each program."""

    def open(self, book: Book, directory: Path, sealed: list[Manifest]) -> "Tables":
        """See `Engine.open`."""
        return Tables(book, directory, sealed)

    def close(self) -> None:
        """There is nothing besides the tables."""


class Tables:
    """Views over sealed ranges and the tail of a program."""

    def __init__(self, book: Book, directory: Path, sealed: list[Manifest]) -> None:
        import ibis  # noqa: PLC0415 - heavy, and only wanted here

        self.backend: Any = ibis.duckdb.connect(memory_limit=MEMORY)
        con = self.backend.con
        con.execute("CREATE SCHEMA tail; USE tail")
        create_tables(con, book.zone)
        for table in TABLES:
            parts = [f'SELECT * FROM tail."{table.name}"']
            files = ranges.files_of(directory, sealed, table.name)
            if files:
                listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
                parts.insert(0, f"SELECT * FROM read_parquet([{listed}])")
            con.execute(f'CREATE VIEW main."{table.name}" AS {" UNION ALL ".join(parts)}')
        con.execute("USE main")

    def add(self, first: int, page: list[str]) -> None:
        """See `Opened.add`."""
        con = self.backend.con
        con.execute("USE tail")
        try:
            add_page(con, first, page)
        finally:
            con.execute("USE main")

    def show(self) -> None:
        """The views look at the tail as it is."""

    def close(self) -> None:
        """See `Opened.close`."""
        self.backend.disconnect()
