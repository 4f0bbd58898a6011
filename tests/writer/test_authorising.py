"""One account that many may spend from: neither the account nor an authorisation is ever overdrawn, and a unit is never torn."""

import asyncio
from collections import Counter

import pytest

from ledger.instants import show
from tests.builders import authorised, given_back, published, purchase, redeemed, refunded, rules, signed_up
from tests.writer.shop import NOW, Shop, codes, command, grant, receipt_of, soon

THEN = show(NOW)
RIVALS = 64
WORTH_A_CENT = rules(tenders={"points": {"value": {"CNY": "0.01"}}})


@pytest.mark.parametrize("processes", [1, 4])
async def test_64_rivals_of_one_family_spend_no_more_than_they_may(shop: Shop, processes: int) -> None:
    """1,000 points of the owner's; eight spenders, each with a limit of 100, ask 8 times for 20.

    Against: the owner's head not compared.
    """
    spenders = [f"s-{number}" for number in range(8)]
    writers = [await shop.writer() for _ in range(processes)]
    begun = [command(grant(1000), "o"), *(command(grant(1), name) for name in spenders)]
    assert set(codes(await writers[0].post(begun))) == {"recorded"}
    lent = [command(authorised(name, 100, THEN), "o") for name in spenders]
    assert codes(await writers[0].post(lent)) == ["recorded"] * 8

    async def asks(rival: int) -> list[str]:
        name = spenders[rival % 8]
        wanted = command(redeemed(f"R-{rival}", 20, THEN, on_behalf_of="o"), name)
        return codes(await writers[rival % processes].post([wanted]))

    said = Counter(code for each in await soon(asyncio.gather(*map(asks, range(RIVALS)))) for code in each)
    assert said == {"recorded": 40, "authorisation_limit_exceeded": 24}
    assert await shop.points("o") == 200


async def test_a_purchase_paid_by_another_and_its_refund_are_units_on_two_streams(shop: Shop) -> None:
    """The refund names no owner: the spender's records do. Against: the two halves at positions apart."""
    writer = await shop.writer()
    await writer.post([command(published(WORTH_A_CENT, NOW)), command(grant(50), "o"), command(grant(1), "s")])
    paid = [{"kind": "points", "amount": 30, "on_behalf_of": "o"}]
    steps = [
        command(authorised("s", 40, THEN), "o"),
        command(purchase("SO-1", 30, THEN, tenders=paid), "s"),
        command(refunded("SO-1", 10, THEN), "s"),
        command(redeemed("R-1", 20, THEN, on_behalf_of="o"), "s"),
        command(given_back("R-1", THEN), "s"),
    ]
    answers = await writer.post(steps)
    assert codes(answers) == ["recorded"] * 5
    for answer, kinds in zip(
        answers[1:],
        [
            ["purchase.recorded", "account.charged"],
            ["purchase.refunded", "account.charge_reversed"],
            ["points.redeemed", "account.charged"],
            ["points.redemption_reversed", "account.charge_reversed"],
        ],
        strict=True,
    ):
        receipt = receipt_of(answer)
        assert [one["type"] for one in receipt["records"]] == kinds
        assert [one["subject"] for one in receipt["others"]] == ["o"]
        first, second = (one["position"] for one in receipt["records"])
        assert second == first + 1
    assert await shop.points("o") == 30


async def test_a_spender_who_is_not_there_yet_is_authorised_when_it_is(shop: Shop) -> None:
    writer = await shop.writer()
    await writer.post([command(grant(50), "o")])
    lending = command(authorised("s", 40, THEN), "o")
    assert codes(await writer.post([lending])) == ["spender_unknown"]
    assert codes(await writer.post([command(signed_up(THEN), "s")])) == ["recorded"]
    assert await shop.retrying().run_once() == 1
    assert codes(await writer.post([lending])) == ["replayed"]
