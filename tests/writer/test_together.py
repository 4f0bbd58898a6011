"""What waits together: equal keys, equal business keys, order of arrival, and a queue that is full."""

import asyncio
import gc
import itertools

import orjson
import pytest

from ledger.errors import QueueFull
from ledger.instants import SECOND, show
from tests.builders import Event, at, purchase, refunded, rules
from tests.postgres import Database
from tests.writer.shop import NOW, Shop, codes, command, grant, open_shop, receipt_of, redeem


async def test_a_hundred_identical_posts_at_once_have_one_effect(shop: Shop):
    """By one process. Planted bug: those that follow the first answered as if each had been recorded."""
    writer = await shop.writer()
    posted = command(grant(10))
    answers = [answer for (answer,) in await asyncio.gather(*(writer.post([posted]) for _ in range(100)))]
    assert sorted(codes(answers)) == ["recorded"] + ["replayed"] * 99
    assert len({orjson.dumps({**receipt_of(answer), "status": ""}) for answer in answers}) == 1
    assert await shop.points() == 10


async def test_a_hundred_identical_posts_at_four_processes_have_one_effect(shop: Shop):
    """Planted bug: the append not asking whether the key is in the log, which the unique constraint then turns into 500."""
    writers = [await shop.writer() for _ in range(4)]
    posted = command(grant(10))
    answers = await asyncio.gather(*(writers[n % 4].post([posted]) for n in range(100)))
    assert sorted(codes([answer for (answer,) in answers])) == ["recorded"] + ["replayed"] * 99
    assert await shop.points() == 10


async def test_of_two_that_differ_under_one_key_the_first_is_recorded(shop: Shop):
    writer = await shop.writer()
    first, second = grant(10), grant(20)
    answers = await writer.post(
        [
            command(Event(first.type, first.time, first.data, "e")),
            command(Event(second.type, second.time, second.data, "e")),
            command(Event(first.type, first.time, first.data, "e")),
        ]
    )
    assert codes(answers) == ["recorded", "key_reused", "replayed"]
    assert await shop.points() == 10


async def test_two_senders_of_one_order_at_once_credit_it_once(shop: Shop):
    """Planted bug: whatever follows a business key taken for the same content."""
    writer = await shop.writer()
    posted = purchase("SO-1", 100, "2026-03-01")
    answers = await writer.post(
        [
            command(Event(posted.type, posted.time, posted.data, "a", "/till")),
            command(Event(posted.type, posted.time + SECOND, posted.data, "b", "/shop")),
            command(Event(posted.type, posted.time, {**posted.data, "total": 1}, "c", "/shop")),
        ]
    )
    assert codes(answers) == ["recorded", "replayed", "key_reused"]
    assert receipt_of(answers[1])["id"] == "a"
    assert await shop.points() == 1


async def test_two_senders_of_one_redemption_at_once_take_the_points_once(shop: Shop):
    """Planted bug: the second one refused for want of the points the first has just taken."""
    writer = await shop.writer()
    posted = redeem("RD-1", 100)
    answers = await writer.post(
        [
            command(grant(100)),
            command(Event(posted.type, posted.time, posted.data, "a", "/till")),
            command(Event(posted.type, posted.time, posted.data, "b", "/shop")),
        ]
    )
    assert codes(answers) == ["recorded", "recorded", "replayed"]


async def test_a_follower_of_a_no_that_is_not_kept_is_decided_itself(shop: Shop):
    """Planted bug: handing on a version conflict to one who expected nothing."""
    writer = await shop.writer()
    posted = grant(10)
    expecting = command(Event(posted.type, posted.time, posted.data, "e"), expected_version=7)
    plain = command(Event(posted.type, posted.time, posted.data, "e"))
    assert codes(await writer.post([expecting, plain, expecting])) == ["version_conflict", "recorded", "replayed"]


async def test_commands_are_decided_in_order_of_arrival(shop: Shop):
    """Each redemption takes what the grant before it brought, on many customers at once."""
    writer = await shop.writer(batch_commands_max=7)
    commands = []
    for n in range(50):
        for customer in ("a", "b", "c"):
            commands += [command(grant(10), customer), command(redeem(f"{customer}-{n}", 10), customer)]
    assert codes(await writer.post(commands)) == ["recorded"] * 300
    assert [await shop.points(customer) for customer in ("a", "b", "c")] == [0, 0, 0]


