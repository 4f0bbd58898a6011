"""All of a program's tables at a pair of cut-offs: sealed ranges from Parquet, the records behind them from PostgreSQL.

A fleet is current to the last position, and says to which. Whole ranges that nobody has sealed yet are sealed first, so what
is held in memory is less than a range. One fleet a program and process: what it has read of the tail it keeps.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ledger import store
from ledger.instants import to_datetime
from ledger.reading import Book, CutOff
from ledger.settings import Mirrored
from ledger.store import Connection
from projections.twin import ranges
from projections.twin.building import build, check_history
from projections.twin.engines import Engine, Opened
from projections.twin.engines.on_duckdb import DuckDb
from projections.twin.parsing import PAGE
from projections.twin.ranges import RANGE, Manifest

PROGRAMS_HELD_MAX = 4

Expression: TypeAlias = Any
"""A table or value of Ibis; its types say little to a checker."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The tables of a program, cut.

    Attributes:
        book: whose. cut: both cut-offs; nothing that happened later or was written later is in a table.
        sealed_through: the last position that was read from Parquet; the rest came from PostgreSQL.
        backend: of Ibis; every table below is an expression of it.
        tables: whole tables that were looked up; whoever asks again with the same backend hands them on.
    """

    book: Book
    cut: CutOff
    sealed_through: int
    backend: Any
    tables: dict[str, Expression] = field(default_factory=dict, compare=False, repr=False)

    def table(self, name: str) -> Expression:
        """A table of the twin, as `projections.twin.tables` declares it."""
        import ibis  # noqa: PLC0415 - heavy, and only wanted here

        table = self.whole(name)
        as_of = ibis.timestamp(to_datetime(self.cut.as_of).replace(tzinfo=None))
        return table.filter(table.position <= self.cut.position, table["at"] <= as_of)

    def whole(self, name: str) -> Expression:
        """A table as it is held, whatever the cut-offs. Asking the engine for its columns costs as much as a small question."""
        if name not in self.tables:
            self.tables[name] = self.backend.table(name)
        return self.tables[name]

    def rows(self, expression: Expression) -> list[dict[str, Any]]:
        """The rows of an expression."""
        rows: list[dict[str, Any]] = self.backend.to_pyarrow(expression).to_pylist()
        return rows

    def columns(self, expression: Expression) -> dict[str, Any]:
        """The columns of an expression as NumPy arrays."""
        table = self.backend.to_pyarrow(expression)
        return {name: table.column(name).to_numpy() for name in table.column_names}


@dataclass
class _Held:
    """What a process holds of a program: its tables in the engine, with the tail up to a position."""

    opened: Opened
    sealed: list[Manifest]
    through: int
    tables: dict[str, Expression] = field(default_factory=dict)
    taken: asyncio.Lock = field(default_factory=asyncio.Lock)


class Fleets:
    """The fleets of a process, by program."""

    def __init__(self, twin: Path | Mirrored, engine: Engine | None = None) -> None:
        """Where sealed ranges are kept, and what answers; None: DuckDB."""
        self._twin = twin
        self._engine: Engine = DuckDb() if engine is None else engine
        self._held: dict[int, _Held] = {}
        self._taken: dict[int, asyncio.Lock] = {}

    @asynccontextmanager
    async def at(self, conn: Connection, book: Book, cut: CutOff) -> AsyncIterator[Fleet]:
        """The fleet of a program at a pair of cut-offs; one question at a time is asked of a program.

        Raises:
            TwinDamaged: what is sealed cannot be trusted.
            DatabaseUnavailable
        """
        async with self._taken.setdefault(book.log_id, asyncio.Lock()):
            held = await self._up_to(conn, book, cut.position)
            yield Fleet(book, cut, min(len(held.sealed) * RANGE, cut.position), held.opened.backend, held.tables)

    def close(self) -> None:
        """Let go of what is held, and of the engine."""
        for held in self._held.values():
            held.opened.close()
        self._held.clear()
        self._engine.close()

    async def _up_to(self, conn: Connection, book: Book, position: int) -> _Held:
        """What is held of a program, with every record up to a position in it."""
        held = self._held.pop(book.log_id, None)
        directory = ranges.directory_of(self._twin, book.program)
        if held is None or position // RANGE > len(held.sealed) or not (directory.is_dir() or not held.sealed):
            if held is not None:
                held.opened.close()
            await build(conn, book, self._twin, last=position)
            held = await asyncio.to_thread(self._opened, book)
        await check_history(conn, book, held.sealed)
        if held.through < position:
            await self._read_tail(conn, book, held, position)
        self._held[book.log_id] = held
        while len(self._held) > PROGRAMS_HELD_MAX:
            self._held.pop(next(iter(self._held))).opened.close()
        return held

    async def _read_tail(self, conn: Connection, book: Book, held: _Held, position: int) -> None:
        while held.through < position:
            up_to = min(held.through + PAGE, position)
            page = await store.read_log_text(conn, book.log_id, after=held.through, up_to=up_to)
            await asyncio.to_thread(held.opened.add, held.through + 1, page)
            held.through += len(page)
        await asyncio.to_thread(held.opened.show)

    def _opened(self, book: Book) -> _Held:
        directory = ranges.directory_of(self._twin, book.program)
        sealed = ranges.read_sealed(directory, book.program, book.log_id)
        return _Held(self._engine.open(book, directory, sealed), sealed, len(sealed) * RANGE)
