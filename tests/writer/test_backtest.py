"""The back-test: what it counts is what the ledger itself would have come to, and it writes nothing."""

import pytest

from ledger.errors import FixedAtCreation
from ledger.heads import read_program
from ledger.instants import DAY
from ledger.records import program_stream_id
from ledger.rules import read_document
from projections.backtest import backtest
from tests.builders import (
    authorised,
    captured,
    earns,
    given_back,
    granted,
    held,
    purchase,
    redeemed,
    refunded,
    rules,
    signed_up,
    transferred,
)
from tests.postgres import Database
from tests.writer.shop import NOW, PROGRAM, Shop, command, open_shop

SIGN_UP = {"id": "signup", "on": "customer.signed_up", "points": 100}
EXPIRY = {"kind": "after_days", "n": 20}
OLD = rules(earns("1"), SIGN_UP, expiry=EXPIRY)


async def post_a_history(shop: Shop) -> None:
    """Three customers: one who buys, redeems, brings back and posts late; one who only signs up; one whose points expire."""
    writer = await shop.writer()
    await writer.post([command(signed_up("2026-02-10"), name) for name in ("c-1", "c-2")])
    await writer.post([command(purchase("SO-1", 30000, "2026-02-20"), "c-1")])
    await writer.post([command(redeemed("R-1", 350, "2026-02-21"), "c-1")])
    await writer.post([command(refunded("SO-1", 10000, "2026-02-22"), "c-1")])
    await writer.post([command(purchase("SO-2", 5000, "2026-02-15"), "c-1")])
    await writer.post([command(purchase("SO-3", 7000, "2026-01-20"), "c-3")])
    await shop.stop()


async def tried(shop: Shop, document, now=NOW + 30 * DAY):
    async with shop.pool.acquire() as conn:
        state = (await read_program(conn, shop.log_id, program_stream_id(PROGRAM), None)).state
        return await backtest(
            conn, shop.log_id, PROGRAM, state, read_document(document), now=now, on_progress=lambda _: None
        )


@pytest.fixture
async def shop(migrated_database: Database):
    opened = await open_shop(migrated_database.service_url, document=OLD)
    await post_a_history(opened)
    yield opened
    await opened.stop()
    await opened.pool.close()


async def test_the_rules_in_force_come_to_the_same_on_both_sides_and_nothing_is_written(shop: Shop):
    """Planted: what the clock brought replayed as if it had been sent."""
    length = await shop.log_length()
    for now in (NOW, NOW + 5 * DAY, NOW + 30 * DAY):
        found = await tried(shop, OLD, now)
        assert found.now == found.then
        assert (found.gain, found.lose, found.customers) == (0, 0, 3)
    assert await shop.log_length() == length
    await shop.check()


async def test_a_proposal_comes_to_what_a_ledger_under_it_would_come_to(shop: Shop):
    """The first order earns three times, up to 800, late ones by what was before them. Planted: refunds of the old lots."""
    proposed = rules(
        earns("3", when="account.totals.orders == 0", cap_per_customer=800), SIGN_UP, expiry={"kind": "never"}
    )
    found = await tried(shop, proposed)
    assert dict(found.now.accounts.items())["issued"] == 300 + 50 + 200 + 70
    assert found.then.accounts["issued"] == 800 + 200 + 210
    assert found.then.accounts["redeemed"] == -350
    assert found.then.accounts["expired"] == 0
    assert found.now.outstanding.total() == 0
    assert found.gain == 3
    assert sum(found.segments.values()) == 3


async def test_what_the_proposal_refuses_is_counted_by_code(shop: Shop):
    found = await tried(shop, rules(earns("0.1"), expiry=EXPIRY))
    assert dict(found.then.refused) == {"insufficient_points": 1}


async def test_a_document_of_another_program_is_refused(shop: Shop):
    with pytest.raises(FixedAtCreation):
        await tried(shop, rules(program={"points_scale": 2}))


async def test_a_long_log_is_read_in_pages_and_no_stream_is_cut(shop: Shop, monkeypatch):
    """Planted: the stream at the end of a page yielded before its last record."""
    whole = await tried(shop, OLD)
    monkeypatch.setattr("ledger.store_records.ROWS_AT_ONCE", 2)
    in_pages = await tried(shop, OLD)
    assert (in_pages.now, in_pages.records) == (whole.now, whole.records)


async def test_what_passed_between_customers_comes_to_the_same_on_both_sides(migrated_database: Database):
    """Transfers, spending for another and its refund, a hold on another's account, replayed one stream at a time.

    Planted: what came from another left out; the points arrived nowhere.
    """
    document = rules(expiry=EXPIRY, transfers={}, tenders={"points": {"value": {"CNY": "1"}}})
    shop = await open_shop(migrated_database.service_url, document=document)
    for_a = {"on_behalf_of": "a"}
    steps = [
        ("a", granted(500, "2026-02-20")),
        ("b", granted(10, "2026-02-20")),
        ("a", transferred("T-1", 120, "b", "2026-02-21")),
        ("b", redeemed("R-1", 125, "2026-02-22")),
        ("a", authorised("b", 200, "2026-02-22")),
        ("b", redeemed("R-2", 50, "2026-02-23", **for_a)),
        ("b", given_back("R-2", "2026-02-24", 20)),
        ("b", purchase("SO-9", 3000, "2026-02-25", tenders=[{"kind": "points", "amount": 3000, **for_a}])),
        ("b", refunded("SO-9", 1000, "2026-02-26")),
        ("b", held("H-1", 40, "2026-02-26", "2026-03-15", **for_a)),
        ("b", captured("H-1", "2026-02-27", 15)),
        ("b", transferred("T-2", 3, "a", "2026-02-19").late("2026-02-28")),
    ]
    writer = await shop.writer()
    for who, posted in steps:
        (answer,) = await writer.post([command(posted, who)])
        expected = None if posted.data.get("transfer_id") != "T-2" else "insufficient_points"
        assert (None if answer.error is None else answer.error.code) == expected, (posted, answer.error)
    await shop.stop()
    found = await tried(shop, document)
    await shop.pool.close()
    assert found.then.refused == {}
    assert found.now.accounts == found.then.accounts
    assert found.now.outstanding == found.then.outstanding
    assert found.then.accounts["transferred"] == 0
