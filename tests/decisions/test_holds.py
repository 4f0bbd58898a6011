"""Holds: set aside, captured, released, timed out; before the clock has run, after it, and late."""

import pytest

from ledger import account as accounts
from ledger.explaining import explanation
from tests.builders import (
    at,
    captured,
    clock_runs,
    granted,
    held,
    load_refunded,
    loaded,
    purchase,
    redeemed,
    refunded,
    released,
    spent,
)
from tests.given import given

P, B = "stored.principal:CNY", "stored.bonus:CNY"
POINTS = granted(100, "2026-03-01")
EXPIRING = granted(100, "2026-03-01", expires_at="2026-03-10T00:00:00Z")
HELD = held("H-1", 60, "2026-03-05", "2026-03-20")


def shown(found, as_of):
    return accounts.show_account(accounts.fold(found.ledger.records, at(as_of)), at(as_of))


class TestPlacing:
    def test_what_is_held_is_in_the_balance_and_cannot_be_spent(self):
        """Planted: what is held left out of the balance; what is held still free."""
        found = given(POINTS).when(HELD)
        found.then("60 points customer:points -> customer:points:held opens 2.1 of 1.1:60").lots("1.1 40/100")
        answer = shown(found, "2026-03-06")
        assert (answer["balances"], answer["available"], answer["held"]) == (
            {"points": 100},
            {"points": 40},
            {"points": 60},
        )
        assert answer["holds"] == [
            {
                "hold_id": "H-1",
                "asset": "points",
                "amount": 60,
                "at": "2026-03-05T00:00:00Z",
                "until": "2026-03-20T00:00:00Z",
            }
        ]
        given(POINTS, HELD).when(redeemed("R-1", 41, "2026-03-06")).refused("insufficient_points", available=40)
        given(POINTS, HELD).when(held("H-2", 41, "2026-03-06", "2026-03-20")).refused("insufficient_points")

    def test_each_lot_is_held_apart_under_its_own_terms(self):
        given(EXPIRING, granted(50, "2026-03-02")).when(held("H-1", 120, "2026-03-05", "2026-03-20")).then(
            "100 points customer:points -> customer:points:held opens 3.1 of 1.1:100 until 2026-03-10",
            "20 points customer:points -> customer:points:held opens 3.2 of 2.1:20",
        )

    def test_very_many_lots_are_held_together_where_they_agree(self):
        grants = [granted(1, "2026-03-01") for _ in range(101)]
        found = given(*grants).when(held("H-1", 101, "2026-03-05", "2026-03-20"))
        assert [one.amount for one in found.own.postings] == [101]

    def test_stored_value_is_held_in_the_order_of_consumption(self):
        given(loaded("L-1", 1000, 200, "2026-03-01"), stored_value={"consumption": "bonus_first"}).when(
            held("H-1", 600, "2026-03-05", "2026-03-20", currency="CNY")
        ).then(
            f"400 {P} customer:{P} -> customer:{P}:held opens 2.1 of 1.1:400",
            f"200 {B} customer:{B} -> customer:{B}:held opens 2.2 of 1.2:200",
        )

    def test_a_hundred_are_enough(self):
        holds = [held(f"H-{number}", 1, "2026-03-05", "2026-03-20") for number in range(100)]
        given(granted(200, "2026-03-01"), *holds).when(held("H", 1, "2026-03-05", "2026-03-20")).refused(
            "too_many_holds", limit=100
        ).nothing_changed()


