"""A migrated database with the log of program `default`, and connections to it as the service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from ledger import store
from ledger.migrating import migrate
from tests.postgres import Clusters, Database, create_database, drop_database


@pytest.fixture(scope="session")
def migrated(clusters: Clusters, postgres_version: int) -> Iterator[str]:
    """A migrated database to copy: copying takes a tenth of migrating."""
    server = clusters.of_version(postgres_version)
    name = "store_template"
    database = create_database(server, name)
    migrate(database.owner_url)
    asyncio.run(_create_default_log(database))
    yield name
    drop_database(server, name)


async def _create_default_log(database: Database) -> None:
    pool = await store.open_pool(database.service_url, size_min=1, size_max=1)
    async with pool:
        await store.create_log(pool, "default")  # type: ignore[arg-type]


@dataclass
class Ledger:
    """A migrated database with program `default`, and a pool of the service's connections."""

    database: Database
    pool: store.Pool
    log_id: int


@pytest.fixture
def ledger_database(clusters: Clusters, postgres_version: int, migrated: str) -> Iterator[Database]:
    with clusters.database(postgres_version, template=migrated) as database:
        yield database


@pytest.fixture
async def ledger(ledger_database: Database) -> AsyncIterator[Ledger]:
    pool = await store.open_pool(ledger_database.service_url, size_min=1, size_max=20)
    try:
        log = (await store.list_logs(pool))[0]  # type: ignore[arg-type]
        yield Ledger(ledger_database, pool, log.log_id)
    finally:
        pool.terminate()


@pytest.fixture
async def conn(ledger: Ledger) -> AsyncIterator[store.Connection]:
    async with ledger.pool.acquire() as connection:
        yield connection


@pytest.fixture
def log_id(ledger: Ledger) -> int:
    return ledger.log_id
