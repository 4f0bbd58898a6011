"""PostgreSQL for tests: one cluster per version and process, and fresh databases in it.

    def test_something(database): ...                      # an empty database, PostgreSQL 18

    @on_every_version                                       # the same on 18 and 15; 15 skips where it is not installed
    def test_something(database): ...

    def test_reading(migrated_database): ...                # a fresh copy of a migrated one, nothing in it yet

    def test_a_crash(own_postgres): ...                     # a cluster of the test's own, durable, free to be killed

Ordinary clusters do not flush (fsync off): what a test writes there need not survive the machine. A test that kills a
server, or looks at durability, takes `own_postgres`.
"""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger.embedded import EmbeddedPostgres
from ledger.migrating import migrate

NEWEST = 18
OLDEST = 15
FAST_BUT_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "128MB"}

MEMORY = Path("/dev/shm")  # noqa: S108 - Linux: a file system in memory
MEMORY_BYTES_MIN = 8 * 2**30

on_every_version = pytest.mark.parametrize(
    "postgres_version", [NEWEST, OLDEST], ids=["postgresql-18", "postgresql-15"], indirect=True
)


@dataclass(frozen=True)
class Database:
    """A fresh, empty database; gone when its test ends."""

    name: str
    server: EmbeddedPostgres

    @property
    def owner_url(self) -> str:
        """As migrations connect: owns the database, may make roles, is no superuser."""
        return self.server.url("ledger_owner", self.name)

    @property
    def service_url(self) -> str:
        """As the service connects; its role exists once the migrations have run."""
        return self.server.url("ledger_service", self.name)

    @property
    def superuser_url(self) -> str:
        """For looking and breaking what nobody else may."""
        return self.server.url("postgres", self.name)


class Clusters:
    """The running clusters of this process, each started when it is first wanted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: dict[int, EmbeddedPostgres] = {}
        self._migrated: dict[int, Database] = {}
        self._numbers = itertools.count(1)

    def of_version(self, version: int) -> EmbeddedPostgres:
        if version not in self._running:
            self._running[version] = EmbeddedPostgres.start(
                self._root / str(version), bin_dir=bin_dir_of(version), settings=FAST_BUT_FORGETFUL
            )
        return self._running[version]

    @contextmanager
    def database(self, version: int, *, template: str = "template0") -> Iterator[Database]:
        """A fresh database; `template` names another of the same cluster to copy (nobody may be connected to it)."""
        server = self.of_version(version)
        name = f"test_{next(self._numbers)}"
        create_database(server, name, template=template)
        try:
            yield Database(name, server)
        finally:
            drop_database(server, name)

    def migrated(self, version: int) -> Database:
        """A migrated database to copy, not to use: a copy takes two thirds of the time of migrating anew."""
        if version not in self._migrated:
            template = create_database(self.of_version(version), "migrated_template")
            migrate(template.owner_url)
            self._migrated[version] = template
        return self._migrated[version]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()


def forgetful_directory() -> Path | None:
    """Where ordinary clusters are quickest: in memory, if there is plenty; a quarter of the suite's time was the disk's."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        return None
    return MEMORY


def create_database(server: EmbeddedPostgres, name: str, *, template: str = "template0") -> Database:
    """Make a database owned by `ledger_owner`; for fixtures that keep one longer than a test."""
    statement = "CREATE DATABASE {} OWNER ledger_owner TEMPLATE {} STRATEGY file_copy"
    _as_superuser(server, sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
    return Database(name, server)


def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Drop a database, whoever is still connected."""
    _as_superuser(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def bin_dir_of(version: int) -> Path | None:
    """PostgreSQL's programs of a version; None = those of the wheel. Skips the test where there are none."""
    if version == NEWEST:
        return None
    for bin_dir in [Path(f"/usr/lib/postgresql/{version}/bin"), Path(f"/usr/pgsql-{version}/bin")]:
        if (bin_dir / "postgres").exists():
            return bin_dir
    pytest.skip(f"PostgreSQL {version} is not installed here")


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What one statement answers, on a connection of its own, committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def scalar(url: str, statement: str) -> Any:
    """The first value of the first row."""
    return query(url, statement)[0][0]


def wait_until(condition: Callable[[], object], *, seconds: float = 60) -> None:
    """Return once `condition` holds; fails when it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextmanager
def reachable_directory(*, under: Path | None = None) -> Iterator[Path]:
    """A directory a server's own user can pass through: pytest's tmp_path is closed to all but us."""
    directory = Path(tempfile.mkdtemp(prefix="ledger-test-", dir=under))
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _as_superuser(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(statement)
