"""Referrals across streams: each side gets what is due to it exactly once, wherever the policy is killed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ledger import store
from ledger.answers import Answer
from ledger.deciding import Command
from ledger.errors import QueueFull
from ledger.policies import referring
from ledger.policies.referring import Referring
from ledger.records import Record
from tests.builders import Event, purchase, refunded, rules, signed_up
from tests.postgres import Database
from tests.writer.shop import PROGRAM, Shop, codes, command, open_shop

REWARDS = {"referrer": [{"from_count": 1, "points": 100}], "referred": 50, "budget": {"name": "all", "points": 1000}}
NO_POINTS = {"id": "base", "on": "purchase.recorded", "points_per_unit": "0.0001"}


@pytest.fixture
async def shop(migrated_database: Database) -> AsyncIterator[Shop]:
    opened = await open_shop(migrated_database.service_url, document=rules(NO_POINTS, referral=REWARDS))
    try:
        yield opened
        await opened.check()
    finally:
        await opened.stop()
        await opened.pool.close()


def policy(shop: Shop) -> Referring:
    """The policy as a process that has just started has it."""
    writer = shop.writers[-1]
    return Referring(shop.pools[-1], shop.log_id, PROGRAM, writer, lambda: writer.program.state)


async def post(shop: Shop, *posted: tuple[str, Event]) -> None:
    answers = await shop.writers[-1].post([command(event, customer) for customer, event in posted])
    assert codes(answers) == ["recorded"] * len(posted)


async def types(shop: Shop, customer: str) -> list[str]:
    return [record.type for record in await shop.records(customer)]


async def budget(shop: Shop) -> int:
    async with shop.pool.acquire() as conn:
        return (await store.read_counters(conn, shop.log_id))["referral:all"].used


BROUGHT = (
    ("c-1", signed_up("2026-01-01")),
    ("c-2", signed_up("2026-01-02", referred_by="c-1")),
    ("c-2", purchase("SO-1", 1000, "2026-01-03")),
)


async def test_both_sides_are_rewarded_and_what_they_got_is_taken_back(shop: Shop):
    await shop.writer()
    await post(shop, *BROUGHT)
    assert await policy(shop).run_once() == 2
    assert (await shop.points("c-1"), await shop.points("c-2"), await budget(shop)) == (100, 50, 150)
    await post(shop, ("c-2", refunded("SO-1", 1000, "2026-01-04")))
    assert await policy(shop).run_once() == 1
    assert (await shop.points("c-1"), await shop.points("c-2"), await budget(shop)) == (0, 0, 0)
    assert await types(shop, "c-1") == ["customer.signed_up", "referral.noted", "referral.rewarded", "referral.revoked"]


async def test_what_is_posted_names_its_cause(shop: Shop):
    await shop.writer()
    await post(shop, *BROUGHT)
    await policy(shop).run_once()
    qualified = next(record for record in await shop.records("c-2") if record.type == "referral.qualified")
    reward = next(record for record in await shop.records("c-1") if record.type == "referral.rewarded")
    assert reward.cause == {"source": qualified.source, "id": qualified.id}
    assert (reward.time, reward.actor) == (qualified.time, "ledger:referral")


async def test_a_policy_that_begins_again_from_nothing_changes_nothing(shop: Shop):
    """Planted bug: ids made by chance."""
    await shop.writer()
    await post(shop, *BROUGHT)
    await policy(shop).run_once()
    length = await shop.log_length()
    again = policy(shop)
    again.position = 0
    assert await again.run_once() == 2
    assert await shop.log_length() == length


class Killed(Exception):
    """Where the process ends."""


async def test_killed_between_any_two_steps_it_ends_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Each life lasts a command longer than the one before, then a new one begins from what is in the database.

    Planted bug: the position kept before what was found is answered.
    """
    writer = await shop.writer()
    steps = 0

    async def post_one_by_one(commands: list[Command]) -> list[Answer]:
        nonlocal steps
        answers = []
        for one in commands:
            if steps == 0:
                raise Killed
            steps -= 1
            answers += await write([one])
        return answers

    write = writer.post
    await post(shop, *BROUGHT, ("c-2", refunded("SO-1", 400, "2026-01-04")))
    await post(shop, ("c-3", purchase("SO-3", 500, "2026-01-05", referred_by="c-1")))
    await post(shop, ("c-3", refunded("SO-3", 500, "2026-01-06", refund="RF-3")))
    monkeypatch.setattr(writer, "post", post_one_by_one)
    lives, ended = 0, False
    while not ended:
        steps = lives
        lives += 1
        try:
            await policy(shop).run_once()
            ended = True
        except Killed:
            pass
    monkeypatch.undo()
    assert lives == 9  # noted twice, rewarded four times, revoked twice: eight steps, and the life that came through
    assert (await shop.points("c-1"), await shop.points("c-2"), await shop.points("c-3")) == (100, 50, 0)
    assert (await types(shop, "c-1")).count("referral.rewarded") == 2


