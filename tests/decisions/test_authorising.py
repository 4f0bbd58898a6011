"""Spending on another customer's account: what is charged to whom, given back to whom, and every no by its name."""

from collections.abc import Callable
from typing import Any

from tests.builders import (
    authorisation_ended,
    authorised,
    captured,
    clock_runs,
    event,
    given_back,
    granted,
    held,
    loaded,
    purchase,
    redeemed,
    refunded,
    released,
    spent,
)
from tests.given import table
from tests.several import Several, Step, several

OWNER = ("o", granted(100, "2026-01-01", expires_at="2026-12-01T00:00:00Z"))
SPENDER = ("s", granted(5, "2026-01-01"))
FAMILY = (OWNER, SPENDER, ("o", authorised("s", 60, "2026-01-02", until="2026-06-01T00:00:00Z")))
WORTH_A_CENT = {"points": {"value": {"CNY": "0.01"}}}


def for_owner(redemption: str, points: int, time: str, owner: str = "o") -> Any:
    return redeemed(redemption, points, time, on_behalf_of=owner)


def given_to(done: Several, customer: str, as_of: str) -> list[tuple[Any, ...]]:
    """What a customer's read says of the authorisations it gave: spender, limit, left."""
    shown = done.shown(customer, as_of)["authorisations"]["given"]
    return [(one["spender"], one["limit"], one["left"]) for one in shown]


def frozen(what: str, time: str) -> Any:
    return event("customer.frozen", time, what=what, reason="stolen")


def test_the_owners_lots_are_charged_and_the_spender_is_recorded() -> None:
    done = several(*FAMILY).when("s", for_owner("R-1", 40, "2026-02-01"))
    done.unit(
        ("s", "points.redeemed", []),
        ("o", "account.charged", ["40 points customer:points -> program:redeemed of 1.1:40"]),
    )
    own, half = done.records
    assert (own.reference, half.reference) == ("redemption:R-1", None)
    assert half.data["spender"] == "s"
    assert half.data["redemption_id"] == "R-1"
    assert own.derived is not None
    assert own.derived["charged"]["customer"] == "o"
    done.lots("s", "1.1 5/5").lots("o", "1.1 60/100 until 2026-12-01")


def test_both_customers_reads_show_the_authorisation_at_any_cut_off() -> None:
    done = several(*FAMILY).when("s", for_owner("R-1", 40, "2026-02-01"))
    found = [given_to(done, "o", day) for day in ("2026-01-02", "2026-01-31", "2026-02-01", "2026-05-31")]
    assert found == [[("s", 60, 60)], [("s", 60, 60)], [("s", 60, 20)], [("s", 60, 20)]]
    assert given_to(done, "o", "2026-06-01") == []
    (one,) = done.shown("s", "2026-02-01")["authorisations"]["held"]
    assert (one["owner"], one["asset"], one["limit"], one["until"]) == ("o", "points", 60, "2026-06-01T00:00:00Z")


def test_a_reversal_returns_to_the_owner_and_restores_the_limit() -> None:
    """Against: the points given to the spender, or the limit used up for good."""
    done = several(*FAMILY, ("s", for_owner("R-1", 40, "2026-02-01"))).when("s", given_back("R-1", "2026-03-01", 30))
    done.unit(
        ("s", "points.redemption_reversed", []),
        ("o", "account.charge_reversed", ["30 points program:redeemed -> customer:points of 1.1:30"]),
    )
    done.lots("o", "1.1 90/100 until 2026-12-01")
    assert given_to(done, "o", "2026-03-01") == [("s", 60, 50)]
    done.when("s", given_back("R-1", "2026-03-02", 11)).refused("reversal_exceeds_redemption", left=10, requested=11)


def test_what_is_given_back_after_the_authorisation_was_replaced_leaves_the_new_one_alone() -> None:
    before = (*FAMILY, ("s", for_owner("R-1", 40, "2026-02-01")), ("o", authorised("s", 10, "2026-02-02")))
    done = several(*before).when("s", given_back("R-1", "2026-03-01"))
    assert given_to(done, "o", "2026-03-01") == [("s", 10, 10)]


