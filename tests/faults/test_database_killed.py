"""The database killed with SIGKILL under load, postmaster and children at once: 503 meanwhile, and back without help.

Planted, and caught here:
"""

import asyncio
import contextlib
import random
import time

import psutil
import pytest

from ledger.embedded import EmbeddedPostgres
from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify

WORKERS = 8


def kill_database(postgres: EmbeddedPostgres) -> None:
    """SIGKILL for the postmaster and all its children, before any of them can do something about it."""
    assert postgres.pid is not None
    postmaster = psutil.Process(postgres.pid)
    for process in [postmaster, *postmaster.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def kill_under_load(fleet: Fleet, postgres: EmbeddedPostgres, kills: int, *, seed: int) -> dict[str, object]:
    """Kill the database so many times while clients post to two servers; now and then a server dies with it."""
    dice = random.Random(seed)
    journal = Journal()
    servers = [await fleet.server() for _ in range(2)]
    away = []
    async with at_work(journal, servers, WORKERS, seed=seed) as crowd:
        for _ in range(kills):
            reached = journal.decided + dice.randrange(40, 200)
            await crowd.until(lambda reached=reached: journal.decided >= reached)
            await asyncio.sleep(dice.uniform(0, 0.01))
            killed_at = time.monotonic()
            kill_database(postgres)
            if dice.random() < 0.2:
                servers[0].kill()
                await asyncio.to_thread(wait_for_database, postgres)
                await servers[0].start()
            await crowd.until(lambda killed_at=killed_at: journal.answered_since > killed_at)
            away.append(time.monotonic() - killed_at)
    unknown = await settle(journal, [server.client() for server in servers])
    away.sort()
    return {
        "kills": kills,
        "servers killed with it": sum(server.deaths for server in servers),
        "kill to next answer (s), median": round(away[len(away) // 2], 2),
        "slowest": round(away[-1], 2),
        "outcomes unknown at the end": unknown,
        **await verify(journal, fleet.database),
    }


def wait_for_database(postgres: EmbeddedPostgres) -> None:
    while not postgres.answers():
        time.sleep(0.05)


@pytest.mark.slow
async def test_a_database_killed_under_load_is_answered_503_and_nothing_is_lost(
    durable_fleet: Fleet, own_postgres: EmbeddedPostgres, note
):
    counted = await kill_under_load(durable_fleet, own_postgres, 4, seed=1)
    note(**counted)
    assert counted["put off (503, 429)"]


@pytest.mark.campaign
async def test_a_database_killed_a_thousand_times(durable_fleet: Fleet, own_postgres: EmbeddedPostgres, note):
    note(**await kill_under_load(durable_fleet, own_postgres, repeated("database_kills", times=1_000), seed=2))
