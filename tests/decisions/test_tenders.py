"""Tenders that are the payment itself: taken with the purchase, given back with the refund, lot by lot."""

import pytest

from tests.builders import clock_runs, earns, granted, line, loaded, purchase, redeemed, refunded, spent
from tests.given import given

P, B = "stored.principal:CNY", "stored.bonus:CNY"
WORTH_A_CENT = {"points": {"value": {"CNY": "0.01"}}}
WORTH_TEN_CENTS = {"points": {"value": {"CNY": "1/10"}}}
POINTS = granted(100, "2026-03-01")
LOADED = loaded("L-1", 1000, 200, "2026-03-01")


def tender(kind, amount, **more):
    return {"kind": kind, "amount": amount, **more}


def bought(*tenders, time="2026-03-05", order="SO-1", **more):
    return purchase(order, sum(one["amount"] for one in tenders), time, tenders=list(tenders), **more)


class TestPaying:
    def test_points_pay_in_the_purchases_own_record(self):
        """Paid with points earns nothing, unless the rules say otherwise. Planted: the reference forgotten as a condition."""
        (
            given(POINTS, tenders=WORTH_TEN_CENTS)
            .when(bought(tender("points", 500), tender("card", 1000)))
            .then(
                "50 points customer:points -> program:redeemed of 1.1:50",
                "10 points program:issued:purchase -> customer:points opens 2.2 by base",
            )
            .why(tender=1, kind="points", pays=500, value="1/10")
            .lots("1.1 50/100", "2.2 10/10")
        )

    def test_stored_value_pays_and_earns_like_money(self):
        (
            given(LOADED, stored_value={"consumption": "proportional"})
            .when(bought(tender("stored_value", 600)))
            .then(
                f"500 {P} customer:{P} -> program:redeemed of 1.1:500",
                f"100 {B} customer:{B} -> program:redeemed of 1.2:100",
                "6 points program:issued:purchase -> customer:points opens 2.3 by base",
            )
        )

    def test_the_rules_may_leave_out_what_stored_value_paid(self):
        found = given(LOADED, document={"earning": [earns(exclude_tenders=["stored_value"])]}).when(
            bought(tender("stored_value", 600), tender("cash", 300))
        )
        assert found.own.postings[-1].amount == 3

    def test_with_a_reference_nothing_moves(self):
        given(POINTS, redeemed("R-1", 50, "2026-03-02"), tenders=WORTH_TEN_CENTS).when(
            bought(tender("points", 500, reference="R-1"))
        ).then()

    def test_a_tender_of_nothing_takes_nothing(self):
        given(POINTS).when(bought(tender("points", 0), tender("card", 50))).then()

    def test_two_tenders_of_a_kind_take_twice(self):
        """Planted: what the first took still counted as free for the second."""
        before = given(POINTS, tenders=WORTH_TEN_CENTS)
        before.when(bought(tender("points", 600), tender("points", 500))).refused(
            "insufficient_points", available=40, requested=50
        ).nothing_changed()
        before.when(bought(tender("points", 600), tender("points", 400))).lots()

    def test_what_a_purchase_earns_cannot_pay_for_it(self):
        given(tenders=WORTH_TEN_CENTS).when(bought(tender("points", 10), tender("card", 10_000))).refused(
            "insufficient_points", available=0, requested=1
        )

    @pytest.mark.parametrize(
        ("tenders", "code", "facts"),
        [
            ((tender("points", 505),), "tender_not_whole_points", {"amount": 505, "value": "1/10"}),
            ((tender("points", 1010),), "insufficient_points", {"available": 100, "requested": 101}),
            ((tender("stored_value", 1201),), "insufficient_stored_value", {"available": 1200, "requested": 1201}),
            ((tender("stored_value", 600), tender("points", 1010)), "insufficient_points", {"available": 100}),
        ],
    )
    def test_all_or_none(self, tenders, code, facts):
        """Planted: the tender that could be paid taken all the same."""
        given(POINTS, LOADED, tenders=WORTH_TEN_CENTS).when(bought(*tenders)).refused(code, **facts).nothing_changed()

    @pytest.mark.parametrize(("rules", "currency"), [({}, "CNY"), ({"tenders": WORTH_A_CENT}, "JPY")])
    def test_points_without_a_value_pay_nothing(self, rules, currency):
        given(POINTS, **rules).when(bought(tender("points", 10), currency=currency)).refused(
            "tender_not_payable", kind="points", currency=currency
        ).nothing_changed()

    @pytest.mark.parametrize(
        ("scale", "value", "amount", "points"),
        [
            (0, "0.01", 7, 7),
            (2, "0.01", 7, 700),
            (2, "3", 1, None),
            (2, "3", 3, 1),
            (0, "1/3", 100, 3),
            (0, "2", 200, 1),
        ],
    )
    def test_the_value_of_a_point_is_exact(self, scale, value, amount, points):
        """Planted: the scale of points left out."""
        found = given(
            granted(10**4, "2026-03-01"), program={"points_scale": scale}, tenders={"points": {"value": {"CNY": value}}}
        ).when(bought(tender("points", amount)))
        if points is None:
            found.refused("tender_not_whole_points")
        else:
            assert found.own.postings[0].amount == points

    def test_paid_late_from_what_expired_since(self):
        found = given(
            granted(100, "2026-03-01", expires_at="2026-03-10T00:00:00Z"),
            clock_runs("2026-03-11"),
            tenders=WORTH_TEN_CENTS,
        ).when(bought(tender("points", 500)).late("2026-03-12"))
        assert [one.type for one in found.records] == ["points.expiry_reversed", "purchase.recorded"]
        found.seen("2026-03-06", points=50)


