"""Points passed between customers by several writers at once: never overdrawn, nothing lost, the sum constant.

Every test ends with a check of the whole ledger: what left one customer's lots is in another's, to the last point.
"""

import asyncio
import random
from collections import Counter

import pytest

from ledger.deciding import Command
from ledger.instants import show
from ledger.writer import Writer
from tests.builders import event, published, rules
from tests.writer.shop import NOW, Shop, codes, command, grant, receipt_of, redeem, soon

RIVALS = 64
ALLOWED = rules(transfers={})


def transfer(number: object, points: int, sender: str, receiver: str, **more: object) -> Command:
    posted = event("points.transferred", show(NOW), transfer_id=f"T-{number}", points=points, to=receiver)
    return command(posted, sender, **more)


async def opened(shop: Shop, *grants: tuple[str, int], processes: int) -> list[Writer]:
    """Writers, the rule that lets customers transfer, and what the customers begin with."""
    writers = [await shop.writer(batch_commands_max=50) for _ in range(processes)]
    assert codes(await writers[0].post([command(published(ALLOWED, NOW))])) == ["recorded"]
    begun = await writers[0].post([command(grant(points), customer) for customer, points in grants])
    assert codes(begun) == ["recorded"] * len(grants)
    return writers


async def test_a_receipt_shows_what_the_transfer_did_to_both_and_is_given_again(shop: Shop) -> None:
    """Against: a receipt of one half only, or another one when it is read back from the log."""
    (writer,) = await opened(shop, ("a", 100), ("b", 5), processes=1)
    posted = transfer(1, 60, "a", "b")
    (answer,) = await writer.post([posted])
    first = receipt_of(answer)
    assert (first["subject"], first["balances"]) == ("a", {"points": 40})
    assert [(one["type"], one["subject"], one["version"]) for one in first["records"]] == [
        ("points.transferred", "a", 2),
        ("points.transferred", "b", 2),
    ]
    (half,) = first["others"]
    assert (half["subject"], half["version"], half["balances"]) == ("b", 2, {"points": 65})
    assert half["postings"][0]["lot"] == "2.1"
    (again,) = await writer.post([posted])
    assert receipt_of(again) == {**first, "status": "replayed"}


@pytest.mark.parametrize("processes", [1, 4])
async def test_64_rivals_transferring_one_balance_away_never_overdraw_it(shop: Shop, processes: int) -> None:
    """1,000 points, 10 at a time, to 64 receivers: exactly 100 succeed. Planted: heads not compared."""
    receivers = [f"r-{number}" for number in range(RIVALS)]
    writers = await opened(shop, ("a", 1000), *((name, 1) for name in receivers), processes=processes)

    async def asks(rival: int) -> list[str]:
        said = []
        for number in range(3):
            wanted = transfer(f"{rival}-{number}", 10, "a", receivers[rival])
            said += codes(await writers[rival % processes].post([wanted]))
        return said

    said = Counter(code for each in await asyncio.gather(*map(asks, range(RIVALS))) for code in each)
    assert said == {"recorded": 100, "insufficient_points": 3 * RIVALS - 100}
    assert await shop.points("a") == 0
    assert sum([await shop.points(name) for name in receivers]) == 1000 + RIVALS


@pytest.mark.parametrize("processes", [1, 2, 4])
async def test_transfers_that_cross_all_arrive_and_none_waits_for_another(shop: Shop, processes: int) -> None:
    """A to B and B to A at once, over and over. Planted: the head in flight moved on the sender's stream only."""
    writers = await opened(shop, ("a", 500), ("b", 500), processes=processes)
    there = [transfer(f"ab-{number}", 5, "a", "b") for number in range(100)]
    back = [transfer(f"ba-{number}", 5, "b", "a") for number in range(100)]
    both = [one for pair in zip(there, back, strict=True) for one in pair]
    answers = await soon(asyncio.gather(*(writers[n % processes].post([one]) for n, one in enumerate(both))))
    assert Counter(code for each in answers for code in codes(each)) == {"recorded": 200}
    assert [await shop.points(name) for name in ("a", "b")] == [500, 500]


@pytest.mark.parametrize("processes", [1, pytest.param(4, marks=pytest.mark.slow)])
async def test_the_sum_over_customers_is_constant_whatever_is_passed_around(shop: Shop, processes: int) -> None:
    """A ring of few customers who grant, redeem and pass on at random, in batches.

    Against: one half of a unit appended, or put back, without the other.
    """
    dice = random.Random(processes)
    names = [f"c-{number}" for number in range(5)]
    writers = await opened(shop, *((name, 100) for name in names), processes=processes)
    posts: list[list[Command]] = [[] for _ in writers]
    for number in range(400):
        sender, receiver = dice.sample(names, 2)
        kind = dice.random()
        if kind < 0.7:
            one = transfer(number, dice.randrange(1, 60), sender, receiver)
        elif kind < 0.85:
            one = command(grant(dice.randrange(1, 20)), sender)
        else:
            one = command(redeem(f"RD-{number}", dice.randrange(1, 40)), sender)
        posts[number % processes].append(one)

    async def send(writer: Writer, commands: list[Command]) -> list[tuple[Command, str]]:
        said = []
        for start in range(0, len(commands), 20):
            part = commands[start : start + 20]
            said += list(zip(part, codes(await writer.post(part)), strict=True))
        return said

    each = await soon(asyncio.gather(*(send(*one) for one in zip(writers, posts, strict=True))))
    expected = Counter(dict.fromkeys(names, 100))
    for one, code in (answer for said in each for answer in said):
        assert code in {"recorded", "insufficient_points"}
        if code == "recorded":
            points = one.data["points"]
            expected[one.subject] += points if one.type == "points.granted" else -points
            if one.type == "points.transferred":
                expected[one.data["to"]] += points
    assert {name: await shop.points(name) for name in names} == dict(expected)
    assert min(expected.values()) >= 0


async def test_what_is_passed_on_in_one_batch_is_there_for_the_next_to_pass_on(shop: Shop) -> None:
    """Planted: the head in flight moved on the sender's stream only."""
    (writer,) = await opened(shop, ("c-0", 10), *((f"c-{number}", 1) for number in range(1, 9)), processes=1)
    chain = [transfer(number, 10 + number, f"c-{number}", f"c-{number + 1}") for number in range(8)]
    assert codes(await writer.post(chain)) == ["recorded"] * 8
    assert await shop.points("c-8") == 18


async def test_two_senders_of_one_transfer_move_the_points_once(shop: Shop) -> None:
    """Against: the second one refused for want of the points the first has just taken."""
    (writer,) = await opened(shop, ("a", 10), ("b", 1), processes=1)
    posted = event("points.transferred", show(NOW), transfer_id="T-1", points=10, to="b")
    answers = await writer.post([command(posted, "a"), command(posted, "a")])
    assert codes(answers) == ["recorded", "replayed"]
    assert await shop.points("b") == 11
