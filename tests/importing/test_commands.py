"""An order becomes one event whose money adds up, the same for the same rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.importing.commands import command_of, drawn_together, rounded_lines
from api.importing.mapping import parse_mapping
from api.importing.orders import Line, Order
from ledger.errors import FormError
from ledger.money import rounded

MAPPING = """
source: /import/shop
currency: GBP
time_zone: Europe/London
columns: {customer: customer, order: order, time: time, sku: sku, quantity: quantity, unit_price: price}
cancellation: {column: order, starts_with: C}
"""


def order(*lines, kind="purchase", customer="c-1", attributes=None):
    """An order of (sku, thousandths of quantity, millionths of money) each."""
    made = Order(kind, "SO-1", customer, 1_294_135_200_000_000, 1, len(lines), None, attributes or {})
    made.lines = [Line(None, sku, None, quantity, money) for sku, quantity, money in lines]
    return made


def command(made, mapping=MAPPING):
    return command_of(made, parse_mapping(mapping.encode(), "map"), money_decimals=6, actor="me")


def test_a_purchase_carries_its_lines_and_its_rounded_total():
    sent = command(order(("A", 2000, 5_100_000), ("B", 1500, 1_234_000), attributes={"country": "France"}))
    assert (sent.source, sent.id, sent.type, sent.subject) == (
        "/import/shop",
        "purchase:SO-1",
        "purchase.recorded",
        "c-1",
    )
    assert sent.data == {
        "order_id": "SO-1",
        "currency": "GBP",
        "total": 633,
        "lines": [
            {"line": 1, "sku": "A", "quantity": 2, "amount": 510},
            {"line": 2, "sku": "B", "quantity": "1.5", "amount": 123},
        ],
        "attributes": {"country": "France"},
    }


def test_a_cancellation_is_a_return_matched_with_the_latest_purchases():
    sent = command(order(("A", 2000, 5_100_000), kind="return"))
    assert (sent.id, sent.type) == ("return:SO-1", "purchase.returned")
    assert sent.data == {
        "return_id": "SO-1",
        "currency": "GBP",
        "amount": 510,
        "lines": [{"sku": "A", "quantity": 2, "amount": 510}],
        "match": "latest",
    }


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40), st.sampled_from(["down", "half_up", "up"]))
def test_lines_add_up_to_the_rounded_order_and_whole_pence_keep_what_they_say(money, rounding):
    mapping = parse_mapping((f"{MAPPING}rounding: {rounding}").encode(), "map")
    amounts = rounded_lines(money, mapping, 6)
    assert sum(amounts) == rounded(sum(money) * 100, 10**6, mapping.rounding)
    for exact, amount in zip(money, amounts, strict=True):
        assert abs(amount * 10**4 - exact) < 10**4
        if exact % 10**4 == 0:
            assert amount * 10**4 == exact


@pytest.mark.parametrize(("currency", "total"), [("JPY", 633), ("GBP", 63_340), ("KWD", 633_400)])
def test_minor_units_are_those_of_the_currency(currency, total):
    assert command(order(("A", 1000, 633_400_000)), MAPPING.replace("GBP", currency)).data["total"] == total


def test_too_many_lines_are_drawn_together_first_by_sku():
    lines = [Line(None, sku, None, 1000, money) for sku, money in [("A", 1), ("B", 2), ("A", 4), ("C", 8), ("D", 16)]]
    assert [(line.sku, line.money) for line in drawn_together(lines, 5)] == [
        ("A", 1),
        ("B", 2),
        ("A", 4),
        ("C", 8),
        ("D", 16),
    ]
    assert [(line.sku, line.money) for line in drawn_together(lines, 4)] == [("A", 5), ("B", 2), ("C", 8), ("D", 16)]
    assert [(line.sku, line.money) for line in drawn_together(lines, 3)] == [("A", 5), ("B", 2), ("various", 24)]
    assert sum(line.quantity for line in drawn_together(lines, 2)) == 5000


def test_an_event_says_how_many_lines_the_file_had_where_it_carries_fewer():
    sent = command(order(*[(f"S{n}", 1000, 10_000) for n in range(600)]), MAPPING + "lines_max: 400")
    assert sent.data["attributes"] == {"lines_in_file": 600}
    assert (len(sent.data["lines"]), sent.data["total"]) == (400, 600)


def test_the_same_rows_make_the_same_event():
    made = [command(order(("A", 2000, 5_100_000))) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize("customer", ["13912345678", "a@b.example", "one two"])
def test_a_customer_who_is_personal_or_no_id_is_refused(customer):
    with pytest.raises(FormError):
        command(order(("A", 1000, 1), customer=customer))