class TestRefunding:
    def test_each_tender_goes_back_to_its_lots_with_their_old_expiry(self):
        """Planted: a new lot with an expiry of its own."""
        (
            given(
                granted(30, "2026-03-01", expires_at="2026-06-01T00:00:00Z"),
                granted(70, "2026-03-02"),
                bought(tender("points", 500)),
                tenders=WORTH_TEN_CENTS,
            )
            .when(refunded("SO-1", 500, "2026-03-06"))
            .then("50 points program:redeemed -> customer:points of 2.1:20 1.1:30")
            .lots("1.1 30/30 until 2026-06-01", "2.1 70/70")
        )

    @pytest.mark.parametrize(
        ("setting", "amount", "back"),
        [
            ("proportional", 300, 10),
            ("proportional", 1, 0),
            ("ledger_first", 1, 0),
            ("ledger_first", 300, 30),
            ("ledger_first", 700, 50),
            ("ledger_last", 1000, 0),
            ("ledger_last", 1100, 10),
        ],
    )
    def test_where_a_refund_says_nothing_the_rules_say_which_tender(self, setting, amount, back):
        """Planted: what stays taken rounded down, so that a cent gave a point of ten cents back."""
        rules = {"tenders": {**WORTH_TEN_CENTS, "refund": setting}}
        found = given(POINTS, bought(tender("points", 500), tender("card", 1000)), **rules).when(
            refunded("SO-1", amount, "2026-03-06")
        )
        given_back = [one.amount for one in found.own.postings if one.source == "program:redeemed"]
        assert sum(given_back) == back

    @pytest.mark.parametrize("setting", ["proportional", "ledger_first", "ledger_last"])
    @pytest.mark.parametrize("parts", [[1500], [1, 1499], [333, 333, 834], [7] * 214 + [2]])
    def test_in_any_number_of_parts_exactly_what_was_taken_comes_back(self, setting, parts):
        """Planted: each part rounded by itself."""
        rules = {"tenders": {**WORTH_TEN_CENTS, "refund": setting}, "earning": [earns("0.00001")]}
        before = [refunded("SO-1", part, "2026-03-06", refund=f"RF-{n}") for n, part in enumerate(parts[:-1])]
        tenders = tender("points", 490), tender("card", 510), tender("stored_value", 500)
        (
            given(POINTS, LOADED, bought(*tenders), *before, document=rules)
            .when(refunded("SO-1", parts[-1], "2026-03-07", refund="RF"))
            .lots("1.1 100/100", f"{P} 2.1 1000/1000", f"{B} 2.2 200/200")
        )

    @pytest.mark.parametrize(
        ("consumption", "principal", "bonus"),
        [("principal_first", 700, 200), ("bonus_first", 900, 0), ("proportional", 750, 150)],
    )
    def test_what_stays_taken_is_what_the_rest_would_have_taken(self, consumption, principal, bonus):
        """Spent 600, refunded 300. Planted: the bonus given back first whatever was spent first."""
        found = given(LOADED, bought(tender("stored_value", 600)), stored_value={"consumption": consumption}).when(
            refunded("SO-1", 300, "2026-03-06")
        )
        balances = found.own.balances
        assert (balances[P], balances.get(B, 0)) == (principal, bonus)

    def test_a_refund_may_name_its_tenders(self):
        given(POINTS, bought(tender("points", 500), tender("card", 1000)), tenders=WORTH_TEN_CENTS).when(
            refunded("SO-1", 800, "2026-03-06", tenders=[tender("points", 300), tender("card", 500)])
        ).derived(currency="CNY").lots("1.1 80/100", "2.2 5/10")

    def test_more_than_a_tender_paid_is_refused(self):
        given(POINTS, bought(tender("points", 500), tender("card", 1000)), tenders=WORTH_TEN_CENTS).when(
            refunded("SO-1", 510, "2026-03-06", tenders=[tender("points", 510)])
        ).refused("refund_exceeds_tender", kind="points", left=500, requested=510).nothing_changed()

    def test_what_another_redemption_paid_goes_back_by_its_own_reversal(self):
        found = given(POINTS, redeemed("R-1", 50, "2026-03-02"), bought(tender("points", 500, reference="R-1"))).when(
            refunded("SO-1", 500, "2026-03-06", tenders=[tender("points", 500)])
        )
        found.then()
        assert found.own.notes == []

    def test_a_lot_past_its_expiry_comes_back_as_the_rules_say(self):
        (
            given(
                granted(100, "2026-03-01", expires_at="2026-03-10T00:00:00Z"),
                bought(tender("points", 500)),
                tenders=WORTH_TEN_CENTS,
                redemption_reversal={"expired_lots": "grace", "grace_days": 3},
            )
            .when(refunded("SO-1", 500, "2026-03-20"))
            .then("50 points program:redeemed -> customer:points opens 4.1 until 2026-03-23")
        )

    def test_what_comes_back_covers_what_is_clawed_back(self):
        """The points earned were spent; the tender's points return first, so nothing is dropped. Planted: the other order."""
        (
            given(
                POINTS,
                bought(tender("points", 500), tender("card", 1000)),
                redeemed("R-1", 60, "2026-03-06"),
                tenders=WORTH_TEN_CENTS,
            )
            .when(refunded("SO-1", 1500, "2026-03-07"))
            .lots("1.1 40/100")
        )

    def test_two_tenders_that_come_back_cover_a_debt_once(self):
        """Planted: the debt seen open again by the second."""
        found = given(
            purchase("SO-0", 2000, "2026-03-01"),
            redeemed("R-0", 20, "2026-03-01T01:00"),
            granted(50, "2026-03-02"),
            bought(tender("points", 300), tender("points", 200)),
            refunded("SO-0", 2000, "2026-03-06", refund="RF-0"),
            tenders=WORTH_TEN_CENTS,
            refunds="allow_negative",
        ).lots("owes 5.1 20/20")
        found.when(refunded("SO-1", 500, "2026-03-07")).lots("3.1 30/50")

    def test_refunded_before_it_was_bought_it_comes_back_when_it_was_bought(self):
        found = given(POINTS, bought(tender("points", 500)), tenders=WORTH_TEN_CENTS).when(
            refunded("SO-1", 500, "2026-03-03")
        )
        found.then("50 points program:redeemed -> customer:points of 1.1:50 on 2026-03-05").lots("1.1 100/100")

    def test_spent_since_a_late_refund_gives_back_all_the_same(self):
        given(POINTS, bought(tender("points", 500)), redeemed("R-1", 50, "2026-03-10"), tenders=WORTH_TEN_CENTS).when(
            refunded("SO-1", 500, "2026-03-06")
        ).lots("1.1 50/100")

    def test_a_refund_of_lines_is_spread_over_the_tenders_too(self):
        lines = [line(1, 500), line(2, 1000)]
        tenders = [tender("stored_value", 900), tender("card", 600)]
        found = given(LOADED, purchase("SO-1", 1500, "2026-03-05", lines=lines, tenders=tenders)).when(
            refunded("SO-1", 500, "2026-03-06", lines=[{"line": 1, "quantity": 1, "amount": 500}])
        )
        assert found.own.derived["orders"][0]["tenders"] == [{"tender": 1, "amount": 300, "back": [["1.1", 300]]}]


def test_a_spend_and_a_tender_take_from_the_same_lots():
    """Planted: a path of its own for tenders, which took what was spent already."""
    given(LOADED, spent("S-1", 1100, "2026-03-02")).when(bought(tender("stored_value", 101))).refused(
        "insufficient_stored_value", available=100
    )
