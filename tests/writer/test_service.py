"""The facade: programs made, found, published; posts answered in order; ready or not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from structlog.testing import capture_logs

from ledger import store
from ledger.clock import MARK_SECONDS
from ledger.errors import DatabaseUnavailable, FixedAtCreation, FormError, NotPermitted, ProgramUnknown, QueueFull
from ledger.instants import DAY, HOUR, from_datetime, show
from ledger.rules import DEFAULT_DOCUMENT
from ledger.service import Ledger
from ledger.settings import Settings
from tests.builders import purchase, rules
from tests.postgres import Database
from tests.writer.proxy import wire_to
from tests.writer.shop import NOW, Clock, codes, command, grant, receipt_of, until


class Ledgers:
    """Ledgers on one database, as several processes have them."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self.database = database
        self._stack = stack
        self.clock = Clock()

    async def open(self, *, url: str | None = None, works: bool = False, **settings: int) -> Ledger:
        return await self._stack.enter_async_context(
            Ledger.opened(
                Settings(**settings), service_url=url or self.database.service_url, now=self.clock, works=works
            )
        )


@pytest.fixture
async def ledgers(migrated_database: Database) -> AsyncIterator[Ledgers]:
    async with AsyncExitStack() as stack:
        yield Ledgers(migrated_database, stack)


async def test_an_empty_database_gets_the_program_default(ledgers: Ledgers):
    ledger = await ledgers.open()
    assert await ledger.programs() == ["default"]
    document = ledger.program("default").state.rules.latest.document
    assert document.model_dump(mode="json", include=set(DEFAULT_DOCUMENT)) == {
        **document.model_dump(mode="json", include=set(DEFAULT_DOCUMENT)),
        "refunds": DEFAULT_DOCUMENT["refunds"],
    }
    again = await ledgers.open()
    assert again.program("default").state.rules.latest.version == 1


async def test_two_processes_that_start_on_an_empty_database_make_one_program(ledgers: Ledgers):
    first, second = await asyncio.gather(ledgers.open(), ledgers.open())
    assert await first.programs() == await second.programs() == ["default"]
    assert codes([await first.post("default", command(grant(1))), await second.post("default", command(grant(1)))]) == [
        "recorded",
        "recorded",
    ]


async def test_posts_are_answered_in_order_and_errors_among_them_are_passed_through(ledgers: Ledgers):
    ledger = await ledgers.open()
    malformed, forbidden = FormError(), NotPermitted()
    answers = await ledger.post_many(
        "default",
        [malformed, command(grant(1)), forbidden, command(grant(2)), command(purchase("SO-1", 1, "2026-03-01"))],
    )
    assert codes(answers) == ["malformed", "recorded", "forbidden", "recorded", "recorded"]
    assert [answers[place].error for place in (0, 2)] == [malformed, forbidden]
    assert receipt_of(answers[3])["version"] == 2
    assert await ledger.post_many("default", []) == []


async def test_a_program_made_by_another_process_is_found_when_it_is_posted_to(ledgers: Ledgers):
    """Planted bug: knowing only what was there at the start, until the next look."""
    ours, theirs = await ledgers.open(), await ledgers.open()
    published = await theirs.publish("brand-b", rules(), actor="ann")
    assert (published.version, published.document.refunds) == (1, "within_balance")
    with pytest.raises(ProgramUnknown):
        ours.program("brand-b")
    assert codes([await ours.post("brand-b", command(grant(1)))]) == ["recorded"]
    assert ours.program("brand-b").state.rules.latest.version == 1
    with pytest.raises(ProgramUnknown):
        await ours.find("brand-c")


async def test_rules_another_process_published_are_seen_here(ledgers: Ledgers):
    """Also where nothing is posted. Planted bug: looking only at what our own writer has met."""
    ours, theirs = await ledgers.open(), await ledgers.open()
    await theirs.publish("default", {**DEFAULT_DOCUMENT, "backdate_days": 7}, actor="ann")
    await ours.programs()
    assert ours.program("default").state.rules.latest.document.backdate_days == 7


async def test_the_same_document_again_changes_nothing(ledgers: Ledgers):
    ledger = await ledgers.open()
    first = await ledger.publish("default", {**DEFAULT_DOCUMENT, "backdate_days": 7}, actor="ann")
    again = await ledger.publish("default", {"backdate_days": 7, **DEFAULT_DOCUMENT}, actor="bob")
    assert (first.version, again.version) == (2, 2)


async def test_what_was_fixed_at_creation_cannot_be_published_otherwise(ledgers: Ledgers):
    ledger = await ledgers.open()
    with pytest.raises(FixedAtCreation) as refused:
        await ledger.publish("default", {**DEFAULT_DOCUMENT, "program": {"time_zone": "Asia/Shanghai"}}, actor="ann")
    assert refused.value.facts["fields"] == ["/program/time_zone"]
    assert ledger.program("default").state.rules.latest.version == 1