async def test_refunds_in_consecutive_batches_cannot_exceed_their_purchase(shop: Shop):
    """The second is decided while the first is being appended. Planted bug: its history without what is in flight."""
    writer = await shop.writer(batch_commands_max=1)
    posts = [
        command(purchase("SO-1", 1000, "2026-02-01")),
        *(command(refunded("SO-1", 600, "2026-02-02", refund=f"RF-{n}")) for n in range(4)),
    ]
    assert codes(await writer.post(posts)) == ["recorded", "recorded", *["refund_exceeds_purchase"] * 3]


async def test_a_late_event_is_decided_with_the_records_in_flight(shop: Shop):
    """Planted bug: a history that ends at what the database has."""
    writer = await shop.writer(batch_commands_max=2)
    posts = [
        command(grant(10, time=at("2026-02-01"))),
        command(redeem("RD-1", 10, time=at("2026-02-20"))),
        command(redeem("RD-2", 10, time=at("2026-02-10"))),
        command(grant(5, time=at("2026-02-02"))),
        command(redeem("RD-3", 5, time=at("2026-02-03"))),
    ]
    assert codes(await writer.post(posts)) == ["recorded", "recorded", "insufficient_points", "recorded", "recorded"]


async def test_a_full_queue_takes_nothing_and_says_so(shop: Shop):
    """Planted bug: taking the part that fits, which leaves a sender's order torn."""
    writer = await shop.writer(queue_commands_max=100)
    waiting = writer.post([command(grant(1)) for _ in range(80)])
    with pytest.raises(QueueFull) as full:
        writer.post([command(grant(1)) for _ in range(21)])
    assert full.value.facts == {"waiting": 80, "retry_after_seconds": 1}
    assert codes(await waiting) == ["recorded"] * 80
    assert codes(await writer.post([command(grant(1)) for _ in range(21)])) == ["recorded"] * 21


async def test_a_queue_is_full_by_bytes_too(shop: Shop):
    writer = await shop.writer(queue_bytes_max=50_000)
    long = {"reason": "x" * 1000, "points": 1}
    waiting = writer.post([command(Event("points.adjusted", NOW, long)) for _ in range(20)])
    with pytest.raises(QueueFull):
        writer.post([command(Event("points.adjusted", NOW, long)) for _ in range(20)])
    assert codes(await waiting) == ["recorded"] * 20


async def test_memory_stays_flat_however_much_is_posted(shop: Shop):
    """Under steady load, never idle, objects do not grow with what was posted. Planted bug: batches chained by `below`."""
    writer = await shop.writer(cache_bytes_max=100_000, batch_commands_max=50)
    alive: list[int] = []
    posted = itertools.count()

    async def client() -> None:
        while len(alive) < 2:
            numbers = [next(posted) for _ in range(20)]
            await writer.post([command(grant(1), f"c-{number}") for number in numbers])
            if len(alive) < 2 and numbers[-1] >= (2000, 8000)[len(alive)]:
                gc.collect()
                alive.append(len(gc.get_objects()))

    clients = [asyncio.create_task(client()) for _ in range(8)]
    await asyncio.wait(clients, return_when=asyncio.FIRST_EXCEPTION)
    assert [task.exception() for task in clients] == [None] * 8
    assert alive[1] < alive[0] + 10_000


async def test_a_sender_that_goes_away_changes_nothing_of_what_is_written(shop: Shop):
    """Planted bug: answering a cancelled future, which fails everything at hand."""
    writer = await shop.writer()
    posted = command(grant(10))
    gone = writer.post([posted, command(grant(1))])
    gone.cancel()
    assert codes(await writer.post([posted])) == ["replayed"]
    assert await shop.points() == 11


async def test_nothing_is_lost_when_the_writer_closes(shop: Shop):
    writer = await shop.writer(batch_commands_max=10)
    waiting = writer.post([command(grant(1)) for _ in range(95)])
    await shop.stop()
    assert codes(await waiting) == ["recorded"] * 95


