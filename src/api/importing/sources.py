"""What is imported: a table of order lines under a mapping, or lines that are events already.

A source is read twice: `scan` finds the rows and the earliest time from each row on, `items` gives the events. Between the
two passes the file may not change.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from api.documents import read_json
from api.importing.commands import command_of
from api.importing.mapping import Mapping
from api.importing.orders import Gatherer, Order, Tally
from api.importing.readers import Fault, FileError, Row, csv_rows, parquet_rows
from api.importing.values import instant
from api.intake import EVENT_BYTES_MAX, Sender, read_event
from api.problems import EventTooLarge
from ledger.deciding.command import Command
from ledger.errors import LedgerError
from ledger.instants import NEVER, parse

ROWS_A_BLOCK = 4_096

Advanced = Callable[[int], None]
"""Told how many more rows were read."""


@dataclass(slots=True)
class Item:
    """An event to post, or why it is none. `money` is the exact sum in the file, in units of 10^-`money_decimals`."""

    where: str
    rows: int
    time: int
    command: Command | LedgerError
    money: int | None = None


class Horizon:
    """The earliest time from each row on, by blocks of rows."""

    def __init__(self) -> None:
        self.rows = 0
        self._firsts: list[int] = []
        self._earliest: list[int] = []

    def add(self, number: int, time: int) -> None:
        """Note a row; rows come in order."""
        if self.rows % ROWS_A_BLOCK == 0 or not self._firsts:
            self._firsts.append(number)
            self._earliest.append(time)
        elif time < self._earliest[-1]:
            self._earliest[-1] = time
        self.rows += 1

    def finish(self) -> None:
        """Turn the earliest of each block into the earliest from each block on."""
        for place in reversed(range(len(self._earliest) - 1)):
            self._earliest[place] = min(self._earliest[place], self._earliest[place + 1])

    def after(self, number: int) -> int:
        """The earliest time of the rows after one, or of some before it; NEVER at the end."""
        if not self._firsts or self.rows == 0:
            return NEVER
        return self._earliest[max(0, bisect_right(self._firsts, number) - 1)]


@dataclass(slots=True)
class Table:
    """A CSV or Parquet file under a mapping."""

    path: Path
    mapping: Mapping
    actor: str
    horizon: Horizon = field(default_factory=Horizon)
    tally: Tally = field(default_factory=Tally)
    money_decimals: int = 0
    lines_drawn_together: int = 0
    repeated: dict[str, int] = field(default_factory=dict)
    _gatherer: Gatherer | None = None
    _row: int = 0
    _ended: bool = False

    def scan(self, advanced: Advanced) -> None:
        """Find the rows and their times.

        Raises:
            FileError
        """
        column, zone, form = self.mapping.columns.time, self.mapping.zone, self.mapping.time_format
        for row in self._rows((column,)):
            advanced(1)
            if isinstance(row, Row):
                self.horizon.add(row.number, _time_or_never(row.cells[0], zone, form))
            else:
                self.horizon.rows += 1
        self.horizon.finish()

    def items(self, advanced: Advanced) -> Iterator[Item | Fault]:
        """The orders as events, in order of their last rows.

        Raises:
            FileError
        """
        gatherer = self._gatherer = Gatherer(self.mapping)
        self.tally, self.money_decimals = gatherer.tally, gatherer.money_decimals
        for found in gatherer.gather(self._counted(self._rows(self.mapping.columns_read), advanced)):
            yield found if isinstance(found, Fault) else self._item(found)
        self._ended = True

    def oldest_left(self) -> int:
        """No event that `items` has yet to give is older; NEVER at the end."""
        if self._ended or self._gatherer is None:
            return NEVER if self._ended else self.horizon.after(0)
        gathered = self._gatherer.oldest_open()
        unread = self.horizon.after(self._row)
        return unread if gathered is None else min(gathered, unread)

    def _rows(self, columns: tuple[str, ...]) -> Iterator[Row | Fault]:
        if self.path.suffix.lower() == ".parquet":
            return parquet_rows(self.path, columns)
        return csv_rows(self.path, columns, self.mapping.csv)

    def _counted(self, rows: Iterable[Row | Fault], advanced: Advanced) -> Iterator[Row | Fault]:
        for row in rows:
            advanced(1)
            if isinstance(row, Row):
                self._row = row.number
            yield row

    def _item(self, order: Order) -> Item:
        command: Command | LedgerError
        try:
            command = command_of(order, self.mapping, money_decimals=self.money_decimals, actor=self.actor)
        except LedgerError as error:
            command = error
        else:
            self.lines_drawn_together += max(0, len(order.lines) - len(command.data["lines"]))
        return Item(order.where, order.rows, order.time, command, order.money)


@dataclass(slots=True)
class EventLines:
    """NDJSON: a CloudEvent a line, read as one that is posted over HTTP."""

    path: Path
    sender: Sender
    horizon: Horizon = field(default_factory=Horizon)
    tally: Tally = field(default_factory=Tally)
    money_decimals: int = 0
    lines_drawn_together: int = 0
    repeated: dict[str, int] = field(default_factory=dict)
    _row: int = 0
    _ended: bool = False

    def scan(self, advanced: Advanced) -> None:
        """Find the lines and their times.

        Raises:
            FileError
        """
        for number, line in self._lines():
            advanced(1)
            self.horizon.add(number, _event_time(line))
        self.horizon.finish()

    def items(self, advanced: Advanced) -> Iterator[Item | Fault]:
        """The events in the order of the lines.

        Raises:
            FileError
        """
        for number, line in self._lines():
            advanced(1)
            self._row = number
            self.tally.read += 1
            command = self._read(line)
            yield Item(f"line {number}", 1, command.time if isinstance(command, Command) else NEVER, command)
        self._ended = True

    def oldest_left(self) -> int:
        """No event that `items` has yet to give is older; NEVER at the end."""
        return NEVER if self._ended else self.horizon.after(self._row)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self.path.open("rb") as file:
                yield from ((number, line) for number, line in enumerate(_bounded(file), start=1) if line.strip())
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror}") from None

    def _read(self, line: bytes) -> Command | LedgerError:
        try:
            if len(line.strip()) > EVENT_BYTES_MAX:
                raise EventTooLarge(bytes=len(line), bytes_max=EVENT_BYTES_MAX)
            return read_event(read_json(line), self.sender)
        except LedgerError as error:
            return error


class Source(Protocol):
    """Something to import. `repeated` counts rows that are there already, by what is done with them."""

    horizon: Horizon
    tally: Tally
    money_decimals: int
    lines_drawn_together: int
    repeated: dict[str, int]

    def scan(self, advanced: Advanced) -> None:
        """Find the rows."""

    def items(self, advanced: Advanced) -> Iterator[Item | Fault]:
        """The events, and what cannot be imported."""

    def oldest_left(self) -> int:
        """No event that `items` has yet to give is older; NEVER at the end."""


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than an event may be, its beginning."""
    most = EVENT_BYTES_MAX + 2
    while line := file.readline(most):
        rest = line
        while len(rest) == most and not rest.endswith(b"\n"):
            rest = file.readline(most)
        yield line


def _time_or_never(cell: Any, zone: Any, form: str | None) -> int:
    try:
        return instant(cell, zone, form)
    except ValueError:
        return NEVER


def _event_time(line: bytes) -> int:
    try:
        return parse(read_json(line)["time"])
    except (LedgerError, ValueError, TypeError, KeyError, IndexError):
        return NEVER
