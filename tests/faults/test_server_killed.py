"""A server process killed with SIGKILL under load, again and again: nothing acknowledged is lost, nothing happens twice.

Planted, and caught here:
"""

import asyncio
import random

import pytest

from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify

SERVERS = 2
WORKERS = 8


async def kill_under_load(fleet: Fleet, kills: int, *, seed: int) -> dict[str, int]:
    """Kill one of two servers so many times while clients post to both; then settle and verify."""
    dice = random.Random(seed)
    journal = Journal()
    servers = [await fleet.server() for _ in range(SERVERS)]
    async with at_work(journal, servers, WORKERS, seed=seed) as crowd:
        for _ in range(kills):
            reached = len(journal.entries) + dice.randrange(10, 120)
            await crowd.until(lambda reached=reached: len(journal.entries) >= reached)
            await asyncio.sleep(dice.uniform(0, 0.01))
            victim = dice.choice(servers)
            victim.kill()
            await victim.start()
    unknown = await settle(journal, [server.client() for server in servers])
    return {"kills": kills, "outcomes unknown at the end": unknown, **await verify(journal, fleet.database)}


async def test_a_server_killed_under_load_loses_nothing_and_doubles_nothing(fleet: Fleet, note):
    note(**await kill_under_load(fleet, 12, seed=1))


@pytest.mark.campaign
async def test_servers_killed_a_thousand_times(fleet: Fleet, note):
    note(**await kill_under_load(fleet, repeated("kills", times=1_000), seed=2))