async def test_postings_carry_the_instant_of_a_late_decision(shop: Shop):
    """An event dated a little ahead takes effect when it is decided, and is stamped no earlier than that."""
    writer = await shop.writer()
    (answer,) = await writer.post([command(grant(5, time=NOW + 60 * SECOND))])
    (record,) = await shop.records()
    assert record.derived is not None
    assert record.derived["at"] == show(NOW)
    assert receipt_of(answer)["recorded_at"] == show(NOW)


async def test_64_rivals_for_the_last_of_a_budget_share_it_and_all_are_recorded(migrated_database: Database):
    """By four processes: what the budget does not cover is decided again without the rule, never refused.

    Planted bug: the limit taken for a refusal, as those of what a customer asks for are.
    """
    budgeted = {"id": "launch", "on": "purchase.recorded", "points": 10, "budget": 100}
    shop = await open_shop(migrated_database.service_url, document=rules(budgeted))
    try:
        writers = [await shop.writer() for _ in range(4)]
        posted = [command(purchase(f"SO-{n}", 100, "2026-03-01"), f"c-{n}") for n in range(64)]
        answers = await asyncio.gather(*(writers[n % 4].post([one]) for n, one in enumerate(posted)))
        receipts = [receipt_of(answer) for (answer,) in answers]
        assert sum(len(receipt["postings"]) for receipt in receipts) == 10
        notes = [receipt["notes"] for receipt in receipts if not receipt["postings"]]
        assert notes == [[{"code": "nothing_earned", "rule": "launch", "reason": "budget", "budget": 100}]] * 54
        await shop.check()
    finally:
        await shop.stop()
        await shop.pool.close()


async def test_64_rivals_for_the_last_of_a_partial_budget_are_given_all_of_it(migrated_database: Database):
    """105 points in tens: ten rivals get ten, one gets five, the others nothing; the counter stands at 105."""
    budgeted = {"id": "launch", "on": "purchase.recorded", "points": 10, "budget": 105, "partial": True}
    shop = await open_shop(migrated_database.service_url, document=rules(budgeted))
    try:
        writers = [await shop.writer() for _ in range(4)]
        posted = [command(purchase(f"SO-{n}", 100, "2026-03-01"), f"c-{n}") for n in range(64)]
        answers = await asyncio.gather(*(writers[n % 4].post([one]) for n, one in enumerate(posted)))
        postings = [posting["amount"] for (answer,) in answers for posting in receipt_of(answer)["postings"]]
        assert sorted(postings) == [5, *([10] * 10)]
        await shop.check()
    finally:
        await shop.stop()
        await shop.pool.close()


async def test_64_rivals_for_the_last_coupons_of_a_benefit_all_buy_and_only_as_many_get_one(
    migrated_database: Database,
):
    """The cap of a coupon that a tier brings by itself stops no purchase. Against: limit_reached for the 54 others."""
    benefit = {"id": "welcome", "tiers": ["member"], "given": "reached", "coupons": [{"kind": "cake"}]}
    document = {
        **rules(),
        "coupons": [{"id": "cake", "value": {"kind": "gift", "sku": "CAKE"}, "caps": {"total": 10}}],
        "tiers": {
            "window": {"kind": "lifetime"},
            "levels": [{"name": "member", "rank": 1, "qualifies": {"orders": 1}}],
            "benefits": [benefit],
        },
    }
    shop = await open_shop(migrated_database.service_url, document=document)
    try:
        writers = [await shop.writer() for _ in range(4)]
        posted = [command(purchase(f"SO-{n}", 100, "2026-03-01"), f"c-{n}") for n in range(64)]
        answers = await asyncio.gather(*(writers[n % 4].post([one]) for n, one in enumerate(posted)))
        types = [[record["type"] for record in receipt_of(answer)["records"]] for (answer,) in answers]
        assert sorted(map(len, types)) == [2] * 54 + [3] * 10
        await shop.check()
    finally:
        await shop.stop()
        await shop.pool.close()
