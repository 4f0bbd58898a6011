"""A multiplier of a hundred instead of ten, live for three hours: after the correction it is as if it had never been."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from ledger.adjustments import outcomes, register
from ledger.approving import ORDERS
from ledger.correcting import Outcome, survey, totals, tried
from ledger.corrections import read_order
from ledger.deciding import Command
from ledger.deciding.correcting import adjustment
from ledger.errors import Refused
from ledger.heads import read_program
from ledger.instants import MINUTE, show
from ledger.policies.correcting import Correcting
from ledger.program import ProgramState
from ledger.records import program_stream_id
from ledger.rules import read_document
from ledger.trial import Trial, ruled_by
from tests.builders import Event, at, earns, purchase, redeemed, refunded, rules
from tests.postgres import Database
from tests.writer.shop import PROGRAM, Shop, codes, command, open_shop

BASE, TEN = earns("1"), {"id": "week", "on": "purchase.recorded", "multiply": "10"}
RIGHT, WRONG = rules(BASE, TEN), rules(BASE, {**TEN, "multiply": "100"})
OPENS, CLOSES = at("2026-03-05T10:00"), at("2026-03-05T13:00")
END = at("2026-03-10")
WINDOW = {"from": show(OPENS), "until": show(CLOSES), "reason": "a hundred for ten"}
AS_RULES = {**WINDOW, "as_rules": 1}
BEGIN = at("2026-03-03")
CUSTOMERS = 60

Posted = tuple[str, Event]


def history(seed: int = 1) -> list[Posted]:
    """What customers do around the three hours, in order of time: they buy, bring back, and spend what they see."""
    dice = random.Random(seed)
    posted: list[Posted] = []
    for number in range(CUSTOMERS):
        name, time, orders = f"c-{number}", OPENS - 120 * MINUTE, dict[str, int]()
        for step in range(dice.randrange(3, 12)):
            time += dice.randrange(5, 90) * MINUTE
            what = dice.random()
            if what < 0.6 or not orders:
                total = dice.randrange(1, 300_00)
                orders[f"SO-{number}-{step}"] = total
                posted.append((name, purchase(f"SO-{number}-{step}", total, time)))
            elif what < 0.8:
                order, total = orders.popitem()
                part = dice.choice([total, max(1, total // 3)])
                posted.append((name, refunded(order, part, time, refund=f"RF-{number}-{step}")))
            else:
                posted.append((name, redeemed(f"R-{number}-{step}", dice.randrange(1, 6_000), time)))
    return sorted(posted, key=lambda one: one[1].time)


async def publish(shop: Shop, document: dict[str, Any], time: int) -> None:
    shop.clock.shows = time
    await shop.writers[-1].post([command(Event("program.published", time, {"document": document}))])


async def live_through(shop: Shop, posted: list[Posted]) -> list[Posted]:
    """Post a history while the rules change twice; what was not refused."""
    await shop.writer()
    stages = ((0, OPENS, None), (OPENS, CLOSES, WRONG), (CLOSES, END, RIGHT))
    taken = []
    for begins, ends, document in stages:
        if document is not None:
            await publish(shop, document, begins)
        events = [one for one in posted if begins <= one[1].time < ends]
        shop.clock.shows = ends
        answers = await shop.writers[-1].post([command(event, name) for name, event in events])
        taken += [one for one, answer in zip(events, answers, strict=True) if answer.error is None]
    shop.clock.shows = END
    return taken


def without_the_mistake(posted: list[Posted]) -> dict[str, int]:
    """Points of a ledger that never had the mistake; it refuses what was paid with points it never gave."""
    trial = Trial(PROGRAM, ruled_by(ProgramState(), read_document(RIGHT)))
    for name, event in posted:
        trial.now = event.time
        with suppress(Refused):
            trial.post(command(event, name))
    trial.now = END
    for name in trial.accounts:
        trial.advance(name, END)
    return {name: account.balances()["points"] for name, account in trial.accounts.items()}


async def state_of(shop: Shop) -> ProgramState:
    async with shop.pool.acquire() as conn:
        return (await read_program(conn, shop.log_id, program_stream_id(PROGRAM), None)).state


async def surveyed(shop: Shop, content: dict[str, Any]) -> list[Outcome]:
    """A dry run."""
    kept = read_order(content, versions=3, refunds="within_balance", now=END)
    order = tried(kept, END)
    found = survey(shop.pool, shop.log_id, PROGRAM, await state_of(shop), order, now=END)
    return [outcome async for outcome in found]


async def give_order(shop: Shop, content: dict[str, Any], number: str = "O-1") -> None:
    given = Command(
        source=ORDERS,
        id=number,
        type="correction.ordered",
        subject=PROGRAM,
        time=END,
        data={"order": content},
        actor="ann",
    )
    assert codes(await shop.writers[-1].post([given])) == ["recorded"]


def policy(shop: Shop) -> Correcting:
    """The policy as a process that has just started has it."""
    writer = shop.writers[-1]
    return Correcting(shop.pools[-1], shop.log_id, PROGRAM, writer, lambda: writer.program.state, now=shop.clock)


async def points(shop: Shop) -> dict[str, int]:
    return {f"c-{number}": await shop.points(f"c-{number}") for number in range(CUSTOMERS)}


@pytest.fixture
async def shop(migrated_database: Database) -> AsyncIterator[Shop]:
    opened = await open_shop(migrated_database.service_url, document=RIGHT)
    opened.clock.shows = BEGIN
    try:
        yield opened
        await opened.check()
    finally:
        await opened.stop()
        await opened.pool.close()


@pytest.mark.parametrize("wanted", [{"as_rules": 1}, {"factor": "1/11", "rule": "week"}], ids=["rules", "factor"])
async def test_everybody_has_what_a_ledger_without_the_mistake_gives_unless_it_is_spent(
    shop: Shop, wanted: dict[str, Any]
):
    """A multiplier of 100 adds 99, one of 10 adds 9: a factor of 1/11 of what rule `week` gave comes to the same.

    Planted: the adjustment for the purchases alone, their refunds left as they were.
    """
    posted = await live_through(shop, history())
    expected = without_the_mistake(posted)
    before = await points(shop)
    content = {**WINDOW, **wanted}
    log_length = await shop.log_length()
    said = {one.customer: one for one in await surveyed(shop, content)}
    assert await shop.log_length() == log_length
    await give_order(shop, content)
    adjusted = await policy(shop).run_once()
    after = await points(shop)
    assert after == {name: before[name] + (said[name].change if name in said else 0) for name in before}
    wrong = {name for name in expected if after[name] != expected[name]}
    spent = {name for name, one in said.items() if one.spent}
    assert wrong <= spent
    assert (adjusted, totals(said.values())["customers"]) == (len(said), len(said))
    set_right = {name for name in said if before[name] != expected[name]} - wrong
    assert (len(said), len(spent), len(set_right)) == (58, 18, 44)
    assert len(expected.keys() - said.keys() - wrong) == CUSTOMERS - 58


async def corrected_once(shop: Shop) -> dict[str, int]:
    await live_through(shop, history())
    await give_order(shop, AS_RULES)
    await policy(shop).run_once()
    return await points(shop)


async def test_carried_out_again_it_changes_nothing(shop: Shop):
    """Planted: ids made by chance."""
    after, length = await corrected_once(shop), await shop.log_length()
    assert await policy(shop).unfinished() == []
    order = (await state_of(shop)).corrections["O-1"]
    adjusted = [name for name in after if (await shop.records(name))[-1].type == "points.adjusted"]
    answers = await shop.writers[-1].post([adjustment(order, name) for name in adjusted])
    assert codes(answers) == ["replayed"] * 58
    assert (await points(shop), await shop.log_length()) == (after, length)


async def test_two_processes_at_once_adjust_everybody_once(shop: Shop):
    await live_through(shop, history())
    await give_order(shop, AS_RULES)
    first = policy(shop)
    await shop.writer()
    await asyncio.gather(first.run_once(), policy(shop).run_once())
    for number in range(CUSTOMERS):
        types = [record.type for record in await shop.records(f"c-{number}")]
        assert types.count("points.adjusted") <= 1


async def test_the_register_says_who_when_how_much_why(shop: Shop):
    await live_through(shop, history())
    await give_order(shop, {**AS_RULES, "ticket": "T-1"})
    said = {one.customer: one for one in await surveyed(shop, AS_RULES)}
    await policy(shop).run_once()
    state, last = await state_of(shop), await shop.log_length()
    async with shop.pool.acquire() as conn:
        entries = await register(conn, shop.log_id, PROGRAM, state, after=0, up_to=last, limit=1000, correction="O-1")
        mine = await register(conn, shop.log_id, PROGRAM, state, after=0, up_to=last, limit=1000, customer="c-3")
        told = {one.customer: one for one in await outcomes(conn, shop.log_id, state.corrections["O-1"], up_to=last)}
    assert {entry["customer"]: entry["points"] for entry in entries} == {name: one.change for name, one in said.items()}
    assert {(entry["actor"], entry["reason"], entry["ticket"]) for entry in entries} == {
        ("ann", "a hundred for ten", "T-1")
    }
    assert mine == [entry for entry in entries if entry["customer"] == "c-3"]
    assert told == said


async def test_a_closed_account_is_left_as_it_is_and_named(shop: Shop):
    await live_through(shop, history())
    shop.clock.shows = END
    closing = command(Event("customer.closed", END, {"reason": "asked to leave"}), "c-3")
    assert codes(await shop.writers[-1].post([closing])) == ["recorded"]
    assert [one for one in await surveyed(shop, AS_RULES) if one.refused] == [Outcome("c-3", refused="customer_closed")]
    await give_order(shop, AS_RULES)
    await policy(shop).run_once()
    assert (await policy(shop).unfinished(), await shop.points("c-3")) == ([], 0)


_LIFE = """
import os, signal, sys
from ledger.policies import correcting
from api.cli import main

