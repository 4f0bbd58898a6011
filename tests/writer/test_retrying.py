"""Refusals that wait: tried again by themselves when what they wait for arrives, also after a restart."""

import asyncio

import psycopg
import pytest

from ledger.deciding import Command
from ledger.errors import PurchaseUnknown
from ledger.instants import DAY
from tests.builders import Event, delivered, given_back, purchase, refunded
from tests.postgres import Database
from tests.writer.shop import Shop, codes, command, grant, receipt_of, redeem, soon


async def test_a_refund_before_its_purchase_waits_and_is_tried_again_when_it_arrives(shop: Shop):
    """The re-posted refund is then a replay. Planted bug: not asking the append whether it awakened anything."""
    writer = await shop.writer()
    awakened = asyncio.Event()
    writer.on_awakened = awakened.set
    refund = command(refunded("SO-1", 400, "2026-02-02"))
    (early,) = await writer.post([refund])
    assert isinstance(early.error, PurchaseUnknown)
    assert early.error.retryable
    kept = await shop.refusal(refund)
    assert kept is not None
    assert kept.status == "waiting"
    assert await shop.retrying().run_once() == 0
    assert not awakened.is_set()
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01"))])
    assert awakened.is_set()
    assert await shop.retrying().run_once() == 1
    kept = await shop.refusal(refund)
    assert kept is not None
    assert kept.status == "settled"
    (again,) = await writer.post([refund])
    assert codes([again]) == ["replayed"]
    assert receipt_of(again)["records"][-1]["type"] == "purchase.refunded"
    assert await shop.points() == 6


async def test_the_policy_works_by_itself_woken_by_the_append(shop: Shop):
    writer = await shop.writer()
    retrying = shop.retrying()
    writer.on_awakened = retrying.wake
    retrying.start()
    refund = command(refunded("SO-1", 400, "2026-02-02"))
    await writer.post([refund])
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01"))])
    await soon(_settled(shop, refund))
    await retrying.close()


async def test_what_a_process_left_behind_is_tried_after_a_restart(shop: Shop, monkeypatch):
    """The purchase arrived, and the process ended before it tried the refund again. Planted bug: no look at the start."""
    writer = await shop.writer()
    refund = command(refunded("SO-1", 400, "2026-02-02"))
    await writer.post([refund, command(purchase("SO-1", 1000, "2026-02-01"))])
    await shop.stop()
    writer = await shop.writer()
    retrying = shop.retrying()
    monkeypatch.setattr("ledger.policies.retrying.LOOK_SECONDS", 3600)
    retrying.start()
    await soon(_settled(shop, refund))
    await retrying.close()
    assert codes(await writer.post([refund])) == ["replayed"]
    assert await shop.points() == 6


async def _settled(shop: Shop, refund: Command) -> None:
    while (kept := await shop.refusal(refund)) is None or kept.status != "settled":
        await asyncio.sleep(0)


async def test_a_refund_and_its_purchase_in_one_batch_are_not_missed(shop: Shop):
    """Planted bug: asking only whether what was waiting before the batch has been awakened."""
    writer = await shop.writer()
    awakened = asyncio.Event()
    writer.on_awakened = awakened.set
    answers = await writer.post(
        [command(refunded("SO-1", 400, "2026-02-02")), command(purchase("SO-1", 1000, "2026-02-01"))]
    )
    assert codes(answers) == ["purchase_unknown", "recorded"]
    assert awakened.is_set()
    assert await shop.retrying().run_once() == 1


async def test_what_is_refused_for_good_when_tried_again_waits_no_more(shop: Shop):
    writer = await shop.writer()
    refund = command(refunded("SO-1", 4000, "2026-02-02"))
    await writer.post([refund, command(purchase("SO-1", 1000, "2026-02-01"))])
    assert await shop.retrying().run_once() == 1
    kept = await shop.refusal(refund)
    assert kept is not None
    assert (kept.status, kept.code) == ("final", "refund_exceeds_purchase")
    (again,) = await writer.post([refund])
    assert (codes([again]), again.replayed) == (["refund_exceeds_purchase"], True)


async def test_many_kinds_wait_and_are_tried_oldest_first(shop: Shop):
    writer = await shop.writer()
    waiting = [
        command(delivered("SO-1", "2026-02-03")),
        command(refunded("SO-1", 500, "2026-02-04")),
        command(given_back("RD-1", "2026-02-05")),
    ]
    assert codes(await writer.post(waiting)) == ["purchase_unknown", "purchase_unknown", "redemption_unknown"]
    assert codes(await writer.post([command(purchase("SO-1", 1000, "2026-02-01"))])) == ["recorded"]
    assert codes(await writer.post([command(redeem("RD-1", 2))])) == ["recorded"]
    assert await shop.retrying().run_once() == 3
    assert codes(await writer.post(waiting)) == ["replayed", "replayed", "reversal_before_redemption"]


