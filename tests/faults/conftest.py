"""Servers to be killed, and the table that campaigns print.

`FAULTS_<WHAT>` of the environment says how often a campaign does it; `FAULTS_LOGS` names a directory where the servers' logs
are kept.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.embedded import EmbeddedPostgres
from ledger.migrating import migrate
from tests.faults.fleet import Fleet
from tests.faults.nursery import Nursery
from tests.postgres import Database, create_database, reachable_directory

_ROWS: list[dict[str, Any]] = []


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where server processes come from; they end with it."""
    forking = Nursery()
    yield forking
    forking.close()


@pytest.fixture
def fleet(nursery: Nursery, migrated_database: Database) -> Iterator[Fleet]:
    """Servers on a fresh database of the shared cluster: to be killed, the database not."""
    with running(nursery, migrated_database) as servers:
        yield servers


@pytest.fixture
def durable_fleet(nursery: Nursery, own_postgres: EmbeddedPostgres) -> Iterator[Fleet]:
    """Servers on a cluster of the test's own: both to be killed."""
    database = create_database(own_postgres, "faults")
    migrate(database.owner_url)
    with running(nursery, database) as servers:
        yield servers


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Any:
    """Put what a test counted into the table of the campaign."""

    def noted(**counted: Any) -> None:
        _ROWS.append({"test": request.node.name, **counted})

    return noted


def repeated(name: str, *, times: int) -> int:
    """How often a fault is tried: `FAULTS_<NAME>` of the environment, or as said."""
    return int(os.environ.get(f"FAULTS_{name.upper()}", times))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, as documents quote it."""
    if not _ROWS:
        return
    terminalreporter.section("faults injected")
    for row in _ROWS:
        counted = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items() if name != "test")
        terminalreporter.write_line(f"| {row['test']} | {counted} |")


@contextmanager
def running(nursery: Nursery, database: Database) -> Iterator[Fleet]:
    """Servers to be started on a migrated database; at the end they have complained of nothing."""
    with reachable_directory() as directory:
        fleet = Fleet.on(nursery, Path(directory), database)
        try:
            yield fleet
            fleet.stop()
            complaints = fleet.complaints()
            assert not complaints, complaints
        finally:
            if "FAULTS_LOGS" in os.environ:
                shutil.copytree(directory, os.environ["FAULTS_LOGS"], dirs_exist_ok=True, ignore=_without_logs)


def _without_logs(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".log")]
