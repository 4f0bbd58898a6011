"""Building the twin: whole ranges of the log, one after the other, each from its records alone."""

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import store
from ledger.reading import Book
from ledger.records import leaf_hash
from ledger.settings import Mirrored
from ledger.store import Connection
from projections.errors import TwinDamaged
from projections.twin import ranges
from projections.twin.mirror import mirror_of
from projections.twin.parsing import PAGE, add_page, create_tables
from projections.twin.ranges import RANGE, SCHEMA, Manifest
from projections.twin.tables import TABLES

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
"""What DuckDB may use while a range is built."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: ranges that were sealed, those there were before, and the positions behind the last of them."""

    ranges: int
    before: int
    sealed_through: int
    tail: int


@dataclass(frozen=True, slots=True)
class Part:
    """Which ranges a builder seals where several share a log: every `of`-th, the first of them being range `number`, from 1."""

    number: int
    of: int


WHOLE = Part(1, 1)


async def build(
    conn: Connection,
    book: Book,
    twin: Path | Mirrored,
    *,
    last: int,
    part: Part = WHOLE,
    progress: Progress = lambda _: None,
) -> Built:
    """Seal every whole range up to a position that is not sealed yet; of a twin in object storage, take and put what is missing.

    Args:
        last: a position of the log; what lies behind the last whole range stays in the tail.
        part: of the ranges; a range is a function of its records alone, so builders need not know of each other.
        progress: told how many more records were read.

    Raises:
        TwinDamaged: what is sealed is damaged, or is of another history of this log.
        DatabaseUnavailable
    """
    directory, mirror = ranges.directory_of(twin, book.program), mirror_of(twin, book.program)
    sealed = ranges.read_sealed(directory, book.program, book.log_id)
    if mirror is not None and len(sealed) < last // RANGE:
        await asyncio.to_thread(mirror.pull, directory, book, before=len(sealed), whole=last // RANGE)
        sealed = ranges.read_sealed(directory, book.program, book.log_id)
    await check_history(conn, book, sealed)
    before = len(sealed)
    if before < last // RANGE and directory.is_dir():
        ranges.sweep(directory)
    built = 0
    for number in range(before, last // RANGE):
        manifest = ranges.sealed_at(directory, book.program, book.log_id, number * RANGE + 1)
        if manifest is None and number % part.of == part.number - 1:
            manifest = await _seal(conn, book, directory, number * RANGE + 1, progress)
            built += 1
        if manifest is not None:
            sealed.append(manifest)
    if mirror is not None:
        await asyncio.to_thread(mirror.push, directory, sealed)
    through = len(ranges.read_sealed(directory, book.program, book.log_id)) * RANGE
    return Built(built, len(sealed) - built, through, last - through)


async def verify(
    conn: Connection, book: Book, twin: Path | Mirrored, *, progress: Progress = lambda _: None
) -> list[str]:
    """Build every sealed range again aside and compare it byte by byte; what differs, in words.

    Raises:
        TwinDamaged: a manifest or a file is missing or cut.
    """
    directory = ranges.directory_of(twin, book.program)
    differences = []
    for manifest in ranges.read_sealed(directory, book.program, book.log_id):
        name = ranges.name_of(manifest.first)
        for table in TABLES:
            stored = ranges.fingerprint(directory / name / f"{table.name}.parquet")
            if stored != manifest.files[table.name]:
                differences.append(f"{name}/{table.name}.parquet is not the file its manifest names")
        written, again = await _written(conn, book, directory, manifest.first, progress)
        shutil.rmtree(written)
        if again != manifest:
            differences.append(f"{name} differs from what the log gives")
    return differences


async def check_history(conn: Connection, book: Book, sealed: list[Manifest]) -> None:
    """The last sealed record is the one the log has there.

    Raises:
        TwinDamaged: the twin is of another history of this log, such as before a restore.
    """
    if not sealed:
        return
    last = sealed[-1]
    found = await store.read_log(conn, book.log_id, after=last.last - 1, limit=1)
    if not found or leaf_hash(found[0].record).hex() != last.last_hash:
        raise TwinDamaged("The twin was built from another history of this log.", position=last.last)


async def _seal(conn: Connection, book: Book, directory: Path, first: int, progress: Progress) -> Manifest:
    written, manifest = await _written(conn, book, directory, first, progress)
    ranges.seal(written, directory, manifest)
    return manifest


async def _written(
    conn: Connection, book: Book, directory: Path, first: int, progress: Progress
) -> tuple[Path, Manifest]:
    """A range written aside: the next page is read while the one before is parsed."""
    import duckdb  # noqa: PLC0415 - heavy, and only wanted here

    written = ranges.aside(directory)
    leaves = hashlib.sha256()
    last_hash = b""
    try:
        with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY}) as con:
            create_tables(con, book.zone)
            parsing: asyncio.Task[None] | None = None
            for after in range(first - 1, first + RANGE - 1, PAGE):
                page = await store.read_log_text(
                    conn, book.log_id, after=after, up_to=min(after + PAGE, first + RANGE - 1)
                )
                if parsing is not None:
                    await parsing
                parsing = asyncio.create_task(asyncio.to_thread(add_page, con, after + 1, page))
                last_hash = _hash_page(leaves, page)
                progress(len(page))
            if parsing is not None:
                await parsing
            counts, control, files = await asyncio.to_thread(_write_tables, con, written)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    manifest = Manifest(
        schema=SCHEMA,
        program=book.program,
        log_id=book.log_id,
        first=first,
        last=first + RANGE - 1,
        zone=book.zone.key,
        sha256=leaves.hexdigest(),
        last_hash=last_hash.hex(),
        counts=counts,
        control=control,
        files=files,
    )
    return written, manifest


def _hash_page(leaves: "hashlib._Hash", page: list[str]) -> bytes:
    """Add the leaf hashes of a page; the last of them."""
    last = b""
    for text in page:
        last = leaf_hash(text.encode())
        leaves.update(last)
    return last


def _write_tables(
    con: "duckdb.DuckDBPyConnection", written: Path
) -> tuple[dict[str, int], dict[str, dict[str, int]], dict[str, dict[str, object]]]:
    counts: dict[str, int] = {}
    files: dict[str, dict[str, object]] = {}
    control: dict[str, dict[str, int]] = {}
    for table in TABLES:
        file = written / f"{table.name}.parquet"
        con.execute(f"COPY \"{table.name}\" TO '{_quoted(file)}' (FORMAT parquet, COMPRESSION zstd)")
        counts[table.name] = _rows(con, f'SELECT count(*) FROM "{table.name}"')[0][0]
        files[table.name] = ranges.fingerprint(file)
        for column, group in table.control:
            total = "count(*)" if column == "*" else f'sum("{column}")::BIGINT'
            sums = f'SELECT "{group}", {total} FROM "{table.name}" GROUP BY 1 ORDER BY 1'
            control[f"{table.name}.{column}"] = dict(_rows(con, sums))
    return counts, control, files


def _rows(con: "duckdb.DuckDBPyConnection", statement: str) -> list[Any]:
    return con.execute(statement).fetchall()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
