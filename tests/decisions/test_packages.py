"""`package.sold`, `.used`, `.refunded`, and their end: uses paid for in advance, in a lot."""

import pytest

from ledger.errors import FormError
from ledger.rules import read_document
from tests.builders import clock_runs, package, package_refunded, package_used, published, purchase, rules
from tests.given import table
from tests.vouchers import PACKAGES, having

BJ = {"store": "BJ-1", "channel": "shop"}


@table(
    (
        "a lot of as many uses as were sold",
        lambda: (
            having()
            .when(package("P-1", 10, 9990, "2026-03-01"))
            .then("10 package:wash program:issued:sold -> customer:package:wash opens 1.1 until 2026-06-09")
            .derived(
                packages=[
                    {
                        "package_id": "P-1",
                        "kind": "wash",
                        "uses": 10,
                        "price": 9990,
                        "currency": "CNY",
                        "lot": "1.1",
                    }
                ]
            )
        ),
    ),
    (
        "an earlier end as agreed",
        lambda: (
            having()
            .when(package("P-1", 10, 9990, "2026-03-01", valid_until="2026-04-01T00:00:00Z"))
            .lots("package:wash 1.1 10/10 until 2026-04-01")
        ),
    ),
    (
        "of a kind nobody knows",
        lambda: having().when(package("P-1", 1, 1, "2026-03-01", "swim")).refused("package_kind_unknown", kind="swim"),
    ),
    (
        "one use",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01"))
            .when(package_used("P-1", "V-1", "2026-03-02"))
            .then("1 package:wash customer:package:wash -> program:redeemed of 1.1:1")
            .lots("package:wash 1.1 9/10 until 2026-06-09")
        ),
    ),
    (
        "several at once, of its own lot",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-01"), package("P-2", 10, 9990, "2026-03-02"))
            .when(package_used("P-2", "V-1", "2026-03-02", 4))
            .then("4 package:wash customer:package:wash -> program:redeemed of 2.1:4")
        ),
    ),
    (
        "more than are left",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-01"), package_used("P-1", "V-1", "2026-03-02", 2))
            .when(package_used("P-1", "V-2", "2026-03-03", 2))
            .refused("package_used_up", left=1, requested=2)
            .nothing_changed()
        ),
    ),
    (
        "of a package nobody sold: kept until it is",
        lambda: having().when(package_used("P-1", "V-1", "2026-03-02")).refused("package_unknown", package_id="P-1"),
    ),
    (
        "before it was sold",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-05"))
            .when(package_used("P-1", "V-1", "2026-03-02"))
            .refused("package_not_yet_valid", valid_from="2026-03-05T00:00:00Z")
        ),
    ),
    (
        "at the instant it ends",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-01"))
            .when(package_used("P-1", "V-1", "2026-06-09"))
            .refused("package_expired", expired_at="2026-06-09T00:00:00Z")
        ),
    ),
    (
        "late, of one that only ended since",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-01"), clock_runs("2026-06-10"), purchase("SO-1", 1, "2026-06-10"))
            .when(package_used("P-1", "V-1", "2026-06-08", 2))
            .unit(
                (
                    "package.expiry_reversed",
                    "2026-06-09",
                    ["2 package:wash program:expired -> customer:package:wash of 1.1:2"],
                ),
                (
                    "package.used",
                    "2026-06-08",
                    ["2 package:wash customer:package:wash -> program:redeemed of 1.1:2"],
                ),
            )
        ),
    ),
    (
        "in another store",
        lambda: (
            having(package("P-1", 3, 9990, "2026-03-01", "yoga"))
            .when(package_used("P-1", "V-1", "2026-03-02", place={"store": "SZ-1", "channel": "shop"}))
            .refused("package_not_valid_here", store="SZ-1", stores=["BJ-1"])
        ),
    ),
)
def test_a_package_is_sold_and_used(scenario):
    """Against: one use taken whatever was asked for."""
    scenario()


