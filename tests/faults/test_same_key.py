"""The same key from many hands, and one balance wanted by many: over four processes at once.

Planted, and caught here: the append looked up no source keys; the append let a unit through that was decided on an older head.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.faults.client import Client, Response
from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import Entry, Journal
from tests.faults.oracle import settle, verify

SERVERS = 4


@pytest.fixture
async def clients(fleet: Fleet):
    """Sixteen connections to four processes."""
    servers = [await fleet.server() for _ in range(SERVERS)]
    made = [server.client() for server in servers for _ in range(4)]
    yield made
    for client in made:
        client.close()


async def at_once(journal: Journal, entries: list[Entry], clients: list[Client]) -> list[Response]:
    """Send everything at once, spread over the connections; what is put off is sent again."""
    shares = [entries[place :: len(clients)] for place in range(len(clients))]

    async def send(client: Client, share: list[Entry]) -> list[Response]:
        return [await journal.deliver(entry, iter([client] * 100)) for entry in share]

    answered = await asyncio.gather(*(send(client, share) for client, share in zip(clients, shares, strict=True)))
    return [response for share in answered for response in share]


async def hundred_identical(fleet: Fleet, clients: list[Client], rounds: int) -> dict[str, int]:
    journal = Journal()
    for number in range(rounds):
        data = {"points": 7, "reason": "goodwill"}
        entry = journal.enter("points.granted", f"c-{number % 10}", data)
        answers = await at_once(journal, [entry] * 100, clients)
        assert Counter(answer.status for answer in answers) == {201: 1, 200: 99}
    return {"identical posts": 100 * rounds, **await verify(journal, fleet.database)}


async def test_a_hundred_identical_posts_have_one_effect(fleet: Fleet, clients: list[Client], note):
    note(**await hundred_identical(fleet, clients, 5))


@pytest.mark.campaign
async def test_a_hundred_identical_posts_a_thousand_times(fleet: Fleet, clients: list[Client], note):
    note(**await hundred_identical(fleet, clients, repeated("rounds", times=1_000)))


async def batches_of_the_same(fleet: Fleet, clients: list[Client], rounds: int) -> dict[str, int]:
    """Every connection sends the same batch, in an order of its own; each event comes once, and all get its receipt."""
    journal = Journal()
    dice = random.Random(3)
    for number in range(rounds):
        entries = [
            journal.enter("points.granted", f"c-{place % 3}", {"points": place + 1, "reason": "goodwill"})
            for place in range(40)
        ]
        orders = [dice.sample(entries, len(entries)) for _ in clients]
        await asyncio.gather(
            *(journal.send_batch(order, client) for client, order in zip(clients, orders, strict=True))
        )
        for entry in entries:
            statuses = Counter(attempt.response.status for attempt in entry.attempts if attempt.response)
            assert statuses == {201: 1, 200: len(clients) - 1}, (number, statuses)
    return {"batches": rounds * len(clients), **await verify(journal, fleet.database)}


async def test_the_same_batches_from_many_hands_have_one_effect(fleet: Fleet, clients: list[Client], note):
    note(**await batches_of_the_same(fleet, clients, 3))


@pytest.mark.campaign
async def test_the_same_batches_from_many_hands_many_times(fleet: Fleet, clients: list[Client], note):
    note(**await batches_of_the_same(fleet, clients, repeated("batches", times=200)))


async def twins(fleet: Fleet, clients: list[Client], rounds: int) -> dict[str, int]:
    """Every batch is delivered twice, to two processes, a moment apart, while all write to the same two customers."""
    journal = Journal()

    async def deliver(number: int) -> None:
        dice = random.Random(number)
        one, other = clients[number % len(clients)], clients[(number + len(clients) // 2) % len(clients)]
        for _ in range(rounds):
            batch = [
                journal.enter("points.granted", f"hot-{dice.randrange(2)}", {"points": 5, "reason": "goodwill"})
                for _ in range(dice.randrange(1, 12))
            ]
            await asyncio.gather(journal.send_batch(batch, one), _later(dice, journal.send_batch(batch, other)))

    await asyncio.gather(*(deliver(number) for number in range(len(clients) // 2)))
    for entry in journal.entries:
        assert sorted(attempt.response.status for attempt in entry.attempts if attempt.response) == [200, 201]
    return {"batches delivered twice": rounds * len(clients) // 2, **await verify(journal, fleet.database)}


async def _later(dice: random.Random, sending: Awaitable[Any]) -> None:
    await asyncio.sleep(dice.uniform(0, 0.03))
    await sending


async def test_twin_deliveries_to_two_processes_on_hot_customers_have_one_effect(
    fleet: Fleet, clients: list[Client], note
):
    note(**await twins(fleet, clients, 15))


@pytest.mark.campaign
async def test_twin_deliveries_many_times(fleet: Fleet, clients: list[Client], note):
    note(**await twins(fleet, clients, repeated("twins", times=1_000)))


async def test_of_rivals_with_one_key_and_other_content_one_wins_and_the_rest_conflict(
    fleet: Fleet, clients: list[Client], note
):
    journal = Journal()
    for number in range(10):
        rivals = [
            journal.enter(
                "points.granted", f"c-{rival % 2}", {"points": 100 + rival, "reason": "goodwill"}, id=f"one-{number}"
            )
            for rival in range(16)
        ]
        answers = await asyncio.gather(
            *(client.post(entry.body) for client, entry in zip(clients, rivals, strict=True))
        )
        assert Counter(answer.status for answer in answers) == {201: 1, 409: 15}
        winner = rivals[[answer.status for answer in answers].index(201)]
        for entry, answer in zip(rivals, answers, strict=True):
            if answer.status == 409:
                differing = {"/data/points"} | (
                    {"/subject"} if entry.event["subject"] != winner.event["subject"] else set()
                )
                assert set(answer.json()["facts"]["fields"]) == differing
    await verify(Journal([entry for entry in journal.entries if entry.attempts]), fleet.database, alone=False)
    note(rivals=len(journal.entries), conflicts=150)


async def spend_one_balance(fleet: Fleet, clients: list[Client], rounds: int) -> dict[str, int]:
    """64 rivals, each with a redemption of its own, and points for so many of them."""
    journal = Journal()
    for number in range(rounds):
        customer, amount, balance = f"c-{number}", 7 + number % 5, 150 + number
        grant = journal.enter("points.granted", customer, {"points": balance, "reason": "goodwill"})
        await journal.deliver(grant, iter(clients))
        rivals = [
            journal.enter("points.redeemed", customer, {"redemption_id": f"{number}-{rival}", "points": amount})
            for rival in range(64)
        ]
        answers = await at_once(journal, rivals, clients)
        assert Counter(answer.status for answer in answers) == {201: balance // amount, 422: 64 - balance // amount}
        more = journal.enter("points.granted", customer, {"points": 1_000, "reason": "goodwill"})
        await journal.deliver(more, iter(clients))
        again = await at_once(journal, rivals, clients)
        assert Counter(answer.status for answer in again) == {200: balance // amount, 422: 64 - balance // amount}
        assert all(answer.replayed for answer in again)
    await settle(journal, clients)
    return {"rivals": 64 * rounds, **await verify(journal, fleet.database)}


async def test_64_rivals_never_overdraw_a_balance_and_who_was_refused_stays_refused(
    fleet: Fleet, clients: list[Client], note
):
    note(**await spend_one_balance(fleet, clients, 3))


@pytest.mark.campaign
async def test_64_rivals_never_overdraw_many_balances(fleet: Fleet, clients: list[Client], note):
    note(**await spend_one_balance(fleet, clients, repeated("balances", times=200)))


async def test_two_senders_may_use_one_id(fleet: Fleet, clients: list[Client]):
    """The key is the source together with the id."""
    journal = Journal()
    entries = [
        journal.enter("points.granted", "c-1", {"points": 1, "reason": "goodwill"}, id="same", source=f"/till/{number}")
        for number in range(len(clients))
    ]
    answers = await at_once(journal, entries, clients)
    assert Counter(answer.status for answer in answers) == {201: len(clients)}
    await verify(journal, fleet.database)
