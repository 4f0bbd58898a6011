"""`purchase.returned`: goods brought back without their order; what was matched is recorded."""

from tests.builders import earns, granted, line, purchase, redeemed, refunded, refunded_line, returned, rules
from tests.given import given, table

CARD_AND_FOOD = purchase(
    "SO-1",
    100_000,
    "2026-03-01",
    lines=[
        line(1, 50_000, sku="CARD", category="gift card", earns=False),
        line(2, 50_000, sku="FOOD", category="food"),
    ],
)
TEA = purchase("SO-1", 3000, "2026-03-01", lines=[line(1, 3000, sku="TEA", quantity=3)])
TEA_AGAIN = purchase("SO-2", 2000, "2026-03-05", lines=[line(1, 2000, sku="TEA", quantity=2)])


def taken(amount, *parts):
    return f"{amount} points customer:points -> program:reversed of {' '.join(parts)}"


def unmatched(sku, thousandths):
    return {"code": "return_unmatched", "lines": [{"sku": sku, "quantity_thousandths": thousandths}]}


def matched(when, **wanted):
    """Order → its lines as (number, minor units, thousandths)."""
    found = {
        one["order"].rpartition(":")[2].replace("-", "_"): one["lines"] for one in when.own.derived.get("orders", ())
    }
    assert found == wanted


@table(
    (
        "the gift card returned takes back nothing",
        lambda: matched(
            given(CARD_AND_FOOD)
            .when(returned(("CARD", 1, 50_000), time="2026-03-02"))
            .then()
            .notes()
            .lots("1.1 500/500"),
            SO_1=[[1, 50_000, 1000]],
        ),
    ),
    (
        "the food returned takes back what it earned",
        lambda: matched(
            given(CARD_AND_FOOD).when(returned(("FOOD", 1, 50_000), time="2026-03-02")).then(taken(500, "1.1:500")),
            SO_1=[[2, 50_000, 1000]],
        ),
    ),
    (
        "the latest purchase of the same sku is matched first",
        lambda: matched(
            given(TEA, TEA_AGAIN).when(returned(("TEA", 1, 900), time="2026-03-06")).then(taken(10, "2.1:10")),
            SO_2=[[1, 1000, 1000]],
        ),
    ),
    (
        "what the latest has not left comes from the one before",
        lambda: matched(
            given(TEA, TEA_AGAIN)
            .when(returned(("TEA", 3, 3000), time="2026-03-06"))
            .then(taken(20, "2.1:20"), taken(10, "1.1:10")),
            SO_2=[[1, 2000, 2000]],
            SO_1=[[1, 1000, 1000]],
        ),
    ),
    (
        "what was refunded or returned before is not there to be matched",
        lambda: matched(
            given(
                TEA,
                TEA_AGAIN,
                refunded("SO-2", 2000, "2026-03-06", lines=[refunded_line(1, 2000, quantity=2)]),
                returned(("TEA", 2, 2000), time="2026-03-07"),
            )
            .when(returned(("TEA", 1, 1000), time="2026-03-08", return_id="RT-2"))
            .then(taken(10, "1.1:10")),
            SO_1=[[1, 1000, 1000]],
        ),
    ),
    (
        "more than was ever bought: the rest is noted as unmatched",
        lambda: matched(
            given(TEA)
            .when(returned(("TEA", 5, 5000), time="2026-03-06"))
            .then(taken(30, "1.1:30"))
            .notes(unmatched("TEA", 2000)),
            SO_1=[[1, 3000, 3000]],
        ),
    ),
    (
        "nothing matched: no points are taken back",
        lambda: matched(
            given(TEA, granted(9, "2026-03-02"))
            .when(returned(("CUP", 1, 500), time="2026-03-06"))
            .then()
            .notes(unmatched("CUP", 1000))
        ),
    ),
    (
        "a customer we do not know: nothing matched, and recorded",
        lambda: matched(
            given().when(returned(("TEA", 1, 500), time="2026-03-06")).then().notes(unmatched("TEA", 1000)).balance(0)
        ),
    ),
    (
        "match none looks for nothing",
        lambda: matched(
            given(TEA)
            .when(returned(("TEA", 1, 1000), time="2026-03-06", match="none"))
            .then()
            .notes(unmatched("TEA", 1000))
        ),
    ),
    (
        "a purchase of another currency does not match",
        lambda: matched(
            given(TEA)
            .when(returned(("TEA", 1, 1000), time="2026-03-06", currency="JPY"))
            .then()
            .notes(unmatched("TEA", 1000))
        ),
    ),
    (
        "a purchase after the return does not match",
        lambda: matched(
            given(TEA, TEA_AGAIN).when(returned(("TEA", 1, 1000), time="2026-03-04")).then(taken(10, "1.1:10")),
            SO_1=[[1, 1000, 1000]],
        ),
    ),
    (
        "part of a quantity goes back with its share of the money",
        lambda: matched(
            given(purchase("SO-1", 1000, "2026-03-01", lines=[line(1, 1000, sku="TEA", quantity="1.5")]))
            .when(returned(("TEA", "0.5", 100), time="2026-03-06"))
            .then(taken(3, "1.1:3")),
            SO_1=[[1, 333, 500]],
        ),
    ),
    (
        "two lines of the same sku are matched one after the other",
        lambda: matched(
            given(
                purchase("SO-1", 3000, "2026-03-01", lines=[line(1, 1000, sku="TEA"), line(2, 2000, sku="TEA")]),
            )
            .when(returned(("TEA", 2, 3000), time="2026-03-06"))
            .then(taken(30, "1.1:30")),
            SO_1=[[1, 1000, 1000], [2, 2000, 1000]],
        ),
    ),
    (
        "the same sku in two lines of the return is not matched twice",
        lambda: matched(
            given(TEA)
            .when(returned(("TEA", 2, 2000), ("TEA", 2, 2000), time="2026-03-06"))
            .then(taken(30, "1.1:30"))
            .notes(unmatched("TEA", 1000)),
            SO_1=[[1, 2000, 2000], [1, 1000, 1000]],
        ),
    ),
    (
        "where the points are spent the refund setting decides",
        lambda: (
            given(TEA, redeemed("R", 30, "2026-03-02"), document=rules(refunds="allow_negative"))
            .when(returned(("TEA", 1, 1000), time="2026-03-06"))
            .then("10 points customer:points:debt -> program:reversed opens 3.1")
            .balance(-10)
        ),
    ),
    (
        "each rule's earning goes back",
        lambda: (
            given(TEA, document=rules(earns(), earns("1/10", id="more")))
            .when(returned(("TEA", 3, 3000), time="2026-03-06"))
            .then(taken(30, "1.1:30"), taken(3, "1.2:3"))
        ),
    ),
    (
        "the money of the return counts as it was sent, matched or not",
        lambda: totals(
            given(TEA).when(returned(("CUP", 1, 700), time="2026-03-06")), orders=1, refunds=1, gross=3000, net=2300
        ),
    ),
)
def test_a_return_without_its_order(scenario):
    """Planted: quantities matched are not lowered, so a second return of the same goods takes points back again."""
    scenario()


def totals(when, *, orders, refunds, gross, net):
    found = when.ledger.account.totals
    assert (found.orders, found.refunds, found.gross, found.net) == (orders, refunds, {"CNY": gross}, {"CNY": net})
