"""Rows of CSV and Parquet files, in the file's order, in constant memory.

A row is its number and the cells of the columns asked for. In a CSV file the number is that of the line on which the row
begins (the header is line 1), in Parquet that of the row, from 1. What cannot be read as a row is a `Fault`, and reading
goes on behind it.
"""

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from api.importing.mapping import Csv

ROWS_AT_ONCE = 8_192
CELL_CHARACTERS_MAX = 64 * 1024


class FileError(ValueError):
    """The file cannot be imported at all; the message is one line."""


class Row(NamedTuple):
    """A row's number, and its cells in the order of the columns asked for."""

    number: int
    cells: Sequence[Any]


class Fault(NamedTuple):
    """Rows that are not imported, and why. `where` names them: `line 7`, `rows 3 to 9 (order 536365)`."""

    where: str
    reason: str


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Fault]:
    """Rows of a Parquet file, a part of a row group at a time.

    Raises:
        FileError: not a Parquet file, a column is missing, or its data is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            check_columns(columns, file.schema_arrow.names, path)
            number = 1
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(columns), use_threads=False):
                cells = [batch.column(column).to_pylist() for column in columns]
                yield from map(Row, range(number, number + batch.num_rows), zip(*cells, strict=True))
                number += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())}") from None


def csv_rows(path: Path, columns: Sequence[str], written: Csv) -> Iterator[Row | Fault]:
    """Rows of a CSV file with a header; every cell is text, so decimals stay what they are.

    Raises:
        FileError: it cannot be opened, or a column is missing.
    """
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        with path.open(encoding=written.encoding, errors="surrogateescape", newline="") as file:
            yield from _csv_rows(file, path, columns, written)
    except (OSError, LookupError) as error:
        raise FileError(f"{path} cannot be read: {error}") from None


def check_columns(wanted: Sequence[str], found: Sequence[str], path: Path) -> None:
    """Refuse a file that has not the columns the mapping names.

    Raises:
        FileError: naming what is missing and what there is.
    """
    missing = [column for column in wanted if column not in found]
    if missing:
        raise FileError(f"{path} has no column {', '.join(map(repr, missing))}; it has {', '.join(found)}")


def _csv_rows(file: TextIO, path: Path, columns: Sequence[str], written: Csv) -> Iterator[Row | Fault]:
    reader = csv.reader(file, delimiter=written.delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise FileError(f"{path} has no header that can be read: {error}") from None
    check_columns(columns, header, path)
    places = [header.index(column) for column in columns]
    picked = itemgetter(*places) if len(places) > 1 else lambda cells: (cells[places[0]],)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Fault(_lines(number, reader.line_num), str(error))
            continue
        if cells is None:
            return
        if len(cells) == len(header):
            fault = _undecoded(cells)
            yield Row(number, picked(cells)) if fault is None else Fault(_lines(number, reader.line_num), fault)
        elif cells:
            reason = f"{len(cells)} cells where the header has {len(header)}"
            yield Fault(_lines(number, reader.line_num), reason)


def _undecoded(cells: list[str]) -> str | None:
    """Why the cells are not text, if they are not: bytes that are none were read as lone surrogates."""
    row = "".join(cells)
    if not row.isascii() and any("\ud800" <= character <= "\udfff" for character in row):
        return "not text in the file's encoding; the mapping's csv.encoding says which"
    return None


def _lines(first: int, last: int) -> str:
    return f"line {first}" if last <= first else f"lines {first} to {last}"