def test_a_purchase_is_the_spenders_and_the_payment_the_owners_in_one_unit() -> None:
    """The spender earns, the owner pays; a refund goes back lot by lot. Against: the tender taken from the spender."""
    tenders = [
        {"kind": "points", "amount": 30, "on_behalf_of": "o"},
        {"kind": "stored_value", "amount": 500, "on_behalf_of": "o"},
        {"kind": "cash", "amount": 470},
    ]
    before = (
        *FAMILY,
        ("o", loaded("L-1", 400, 200, "2026-01-03")),
        ("o", authorised("s", 500, "2026-01-04", asset="stored_value", currency="CNY")),
    )
    done = several(*before, tenders=WORTH_A_CENT).when("s", purchase("SO-1", 1000, "2026-02-01", tenders=tenders))
    assert [(one.subject, one.type) for one in done.records] == [("s", "purchase.recorded"), ("o", "account.charged")]
    assert done.account("o").balances() == {"points": 70, "stored.bonus:CNY": 100}
    assert done.account("s").balances() == {"points": 14}  # what was paid with points earns none
    assert given_to(done, "o", "2026-02-01") == [("s", 60, 30), ("s", 500, 0)]

    done.when("s", refunded("SO-1", 500, "2026-03-01", tenders=[{"kind": "stored_value", "amount": 500}]))
    assert done.records[-1].type == "account.charge_reversed"
    assert done.account("o").balances() == {"points": 70, "stored.principal:CNY": 400, "stored.bonus:CNY": 200}
    done.when("s", refunded("SO-1", 500, "2026-03-02", refund="RF-2"))
    assert done.account("o").balances() == {"points": 100, "stored.principal:CNY": 400, "stored.bonus:CNY": 200}
    assert given_to(done, "o", "2026-03-02") == [("s", 60, 60), ("s", 500, 500)]
    assert done.account("s").balances() == {"points": 5}


def test_stored_value_is_spent_on_the_owners_account() -> None:
    before = (OWNER, SPENDER, ("o", loaded("L-1", 400, 200, "2026-01-03")))
    lent = ("o", authorised("s", 500, "2026-01-04", asset="stored_value", currency="CNY"))
    done = several(*before, lent).when("s", spent("SP-1", 450, "2026-02-01", on_behalf_of="o"))
    assert done.account("o").balances() == {"points": 100, "stored.bonus:CNY": 150}
    done.when("s", spent("SP-2", 51, "2026-02-02", on_behalf_of="o"))
    done.refused("authorisation_limit_exceeded", left=50, limit=500, requested=51)


HELD_40 = ("s", held("H-1", 40, "2026-02-01", "2026-02-10", on_behalf_of="o"))


def test_a_hold_lies_on_the_owners_account_and_counts_against_the_limit() -> None:
    done = several(*FAMILY).when(*HELD_40)
    done.unit(
        ("s", "hold.placed", []),
        (
            "o",
            "hold.placed",
            ["40 points customer:points -> customer:points:held opens 3.1 of 1.1:40 until 2026-12-01"],
        ),
    )
    assert given_to(done, "o", "2026-02-01") == [("s", 60, 20)]
    done.when("s", for_owner("R-1", 21, "2026-02-02")).refused("authorisation_limit_exceeded", left=20, requested=21)


def test_a_hold_is_captured_in_part_and_the_rest_of_the_limit_is_free_again() -> None:
    done = several(*FAMILY, HELD_40).when("s", captured("H-1", "2026-02-02", 25))
    assert [(one.subject, one.type) for one in done.records] == [("s", "hold.captured"), ("o", "hold.captured")]
    assert done.account("o").balances() == {"points": 75}
    assert given_to(done, "o", "2026-02-02") == [("s", 60, 35)]
    done.when("s", released("H-1", "2026-02-03")).refused("hold_ended")


def test_a_hold_released_or_timed_out_gives_the_limit_back() -> None:
    done = several(*FAMILY, HELD_40).when("s", released("H-1", "2026-02-02"))
    assert given_to(done, "o", "2026-02-02") == [("s", 60, 60)]
    done = several(*FAMILY, HELD_40).when("o", clock_runs("2026-02-11"))
    assert given_to(done, "o", "2026-02-11") == [("s", 60, 60)]
    done.when("s", captured("H-1", "2026-02-12")).refused("hold_ended", ended="timed_out")


def test_a_capture_told_late_counts_again_if_the_limit_still_has_room() -> None:
    """The hold timed out meanwhile. Against: the limit passed by what was spent after the time-out."""
    late = captured("H-1", "2026-02-05").late("2026-02-20")
    done = several(*FAMILY, HELD_40, ("o", clock_runs("2026-02-11"))).when("s", late)
    assert given_to(done, "o", "2026-02-20") == [("s", 60, 20)]
    spent_since = (("o", clock_runs("2026-02-11")), ("s", for_owner("R-1", 30, "2026-02-12")))
    done = several(*FAMILY, HELD_40, *spent_since).when("s", late)
    done.refused("authorisation_limit_exceeded", left=30, requested=40)


def test_a_late_redemption_is_decided_by_what_was_authorised_then() -> None:
    before = (*FAMILY, ("o", authorisation_ended("s", "2026-03-01")))
    done = several(*before).when("s", for_owner("R-1", 10, "2026-02-01").late("2026-03-05"))
    done.lots("o", "1.1 90/100 until 2026-12-01")


