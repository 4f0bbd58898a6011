"""Stored value loaded, spent and refunded: which lots of principal and bonus, and what is left to pay back."""

import pytest

from tests.builders import clock_runs, load_refunded, loaded, opened, spent
from tests.given import given

LOADED = loaded("L-1", 1000, 200, "2026-03-01")
SPENT_600 = spent("S-1", 600, "2026-03-20")
LATER = "2026-04-01"
P, B = "stored.principal:CNY", "stored.bonus:CNY"


def stored(**settings):
    return {"stored_value": settings}


class TestLoading:
    def test_what_was_paid_in_and_what_was_given_are_two_lots(self):
        (
            given()
            .when(LOADED)
            .then(
                f"1000 {P} program:issued:load -> customer:{P} opens 1.1",
                f"200 {B} program:issued:load_bonus -> customer:{B} opens 1.2",
            )
            .lots(f"{P} 1.1 1000/1000", f"{B} 1.2 200/200")
        )

    def test_a_load_without_a_bonus_is_one_lot(self):
        given().when(loaded("L-1", 500, 0, "2026-03-01")).lots(f"{P} 1.1 500/500")

    def test_only_the_bonus_expires_unless_the_rules_say_more(self):
        rules = stored(bonus_expiry={"kind": "after_days", "n": 30})
        given(**rules).when(LOADED).lots(f"{B} 1.2 200/200 until 2026-04-01", f"{P} 1.1 1000/1000")

    def test_the_loads_own_word_on_its_bonus_comes_before_the_rules(self):
        rules = stored(bonus_expiry={"kind": "after_days", "n": 30}, principal_expiry={"kind": "end_of_year", "n": 2})
        (
            given(**rules)
            .when(loaded("L-1", 1000, 200, "2026-03-01", bonus_expires_at="2026-03-10T00:00:00Z"))
            .lots(f"{B} 1.2 200/200 until 2026-03-10", f"{P} 1.1 1000/1000 until 2029-01-01")
        )

    def test_a_bonus_that_is_past_its_expiry_is_gone_and_the_principal_stays(self):
        given(
            loaded("L-1", 1000, 200, "2026-03-01", bonus_expires_at="2026-03-10T00:00:00Z"), clock_runs("2026-03-11")
        ).when(spent("S-1", 1001, "2026-03-12")).refused("insufficient_stored_value", available=1000, requested=1001)

    def test_a_currency_the_program_does_not_take_is_refused(self):
        given(program={"currencies": ["JPY"]}).when(LOADED).refused("currency_not_accepted").nothing_changed()


# Order of consumption → lots after 600 of 1,000 + 200; what of the principal is refunded then; the bonus void with it.
# Source: the four worked cases of load 1,000 + 200, spend 600.
CASES = [
    ("proportional", [f"{P} 1.1 500/1000", f"{B} 1.2 100/200"], 500, 100),
    ("principal_first", [f"{P} 1.1 400/1000", f"{B} 1.2 200/200"], 400, 200),
    ("bonus_first", [f"{P} 1.1 600/1000"], 600, 0),
]


class TestSpending:
    @pytest.mark.parametrize(("consumption", "lots", "_", "__"), CASES)
    def test_the_rules_say_what_is_spent_first(self, consumption, lots, _, __):
        """Planted: bonus and principal taken the other way about."""
        given(LOADED, **stored(consumption=consumption)).when(SPENT_600).lots(*lots).why(consumption=consumption)

    @pytest.mark.parametrize(("consumption", "_", "refund", "void"), CASES)
    def test_what_is_left_of_the_principal_is_what_is_refunded_and_the_bonus_is_void(
        self, consumption, _, refund, void
    ):
        """Planted: the bonus counted as refundable."""
        found = given(LOADED, SPENT_600, **stored(consumption=consumption)).when(load_refunded("LR", LATER, load="L-1"))
        found.lots().derived(principal=refund)
        assert {posting.asset: posting.amount for posting in found.own.postings} == {
            asset: amount for asset, amount in ((P, refund), (B, void)) if amount
        }

    def test_unused_inside_the_cooling_off_window_all_comes_back_and_the_bonus_is_void(self):
        """Planted: the setting for afterwards applied within the window."""
        rules = stored(after_cooling_off="refused", refund_bonus="keep")
        (
            given(LOADED, **rules)
            .when(load_refunded("LR", "2026-03-07T23:59", load="L-1"))
            .then(
                f"1000 {P} customer:{P} -> program:reversed of 1.1:1000",
                f"200 {B} customer:{B} -> program:reversed of 1.2:200",
            )
            .lots()
            .derived(
                currency="CNY",
                principal=1000,
                loads=[{"load_id": "L-1", "principal": 1000, "cools_off": True, "void": 200}],
            )
        )

    def test_shares_are_rounded_so_that_principal_and_bonus_suffice(self):
        rules = stored(consumption="proportional")
        (given(loaded("L-1", 2, 1, "2026-03-01"), **rules).when(spent("S-1", 1, "2026-03-02")).lots(f"{P} 1.1 2/2"))

    def test_within_principal_the_lot_that_expires_first_then_the_oldest(self):
        (
            given(loaded("L-1", 100, 0, "2026-03-01"), loaded("L-2", 100, 0, "2026-03-02"))
            .when(spent("S-1", 150, "2026-03-03"))
            .lots(f"{P} 2.1 50/100")
        )

    def test_more_than_there_is_takes_nothing(self):
        (
            given(LOADED)
            .when(spent("S-1", 1201, "2026-03-02"))
            .refused("insufficient_stored_value", currency="CNY", available=1200, requested=1201)
            .nothing_changed()
        )

    def test_another_currency_is_another_asset(self):
        given(LOADED).when(spent("S-1", 1, "2026-03-02", currency="JPY")).refused(
            "insufficient_stored_value", available=0
        )

    def test_spent_late_it_must_have_been_free_from_then_until_now(self):
        given(LOADED, spent("S-1", 1100, "2026-03-10")).when(spent("S-2", 101, "2026-03-05")).refused(
            "insufficient_stored_value", available=100
        )

    def test_spent_late_from_a_bonus_that_expired_since_reverses_the_expiry(self):
        expiring = loaded("L-1", 1000, 200, "2026-03-01", bonus_expires_at="2026-03-10T00:00:00Z")
        found = given(expiring, clock_runs("2026-03-11"), **stored(consumption="bonus_first")).when(
            spent("S-1", 150, "2026-03-05").late("2026-03-12")
        )
        found.unit(
            ("points.expiry_reversed", "2026-03-10", [f"150 {B} program:expired -> customer:{B} of 1.2:150"]),
            ("stored_value.spent", "2026-03-05", [f"150 {B} customer:{B} -> program:redeemed of 1.2:150"]),
        )


