"""Codes in bulk: each is claimed once, and caps are exact, however many ask at once."""

import asyncio
from collections import Counter

from ledger import codes
from ledger.instants import show
from tests.builders import event, published, rules
from tests.writer.shop import NOW, PROGRAM, Shop, command
from tests.writer.shop import codes as answered

KEY = bytes(32)
THEN = show(NOW)
RIVALS = 64
RULES = rules(coupons=[{"id": "tea", "value": {"kind": "amount", "amount": 1000, "currency": "CNY"}}])


async def made(shop: Shop, **more: int) -> None:
    writer = await shop.writer()
    await writer.post([command(published(RULES, NOW))])
    making = command(event("codes.made", THEN, batch="spring", kind="tea", count=1_000, **more))
    assert answered(await writer.post([making])) == ["recorded"]


def claim(number: int, customer: str):
    text = codes.make(KEY, PROGRAM, 1, number).text
    return command(event("coupon.claimed", THEN, code=text), customer)


async def test_of_64_rivals_for_one_code_one_gets_it(shop: Shop) -> None:
    """By three processes. Against: the claim without its business key."""
    await made(shop)
    writers = [await shop.writer() for _ in range(3)]
    said = await asyncio.gather(*(writers[n % 3].post([claim(7, f"c-{n}")]) for n in range(RIVALS)))
    found = Counter(code for each in said for code in answered(each))
    assert found.pop("recorded") == 1
    assert sum(found.values()) == RIVALS - 1
    await shop.check()


async def test_64_rivals_for_the_last_of_a_batch_get_exactly_as_many(shop: Shop) -> None:
    """Each claims four codes of its own; all customers together may claim 100."""
    await made(shop, total=100)
    writers = [await shop.writer() for _ in range(3)]

    async def asks(rival: int) -> list[str]:
        said = []
        for number in range(4):
            said += answered(await writers[rival % 3].post([claim(4 * rival + number + 1, f"c-{rival}")]))
        return said

    said = Counter(code for each in await asyncio.gather(*map(asks, range(RIVALS))) for code in each)
    assert said == {"recorded": 100, "limit_reached": 4 * RIVALS - 100}
    await shop.check()
