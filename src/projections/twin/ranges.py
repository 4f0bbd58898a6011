"""A sealed range on disk: a directory of Parquet files and the manifest that says what they are.

    <twin>/<program>/000000000001-000000100000/{orders.parquet, …, manifest.json}

A range is written aside, flushed and renamed, so it is there whole or not at all.
"""

import hashlib
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from ledger.settings import Mirrored
from projections.errors import TwinDamaged
from projections.twin.declaring import digest
from projections.twin.tables import TABLES

RANGE = 100_000
"""Positions of a sealed range. Another number makes other files, so it belongs to what a range was built with."""

SCHEMA = f"{digest(TABLES)[:24]}-{RANGE}"

MANIFEST = "manifest.json"
_ASIDE = ".aside-"

ASIDE_SECONDS_MAX = 3_600
"""No build writes longer than this on one range."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a range holds.

    Attributes:
        schema: what it was built with. program, log_id: whose records. first, last: positions.
        zone: in which `local_at` is.
        sha256: over the leaf hashes of the range's records, in order. last_hash: leaf hash of the last of them.
        counts: rows by table. control: sums by table, column and group.
        files: bytes and SHA-256 by table.
    """

    schema: str
    program: str
    log_id: int
    first: int
    last: int
    zone: str
    sha256: str
    last_hash: str
    counts: dict[str, int]
    control: dict[str, dict[str, int]]
    files: dict[str, dict[str, Any]]

    def is_of(self, program: str, log_id: int) -> bool:
        """Whether it is a range of this log, built as we build it."""
        return (self.schema, self.program, self.log_id) == (SCHEMA, program, log_id)

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def directory_of(twin: Path | Mirrored, program: str) -> Path:
    """Where a program's ranges are on this machine."""
    return (twin.local if isinstance(twin, Mirrored) else twin) / program


def name_of(first: int) -> str:
    """The name of the range that begins at a position."""
    return f"{first:012d}-{first + RANGE - 1:012d}"


def read_sealed(directory: Path, program: str, log_id: int) -> list[Manifest]:
    """The manifests of the ranges that are sealed, from the first on without a gap.

    One built with another schema, or for another log, ends the list: it is built again.

    Raises:
        TwinDamaged: a manifest cannot be read, or a file it names is not there with its size.
    """
    manifests: list[Manifest] = []
    while (manifest := sealed_at(directory, program, log_id, len(manifests) * RANGE + 1)) is not None:
        manifests.append(manifest)
    return manifests


def sealed_at(directory: Path, program: str, log_id: int, first: int) -> Manifest | None:
    """The manifest of the range that begins at a position; None where it is not sealed, or not as we seal.

    Raises:
        TwinDamaged: as `read_sealed`.
    """
    manifest = _read(directory / name_of(first))
    if manifest is None or not manifest.is_of(program, log_id):
        return None
    _must_be_there(directory / name_of(first), manifest)
    return manifest


def aside(directory: Path) -> Path:
    """A fresh directory to write a range into."""
    path = directory / f"{_ASIDE}{uuid4().hex}"
    path.mkdir(parents=True)
    return path


def seal(written: Path, directory: Path, manifest: Manifest) -> None:
    """Put a written range in its place. Whoever comes second finds the same bytes there and leaves them."""
    _write_flushed(written / MANIFEST, manifest.to_bytes())
    _flush(written)
    target = directory / name_of(manifest.first)
    if target.exists() and _other(target, manifest):
        shutil.rmtree(target)
    try:
        written.rename(target)  # from here the range is sealed
    except OSError:
        if _other(target, manifest):
            raise
        shutil.rmtree(written)
    _flush(directory)


def remove(directory: Path) -> int:
    """Remove every range, and what a build that was killed left aside; how many ranges there were."""
    if not directory.is_dir():
        return 0
    sealed = [path for path in directory.iterdir() if (path / MANIFEST).exists() and not path.name.startswith(_ASIDE)]
    shutil.rmtree(directory)
    return len(sealed)


def sweep(directory: Path) -> None:
    """Remove what builds that were killed left aside; what another build is writing now is younger."""
    oldest = time.time() - ASIDE_SECONDS_MAX
    for path in directory.glob(f"{_ASIDE}*"):
        if path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)


def fingerprint(file: Path) -> dict[str, Any]:
    """Bytes and SHA-256 of a file, flushed to disk."""
    _flush(file)
    with file.open("rb") as opened:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


def files_of(directory: Path, manifests: list[Manifest], table: str) -> list[str]:
    """The Parquet files of a table, in order of position."""
    return [str(directory / name_of(manifest.first) / f"{table}.parquet") for manifest in manifests]


def manifest_of(name: str, stored: bytes) -> Manifest:
    """A manifest as it was stored.

    Raises:
        TwinDamaged: it cannot be read.
    """
    try:
        return Manifest(**orjson.loads(stored))
    except (ValueError, TypeError) as error:
        raise TwinDamaged(range=name, file=MANIFEST, reason=str(error)) from error


def _read(range_directory: Path) -> Manifest | None:
    try:
        stored = (range_directory / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    return manifest_of(range_directory.name, stored)


def _must_be_there(range_directory: Path, manifest: Manifest) -> None:
    for table, file in manifest.files.items():
        path = range_directory / f"{table}.parquet"
        size = path.stat().st_size if path.exists() else None
        if size != file["bytes"]:
            raise TwinDamaged(range=range_directory.name, file=path.name, bytes=size, expected=file["bytes"])


def _other(target: Path, manifest: Manifest) -> bool:
    there = target / MANIFEST
    return not there.exists() or there.read_bytes() != manifest.to_bytes()


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