async def test_a_waiting_event_that_is_posted_again_waits_on(shop: Shop):
    writer = await shop.writer()
    refund = command(refunded("SO-1", 400, "2026-02-02"))
    answers = [(await writer.post([refund]))[0] for _ in range(3)]
    assert codes(answers) == ["purchase_unknown"] * 3
    assert [answer.replayed for answer in answers] == [False] * 3


@pytest.mark.parametrize("look_first", [False, True])
async def test_a_waiting_event_may_be_corrected_under_its_key(shop: Shop, *, look_first: bool):
    """A no that waits spends no key: the sender misspelt the order. Planted bug: 409 where keys are looked up first."""
    writer = await shop.writer()
    wrong = command(refunded("SO-X", 400, "2026-02-02"))
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01")), wrong])
    writer._preparer.look_first = look_first
    right = command(Event(wrong.type, wrong.time, {**wrong.data, "order_id": "SO-1"}, wrong.id))
    assert codes(await writer.post([right])) == ["recorded"]
    kept = await shop.refusal(wrong)
    assert kept is not None
    assert kept.status == "settled"


async def test_a_refund_of_another_customers_order_does_not_wait_for_ever(shop: Shop):
    """The order is in the log already, on another stream, so it cannot arrive. Planted bug: stale without end."""
    writer = await shop.writer()
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01"), "c-1")])
    refund = command(refunded("SO-1", 400, "2026-02-02"), "c-2")
    (answer,) = await writer.post([refund])
    assert isinstance(answer.error, PurchaseUnknown)
    assert not answer.error.retryable
    (again,) = await writer.post([refund])
    assert (codes([again]), again.replayed) == (["purchase_unknown"], True)
    assert isinstance(again.error, PurchaseUnknown)
    assert not again.error.retryable


async def test_such_a_refund_in_one_batch_with_the_order_ends_too(shop: Shop):
    writer = await shop.writer()
    refund = command(refunded("SO-1", 400, "2026-02-02"), "c-2")
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01"), "c-1"), refund])
    assert await shop.retrying().run_once() == 1
    kept = await shop.refusal(refund)
    assert kept is not None
    assert kept.status == "final"


async def test_another_senders_copy_that_waits_ends_when_the_first_is_recorded(shop: Shop):
    """Two systems send one refund before its purchase. Planted bug: trying the second one for ever."""
    writer = await shop.writer()
    first = refunded("SO-1", 400, "2026-02-02")
    posts = [
        command(Event(first.type, first.time, first.data, name, source)) for name, source in (("a", "/x"), ("b", "/y"))
    ]
    await writer.post(posts)
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01"))])
    assert await shop.retrying().run_once() == 2
    for posted in posts:
        kept = await shop.refusal(posted)
        assert kept is not None
        assert kept.status == "settled"
    assert await shop.retrying().run_once() == 0
    assert await shop.points() == 6


async def test_the_right_to_backdate_was_checked_when_it_first_came(shop: Shop, migrated_database: Database):
    """Tried again a year later, it is not too old. Planted bug: keeping the key's scopes with the event."""
    writer = await shop.writer()
    posted = refunded("SO-1", 400, "2026-02-02")
    refund = command(Event(posted.type, posted.time, posted.data, "e", may_backdate=False))
    await writer.post([refund])
    shop.clock.shows += 365 * DAY
    await writer.post([command(purchase("SO-1", 1000, "2026-02-01")), command(grant(1, time=shop.clock()))])
    assert await shop.retrying().run_once() == 1
    with psycopg.connect(migrated_database.superuser_url) as connection:
        statuses = connection.execute("SELECT status FROM refusals").fetchall()
    assert statuses == [("settled",)]


async def test_two_processes_that_try_again_at_once_do_it_once(shop: Shop):
    writer = await shop.writer()
    refunds = [command(refunded(f"SO-{n}", 400, "2026-02-02", refund=f"RF-{n}")) for n in range(20)]
    await writer.post(refunds)
    await writer.post([command(purchase(f"SO-{n}", 1000, "2026-02-01")) for n in range(20)])
    first = shop.retrying()
    await shop.writer()
    await asyncio.gather(first.run_once(), shop.retrying().run_once())
    assert codes(await writer.post(refunds)) == ["replayed"] * 20
    assert await shop.points() == 20 * 6