def refunds(kind, uses, price, used, *parts):
    """What is paid back for parts of a package of which some was used."""
    steps = [package("P-1", uses, price, "2026-03-01", kind)]
    if used:
        steps.append(package_used("P-1", "V-1", "2026-03-02", used, place=BJ))
    ledger = having(*steps)
    paid = []
    for number, part in enumerate(parts):
        when = ledger.when(package_refunded("P-1", f"RF-{number}", "2026-03-03", part))
        paid.append(when.own.derived["amount"])
    return paid


@pytest.mark.parametrize(
    ("kind", "uses", "price", "used", "parts", "paid"),
    [
        ("wash", 10, 9990, 0, [None], [9990]),
        ("wash", 10, 9990, 4, [None], [5994]),
        ("wash", 3, 100, 0, [1, 1, 1], [33, 33, 34]),
        ("wash", 3, 100, 1, [1, 1], [33, 33]),
        ("yoga", 10, 30_000, 0, [None], [30_000]),
        ("yoga", 10, 30_000, 3, [None], [18_000]),
        ("yoga", 10, 30_000, 9, [None], [0]),
    ],
)
def test_what_is_left_is_paid_back_as_the_rules_have_it(kind, uses, price, used, parts, paid):
    """Against: each part rounded for itself (99 of 100); the list price taken off a second time; less than nothing."""
    assert refunds(kind, uses, price, used, *parts) == paid


@table(
    (
        "takes the uses out",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01"))
            .when(package_refunded("P-1", "RF-1", "2026-03-02", 4))
            .then("4 package:wash customer:package:wash -> program:reversed of 1.1:4")
            .derived(uses=4, price=9990, amount=3996, currency="CNY", refund="pro_rata")
        ),
    ),
    (
        "more than are left",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01"))
            .when(package_refunded("P-1", "RF-1", "2026-03-02", 11))
            .refused("package_used_up", left=10, requested=11)
        ),
    ),
    (
        "twice",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01"), package_refunded("P-1", "RF-1", "2026-03-02"))
            .when(package_refunded("P-1", "RF-2", "2026-03-03"))
            .refused("package_used_up", left=0)
        ),
    ),
    (
        "in part, where used ones count at the list price",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01", "yoga"))
            .when(package_refunded("P-1", "RF-1", "2026-03-02", 1))
            .refused("package_not_refundable", left=10, requested=1)
        ),
    ),
    (
        "where the rules refund nothing",
        lambda: (
            having(package("P-1", 10, 9990, "2026-03-01", "fixed"))
            .when(package_refunded("P-1", "RF-1", "2026-03-02"))
            .refused("package_not_refundable", refund="none")
        ),
    ),
    (
        "under the terms of its sale",
        lambda: (
            having(
                package("P-1", 10, 9990, "2026-03-01"),
                published(
                    rules(packages=[{"id": "wash", "refund": "none"}], effective_from="2026-03-02T00:00:00Z"),
                    "2026-03-01",
                ),
            )
            .when(package_refunded("P-1", "RF-1", "2026-03-03"))
            .derived(amount=9990)
        ),
    ),
)
def test_a_refund_of_a_package(scenario):
    scenario()


def test_a_list_price_belongs_to_its_refund():
    for kind in ({"id": "x", "list_price": 1}, {"id": "x", "refund": "less_used_at_list"}, PACKAGES[0]):
        with pytest.raises(FormError):
            read_document(rules(packages=[PACKAGES[0], kind]))


@pytest.mark.parametrize("taken", ["held", "debt"])
def test_no_kind_bears_the_name_of_an_account(taken: str):
    """`customer:package:held` would be read as what a hold has set aside."""
    coupon = {"id": taken, "value": {"kind": "gift", "sku": "TEA"}}
    for document in (rules(packages=[{**PACKAGES[0], "id": taken}]), rules(coupons=[coupon])):
        with pytest.raises(FormError) as refused:
            read_document(document)
        assert "name of an account" in refused.value.errors[0]["reason"]
