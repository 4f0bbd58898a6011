"""A database that hangs, its processes stopped: for a moment nobody notices, for long it is answered like one that is away.

Planted, and caught here: an append and a read given up after a second, which a pause of a second and a half turns into 503.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ledger.embedded import EmbeddedPostgres
from tests.faults.client import Client
from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify

READ = "/v1/programs/default/customers/hot-0"
POST_SECONDS_MAX = 75.0
"""30 for the append that hangs, and as much again for those that wait behind it."""

READ_SECONDS_MAX = 30.0


@contextmanager
def hanging(postgres: EmbeddedPostgres) -> Iterator[None]:
    """The server's processes are stopped for as long as the block lasts: connections are taken, and nothing comes back."""
    assert postgres.pid is not None
    postmaster = psutil.Process(postgres.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


async def hang_under_load(fleet: Fleet, postgres: EmbeddedPostgres, times: int, seconds: float) -> dict[str, object]:
    """Stop the database so many times for so long while clients post."""
    journal = Journal()
    server = await fleet.server()
    async with at_work(journal, [server], 6, seed=1) as crowd:
        for _ in range(times):
            reached = journal.decided + 50
            await crowd.until(lambda reached=reached: journal.decided >= reached)
            with hanging(postgres):
                await asyncio.sleep(seconds)
    unknown = await settle(journal, [server.client()])
    return {"hangs": times, "seconds": seconds, "unknown": unknown, **await verify(journal, fleet.database)}


async def answered_within(client: Client, path: str) -> tuple[int, float]:
    """Status and seconds of a read."""
    begun = time.monotonic()
    try:
        return (await client.get(path)).status, time.monotonic() - begun
    finally:
        client.close()


@pytest.mark.slow
async def test_a_database_that_hangs_for_a_moment_is_waited_for(
    durable_fleet: Fleet, own_postgres: EmbeddedPostgres, note
):
    counted = await hang_under_load(durable_fleet, own_postgres, 3, 1.5)
    note(**counted)
    assert counted["put off (503, 429)"] == 0


@pytest.mark.campaign
async def test_a_database_that_hangs_for_long_is_answered_503(
    durable_fleet: Fleet, own_postgres: EmbeddedPostgres, note
):
    for _ in range(repeated("hangs", times=3)):
        journal = Journal()
        server = await durable_fleet.server()
        first = journal.enter("points.granted", "hot-0", {"points": 1, "reason": "goodwill"})
        await journal.deliver(first, iter([server.client()]))
        entries = [
            journal.enter("points.granted", f"hot-{number}", {"points": 1, "reason": "goodwill"}) for number in range(8)
        ]
        with hanging(own_postgres):
            begun = time.monotonic()
            posting = [asyncio.create_task(journal.send(entry, server.client())) for entry in entries]
            reads = await asyncio.gather(*(answered_within(server.client(), path) for path in [READ, "/readyz"] * 4))
            answers = await asyncio.gather(*posting)
            waited = time.monotonic() - begun
        assert {status for status, _ in reads} == {503}
        assert max(seconds for _, seconds in reads) < READ_SECONDS_MAX
        assert {answer.status for answer in answers if answer} == {503}
        assert waited < POST_SECONDS_MAX
        await settle(journal, [server.client()])
        note(longest_post=round(waited), **await verify(journal, durable_fleet.database, alone=False))
