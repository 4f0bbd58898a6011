"""Several writers on one log, each with connections of its own, as several processes of the service would have them."""

import asyncio
import random
from collections import Counter

import psycopg
import pytest

from ledger import store
from ledger.answers import Answer
from ledger.batch import Batch
from ledger.deciding import Command, Context
from ledger.errors import Refused
from ledger.instants import MINUTE, SECOND
from ledger.preparing import Preparer
from ledger.waiting import Pending
from ledger.writer import Writer
from tests.builders import Event, published, purchase, registered, rules
from tests.writer.shop import NOW, Clock, Shop, codes, command, grant, receipt_of, redeem, soon


async def _post_all(writer: Writer, commands: list[Command], size: int) -> list[Answer]:
    """As a client would: the next group once the last is answered."""
    answers: list[Answer] = []
    for start in range(0, len(commands), size):
        answers += await writer.post(commands[start : start + size])
    return answers


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("customers", [3, 2000], ids=["hot", "different"])
async def test_every_acknowledged_event_is_there_once_and_every_balance_is_right(
    shop: Shop, count: int, customers: int
):
    """Grants and redemptions of a few customers, or of many, through several writers at once.

    Planted bugs: the stale units of a batch not put back; the append not comparing heads.
    """
    dice = random.Random(count * customers)
    writers = [await shop.writer(batch_commands_max=50) for _ in range(count)]
    expected: Counter[str] = Counter()
    posts: list[list[Command]] = [[] for _ in writers]
    for number in range(1200):
        customer = f"c-{dice.randrange(customers)}"
        wish = grant(dice.randrange(1, 50)) if dice.random() < 0.6 else redeem(f"RD-{number}", dice.randrange(1, 50))
        posts[number % count].append(command(wish, customer))
    answers = await asyncio.gather(
        *(_post_all(writer, commands, 25) for writer, commands in zip(writers, posts, strict=True))
    )
    recorded = 0
    for commands, given in zip(posts, answers, strict=True):
        for one, answer in zip(commands, given, strict=True):
            if isinstance(answer.error, Refused):
                continue
            assert receipt_of(answer)["status"] == "recorded"
            recorded += 1
            expected[one.subject] += one.data["points"] * (1 if one.type == "points.granted" else -1)
    assert await shop.log_length() == recorded + 1
    for customer, points in expected.items():
        assert points >= 0
        assert await shop.points(customer) == points


async def test_many_clients_spending_one_balance_never_overdraw_it(shop: Shop):
    """64 clients at 4 processes, 1,000 points, 10 at a time: exactly 100 succeed. Planted bug: heads not compared."""
    writers = [await shop.writer() for _ in range(4)]
    await writers[0].post([command(grant(1000))])
    answers = await asyncio.gather(
        *(_post_all(writers[n % 4], [command(redeem(f"RD-{n}-{k}", 10)) for k in range(5)], 1) for n in range(64))
    )
    given = Counter(code for each in answers for code in codes(each))
    assert given == {"recorded": 100, "insufficient_points": 220}
    assert await shop.points() == 0


async def test_one_key_at_several_processes_with_a_hot_customer_is_recorded_once(shop: Shop):
    """Everything is posted to every process. Planted bug: an `exists` decided again and again instead of answered."""
    writers = [await shop.writer(batch_commands_max=20) for _ in range(3)]
    posts = [command(grant(1), f"c-{n % 2}") for n in range(200)]
    answers = await asyncio.gather(*(_post_all(writer, posts, 20) for writer in writers))
    for each in zip(*answers, strict=True):
        assert sorted(codes(each)) == ["recorded", "replayed", "replayed"]
    assert [await shop.points(customer) for customer in ("c-0", "c-1")] == [100, 100]


async def test_what_is_stale_is_decided_again_in_order_of_arrival(shop: Shop):
    """Each redemption spends what the grant before it brought, while another process moves the same head all the time.

    Planted bug: what was stale last decided first.
    """
    ours, theirs = await shop.writer(batch_commands_max=10), await shop.writer()
    stop = asyncio.Event()

    async def move_the_head() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await theirs.post([command(purchase(f"SO-{number}", 0, "2026-03-01"))])

    moving = asyncio.create_task(move_the_head())
    pairs = [one for n in range(60) for one in (command(grant(10)), command(redeem(f"RD-{n}", 10)))]
    answers = await ours.post(pairs)
    stop.set()
    await moving
    assert codes(answers) == ["recorded"] * 120


async def test_a_command_that_is_always_late_is_decided_under_the_logs_lock(shop: Shop, monkeypatch):
    """A rival moves the head after every decision; the third one keeps the rival out. Planted bug: never taking the lock."""
    ours, rival = await shop.writer(), await shop.writer()
    decide = Preparer.decide
    rivals: list[asyncio.Future[list[Answer]]] = []
    locked: list[bool] = []

    async def outrun(self: Preparer, conn: store.Connection, batch: Batch, items: list[Pending], now: int):
        deferred = await decide(self, conn, batch, items, now)
        if self is ours._preparer:
            locked.append(conn.is_in_transaction())
            rivals.append(rival.post([command(grant(1))]))
            if not locked[-1]:
                await rivals[-1]
        return deferred

    monkeypatch.setattr(Preparer, "decide", outrun)
    answers = await ours.post([command(grant(100))])
    assert codes(answers) == ["recorded"]
    assert locked == [False, False, True]
    assert [codes(await one) for one in rivals] == [["recorded"]] * 3
    assert await shop.points() == 103


