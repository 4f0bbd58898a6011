"""The connection to the database cut around the append, its answer swallowed: settled under the log's row, by itself.

The sender notices nothing: it gets its receipt, the one the log gives for ever, and never a conflict with itself.

Planted, and caught here: an append whose answer was lost was answered 503 instead of being looked up in the log.
"""

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify
from tests.faults.wire import PLACES, UNDER_LOCK, Place, wire_to


async def cut_under_load(
    fleet: Fleet, places: Sequence[Place], cuts: int, *, seed: int, rivals: int, starved: int = 2
) -> dict[str, int]:
    """Cut one server's appends so many times; `rivals` more servers write to the same customers on wires of their own."""
    dice = random.Random(seed)
    journal = Journal()
    async with wire_to(fleet.database) as wire:
        shaken = await fleet.server(url=wire.url, starved=starved)
        servers = [shaken, *[await fleet.server() for _ in range(rivals)]]
        async with at_work(journal, servers, 8, seed=seed) as crowd:
            for number in range(cuts):
                reached = len(journal.entries) + dice.randrange(30)
                await crowd.until(lambda reached=reached: len(journal.entries) >= reached)
                wire.next = dice.choice(places)
                await crowd.until(lambda reached=number + 1: wire.cuts.total() == reached)
        wire.next = None
        unknown = await settle(journal, [server.client() for server in servers])
        counted = await verify(journal, fleet.database)
        await asyncio.to_thread(fleet.stop)  # they close their connections through the wire
    assert unknown == 0, "a sender was left alone with an unknown outcome"
    return {**{f"cut {place}": count for place, count in sorted(wire.cuts.items())}, **counted}


@pytest.mark.parametrize("place", PLACES)
async def test_an_append_cut_anywhere_is_settled_without_its_sender_noticing(fleet: Fleet, note, place: Place):
    note(**await cut_under_load(fleet, [place], 6, seed=1, rivals=0))


async def test_appends_cut_everywhere_beside_a_rival(fleet: Fleet, note):
    note(**await cut_under_load(fleet, PLACES, 20, seed=2, rivals=1))


@pytest.mark.parametrize("place", UNDER_LOCK)
async def test_a_commit_under_the_logs_lock_cut_is_settled_without_its_sender_noticing(
    fleet: Fleet, note, place: Place
):
    """Two servers fight for hot customers; what is stale once is decided under the lock."""
    note(**await cut_under_load(fleet, [place], 10, seed=3, rivals=1, starved=1))


@pytest.mark.campaign
async def test_ten_thousand_cuts(fleet: Fleet, note):
    cuts = repeated("cuts", times=10_000)
    note(**await cut_under_load(fleet, [*PLACES * 4, *UNDER_LOCK], cuts, seed=4, rivals=2))