async def test_two_processes_at_once_do_it_once(shop: Shop):
    await shop.writer()
    await post(shop, *BROUGHT)
    first = policy(shop)
    await shop.writer()
    await asyncio.gather(first.run_once(), policy(shop).run_once())
    assert (await shop.points("c-1"), await shop.points("c-2")) == (100, 50)


async def test_a_full_queue_is_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Planted bug: the position moved past what was not posted."""
    writer = await shop.writer()
    await post(shop, *BROUGHT)
    at_work = policy(shop)

    async def full(_: Any) -> list[Answer]:
        raise QueueFull

    with monkeypatch.context() as broken:
        broken.setattr(writer, "post", full)
        with pytest.raises(QueueFull):
            await at_work.run_once()
    await at_work.run_once()
    assert await shop.points("c-1") == 100


async def test_a_referrer_who_signs_up_later_gets_what_waited(shop: Shop):
    """The till of the referrer was offline. Planted bug: a final refusal."""
    await shop.writer()
    await post(shop, *BROUGHT[1:])
    await policy(shop).run_once()
    assert await types(shop, "c-1") == []
    await post(shop, BROUGHT[0])
    assert await shop.retrying().run_once() == 2
    assert await shop.points("c-1") == 100
    reward = (await shop.records("c-1"))[-1]
    assert reward.cause is not None


@pytest.mark.parametrize("at_a_time", [True, False])
async def test_a_loop_over_three_is_found_and_one_of_them_ended(shop: Shop, *, at_a_time: bool):
    """c-1 brings c-2, c-2 brings c-3, c-3 is to have brought c-1. Planted bug: the walk up stopped after one."""
    await shop.writer()
    await post(shop, ("c-1", signed_up("2026-01-01")))
    for step in (
        ("c-2", signed_up("2026-01-02", referred_by="c-1")),
        ("c-3", signed_up("2026-01-03", referred_by="c-2")),
        ("c-1", purchase("SO-1", 100, "2026-01-04", referred_by="c-3")),
    ):
        await post(shop, step)
        if at_a_time:
            await policy(shop).run_once()
    await policy(shop).run_once()
    revoked = [name for name in ("c-1", "c-2", "c-3") if await _standing(shop, name) == "revoked"]
    assert revoked == ["c-1"]
    again = policy(shop)
    again.position = 0
    length = await shop.log_length()
    await again.run_once()
    assert await shop.log_length() == length


async def test_two_who_name_each_other_at_once_end_as_no_loop(shop: Shop):
    await shop.writer()
    await post(
        shop, ("c-1", signed_up("2026-01-01", referred_by="c-2")), ("c-2", signed_up("2026-01-01", referred_by="c-1"))
    )
    await policy(shop).run_once()
    standing = {await _standing(shop, name) for name in ("c-1", "c-2")}
    assert standing == {"made", "revoked"}


async def _standing(shop: Shop, customer: str) -> str | None:
    """What became of a customer's own referral: the last record of it says."""
    records = [one for one in await shop.records(customer) if _is_of_its_own(one)]
    return records[-1].type.removeprefix("referral.") if records else None


def _is_of_its_own(record: Record) -> bool:
    own = record.type in referring.FOLLOWED
    return own or (record.type == "referral.revoked" and record.data["role"] == "referred")
