"""Where the expressions of the read side run: DuckDB in this process, or Spark on any master. One engine a process.

An expression is written once, in Ibis, and both run it over the same Parquet files (docs/SCALE.md). The tail, less than one
range of records, is parsed by DuckDB for both.
"""

from pathlib import Path
from typing import Any, Protocol

from ledger.reading import Book
from ledger.settings import Settings
from projections.twin.ranges import Manifest


class Opened(Protocol):
    """A program's tables in an engine.

    Attributes:
        backend: of Ibis; `projections.twin.fleet` makes expressions of it.
    """

    backend: Any

    def add(self, first: int, page: list[str]) -> None:
        """Take in records of the tail.

        Args:
            first: position of the first; the others follow without a gap.
            page: their bytes as text.
        """

    def show(self) -> None:
        """Let what was added be seen by expressions."""

    def close(self) -> None:
        """Let go of it."""


class Engine(Protocol):
    """Opens programs' tables."""

    def open(self, book: Book, directory: Path, sealed: list[Manifest]) -> Opened:
        """The tables of a program: its sealed ranges, and a tail that is empty yet."""

    def close(self) -> None:
        """Stop what it runs; the tables it opened are gone."""


def engine_of(settings: Settings) -> Engine:
    """The engine that the settings choose; nothing is started before the first question.

    Raises:
        SettingsError: what the engine needs is not there.
    """
    if settings.engine == "spark":
        from projections.twin.engines.on_spark import Spark  # noqa: PLC0415 - wanted where it is chosen

        return Spark(settings.spark_master)
    from projections.twin.engines.on_duckdb import DuckDb  # noqa: PLC0415 - the same

    return DuckDb()
