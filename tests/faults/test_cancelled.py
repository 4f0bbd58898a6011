"""Requests given up midway, at every point: no transaction stays open, no outcome is lost, memory stays flat.

Planted, and caught here: every request kept 64 KiB of the process for ever.
"""

import asyncio
import random
import time

import orjson
import pytest

from ledger.instants import show
from tests.faults.client import Client
from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import BATCH, TIME, Attempt, Entry, Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify
from tests.postgres import Database, query, scalar

EVENTS = "/v1/programs/default/events"
HASTY = 16
ROUNDS = 10
WARM = 5
"""Rounds after which a process has what it needs: buffers for the longest answers come with the log's growth."""
GIVE_UP_SECONDS_MAX = 0.03
CONNECTIONS_MAX = 20
"""Of one server: ten for writing, ten for reading."""

READS = [
    "/v1/programs/default/customers/hot-0",
    f"/v1/programs/default/customers/hot-0?as_of={show(TIME)}",
    "/v1/programs/default/customers/hot-1/replay",
    "/v1/programs/default/customers/hot-1/events?limit=1000",
    "/v1/programs/default/customers/hot-2/explain?of=points",
    "/v1/programs/default/feed?after=0&limit=10000",
    "/v1/programs/default/refusals",
    "/readyz",
]


async def give_up(
    client: Client, method: str, path: str, body: bytes, dice: random.Random, *, media_type: str = ""
) -> None:
    """Send a request, or the first part of it, and leave after a moment without having read the answer."""
    await client.connect()
    assert client._writer is not None
    whole = client.head(method, path, body, {"content-type": media_type} if media_type else {}) + body
    client._writer.write(whole if dice.random() < 0.7 else whole[: dice.randrange(len(whole))])
    await asyncio.sleep(min(dice.expovariate(3 / GIVE_UP_SECONDS_MAX), GIVE_UP_SECONDS_MAX))
    client.close()


async def hasty(journal: Journal, client: Client, requests: int, seed: int) -> None:
    """Give up so many requests: posts, batches and reads. What was posted is entered as an unknown outcome."""
    dice = random.Random(seed)
    for number in range(requests):
        if dice.random() < 0.4:
            await give_up(client, "GET", dice.choice(READS), b"", dice)
            continue
        entries = [_event(journal, dice, f"{seed}-{number}-{place}") for place in range(dice.choice([1, 1, 1, 20]))]
        sent_at = time.monotonic()
        if len(entries) == 1:
            await give_up(client, "POST", EVENTS, entries[0].body, dice, media_type="application/cloudevents+json")
        else:
            body = orjson.dumps([entry.event for entry in entries])
            await give_up(client, "POST", EVENTS, body, dice, media_type=BATCH)
        for entry in entries:
            entry.attempts.append(Attempt(sent_at, time.monotonic()))


def _event(journal: Journal, dice: random.Random, name: str) -> Entry:
    customer = f"hot-{dice.randrange(4)}"
    if dice.random() < 0.4:
        return journal.enter("points.redeemed", customer, {"redemption_id": name, "points": dice.randrange(1, 30)})
    return journal.enter("points.granted", customer, {"points": dice.randrange(1, 30), "reason": "goodwill"})


async def give_up_under_load(fleet: Fleet, requests: int, *, seed: int) -> dict[str, object]:
    """Patient clients post while hasty ones give up, in rounds; memory is compared once the process is warm."""
    journal = Journal()
    server = await fleet.server()
    memory = []
    async with at_work(journal, [server], 2, seed=seed):
        for round_ in range(ROUNDS):
            hurried = [
                hasty(journal, server.client(), requests // ROUNDS // HASTY, seed + 100 * round_ + number)
                for number in range(HASTY)
            ]
            await asyncio.gather(*hurried)
            memory.append(server.memory)
    states = await asyncio.to_thread(_open_transactions, fleet.database)
    assert states == [], states
    assert _connections(fleet.database) <= CONNECTIONS_MAX
    unknown = await settle(journal, [server.client()])
    counted = await verify(journal, fleet.database)
    grown = (memory[-1] - memory[WARM - 1]) / 2**20
    return {
        "requests given up": requests,
        "memory grown (MiB)": round(grown, 1),
        "outcomes unknown": unknown,
        **counted,
    }


def _open_transactions(database: Database) -> list[tuple[object, ...]]:
    """Transactions that stay open: what is at work may end first."""
    asking = (
        "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = 'ledger_service' AND (state LIKE 'idle in%' OR state = 'active')"
    )
    deadline = time.monotonic() + 10
    while (found := query(database.superuser_url, asking)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _connections(database: Database) -> int:
    asking = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ledger_service'"
    return int(scalar(database.superuser_url, asking))


@pytest.mark.slow
async def test_requests_given_up_midway_leave_nothing_open_and_lose_nothing(fleet: Fleet, note):
    counted = await give_up_under_load(fleet, 1600, seed=1)
    note(**counted)
    assert counted["memory grown (MiB)"] < 30


@pytest.mark.campaign
async def test_ten_thousand_requests_given_up(fleet: Fleet, note):
    counted = await give_up_under_load(fleet, repeated("given_up", times=10_000), seed=2)
    note(**counted)
    assert counted["memory grown (MiB)"] < 60
