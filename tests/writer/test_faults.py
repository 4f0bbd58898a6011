"""The database goes away, and comes back: nothing acknowledged is lost, nothing is doubled, unknown outcomes are settled."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator

import psycopg
import pytest

from ledger import deciding, store
from ledger.answers import Answer
from ledger.deciding import Command
from ledger.embedded import EmbeddedPostgres
from ledger.errors import DatabaseUnavailable
from ledger.migrating import migrate
from ledger.writer import Writer
from tests.builders import event, published, purchase, refunded, rules
from tests.postgres import Database, create_database
from tests.writer.proxy import Place, Wire, wire_to
from tests.writer.shop import Shop, codes, command, grant, open_shop, receipt_of, redeem, soon, until


@pytest.fixture
async def wire(migrated_database: Database) -> AsyncIterator[Wire]:
    async with wire_to(migrated_database) as made:
        yield made


@pytest.mark.parametrize("place", ["before", "half", "sent", "answered"])
async def test_an_append_that_is_cut_is_settled_and_happens_once(shop: Shop, wire: Wire, place: Place):
    """Wherever the wire is cut, the senders get their receipts, and what was decided on top of it holds.

    Planted bugs: taking a lost connection for a failed append and deciding again (the second copy meets its own key and
    is answered as a replay); taking it for a done one.
    """
    writer = await shop.writer(url=wire.url, batch_commands_max=2)
    await writer.post([command(grant(10))])
    wire.cut_next(place)
    posts = [command(redeem("RD-1", 10)), command(grant(5), "c-2"), command(grant(7)), command(redeem("RD-2", 7))]
    answers = await writer.post(posts)
    assert wire.cuts == 1
    assert codes(answers) == ["recorded"] * 4
    again = await writer.post(posts)
    assert codes(again) == ["replayed"] * 4
    for first, second in zip(answers, again, strict=True):
        assert receipt_of(first) == {**receipt_of(second), "status": "recorded"}
    assert [record.version for record in await shop.records()] == [1, 2, 3, 4]


@pytest.mark.parametrize("place", ["before", "sent", "answered"])
async def test_a_refusal_that_is_cut_is_kept_once(shop: Shop, wire: Wire, place: Place):
    """The batch has a record too, by which the wire knows it."""
    writer = await shop.writer(url=wire.url)
    wire.cut_next(place)
    refusal = command(redeem("RD-1", 10))
    answers = await writer.post([refusal, command(grant(5), "c-2")])
    assert codes(answers) == ["insufficient_points", "recorded"]
    assert codes(await writer.post([refusal])) == ["insufficient_points"]


async def test_an_append_still_at_work_when_its_connection_is_lost_is_waited_for(
    shop: Shop, wire: Wire, migrated_database: Database
):
    """It waits for the log's row, and so does whoever asks what became of it, behind it.

    Planted bug: asking without the row, which finds nothing, decides again, and meets the first one's key.
    """
    writer = await shop.writer(url=wire.url)
    await writer.post([command(grant(1))])
    async with await psycopg.AsyncConnection.connect(migrated_database.superuser_url) as holder:
        await holder.execute("SELECT FROM logs FOR UPDATE")
        wire.cut_next("sent")
        waiting = writer.post([command(grant(10))])
        async with await psycopg.AsyncConnection.connect(migrated_database.superuser_url, autocommit=True) as looker:
            while True:
                row = await (await looker.execute(_WAITING_FOR_LOCKS)).fetchone()
                if row is not None and row[0] >= 2:
                    break
        await holder.commit()
    (answer,) = await waiting
    assert codes([answer]) == ["recorded"]
    assert await shop.points() == 11


_WAITING_FOR_LOCKS = (
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ledger_service' AND wait_event_type = 'Lock'"
)


async def test_a_hundred_cuts_under_load_lose_and_double_nothing(shop: Shop, wire: Wire):
    """Two writers, one of them on a wire that is cut again and again. Every post is acknowledged, once each."""
    dice = random.Random(7)
    steady, shaken = await shop.writer(batch_commands_max=20), await shop.writer(url=wire.url, batch_commands_max=20)
    done = asyncio.Event()
    expected: Counter[str] = Counter()

    async def client(writer: Writer, number: int) -> None:
        for n in range(40):
            customer, points = f"c-{dice.randrange(5)}", dice.randrange(1, 9)
            (answer,) = await _until_answered(writer, [command(grant(points, grant_id=f"{number}-{n}"), customer)])
            assert answer.error is None
            expected[customer] += points

    async def cut() -> None:
        while not done.is_set():
            before = wire.cuts
            wire.cut_next(dice.choice(["before", "half", "sent", "answered"]))
            await until(lambda before=before: wire.cuts > before or done.is_set())

    cutting = asyncio.create_task(cut())
    await asyncio.gather(*(client(shaken if n % 2 else steady, n) for n in range(8)))
    done.set()
    await cutting
    assert wire.cuts > 20
    for customer, points in expected.items():
        assert await shop.points(customer) == points
    assert await shop.log_length() == 8 * 40 + 1


async def test_a_database_that_is_away_is_answered_at_once_and_nothing_is_kept(shop: Shop, wire: Wire):
    """Everything waiting gets 503, and the same posts are recorded when it is back. Planted bug: keeping them queued."""
    writer = await shop.writer(url=wire.url)
    posts = [command(grant(10)), command(redeem("RD-1", 3)), command(refunded("SO-1", 5, "2026-03-01"))]
    await writer.post([command(grant(1), "c-2")])
    wire.break_off()
    answers = await soon(writer.post(posts))
    assert codes(answers) == ["database_unavailable"] * 3
    assert writer.commands_waiting == 0
    wire.mend()
    assert codes(await _until_answered(writer, posts)) == ["recorded", "recorded", "purchase_unknown"]


async def test_a_full_disk_is_answered_503_and_goes_by(shop: Shop, migrated_database: Database):
    """Planted bug: halving a batch the database has no room for, down to an error for every command."""
    writer = await shop.writer()
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END$$"
        )
        connection.execute("CREATE TRIGGER no_room BEFORE INSERT ON events EXECUTE FUNCTION no_room()")
    posts = [command(grant(10)), command(grant(10), "c-2")]
    assert codes(await writer.post(posts)) == ["database_unavailable"] * 2
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("DROP TRIGGER no_room ON events")
    assert codes(await writer.post(posts)) == ["recorded"] * 2


async def test_a_unit_the_database_cannot_store_fails_alone(shop: Shop, migrated_database: Database):
    """The batch is halved until it is alone; what builds on it is decided again. Planted bug: failing the batch."""
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE events ADD CONSTRAINT planted CHECK (record->>'id' <> 'bad')")
    writer = await shop.writer()
    bad = event("points.granted", "2026-03-01", points=100, reason="goodwill")
    posts = [command(grant(1), f"c-{n}") for n in range(20)]
    posts[7:7] = [
        command(grant(3)),
        command(_named(bad, "bad")),
        command(redeem("RD-1", 4)),
        command(redeem("RD-2", 2)),
    ]
    answers = await writer.post(posts)
    assert codes(answers[:7] + answers[11:]) == ["recorded"] * 20
    assert codes(answers[7:11]) == ["recorded", "unwritable", "recorded", "insufficient_points"]
    assert await shop.points() == 0


def _named(posted, name):
    return type(posted)(posted.type, posted.time, posted.data, name)


async def test_requests_cancelled_midway_leave_no_open_transaction(shop: Shop, migrated_database: Database):
    """Whenever the sender goes, the batch goes on."""
    writer = await shop.writer(batch_commands_max=3)
    for n in range(30):
        waiting = asyncio.ensure_future(writer.post([command(grant(1, grant_id=f"{n}-{k}")) for k in range(4)]))
        for _ in range(n % 7):
            await asyncio.sleep(0)
        waiting.cancel()
    assert codes(await writer.post([command(grant(1, grant_id="29-3"))])) == ["replayed"]
    assert await shop.points() == 120
    with psycopg.connect(migrated_database.superuser_url) as connection:
        states = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE usename = 'ledger_service' AND state LIKE 'idle in%'"
        ).fetchall()
    assert states == []


async def test_what_nobody_foresaw_fails_the_commands_at_hand_and_is_not_the_end(shop: Shop, monkeypatch):
    writer = await shop.writer()
    shop.unforeseen = {"writer_failed"}

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(store, "append", broken)
        assert codes(await writer.post([command(grant(1)), command(grant(1))])) == ["ledger_error"] * 2
    assert codes(await writer.post([command(grant(1))])) == ["recorded"]


async def test_a_decision_that_breaks_fails_its_command_alone(shop: Shop, monkeypatch):
    writer = await shop.writer()
    shop.unforeseen = {"decision_failed"}
    monkeypatch.setitem(deciding._FAMILIES, "points.adjusted", lambda *_: 1 / 0)
    adjusted = event("points.adjusted", "2026-03-01", points=1, reason="by hand")
    assert codes(await writer.post([command(grant(1)), command(adjusted), command(redeem("RD-1", 1))])) == [
        "recorded",
        "unwritable",
        "recorded",
    ]


@pytest.mark.slow
async def test_a_database_killed_under_load_loses_nothing_acknowledged_and_doubles_nothing(
    own_postgres: EmbeddedPostgres,
):
    """SIGKILL of the server, again and again, with two writers at work; unknown outcomes are settled by posting again.

    Planted bug: an answer given before the commit.
    """
    database = create_database(own_postgres, "killed")
    await asyncio.to_thread(migrate, database.owner_url)
    shop = await open_shop(database.service_url)
    writers = [await shop.writer(batch_commands_max=50) for _ in range(2)]
    done = asyncio.Event()
    counts: Counter[str] = Counter()
    expected: Counter[str] = Counter()

    async def client(number: int) -> None:
        n = 0
        while not done.is_set():
            n += 1
            customer = f"c-{n % 20}"
            (answer,) = await _until_answered(
                writers[number % 2], [command(purchase(f"{number}-{n}", 100, "2026-03-01"), customer)]
            )
            counts[answer.status] += 1
            expected[customer] += 1

    clients = [asyncio.create_task(client(number)) for number in range(16)]
    for _ in range(4):
        reached = counts.total() + 200
        await until(lambda reached=reached: counts.total() >= reached)
        if own_postgres.pid is not None:
            os.kill(own_postgres.pid, signal.SIGKILL)
    reached = counts.total() + 200
    await until(lambda: counts.total() >= reached)
    done.set()
    await asyncio.gather(*clients)
    for customer, orders in expected.items():
        assert await shop.points(customer) == orders
    assert await shop.log_length() == counts.total() + 1
    await shop.check()
    await shop.stop()
    await shop.pool.close()


async def _until_answered(writer: Writer, posts: list[Command]) -> list[Answer]:
    """As a client does: send again, under the same keys, while the database is away."""
    while True:
        answers = await writer.post(posts)
        if not any(isinstance(answer.error, DatabaseUnavailable) for answer in answers):
            return answers
        await asyncio.sleep(0.01)


async def test_a_writer_goes_on_after_the_log_was_restored_to_an_earlier_state(shop: Shop, migrated_database: Database):
    """What it knows of the program and of heads is of a history that is not. Planted bug: reading on from what is known."""
    writer = await shop.writer()
    twice = rules({"id": "base", "on": "purchase.recorded", "points_per_unit": "2"})
    await writer.post([command(grant(10))])
    await writer.post([command(published(twice, "2026-02-01")), command(grant(10))])
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM events WHERE position > 2")
        connection.execute("UPDATE logs SET next_position = 3")
        connection.execute(
            "UPDATE streams AS s SET version = e.version, state_schema = 0, state = NULL, "
            "head_hash = sha256('\\x00'::bytea || convert_to(e.record::text, 'UTF8')) "
            "FROM (SELECT DISTINCT ON (stream_id) * FROM events ORDER BY stream_id, version DESC) AS e "
            "WHERE e.stream_id = s.stream_id"
        )
    posts = [command(purchase("SO-1", 1000, "2026-02-02")), command(grant(1))]
    assert codes(await writer.post(posts)) == ["recorded"] * 2
    assert await shop.points() == 21
    assert [version.version for version in writer.program.state.rules.versions] == [1]