class TestCapturing:
    def test_it_counts_as_spent_when_it_was_held(self):
        """Planted: spent at the capture's own time."""
        found = given(POINTS, HELD).when(captured("H-1", "2026-03-08"))
        found.then("60 points customer:points:held -> program:redeemed of 2.1:60 on 2026-03-05").lots("1.1 40/100")
        found.seen("2026-03-04T23:59", points=100).seen("2026-03-05", points=40, available=40)

    def test_of_a_part_the_rest_is_free_again(self):
        found = given(POINTS, HELD).when(captured("H-1", "2026-03-08", 25))
        found.then(
            "25 points customer:points:held -> program:redeemed of 2.1:25 on 2026-03-05",
            "35 points customer:points:held -> customer:points opens 3.2 of 2.1:35",
        )
        found.lots("1.1 40/100", "3.2 35/35").seen("2026-03-07", points=75, available=40)

    @pytest.mark.parametrize(
        ("consumption", "principal", "bonus"),
        [("principal_first", 700, 200), ("bonus_first", 900, 0), ("proportional", 750, 150)],
    )
    def test_of_a_part_of_stored_value_it_is_as_if_only_that_had_been_spent(self, consumption, principal, bonus):
        """Held 600 of 1,000 + 200, captured 300. Planted: the part captured taken from the principal first."""
        rules = {"stored_value": {"consumption": consumption}}
        hold = held("H-1", 600, "2026-03-05", "2026-03-20", currency="CNY")
        found = given(loaded("L-1", 1000, 200, "2026-03-01"), hold, **rules).when(captured("H-1", "2026-03-08", 300))
        assert (found.own.balances[P], found.own.balances.get(B, 0)) == (principal, bonus)

    def test_more_than_is_held_is_refused(self):
        given(POINTS, HELD).when(captured("H-1", "2026-03-08", 61)).refused(
            "capture_exceeds_hold", held=60, requested=61
        ).nothing_changed()

    def test_what_is_held_does_not_expire(self):
        """Planted: held lots expired with the others."""
        given(EXPIRING, HELD, clock_runs("2026-03-15")).when(captured("H-1", "2026-03-16")).lots().seen(
            "2026-03-15", points=0
        )

    @pytest.mark.parametrize("end", [captured("H-1", "2026-03-07", 10), released("H-1", "2026-03-07")])
    def test_once_ended_it_can_never_be_captured_or_released(self, end):
        """Planted: the end looked for in the head alone, so that the hold counted as unknown and was waited for."""
        before = given(POINTS, HELD, end)
        for again in (captured("H-1", "2026-03-08"), released("H-1", "2026-03-08"), captured("H-1", "2026-03-06")):
            before.when(again).refused("hold_ended", hold_id="H-1").nothing_changed()

    @pytest.mark.parametrize("clock", [(), (clock_runs("2026-03-21"),)])
    @pytest.mark.parametrize("again", [captured, released])
    def test_timed_out_it_can_never_be_captured_or_released(self, clock, again):
        given(POINTS, HELD, *clock).when(again("H-1", "2026-03-20")).refused("hold_ended")


class TestReleasing:
    def test_it_is_a_lot_again_with_its_old_expiry(self):
        given(EXPIRING, HELD).when(released("H-1", "2026-03-08")).then(
            "60 points customer:points:held -> customer:points opens 3.1 of 2.1:60 until 2026-03-10"
        ).lots("1.1 40/100 until 2026-03-10", "3.1 60/60 until 2026-03-10")

    def test_past_its_expiry_it_expires_at_once(self):
        """Planted: expired at its old instant, when it was held."""
        found = given(EXPIRING, HELD).when(released("H-1", "2026-03-12"))
        found.unit(
            ("points.expired", "2026-03-10", ["40 points customer:points -> program:expired of 1.1:40"]),
            ("hold.released", "2026-03-12", ["60 points customer:points:held -> program:expired of 2.1:60"]),
        )
        found.lots().seen("2026-03-11", points=60, available=0).seen("2026-03-12", points=0)

    @pytest.mark.parametrize("clock", [(), (clock_runs("2026-03-20"),), (clock_runs("2026-04-20"),)])
    def test_timed_out_it_is_free_whether_or_not_the_clock_has_run(self, clock):
        """Planted: a reader who waits for the clock."""
        found = given(POINTS, HELD, *clock).when(redeemed("R-1", 100, "2026-04-21"))
        found.lots().seen("2026-03-19", available=40).seen("2026-03-20", available=100, points=100)

    @pytest.mark.parametrize("clock", [(), (clock_runs("2026-03-21"),)])
    def test_timed_out_past_its_expiry_it_is_gone(self, clock):
        found = given(EXPIRING, HELD, *clock).when(granted(1, "2026-03-22"))
        found.seen("2026-03-19", points=60, available=0).seen("2026-03-20", points=0)

    def test_the_time_out_is_a_record_of_its_own_instant(self):
        found = given(POINTS, HELD).when(redeemed("R-1", 1, "2026-04-01"))
        found.unit(
            (
                "hold.timed_out",
                "2026-03-20",
                ["60 points customer:points:held -> customer:points opens 3.1 of 2.1:60"],
            ),
            ("points.redeemed", "2026-04-01", ["1 points customer:points -> program:redeemed of 1.1:1"]),
        )


