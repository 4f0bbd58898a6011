"""The clock: writes what a reader already sees, once, whoever runs it, while posts go on."""

import asyncio
import random

import psycopg

from ledger import store
from ledger.account import fold
from ledger.clock import Clock as LedgerClock
from ledger.instants import DAY, HOUR, SECOND, from_datetime, show
from ledger.writer import Writer
from tests.postgres import Database
from tests.writer.shop import NOW, Shop, codes, command, grant, redeem, soon, until

EXPIRES = NOW + HOUR


def _clock(shop: Shop, writer: Writer) -> LedgerClock:
    return LedgerClock(shop.pools[shop.writers.index(writer)], shop.log_id, writer, now=shop.clock)


async def _due_through(shop: Shop) -> int | None:
    async with shop.pool.acquire() as conn:
        due_through = (await store.read_logs(conn, [shop.log_id]))[shop.log_id].due_through
    return None if due_through is None else from_datetime(due_through)


async def test_what_has_fallen_due_is_written_once(shop: Shop):
    """Planted bug: the instant of expiry itself left out, so that the stream is found due for ever."""
    writer = await shop.writer()
    clock = _clock(shop, writer)
    await writer.post([command(grant(10, expires_at=show(EXPIRES)), f"c-{n}") for n in range(5)])
    shop.clock.shows = EXPIRES - 1
    assert await clock.run_once() == 0
    shop.clock.shows = EXPIRES
    assert await clock.run_once() == 5
    assert await clock.run_once() == 0
    records = await shop.records("c-3")
    assert [(record.type, record.version, record.time) for record in records[1:]] == [("points.expired", 2, EXPIRES)]
    assert await shop.points("c-3") == 0


async def test_two_clocks_at_once_change_nothing_twice(shop: Shop):
    """Ids, heads and the unique version keep it so, each by itself: one of them planted away changes nothing."""
    writers = [await shop.writer() for _ in range(2)]
    await writers[0].post([command(grant(10, expires_at=show(EXPIRES)), f"c-{n}") for n in range(200)])
    shop.clock.shows = EXPIRES
    await asyncio.gather(*(_clock(shop, writer).run_once() for writer in writers))
    assert await shop.log_length() == 401
    assert {len(await shop.records(f"c-{n}")) for n in (0, 77, 199)} == {2}


async def test_a_clock_and_posts_on_the_same_customers_agree(shop: Shop):
    """Two clocks run while two writers post to streams that fall due; nothing is lost, doubled, or deadlocked."""
    dice = random.Random(3)
    writers = [await shop.writer(batch_commands_max=20) for _ in range(2)]
    done = asyncio.Event()

    async def run(writer: Writer) -> None:
        clock = _clock(shop, writer)
        while not done.is_set():
            await clock.run_once()
            shop.clock.shows += SECOND
            await asyncio.sleep(0)

    async def post(writer: Writer, number: int) -> None:
        for n in range(30):
            shop.clock.shows += SECOND
            now = shop.clock()
            posts = [
                command(
                    grant(5, time=now, expires_at=show(now + dice.randrange(1, 40) * SECOND)), f"c-{dice.randrange(6)}"
                ),
                command(redeem(f"RD-{number}-{n}", 3, time=now), f"c-{dice.randrange(6)}"),
            ]
            assert set(codes(await writer.post(posts))) <= {"recorded", "insufficient_points"}

    clocks = [asyncio.create_task(run(writer)) for writer in writers]
    await asyncio.gather(*(post(writer, number) for number, writer in enumerate(writers)))
    done.set()
    await asyncio.gather(*clocks)
    shop.clock.shows += HOUR
    await _clock(shop, writers[0]).run_once()
    assert [await shop.points(f"c-{n}") for n in range(6)] == [0] * 6


async def test_the_clock_takes_a_quarter_of_a_batch_at_most_while_posts_wait(shop: Shop, monkeypatch):
    """Planted bug: first come, first served, which lets a month end hold up the tills."""
    writer = await shop.writer(batch_commands_max=40)
    await writer.post([command(grant(10, expires_at=show(EXPIRES)), f"c-{n}") for n in range(200)])
    shop.clock.shows = EXPIRES
    shares = []
    append = store.append

    async def watched(conn, **batch):
        units = batch["units"]
        due = sum(unit.records[-1].type == "points.expired" for unit in units if unit.records)
        shares.append((due, len(units)))
        return await append(conn, **batch)

    monkeypatch.setattr(store, "append", watched)
    running = asyncio.create_task(_clock(shop, writer).run_once())
    await until(lambda: bool(writer._waiting._advances))
    posts = [command(grant(1, time=EXPIRES), f"d-{n}") for n in range(200)]
    assert codes(await writer.post(posts)) == ["recorded"] * 200
    await running
    mixed = [(due, size) for due, size in shares if 0 < due < size]
    assert mixed
    assert all(due <= 10 for due, _ in mixed[:-1])


