"""The twin in object storage: sealed ranges put beside each other under a URL, taken from there by whoever has them not yet.

What is sealed never changes, so every process works on files of its own and the URL holds the same ones: `s3://bucket/path`,
`gs://bucket/path`, `file:///path`, whatever `pyarrow.fs` opens, with its parameters in the query. A range's manifest is put
last, so a range is there whole or not at all; a range whose files are not those of its manifest is never taken.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ledger.reading import Book
from ledger.settings import Mirrored
from projections.errors import TwinDamaged
from projections.twin import ranges
from projections.twin.ranges import MANIFEST, Manifest


class Mirror:
    """A program's ranges under a URL."""

    def __init__(self, url: str, program: str) -> None:
        """Open the file system; nothing is read yet.

        Raises:
            OSError, ValueError: there is no such file system.
        """
        from pyarrow import fs  # noqa: PLC0415 - heavy, and only wanted here

        self._fs, base = fs.FileSystem.from_uri(url)
        self._local = fs.LocalFileSystem()
        self._base = f"{base.rstrip('/')}/{program}"
        self.url = url

    def pull(self, directory: Path, book: Book, *, before: int, whole: int) -> None:
        """Take the ranges that follow those we have.

        Args:
            before: how many ranges we have. whole: how many there are in the log; those beyond are of another history.

        Raises:
            TwinDamaged: a file is not what its manifest says.
            OSError: the storage cannot be reached.
        """
        for number in range(before, whole):
            name = ranges.name_of(number * ranges.RANGE + 1)
            manifest = self._manifest(name)
            if manifest is None or not manifest.is_of(book.program, book.log_id):
                return
            written = ranges.aside(directory)
            try:
                self._fetch(name, written, manifest)
                ranges.seal(written, directory, manifest)
            except BaseException:
                shutil.rmtree(written, ignore_errors=True)
                raise

    def push(self, directory: Path, manifests: Iterable[Manifest]) -> None:
        """Put the ranges that are not there.

        Raises:
            OSError: the storage cannot be reached, or what was put is not there whole; ask again.
        """
        for manifest in manifests:
            name = ranges.name_of(manifest.first)
            if self._read(f"{name}/{MANIFEST}") == manifest.to_bytes():
                continue
            if self._fs.type_name == "local":
                self._fs.create_dir(f"{self._base}/{name}")
            for file in [*(f"{table}.parquet" for table in manifest.files), MANIFEST]:  # from the last on it is there
                self._copy(str(directory / name / file), f"{self._base}/{name}/{file}", self._local, self._fs)

    def remove(self) -> None:
        """Remove every range of the program."""
        from pyarrow import fs  # noqa: PLC0415 - heavy, and only wanted here

        if self._fs.get_file_info(self._base).type != fs.FileType.NotFound:
            self._fs.delete_dir(self._base)

    def _manifest(self, name: str) -> Manifest | None:
        stored = self._read(f"{name}/{MANIFEST}")
        return None if stored is None else ranges.manifest_of(name, stored)

    def _fetch(self, name: str, written: Path, manifest: Manifest) -> None:
        for table, expected in manifest.files.items():
            file = written / f"{table}.parquet"
            try:
                self._copy(f"{self._base}/{name}/{file.name}", str(file), self._fs, self._local)
            except FileNotFoundError as error:
                raise TwinDamaged(range=name, file=file.name, at=self.url, expected=expected["bytes"]) from error
            if ranges.fingerprint(file) != expected:
                raise TwinDamaged(range=name, file=file.name, at=self.url, expected=expected["bytes"])

    def _read(self, path: str) -> bytes | None:
        try:
            with self._fs.open_input_stream(f"{self._base}/{path}") as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            return None
        return content

    def _copy(self, source: str, target: str, of: Any, to: Any) -> None:
        with of.open_input_stream(source) as read, to.open_output_stream(target) as write:
            shutil.copyfileobj(read, write, 2**20)


def mirror_of(twin: Path | Mirrored, program: str) -> Mirror | None:
    """The mirror of a program's ranges; None where they are kept in a directory alone."""
    return Mirror(twin.url, program) if isinstance(twin, Mirrored) else None
