"""Rows become orders: gathered, left out with a reason, or held back whole where one of them cannot be read."""

import pytest

from api.importing.mapping import parse_mapping
from api.importing.orders import Gatherer, Order
from api.importing.readers import Fault, Row

MAPPING = """
source: /import/shop
currency: GBP
time_zone: Europe/London
columns: {customer: customer, order: order, time: time, sku: sku, quantity: quantity, unit_price: price}
cancellation: {column: order, starts_with: C}
leave_out:
  - {column: customer, empty: true, reason: no customer}
  - {column: quantity, at_most: 0, of: purchases, reason: nothing bought}
"""


def gathered(*rows, mapping=MAPPING):
    """What comes of rows (order, customer, quantity, price[, time[, sku]])."""
    gatherer = Gatherer(parse_mapping(mapping.encode(), "map"))
    numbered = [row if isinstance(row, Fault) else _row(number, *row) for number, row in enumerate(rows, start=1)]
    return list(gatherer.gather(numbered)), gatherer.tally


def _row(number, order, customer="c", quantity="1", price="1.00", time="2011-01-04", sku="A"):
    return Row(number, (customer, order, time, sku, quantity, price))


def test_rows_of_an_order_are_gathered_though_others_stand_between():
    orders, tally = gathered(("1",), ("2",), ("1",), ("3",), ("1",))
    assert [(order.number, order.rows, order.first_row, order.last_row) for order in orders] == [
        ("2", 1, 2, 2),
        ("3", 1, 4, 4),
        ("1", 3, 1, 5),
    ]
    assert tally.read == 5


def test_an_order_is_complete_when_so_many_others_have_come_after_it():
    orders, _ = gathered(("1",), ("2",), ("3",), ("1",), mapping=MAPPING + "open_orders: 2")
    assert [(order.number, order.rows) for order in orders] == [("1", 1), ("2", 1), ("3", 1), ("1", 1)]


def test_the_first_reason_that_applies_is_counted():
    orders, tally = gathered(("1", "", "0"), ("1", "c", "0"), ("1", "c", "-2"), ("1", "c", "2"))
    assert [order.rows for order in orders] == [1]
    assert tally.left_out == {"no customer": 1, "nothing bought": 2}


def test_a_cancellation_is_an_order_of_its_own_without_signs():
    (order,), _ = gathered(("C1", "c", "-3", "1.25"))
    assert (order.kind, order.number, order.lines[0].quantity, order.money) == ("return", "C1", 3000, 3_750_000)


def test_the_time_of_an_order_is_that_of_its_earliest_row():
    (order,), _ = gathered(("1", "c", "1", "1", "2011-01-04T10:01"), ("1", "c", "1", "1", "2011-01-04T10:00"))
    assert order.time == 1_294_135_200_000_000


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("1", "c", "x"), "row 2: column 'quantity': 'x' is not a number"),
        (("1", "c", "1.2345"), "row 2: column 'quantity': 1.2345 is not exact at 3 decimals"),
        (("1", "c", "1", ""), "row 2: column 'price' is empty"),
        (("1", "c", "1", "-1"), "row 2: column 'price': money must not be below 0"),
        (("1", "c", "1", "1", "soon"), "row 2: column 'time': 'soon' is not an ISO 8601 time"),
        (("1", "c", "1", "1", "2011-01-04", ""), "row 2: column 'sku' is empty"),
        (("1", "d"), "row 2: the order names two customers, c and d"),
    ],
)
def test_an_order_with_a_row_that_cannot_be_read_is_held_back_whole(row, reason):
    found, tally = gathered(("1",), row, ("1",), ("2",))
    assert Fault("order 1 (rows 1 to 3)", reason) in found
    assert [order.number for order in found if isinstance(order, Order)] == ["2"]
    assert tally.faulty == 3


def test_a_row_that_names_no_order_is_a_fault_by_itself():
    found, tally = gathered(("1",), ("",), Fault("line 9", "broken"))
    assert found[:2] == [Fault("row 2", "column 'order' is empty"), Fault("line 9", "broken")]
    assert (tally.read, tally.faulty) == (3, 2)


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ("equals: 5", ["4", "6", "x"]),
        ("one_of: [4, 5]", ["6", "x"]),
        ("starts_with: x", ["4", "5", "6"]),
        ("matches: '[56x]'", ["4"]),
        ("below: 5", ["5", "6", "x"]),
        ("at_most: 5", ["6", "x"]),
        ("above: 5", ["4", "5", "x"]),
        ("at_least: 5.5", ["4", "5", "x"]),
        ("empty: false", []),
    ],
)
def test_a_condition_tests_one_column(test, left):
    mapping = MAPPING.partition("leave_out")[0] + f"leave_out: [{{column: sku, {test}, reason: r}}]"
    orders, _ = gathered(*[("1", "c", "1", "1", "2011-01-04", sku) for sku in ("4", "5", "6", "x")], mapping=mapping)
    assert [line.sku for order in orders for line in order.lines] == left


def test_place_category_line_numbers_and_attributes_come_from_their_columns():
    mapping = """
source: /s
currency: EUR
time_zone: UTC
columns: {customer: a, order: b, time: c, sku: d, quantity: e, amount: f, line: g, category: h, store: i, channel: j}
attributes: {land: k, note: l}
"""
    cells = ("cust", 7.0, "2011-01-04", 3, "A", "food", 2, 19.99, "B-1", "shop", "DE", None)
    (order,) = Gatherer(parse_mapping(mapping.encode(), "map")).gather([Row(1, cells)])
    assert (order.number, order.place, order.attributes) == ("7", ("B-1", "shop"), {"land": "DE"})
    assert order.lines == [(3, "A", "food", 2000, 19_990)]