correcting.POSTED_AT_ONCE, left = 1, int(sys.argv.pop(1))
post = correcting.Correcting._post

async def dying(self, order, outcomes):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return await post(self, order, outcomes)

correcting.Correcting._post = dying
main()
"""


@pytest.mark.slow
async def test_killed_between_any_two_customers_and_started_again_it_ends_the_same(shop: Shop, tmp_path):
    """`ledger correct --apply`, killed with SIGKILL after 0, 7, 14 … customers, started again with the same arguments.

    Planted: the order marked as done before its customers; the second life adjusted nobody.
    """
    posted = await live_through(shop, history())
    said = {one.customer: one.change for one in await surveyed(shop, AS_RULES)}
    before = await points(shop)
    await shop.stop()
    arguments = ["correct", "--from", AS_RULES["from"], "--until", AS_RULES["until"], "--reason", AS_RULES["reason"]]
    environment = {**os.environ, "LEDGER_DATABASE_URL": shop.url, "LEDGER_DATA_DIR": str(tmp_path)}
    lives, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        life = [sys.executable, "-c", _LIFE, str(7), *arguments, "--as-rules", "1", "--apply", "--json"]
        done = await asyncio.create_subprocess_exec(
            *life, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said_at_last, complaint = await done.communicate()
        lives, status = lives + 1, done.returncode
    assert status == 0, complaint
    assert lives == 9  # 58 customers, seven a life
    assert {one["customer"]: one["change"] for one in json.loads(said_at_last)["customers"]} == said
    assert await points(shop) == {name: before[name] + said.get(name, 0) for name in before}
    assert len((await state_of(shop)).corrections) == 1
    assert len(posted) > CUSTOMERS
