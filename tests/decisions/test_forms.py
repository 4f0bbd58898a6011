"""What a sender may write, and what is kept of it: two posts that mean the same are the same."""

import pytest

from ledger.errors import FormError
from ledger.events import check_customer, milli, validated
from tests.builders import at, event, granted, line, opened, purchase, refunded, returned

TIME = at("2026-03-01")


def kept(posted):
    return validated(posted.type, posted.data, posted.time)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            granted(5, TIME, expires_at="2026-04-01T00:00:00Z"),
            granted(5, TIME, expires_at="2026-04-01T08:00:00.000+08:00"),
        ),
        (
            purchase("SO-1", 10, TIME, lines=[line(1, 10, quantity="2.0")]),
            purchase("SO-1", 10, TIME, lines=[line(1, 10, quantity=2)]),
        ),
        (
            purchase("SO-1", 10, TIME, lines=[line(1, 10, quantity="1.50")]),
            purchase("SO-1", 10, TIME, lines=[line(1, 10, quantity="1.5")]),
        ),
    ],
    ids=["an instant in another zone", "a whole number with decimals", "zeros at the end"],
)
def test_what_means_the_same_is_kept_the_same(one, other):
    """Planted: instants kept as they were written, so a repeat from another zone is refused as other content."""
    assert kept(one) == kept(other)


@pytest.mark.parametrize(
    "posted",
    [
        purchase("SO-1", 10, TIME, lines=[line(1, 10, quantity="1.500", fulfilled_at="2026-03-01T08:00:00+08:00")]),
        opened(TIME, [{"asset": "points", "amount": 1, "granted_at": "2025-01-01T00:00:00.5Z", "reason": "x"}]),
        returned(("A", "0.001", 5), time=TIME),
    ],
    ids=lambda posted: posted.type,
)
def test_what_was_kept_is_kept_again(posted):
    once = kept(posted)
    assert validated(posted.type, once, posted.time) == once


@pytest.mark.parametrize(
    ("posted", "pointer"),
    [
        (purchase("SO-1", 10.0, TIME), "/data/total"),
        (purchase("SO-1", "10", TIME), "/data/total"),
        (purchase("SO-1", total=True, time=TIME), "/data/total"),
        (purchase("SO-1", -1, TIME), "/data/total"),
        (purchase("SO-1", 2**53, TIME), "/data/total"),
        (purchase("", 1, TIME), "/data/order_id"),
        (purchase("SO\x00", 1, TIME), "/data/order_id"),
        (purchase("SO\ud800", 1, TIME), "/data/order_id"),
        (purchase("SO-1", 1, TIME, currency="cny"), "/data/currency"),
        (purchase("SO-1", 1, TIME, lines=[line(0, 1)]), "/data/lines/0/line"),
        (purchase("SO-1", 1, TIME, lines=[line(1, 1, quantity=0)]), "/data/lines/0/quantity"),
        (purchase("SO-1", 1, TIME, lines=[line(1, 1, quantity="1.0001")]), "/data/lines/0/quantity"),
        (purchase("SO-1", 1, TIME, lines=[line(1, 1, quantity="-1")]), "/data/lines/0/quantity"),
        (purchase("SO-1", 1, TIME, lines=[line(1, 1, colour="red")]), "/data/lines/0/colour"),
        (purchase("SO-1", 1, TIME, attributes={"a/b~c": 1}), "/data/attributes/a~1b~0c/[key]"),
        (purchase("SO-1", 1, TIME, attributes={str(n): 1 for n in range(33)}), "/data/attributes"),
        (purchase("SO-1", 1, TIME, business_day="2026-02-30"), "/data/business_day"),
        (refunded("SO-1", 0, TIME), "/data/amount"),
        (granted(5, TIME, reason="purchase"), "/data/reason"),
        (granted(5, TIME, expires_at="2026-04-01T00:00:00"), "/data/expires_at"),
        (event("points.imagined", TIME), "/type"),
        (event("points.expired", TIME), "/type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_the_form_names_its_place(posted, pointer):
    """Planted: `strict` left out of a shape, so "10" and 10.0 are taken for money."""
    with pytest.raises(FormError) as refused:
        kept(posted)
    assert [one["pointer"] for one in refused.value.errors] == [pointer]


@pytest.mark.parametrize(("quantity", "thousandths"), [(1, 1000), ("0.001", 1), ("1.5", 1500), ("12.34", 12340)])
def test_quantities_are_counted_in_thousandths(quantity, thousandths):
    assert milli(quantity) == thousandths


@pytest.mark.parametrize(
    "customer", ["c-1", "A_b.c~d:e@f", "1" * 128, "23800138000", "o" + "a" * 20, "a@b", "13800138000-7"]
)
def test_an_id_of_the_senders_own_is_a_customer(customer):
    check_customer(customer)


@pytest.mark.parametrize(
    ("customer", "code"),
    [
        ("", "malformed"),
        ("a" * 129, "malformed"),
        ("c 1", "malformed"),
        ("c/1", "malformed"),
        ("张三", "malformed"),
        ("c-1\n", "malformed"),
        ("13800138000", "personal_identifier"),
        ("+8613800138000", "personal_identifier"),
        ("8613800138000", "personal_identifier"),
        ("+442071234567", "personal_identifier"),
        ("ann@example.org", "personal_identifier"),
        ("o" + "a" * 27, "personal_identifier"),
    ],
)
def test_a_phone_number_an_address_or_an_openid_is_not(customer, code):
    """Planted: `match` for `fullmatch`, so an id that begins like a phone number is refused too."""
    with pytest.raises(FormError) as refused:
        check_customer(customer)
    assert refused.value.form_code == code