async def test_due_through_says_before_when_nothing_is_unwritten(shop: Shop):
    """It moves when all that is due is written, and an append that makes something due earlier takes it back."""
    writer = await shop.writer()
    clock = _clock(shop, writer)
    await writer.post([command(grant(10, expires_at=show(EXPIRES)))])
    shop.clock.shows = EXPIRES + DAY
    await clock.run_once()
    assert await _due_through(shop) == EXPIRES + DAY
    late = command(grant(3, time=NOW, expires_at=show(EXPIRES + HOUR)), "c-2")
    assert codes(await writer.post([late])) == ["recorded"]
    assert await _due_through(shop) == EXPIRES + HOUR
    shop.clock.shows += DAY
    await clock.run_once()
    assert await _due_through(shop) == EXPIRES + 2 * DAY


async def test_a_due_instant_that_was_early_is_corrected(shop: Shop, migrated_database: Database):
    """As the head of a half-stale batch has it. Planted bug: looking at that stream again for ever."""
    writer = await shop.writer()
    await writer.post([command(grant(10, expires_at=show(EXPIRES)))])
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE streams SET due_at = '2020-01-01', state = NULL, state_schema = 0 WHERE version = 1 AND customer_id = 'c-1'"
        )
    shop.clock.shows = EXPIRES - 1
    await soon(_clock(shop, await shop.writer()).run_once())
    with psycopg.connect(migrated_database.superuser_url) as connection:
        row = connection.execute("SELECT due_at, state IS NULL FROM streams WHERE customer_id = 'c-1'").fetchone()
    assert row is not None
    assert (from_datetime(row[0]), row[1]) == (EXPIRES, False)


async def test_a_stream_that_cannot_be_read_does_not_stop_the_others(shop: Shop, migrated_database: Database):
    """`due_through` stays before it. Planted bug: the first unreadable stream ends the round."""
    writer = await shop.writer()
    await writer.post([command(grant(10, expires_at=show(EXPIRES)), f"c-{n}") for n in range(3)])
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE events SET record = replace(record::text, 'points.granted', 'points.unheard_of')::json "
            "WHERE record->>'subject' = 'c-1'"
        )
        connection.execute("UPDATE streams SET state_schema = 0, state = NULL WHERE customer_id = 'c-1'")
    shop.clock.shows = EXPIRES + SECOND
    clock = _clock(shop, await shop.writer())
    assert await clock.run_once() == 2
    assert [len(await shop.stored(f"c-{n}")) for n in range(3)] == [2, 1, 2]
    assert await _due_through(shop) is None
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE events SET record = replace(record::text, 'points.unheard_of', 'points.granted')::json"
        )


async def test_a_held_clock_of_another_process_does_not_run(shop: Shop):
    """An import holds it, and lets it go only as far as it has posted. Planted bug: the lock of one process only."""
    ours, theirs = [_clock(shop, await shop.writer()) for _ in range(2)]
    await shop.writers[0].post([command(grant(10, expires_at=show(EXPIRES)))])
    shop.clock.shows = EXPIRES + DAY
    async with ours.held():
        await theirs._run_if_free()
        assert await shop.log_length() == 2
        await ours.run_once(EXPIRES - 1)
        assert await shop.log_length() == 2
    await theirs._run_if_free()
    assert await shop.log_length() == 3


async def test_whether_the_clock_has_run_changes_no_account(shop: Shop):
    """The same events with the clock run every half hour, every two hours, or never, end in the same account at every `as_of`.

    Planted bug: expiry at the clock's now.
    """
    events = [
        (grant(10, time=NOW, expires_at=show(NOW + 2 * HOUR)), NOW),
        (grant(10, time=NOW + HOUR, expires_at=show(NOW + 3 * HOUR)), NOW + HOUR),
        (redeem("RD-1", 5, time=NOW + 2 * HOUR + SECOND), NOW + 2 * HOUR + SECOND),
        (grant(3, time=NOW + 5 * HOUR), NOW + 5 * HOUR),
    ]
    seen = {}
    for customer, every in (("a", HOUR // 2), ("b", 2 * HOUR), ("c", 100 * HOUR)):
        shop.clock.shows = NOW
        writer = await shop.writer()
        clock = _clock(shop, writer)
        runs = NOW + every
        for posted, instant in events:
            while runs < instant:
                shop.clock.shows, runs = max(shop.clock.shows, runs), runs + every
                await clock.run_once()
            shop.clock.shows = max(shop.clock.shows, instant)
            named = {**posted.data, "redemption_id": customer} if "redemption_id" in posted.data else posted.data
            one = command(type(posted)(posted.type, posted.time, named), customer)
            assert codes(await writer.post([one])) == ["recorded"]
        records = await shop.records(customer)
        instants = range(NOW, NOW + 6 * HOUR, HOUR // 2)
        seen[customer] = [fold(records, instant).balances() for instant in instants]
    assert seen["a"] == seen["b"] == seen["c"]