async def test_a_hot_customer_does_not_starve(shop: Shop):
    """One slow command of a customer whose head three others move all the time is appended while they go on."""
    hammers = [await shop.writer(batch_commands_max=5) for _ in range(3)]
    slow = await shop.writer()
    stop = asyncio.Event()

    async def hammer(writer: Writer) -> int:
        done = 0
        while not stop.is_set():
            done += len(await writer.post([command(grant(1)) for _ in range(5)]))
        return done

    hammering = [asyncio.create_task(hammer(writer)) for writer in hammers]
    answers = await _post_all(slow, [command(grant(1)) for _ in range(10)], 1)
    stop.set()
    done = await asyncio.gather(*hammering)
    assert codes(answers) == ["recorded"] * 10
    assert await shop.points() == sum(done) + 10


async def test_a_clock_that_is_behind_stamps_with_the_logs_last_stamp(shop: Shop, monkeypatch):
    """Stamps never go back along the log; nothing is decided again for one. Planted bug: taking `behind` for `stale`."""
    ahead = await shop.writer(clock=Clock(NOW + 10 * SECOND))
    behind = await shop.writer(clock=Clock(NOW))
    decided = []
    decide = Batch.decide

    def counted(self: Batch, item: Pending, context: Context) -> None:
        decided.append(item.command)
        decide(self, item, context)

    monkeypatch.setattr(Batch, "decide", counted)
    await ahead.post([command(grant(1), "c-2")])
    first = await behind.post([command(grant(1)), command(grant(2))])
    await ahead.post([command(grant(1), "c-2")])
    second = await behind.post([command(grant(3))])
    assert codes([*first, *second]) == ["recorded"] * 3
    assert {record.recorded_at for record in await shop.records()} == {NOW + 10 * SECOND}
    assert len(decided) == 5


async def test_rules_published_by_another_process_decide_what_comes_after_them(shop: Shop, monkeypatch):
    """Planted bug: not reading the program's own stream again when everything is stale, but only under the lock."""
    ours, theirs = await shop.writer(), await shop.writer()
    monkeypatch.setattr(ours, "_append_under_lock", None)
    await ours.post([command(purchase("SO-1", 1000, "2026-03-01T11:00"))])
    twice = rules({"id": "base", "on": "purchase.recorded", "points_per_unit": "2"})
    await theirs.post(
        [
            command(published(twice, "2026-03-01T11:30")),
            command(registered("S-1", "Acme", "2026-01-01T00:00:00Z", "2026-03-01T11:30")),
        ]
    )
    shop.clock.shows += MINUTE
    place = {"store": "S-1", "channel": "shop"}
    (answer,) = await soon(ours.post([command(Event("purchase.recorded", NOW + MINUTE, _order("SO-2", place)))]))
    assert receipt_of(answer)["postings"][0]["amount"] == 20
    last = (await shop.records())[-1]
    assert (last.rules, (last.derived or {})["brand"]) == (2, "Acme")


def _order(number: str, place: dict[str, str]) -> dict[str, object]:
    return {"order_id": number, "currency": "CNY", "total": 1000, "place": place}


async def test_writers_that_publish_at_once_number_their_versions_without_a_gap(shop: Shop):
    writers = [await shop.writer() for _ in range(3)]
    documents = [rules(backdate_days=10 + n) for n in range(9)]
    answers = await asyncio.gather(
        *(
            writers[n % 3].post([command(Event("program.published", NOW, {"document": document}))])
            for n, document in enumerate(documents)
        )
    )
    assert [codes(each) for each in answers] == [["recorded"]] * 9
    await writers[0].post([command(Event("program.published", NOW, {"document": rules(backdate_days=99)}))])
    assert [version.version for version in writers[0].program.state.rules.versions] == list(range(1, 12))


async def test_a_head_of_another_fold_is_folded_again_and_written_as_ours(shop: Shop, migrated_database):
    """As after an upgrade, with old processes still at work. Planted bug: trusting a state of another number."""
    writer = await shop.writer()
    await writer.post([command(grant(10)), command(grant(7), "c-2")])
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute('UPDATE streams SET state_schema = 999, state = \'{"not": "ours"}\'')
    fresh = await shop.writer()
    assert codes(await fresh.post([command(redeem("RD-1", 10))])) == ["recorded"]
    assert await shop.points() == 0
    with psycopg.connect(migrated_database.superuser_url) as connection:
        schemas = connection.execute("SELECT state_schema FROM streams ORDER BY state_schema").fetchall()
    assert schemas.count((999,)) == 2  # the program's own, and the customer nobody has touched


async def test_a_stream_with_a_record_nobody_knows_stops_alone(shop: Shop, migrated_database):
    """Its customer gets 503 until a version that knows the record serves; the others are served."""
    writer = await shop.writer()
    await writer.post([command(grant(10)), command(grant(10), "c-2")])
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE events SET record = replace(record::text, 'points.granted', 'points.unheard_of')::json "
            "WHERE record->>'subject' = 'c-1'"
        )
        connection.execute("UPDATE streams SET state_schema = 999, state = NULL WHERE customer_id = 'c-1'")
    fresh = await shop.writer()
    answers = await fresh.post([command(grant(1)), command(grant(1), "c-2")])
    assert codes(answers) == ["stream_unreadable", "recorded"]
    with psycopg.connect(migrated_database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE events SET record = replace(record::text, 'points.unheard_of', 'points.granted')::json"
        )
    assert codes(await (await shop.writer()).post([command(grant(1))])) == ["recorded"]