class TestLate:
    @pytest.mark.parametrize("clock", [(), (clock_runs("2026-03-25"),)])
    @pytest.mark.parametrize("grant", [POINTS, EXPIRING])
    def test_captured_in_time_and_told_late_the_time_out_is_undone(self, clock, grant):
        """The same answers whether or not the clock had written the time-out. Planted: refused where it had."""
        found = given(grant, HELD, *clock).when(captured("H-1", "2026-03-12", 50).late("2026-03-26"))
        expired = 40 if grant is EXPIRING else 0
        found.seen("2026-03-06", points=50).seen("2026-03-11", points=50 - expired)
        found.seen("2026-03-25", points=0 if grant is EXPIRING else 50, available=0 if grant is EXPIRING else 50)

    @pytest.mark.parametrize("clock", [(), (clock_runs("2026-03-25"),)])
    def test_released_in_time_and_told_late(self, clock):
        found = given(POINTS, HELD, *clock).when(released("H-1", "2026-03-12").late("2026-03-26"))
        found.seen("2026-03-11", points=100, available=40).seen("2026-03-12", available=100)
        found.seen("2026-03-25", points=100, available=100)

    def test_what_was_spent_since_the_time_out_cannot_be_captured(self):
        """Planted: the lots taken whatever was free."""
        given(POINTS, HELD, redeemed("R-1", 50, "2026-03-22")).when(captured("H-1", "2026-03-12")).refused(
            "hold_ended", ended="timed_out"
        ).nothing_changed()

    def test_what_expired_after_the_time_out_is_captured_all_the_same(self):
        found = given(
            granted(100, "2026-03-01", expires_at="2026-03-22T00:00:00Z"), HELD, clock_runs("2026-03-25")
        ).when(captured("H-1", "2026-03-12").late("2026-03-26"))
        assert [one.type for one in found.records] == ["points.expiry_reversed", "hold.captured"]
        found.seen("2026-03-05", points=40).seen("2026-03-23", points=0)

    def test_held_late_it_must_have_been_free_until_now(self):
        given(POINTS, redeemed("R-1", 50, "2026-03-10")).when(HELD).refused("insufficient_points", available=50)

    def test_held_late_and_over_already(self):
        found = given(POINTS, redeemed("R-1", 10, "2026-03-25")).when(HELD)
        found.seen("2026-03-06", points=100, available=40).seen("2026-03-21", available=100)

    def test_told_before_it_was_held_it_counts_from_then(self):
        given(POINTS, HELD).when(captured("H-1", "2026-03-04", 25)).then(
            "25 points customer:points:held -> program:redeemed of 2.1:25 on 2026-03-05",
            "35 points customer:points:held -> customer:points opens 3.2 of 2.1:35 on 2026-03-05",
        )


class TestBesideOthers:
    def test_what_was_held_and_freed_still_belongs_to_what_earned_it(self):
        """Planted: the lot it was freed into unknown to the refund, which then took from others."""
        (
            given(
                granted(5, "2026-02-01"),
                purchase("SO-1", 6000, "2026-03-01"),
                held("H-1", 65, "2026-03-05", "2026-03-20"),
                released("H-1", "2026-03-06"),
            )
            .when(refunded("SO-1", 6000, "2026-03-07"))
            .lots("4.1 5/5")
        )

    def test_what_is_held_is_not_clawed_back(self):
        found = given(purchase("SO-1", 6000, "2026-03-01"), HELD).when(refunded("SO-1", 6000, "2026-03-07"))
        assert found.own.derived["orders"][0]["clawback"][0]["dropped"] == 60
        found.lots()

    def test_a_load_that_was_held_and_freed_is_refunded_as_its_load(self):
        hold = held("H-1", 600, "2026-03-02", "2026-03-20", currency="CNY")
        given(loaded("L-1", 1000, 200, "2026-03-01"), hold, released("H-1", "2026-03-03")).when(
            load_refunded("LR", "2026-03-04", load="L-1")
        ).derived(principal=1000).lots()

    def test_what_is_held_cannot_be_spent_otherwise(self):
        hold = held("H-1", 600, "2026-03-02", "2026-03-20", currency="CNY")
        given(loaded("L-1", 1000, 0, "2026-03-01"), hold).when(spent("S-1", 401, "2026-03-03")).refused(
            "insufficient_stored_value", available=400
        )

    @pytest.mark.parametrize("as_of", ["2026-03-06", "2026-03-15", "2026-03-19", "2026-03-20", "2026-04-01"])
    @pytest.mark.parametrize("grant", [POINTS, EXPIRING])
    @pytest.mark.parametrize(
        "end",
        [
            (),
            (clock_runs("2026-03-25"),),
            (captured("H-1", "2026-03-12", 50),),
            (clock_runs("2026-03-25"), captured("H-1", "2026-03-12", 50).late("2026-03-26")),
        ],
    )
    def test_its_explanation_adds_up_to_the_balance(self, as_of, grant, end):
        ledger = given(grant, HELD, *end).ledger
        seen = accounts.lapsed(accounts.fold(ledger.records, at(as_of)), at(as_of))
        explained = explanation(enumerate(ledger.records, start=1), "points", at(as_of))
        assert explained["value"] == seen.balances()["points"]
