"""Fixtures every test may use; tests/postgres.py says how."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.embedded import EmbeddedPostgres
from tests.postgres import NEWEST, Clusters, Database, bin_dir_of, forgetful_directory, reachable_directory

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def clusters() -> Iterator[Clusters]:
    """This process's clusters, started on demand and stopped at the end."""
    with reachable_directory(under=forgetful_directory()) as directory:
        running = Clusters(directory)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def postgres_version(request: pytest.FixtureRequest) -> int:
    """The major version under test: 18, or what `on_every_version` asks for."""
    return int(getattr(request, "param", NEWEST))


@pytest.fixture
def postgres(clusters: Clusters, postgres_version: int) -> EmbeddedPostgres:
    """This process's running cluster of the version under test; not to be stopped or killed."""
    return clusters.of_version(postgres_version)


@pytest.fixture
def database(clusters: Clusters, postgres_version: int) -> Iterator[Database]:
    """A fresh empty database on the version under test, dropped afterwards."""
    with clusters.database(postgres_version) as fresh:
        yield fresh


@pytest.fixture
def migrated_database(clusters: Clusters, postgres_version: int) -> Iterator[Database]:
    """A fresh migrated database on the version under test, with no program in it."""
    template = clusters.migrated(postgres_version)
    with clusters.database(postgres_version, template=template.name) as fresh:
        yield fresh


@pytest.fixture
def own_postgres(postgres_version: int) -> Iterator[EmbeddedPostgres]:
    """A cluster of the test's own with the settings users get: durable, supervised, free to be killed."""
    bin_dir = bin_dir_of(postgres_version)
    with reachable_directory() as directory, EmbeddedPostgres.start(directory / "ledger", bin_dir=bin_dir) as server:
        yield server


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Where a server may be started, not made yet; a server's own user can get there."""
    with reachable_directory() as directory:
        yield directory / "ledger"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory of the public data sets; skips the test where there is none. Mark such tests `needs_data`."""
    directory = Path(os.environ.get("LEDGER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not directory.is_dir():
        pytest.skip("LEDGER_TEST_DATA names no directory with the public data sets")
    return directory
