"""No space left: 503 with Retry-After, nothing half written, and back to work without help when there is space again.

Two ways to run out. Where only the tables' tablespace is full, the server refuses the statement. Where the write-ahead log
cannot grow, the server panics, and cannot recover either until somebody makes room.

Planted, and caught here: a full disk taken for our own mistake (SQLSTATE class 53 unknown), answered 500.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger.embedded import EmbeddedPostgres
from ledger.migrating import migrate
from tests.faults.client import Client
from tests.faults.conftest import repeated, running
from tests.faults.fleet import Fleet
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.nursery import Nursery
from tests.faults.oracle import settle, verify
from tests.postgres import Database, query, reachable_directory, wait_until

pytestmark = pytest.mark.slow

CUSTOMER = "/v1/programs/default/customers/hot-0"


class Disk:
    """A small file system of its own, which can be filled up."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ballast = directory / "ballast"

    def fill(self) -> None:
        """Leave nothing."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (2**20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def clear(self) -> None:
        """Make room."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Disk]:
    """A tmpfs; skips the test for whom nothing may be mounted."""
    with reachable_directory() as directory:
        mounted = directory / "disk"
        mounted.mkdir()
        options = f"size={mebibytes}m,mode=711"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mounted)]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("only root may mount a small disk")
        try:
            yield Disk(mounted)
        finally:
            subprocess.run(["umount", "--lazy", str(mounted)], check=True)


async def fill_under_load(fleet: Fleet, disk: Disk, times: int, *, seed: int, panics: bool) -> dict[str, object]:
    """Fill the disk and clear it, so many times, while clients post; `panics`: until the server has given up."""
    journal = Journal()
    servers = [await fleet.server() for _ in range(2)]
    async with at_work(journal, servers, 6, seed=seed) as crowd:
        for _ in range(times):
            reached = journal.decided + 100
            await crowd.until(lambda reached=reached: journal.decided >= reached)
            await asyncio.to_thread(disk.fill)
            if panics:
                await asyncio.to_thread(use_up_the_log, fleet.database)
            put_off = journal.put_off + 50
            await crowd.until(lambda put_off=put_off: journal.put_off >= put_off)
            if not panics:
                assert (await _read(servers[0].client())) == 200
            disk.clear()
    unknown = await settle(journal, [server.client() for server in servers])
    return {"disk filled": times, "outcomes unknown at the end": unknown, **await verify(journal, fleet.database)}


def use_up_the_log(database: Database) -> None:
    """Have the write-ahead log want one file after the other, until there is no room for one and the server panics."""

    def is_down() -> bool:
        with suppress(psycopg.OperationalError):
            query(database.superuser_url, "SELECT pg_switch_wal(), pg_logical_emit_message(true, '', '')")
        return not database.server.answers()

    wait_until(is_down)


async def _read(client: Client) -> int:
    try:
        return (await client.get(CUSTOMER)).status
    finally:
        client.close()


async def tables_on(disk: Disk, postgres: EmbeddedPostgres) -> Database:
    """A migrated database whose tables are on the small disk, its write-ahead log elsewhere."""
    place = disk.directory / "tables"
    place.mkdir(mode=0o700)
    shutil.chown(place, postgres.home.user.uid, postgres.home.user.gid)
    superuser = postgres.url("postgres", "postgres")
    query(superuser, f"CREATE TABLESPACE small LOCATION {sql.quote(str(place))}")
    query(superuser, "CREATE DATABASE faults OWNER ledger_owner TABLESPACE small")
    return await _migrated(Database("faults", postgres))


async def _migrated(database: Database) -> Database:
    await asyncio.to_thread(migrate, database.owner_url)
    return database


async def fill_tables(nursery: Nursery, postgres: EmbeddedPostgres, times: int) -> dict[str, object]:
    with small_disk(48) as disk, running(nursery, await tables_on(disk, postgres)) as fleet:
        try:
            return await fill_under_load(fleet, disk, times, seed=1, panics=False)
        finally:
            disk.clear()


async def fill_everything(nursery: Nursery, times: int) -> dict[str, object]:
    settings = {"min_wal_size": "32MB", "max_wal_size": "64MB", "shared_buffers": "32MB"}
    with (
        small_disk(200) as disk,
        EmbeddedPostgres.start(disk.directory / "ledger", settings=settings) as postgres,
    ):
        query(postgres.url("postgres", "postgres"), "CREATE DATABASE faults OWNER ledger_owner")
        database = await _migrated(Database("faults", postgres))
        with running(nursery, database) as fleet:
            try:
                return await fill_under_load(fleet, disk, times, seed=2, panics=True)
            finally:
                disk.clear()


async def test_tables_without_space_are_answered_503_and_recover_unaided(
    nursery: Nursery, own_postgres: EmbeddedPostgres, note
):
    note(**await fill_tables(nursery, own_postgres, 3))


async def test_a_write_ahead_log_without_space_is_answered_503_and_recovers_unaided(nursery: Nursery, note):
    note(**await fill_everything(nursery, 2))


@pytest.mark.campaign
async def test_tables_without_space_many_times(nursery: Nursery, own_postgres: EmbeddedPostgres, note):
    note(**await fill_tables(nursery, own_postgres, repeated("disks", times=50)))


@pytest.mark.campaign
async def test_a_write_ahead_log_without_space_many_times(nursery: Nursery, note):
    note(**await fill_everything(nursery, repeated("disks", times=50)))
