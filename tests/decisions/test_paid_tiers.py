"""A tier that a membership pays for: held from its purchase, as long as it is active, and never below it."""

import pytest

from ledger.errors import FormError
from ledger.rules import read_document
from tests.builders import clock_runs, member, membership, opened, purchase, refunded, renewal
from tests.given import given, table
from tests.tiering import GOLD, SILVER, assigned, changed, changes, level, stands, tiered

PLAN = {"id": "vip", "price": 36_500, "currency": "CNY", "months": 1, "tier": "silver", "pause_days_max": 20}
BLACK = level("black", 3, growth=5000)


def document(**more):
    plans = [PLAN, {**PLAN, "id": "paid_only", "tier": "club"}]
    return {**tiered(SILVER, GOLD, {"name": "club", "rank": 5}, **more), "membership": plans}


def having(*steps, **more):
    return given(*steps, document=document(**more))


BOUGHT = member("M-1", "2026-03-01")
TO_SILVER = purchase("SO-1", 10_000, "2026-03-10")
TO_GOLD = purchase("SO-2", 50_000, "2026-03-10")


class TestHeld:
    @table(
        (
            "bought, until the membership's end",
            lambda: changed(having().when(BOUGHT), "assigned silver 2026-03-01, review 2026-04-01"),
        ),
        (
            "ended, it is gone",
            lambda: changed(having(BOUGHT).when(clock_runs("2026-04-01")), "downgraded none 2026-04-01"),
        ),
        (
            "unless it is earned by then",
            lambda: changed(
                having(BOUGHT, TO_SILVER).when(clock_runs("2026-04-01")),
                "retained silver 2026-04-01, review 2027-01-01",
            ),
        ),
        (
            "renewed it is held on",
            lambda: changed(
                having(BOUGHT).when(renewal("M-1", "N-1", "2026-03-20")),
                "retained silver 2026-03-20, review 2026-05-01",
            ),
        ),
        (
            "cancelled it ends",
            lambda: changed(
                having(BOUGHT).when(membership("cancelled", "M-1", "2026-03-20")), "downgraded none 2026-03-20"
            ),
        ),
        (
            "paused it ends",
            lambda: changed(
                having(BOUGHT).when(membership("paused", "M-1", "2026-03-20")), "downgraded none 2026-03-20"
            ),
        ),
        (
            "and begins again when time goes on",
            lambda: changed(
                having(BOUGHT, membership("paused", "M-1", "2026-03-20")).when(
                    membership("resumed", "M-1", "2026-03-25")
                ),
                "assigned silver 2026-03-25, review 2026-04-06",
            ),
        ),
        (
            "a better one is earned over it",
            lambda: changed(having(BOUGHT).when(TO_GOLD), "upgraded gold 2026-03-10, review 2027-01-01"),
        ),
        ("one that is better already stays", lambda: changed(having(TO_GOLD).when(member("M-1", "2026-03-11")))),
        (
            "a tier that cannot be earned",
            lambda: changed(
                having().when(member("M-1", "2026-03-01", "paid_only")), "assigned club 2026-03-01, review 2026-04-01"
            ),
        ),
    )
    def test_it_is_held_as_long_as_it_is_paid(self, scenario):
        """Against: the tier left standing at the membership's end, without a review."""
        scenario()


class TestFloor:
    def test_a_review_does_not_fall_below_what_is_paid_for(self):
        """Against: the review that looks at the values alone."""
        steps = (purchase("SO-2", 50_000, "2026-11-10"), member("M-1", "2027-12-15"))
        found = having(*steps).when(clock_runs("2028-01-01"))
        changed(found, "downgraded silver 2028-01-01, review 2028-01-15")
        changed(having(*steps).when(clock_runs("2028-01-15")), *changes(found.records), "downgraded none 2028-01-15")

    def test_nor_does_an_assignment_that_ends(self):
        steps = (assigned("gold", "2026-03-01", until="2026-03-20T00:00:00Z"), member("M-1", "2026-03-02"))
        changed(having(*steps).when(clock_runs("2026-03-20")), "downgraded silver 2026-03-20, review 2026-04-02")

    def test_nor_does_an_upgrade_undone(self):
        found = having(BOUGHT, TO_GOLD, refunds_undo_upgrade=True).when(refunded("SO-2", 50_000, "2026-03-11"))
        changed(found, "downgraded silver 2026-03-11, review 2026-04-01")


def test_a_late_purchase_is_reviewed_with_what_was_paid_for_then():
    """The corrected run knows the membership."""
    steps = (purchase("SO-2", 50_000, "2026-11-10"), member("M-1", "2027-12-15"), clock_runs("2028-01-16"))
    found = having(*steps).when(purchase("SO-3", 100, "2027-12-20").late("2028-01-17"))
    assert changes(found.records) == []
    assert [stands(found.ledger, day) for day in ("2027-12-31", "2028-01-02", "2028-01-16")] == ["gold", "silver", None]


@pytest.mark.parametrize("clock", [False, True])
def test_the_clock_changes_no_answer(clock):
    steps = [BOUGHT, *([clock_runs("2026-04-02")] if clock else [])]
    ledger = having(*steps).ledger
    assert [stands(ledger, day) for day in ("2026-02-28", "2026-03-31", "2026-04-01")] == [None, "silver", None]


def test_a_membership_taken_over_pays_for_its_tier():
    held = {"membership_id": "M-1", "plan": "vip", "start": "2026-02-01T00:00:00Z", "end": "2026-05-01T00:00:00Z"}
    found = having().when(opened("2026-03-01", membership=held, history={"orders": 1, "spend": {}}))
    changed(found, "assigned silver 2026-03-01, review 2026-05-01")


def test_a_plan_pays_for_a_tier_there_is():
    with pytest.raises(FormError) as found:
        read_document({**tiered(SILVER), "membership": [{**PLAN, "tier": "gold"}]})
    assert found.value.errors[0]["pointer"] == "/membership/0/tier"
