"""A server killed, or cut off from its database, between any two awaits of its writer, clock and retrying.

Every run of a server has one fault at one step; clients post what takes it through all of its work: batches on top of
batches, stale units (a rival writes to the same customers), refusals, expiry, refunds that wait. The steps of one run are
counted first; then each number is tried, or every so-manieth.

Planted, and caught here:
"""

import asyncio
import random
import re
from typing import Any

import pytest

from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet, Server
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify

LOOK_SECONDS = 0.02
EVENTS = 40
EVENTS_MAX = 250
"""A server that has not died by then had come further than its step before it was counted."""
DEATHS = ("die", "die_sent", "die_later")


async def one_run(victim: Server, rival: Server, journal: Journal, *, seed: int, **fault: Any) -> bool:
    """Let the victim meet its fault; whether it did die."""
    victim.fork(look_seconds=LOOK_SECONDS, **fault)
    while victim.alive and not await victim.answers():
        await asyncio.sleep(0.005)
    begun_at = len(journal.entries)
    async with at_work(journal, [victim, rival], 4, seed=seed, exotic=0.4) as crowd:
        await crowd.until(lambda: len(journal.entries) >= begun_at + EVENTS)
        if fault["does"] in DEATHS:
            await crowd.until(lambda: not victim.alive or len(journal.entries) >= begun_at + EVENTS_MAX)
    died = not victim.alive
    victim.stop()
    return died


async def every_step(fleet: Fleet, does: list[str], *, every: int, seed: int) -> dict[str, Any]:
    journal = Journal()
    rival = await fleet.server()
    victim = fleet.place()
    await one_run(victim, rival, journal, seed=seed, step=0, does="cut")
    steps = int(re.findall(r"^steps (\d+)$", victim.log, re.MULTILINE)[-1])
    dice = random.Random(seed)
    tried = range(1 + dice.randrange(every), steps + 1, every)
    died = 0
    for step in tried:
        fault = {"step": step, "does": does[step % len(does)], "superuser_url": fleet.database.superuser_url}
        died += await one_run(victim, rival, journal, seed=seed + step, **fault)
    clients = [(await fleet.server()).client(), rival.client()]
    unknown = await settle(journal, clients)
    counted = await verify(journal, fleet.database)
    return {"steps": steps, "tried": len(tried), "died": died, "outcomes unknown at the end": unknown, **counted}


@pytest.mark.slow
async def test_a_server_that_dies_at_any_step_loses_nothing_and_doubles_nothing(fleet: Fleet, note):
    counted = await every_step(fleet, [*DEATHS], every=40, seed=1)
    note(**counted)
    assert counted["died"] > counted["tried"] // 2


@pytest.mark.slow
async def test_a_server_cut_off_at_any_step_loses_nothing_and_doubles_nothing(fleet: Fleet, note):
    counted = await every_step(fleet, ["cut"], every=40, seed=2)
    note(**counted)
    assert counted["died"] == 0


@pytest.mark.campaign
@pytest.mark.parametrize("does", [*DEATHS, "cut"])
async def test_every_single_step(fleet: Fleet, note, does: str):
    note(**await every_step(fleet, [does], every=repeated("every", times=1), seed=3))
