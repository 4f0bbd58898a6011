"""Caps on coupons that span customers: exact however many ask at once, and given back by what undoes a use."""

import asyncio
from collections import Counter

import pytest

from ledger import store
from ledger.instants import show
from tests.builders import coupon, coupon_back, coupon_used, coupon_voided, published, rules
from tests.writer.shop import NOW, Shop, codes, command

TEN_OFF = {"kind": "amount", "amount": 1000, "currency": "CNY"}
RIVALS = 64
LEFT = 100
THEN = show(NOW)


def kinds(**caps: int) -> dict[str, object]:
    return rules(coupons=[{"id": "tea", "value": TEN_OFF, "caps": caps}])


async def counters(shop: Shop) -> dict[str, tuple[int, int | None]]:
    async with shop.pool.acquire() as conn:
        kept = await store.read_counters(conn, shop.log_id)
    return {name: (counter.used, counter.limit) for name, counter in kept.items()}


@pytest.mark.parametrize("processes", [1, 3])
async def test_64_rivals_for_the_last_100_coupons_get_exactly_100(shop: Shop, processes: int) -> None:
    """Each of them asks four times for customers of its own. Planted: the cap left out of what the append counts."""
    writers = [await shop.writer() for _ in range(processes)]
    before = [command(coupon(f"B-{number}", THEN), f"b-{number}") for number in range(20)]
    publishing = command(published(kinds(total=LEFT + len(before)), NOW))
    assert codes(await writers[0].post([publishing])) == ["recorded"]
    assert codes(await writers[0].post(before)) == ["recorded"] * len(before)

    async def asks(rival: int) -> list[str]:
        said = []
        for number in range(4):
            wanted = command(coupon(f"C-{rival}-{number}", THEN), f"c-{rival}-{number}")
            said += codes(await writers[rival % processes].post([wanted]))
        return said

    said = Counter(code for each in await asyncio.gather(*map(asks, range(RIVALS))) for code in each)
    assert said == {"recorded": LEFT, "limit_reached": 4 * RIVALS - LEFT}
    assert await counters(shop) == {"coupon:tea:total": (LEFT + 20, LEFT + 20)}


async def test_a_place_given_back_is_taken_once_more(shop: Shop) -> None:
    """Planted: the place given back by one that was used; what is asked after stays refused for good."""
    writer = await shop.writer()
    await writer.post([command(published(kinds(total=2), NOW))])
    steps = [
        (coupon("C-1", THEN), "recorded"),
        (coupon("C-2", THEN), "recorded"),
        (coupon("C-3", THEN), "limit_reached"),
        (coupon_used("C-1", "U-1", THEN), "recorded"),
        (coupon_voided("C-2", THEN), "recorded"),
        (coupon("C-4", THEN), "recorded"),
        (coupon("C-5", THEN), "limit_reached"),
    ]
    for posted, wanted in steps:
        assert codes(await writer.post([command(posted)])) == [wanted], posted


async def test_a_budget_is_never_overdrawn_and_a_use_returned_gives_it_back(shop: Shop) -> None:
    writer = await shop.writer()
    await writer.post([command(published(kinds(budget=10_500), NOW))])
    customers = [f"c-{number}" for number in range(RIVALS)]
    await writer.post([command(coupon(f"C-{who}", THEN), who) for who in customers])
    uses = [command(coupon_used(f"C-{who}", f"U-{who}", THEN), who) for who in customers]
    said = await asyncio.gather(*(writer.post([use]) for use in uses))
    assert Counter(code for answers in said for code in codes(answers)) == {"recorded": 10, "limit_reached": 54}
    used = next(use.subject for use, answers in zip(uses, said, strict=True) if codes(answers) == ["recorded"])
    assert codes(await writer.post([command(coupon_back(f"U-{used}", THEN), used)])) == ["recorded"]
    assert (await counters(shop))["coupon:tea:budget"] == (9_000, 10_500)


async def test_a_use_that_comes_before_its_coupon_is_tried_again(shop: Shop) -> None:
    writer = await shop.writer()
    await writer.post([command(published(kinds(), NOW))])
    use = command(coupon_used("C-1", "U-1", THEN))
    assert codes(await writer.post([use])) == ["coupon_unknown"]
    assert codes(await writer.post([command(coupon("C-1", THEN))])) == ["recorded"]
    assert await shop.retrying().run_once() == 1
    assert codes(await writer.post([use])) == ["replayed"]