@pytest.mark.parametrize("name", ["", "Default", "-x", "a" * 41, "a/b", "ümlaut"])
async def test_a_name_that_will_not_do_makes_no_program(ledgers: Ledgers, name: str):
    ledger = await ledgers.open()
    with pytest.raises(FormError):
        await ledger.publish(name, rules(), actor="ann")
    assert await ledger.programs() == ["default"]


async def test_a_malformed_document_makes_no_program(ledgers: Ledgers):
    ledger = await ledgers.open()
    with pytest.raises(FormError):
        await ledger.publish("brand-b", {"earning": [{"on": "purchase.recorded"}]}, actor="ann")
    assert await ledger.programs() == ["default"]


async def test_a_full_queue_answers_each_of_the_posts(ledgers: Ledgers):
    ledger = await ledgers.open(queue_commands_max=10)
    first, second = await asyncio.gather(
        ledger.post_many("default", [command(grant(1)) for _ in range(8)]),
        ledger.post_many("default", [command(grant(1)) for _ in range(8)]),
    )
    assert codes(first) == ["recorded"] * 8
    assert codes(second) == ["queue_full"] * 8
    assert isinstance(second[0].error, QueueFull)


async def test_it_is_ready_while_the_database_is_and_not_else(ledgers: Ledgers):
    """And it recovers unaided. Planted bug: an answer from what was so at the start."""
    async with wire_to(ledgers.database) as wire:
        ledger = await ledgers.open(url=wire.url)
        assert await ledger.ready() == dict.fromkeys(
            ("migrated", "encoding", "durable", "primary", "writers"), True
        ) | {
            "durable": False  # the tests' clusters do not flush
        }
        wire.break_off()
        assert set((await ledger.ready()).values()) == {False}
        answer = await ledger.post("default", command(grant(1)))
        assert isinstance(answer.error, DatabaseUnavailable)
        wire.mend()
        posted = command(grant(1))
        while (await ledger.post("default", posted)).error is not None:
            await asyncio.sleep(0)
        assert (await ledger.ready())["writers"]


async def test_those_who_follow_are_woken_by_every_append(ledgers: Ledgers):
    """Also the stock library's subscriptions, which never poll."""
    ledger = await ledgers.open()
    program = ledger.program("default")
    appended: list[tuple[int, int]] = []
    ledger.on_append = lambda log_id, position: appended.append((log_id, position))
    woken: list[str] = []
    listener = await asyncpg.connect(ledgers.database.service_url)
    await listener.add_listener(store.stock_view("default"), lambda *said: woken.append(said[2]))
    answer = await ledger.post("default", command(grant(1)))
    await until(lambda: bool(woken and appended))
    assert appended[-1] == (program.log_id, receipt_of(answer)["position"] + 1)
    await listener.close()


async def test_time_and_policies_work_by_themselves(ledgers: Ledgers):
    ledger = await ledgers.open(works=True)
    await ledger.post("default", command(grant(5, expires_at="2026-03-01T13:00:00Z")))
    ledgers.clock.shows = NOW + 3_600_000_000
    program = ledger.program("default")
    while True:
        log = (await store.read_logs(ledger.pool, [program.log_id]))[program.log_id]
        if log.next_position == 4:
            break
        await asyncio.sleep(0.01)


async def test_an_event_for_a_program_without_rules_is_for_nobody(ledgers: Ledgers):
    """A log whose first rules were never published, since the process that made it ended."""
    ledger = await ledgers.open()
    async with ledger.pool.acquire() as conn:
        await store.create_log(conn, "half-made")
    with pytest.raises(ProgramUnknown):
        await ledger.post("half-made", command(grant(1)))
    assert await ledger.programs() == ["default"]
    assert (await ledger.publish("half-made", rules(), actor="ann")).version == 1
    assert codes([await ledger.post("half-made", command(grant(1)))]) == ["recorded"]


async def test_more_programs_at_work_than_connections(ledgers: Ledgers):
    """Clocks and writers of many programs wake at the same moment, and none waits for what another keeps.

    Planted bug: a clock that keeps a connection of the pool from which its writer needs one.
    """
    ledger = await ledgers.open(works=True)
    names = [f"brand-{number}" for number in range(40)]
    for name in names:
        await ledger.publish(name, rules(), actor="ann")
    with capture_logs() as lines:
        for _ in range(2):
            due = show(ledgers.clock() + HOUR)
            sent = [
                ledger.post_many(name, [command(grant(10, time=ledgers.clock(), expires_at=due)) for _ in range(5)])
                for name in names
            ]
            answers = await asyncio.gather(*sent)
            assert {code for some in answers for code in codes(some)} == {"recorded"}
            ledgers.clock.shows += DAY
            await _clocks_ran(ledger, ledgers.clock() - MARK_SECONDS)
    assert not lines


async def _clocks_ran(ledger: Ledger, through: int) -> None:
    """Wait until every program's clock has written what was due by an instant."""
    while True:
        async with ledger.pool.acquire() as conn:
            logs = await store.list_logs(conn)
        if all(log.due_through is not None and from_datetime(log.due_through) >= through for log in logs):
            return
        await asyncio.sleep(0.05)