class TestRefunding:
    def test_after_the_window_the_rules_may_refuse(self):
        given(LOADED, **stored(after_cooling_off="refused")).when(
            load_refunded("LR", "2026-03-08", load="L-1")
        ).refused("cooling_off_ended", cooling_off_days=7, left=1000).nothing_changed()

    def test_more_than_is_left_of_the_principal_is_refused(self):
        """Planted: a refund out of the bonus."""
        given(LOADED, SPENT_600).when(load_refunded("LR", LATER, load="L-1", amount=401)).refused(
            "refund_exceeds_principal", left=400, requested=401
        ).nothing_changed()

    def test_twice_there_is_nothing_left(self):
        given(LOADED, load_refunded("LR-1", LATER, load="L-1")).when(load_refunded("LR-2", LATER, load="L-1")).refused(
            "refund_exceeds_principal", left=0
        )

    @pytest.mark.parametrize(
        ("refund_bonus", "bonus"),
        [("void", []), ("proportional", [f"{B} 1.2 133/200"]), ("keep", [f"{B} 1.2 200/200"])],
    )
    def test_part_of_a_load_and_what_becomes_of_its_bonus(self, refund_bonus, bonus):
        """Of 200 a third is void, rounded up, so that parts of a refund void no less than the whole. Planted: rounded down."""
        given(loaded("L-1", 300, 200, "2026-03-01"), **stored(refund_bonus=refund_bonus)).when(
            load_refunded("LR", LATER, load="L-1", amount=100)
        ).lots(f"{P} 1.1 200/300", *bonus)

    def test_in_parts_all_of_the_bonus_is_void_at_the_end(self):
        parts = [load_refunded(f"LR-{n}", LATER, load="L-1", amount=100) for n in (1, 2)]
        given(loaded("L-1", 300, 200, "2026-03-01"), *parts, **stored(refund_bonus="proportional")).when(
            load_refunded("LR-3", LATER, load="L-1")
        ).lots()

    @pytest.mark.parametrize(
        ("order", "lots"),
        [
            ("newest_first", [f"{P} 1.1 50/100", f"{B} 1.2 5/10"]),
            ("oldest_first", [f"{P} 2.1 50/100", f"{B} 2.2 10/20"]),
        ],
    )
    def test_of_a_currency_the_rules_say_which_load_comes_first(self, order, lots):
        """Each load loses the share of its own bonus. Planted: the order taken the other way about."""
        loads = loaded("L-1", 100, 10, "2026-03-01"), loaded("L-2", 100, 20, "2026-03-02")
        rules = stored(refund_order=order, refund_bonus="proportional")
        given(*loads, **rules).when(load_refunded("LR", LATER, amount=150)).lots(*lots)

    def test_principal_taken_over_from_another_system_is_refundable_too(self):
        lot = {"asset": P, "amount": 70, "granted_at": "2025-01-01T00:00:00Z", "reason": "opening"}
        given(opened("2026-03-01", [lot]), loaded("L-1", 100, 0, "2026-03-02")).when(load_refunded("LR", LATER)).lots()

    def test_a_load_not_known_yet_is_waited_for(self):
        given().when(load_refunded("LR", LATER, load="L-1")).refused("load_unknown", load_id="L-1")

    def test_dated_before_its_load_there_is_nothing_to_pay_back(self):
        given(LOADED).when(load_refunded("LR", "2026-02-01", load="L-1")).refused("refund_exceeds_principal", left=0)

    def test_refunded_late_only_what_was_free_until_now_comes_back(self):
        given(LOADED, spent("S-1", 900, "2026-03-20")).when(
            load_refunded("LR", "2026-03-10", load="L-1")
        ).lots().derived(principal=100)