def refused(*more: Step, code: str, posted: Any = None, **facts: Any) -> Callable[[], Several]:
    """A redemption of 10 of the owner's points, or another event of the spender's, and the no it gets."""
    wish = posted or for_owner("R-1", 10, "2026-02-01")
    return lambda: several(*more, tenders=WORTH_A_CENT).when("s", wish).refused(code, **facts)


@table(
    ("nobody authorised", refused(OWNER, SPENDER, code="not_authorised", owner="o", spender="s")),
    ("an owner nobody knows", refused(SPENDER, code="not_authorised")),
    ("oneself", refused(*FAMILY, posted=for_owner("R-1", 1, "2026-02-01", "s"), code="not_authorised")),
    (
        "somebody else was",
        refused(
            *FAMILY[:2], ("x", granted(1, "2026-01-01")), ("o", authorised("x", 9, "2026-01-02")), code="not_authorised"
        ),
    ),
    (
        "stored value was, points were not",
        refused(
            OWNER,
            SPENDER,
            ("o", authorised("s", 60, "2026-01-02", asset="stored_value", currency="CNY")),
            code="authorised_for_other_asset",
            authorised=["stored_value:CNY"],
        ),
    ),
    (
        "another currency was",
        refused(
            *FAMILY[:2],
            ("o", authorised("s", 60, "2026-01-02", asset="stored_value", currency="CNY")),
            posted=spent("SP", 1, "2026-02-01", currency="JPY", on_behalf_of="o"),
            code="authorised_for_other_asset",
        ),
    ),
    ("before it began", refused(*FAMILY, posted=for_owner("R-1", 1, "2026-01-01"), code="not_authorised")),
    (
        "at its end",
        refused(
            *FAMILY,
            posted=for_owner("R-1", 1, "2026-06-01"),
            code="authorisation_ended",
            until="2026-06-01T00:00:00Z",
        ),
    ),
    (
        "after it was ended",
        refused(
            *FAMILY,
            ("o", authorisation_ended("s", "2026-01-20")),
            code="authorisation_ended",
            until="2026-01-20T00:00:00Z",
        ),
    ),
    (
        "over the limit",
        refused(
            *FAMILY,
            posted=for_owner("R-1", 61, "2026-02-01"),
            code="authorisation_limit_exceeded",
            limit=60,
            left=60,
            requested=61,
        ),
    ),
    (
        "over the limit in two tenders together",
        refused(
            *FAMILY,
            posted=purchase(
                "SO-1",
                61,
                "2026-02-01",
                tenders=[{"kind": "points", "amount": part, "on_behalf_of": "o"} for part in (30, 31)],
            ),
            code="authorisation_limit_exceeded",
            left=30,
            requested=31,
        ),
    ),
    (
        "more than the owner has",
        refused(
            *FAMILY, ("o", redeemed("R-0", 95, "2026-01-10")), code="insufficient_points", available=5, requested=10
        ),
    ),
    ("owner frozen", refused(*FAMILY, ("o", frozen("redeem", "2026-01-20")), code="customer_frozen", customer="o")),
    ("spender frozen", refused(*FAMILY, ("s", frozen("redeem", "2026-01-20")), code="customer_frozen", customer=None)),
    (
        "owner closed",
        refused(
            *FAMILY, ("o", event("customer.closed", "2026-01-20", reason="left")), code="customer_closed", customer="o"
        ),
    ),
    (
        "two owners",
        refused(
            *FAMILY,
            posted=purchase(
                "SO-1",
                2,
                "2026-02-01",
                tenders=[{"kind": "points", "amount": 1, "on_behalf_of": name} for name in ("o", "x")],
            ),
            code="malformed",
        ),
    ),
    (
        "cash of another's account",
        refused(
            *FAMILY,
            posted=purchase("SO-1", 2, "2026-02-01", tenders=[{"kind": "cash", "amount": 2, "on_behalf_of": "o"}]),
            code="malformed",
        ),
    ),
)
def test_every_no_has_its_name_and_changes_nothing(scenario: Callable[[], Several]) -> None:
    scenario()


def test_authorising_oneself_a_stranger_or_ending_what_does_not_run_is_refused() -> None:
    several(OWNER).when("o", authorised("o", 1, "2026-01-02")).refused("not_authorised")
    stranger = several(OWNER).when("o", authorised("s", 1, "2026-01-02")).refused("spender_unknown", spender="s")
    assert stranger.error is not None
    several(OWNER, SPENDER).when("o", authorisation_ended("s", "2026-01-02")).refused("not_authorised")
    several(*FAMILY).when("o", authorisation_ended("s", "2026-06-02")).refused("authorisation_ended")


def test_a_hundred_run_and_no_more() -> None:
    many = [(f"s-{number}", granted(1, "2026-01-01")) for number in range(101)]
    lent = [("o", authorised(name, 1, "2026-01-02")) for name, _ in many[:100]]
    several(OWNER, *many, *lent).when("o", authorised("s-100", 1, "2026-01-03")).refused("too_many_authorisations")
