"""Tiers introduced on a program that runs: the history counts from then on, and each member gets the tier it supports."""

from tests.builders import event, line, published, purchase, refunded, rules, signed_up
from tests.given import given, table
from tests.tiering import GOLD, SILVER, SPENT, changed, changes, level, stands, tier_seen, tiered

BEFORE = rules()
PUBLISHED = published(tiered(SILVER, GOLD), "2026-06-01")
INTRODUCED = event("tier.introduced", "2026-06-02")


def having(*steps, then=PUBLISHED):
    return given(*steps, then, document=BEFORE)


FIRST = purchase("SO-1", 30_000, "2026-03-01", lines=[line(1, 10_000), line(2, 20_000)])
SECOND = purchase("SO-2", 25_000, "2026-04-01")


class TestIntroducing:
    @table(
        (
            "the tier that the history supports, with its evidence",
            lambda: changed(having(FIRST, SECOND).when(INTRODUCED), "upgraded gold 2026-06-02, review 2027-01-01"),
        ),
        (
            "less what was refunded",
            lambda: changed(
                having(FIRST, SECOND, refunded("SO-1", 10_000, "2026-03-05")).when(INTRODUCED),
                "upgraded silver 2026-06-02, review 2027-01-01",
            ),
        ),
        ("nothing where nothing counts", lambda: changed(having().when(INTRODUCED))),
        (
            "not what lies before the window",
            lambda: changed(
                having(purchase("SO-0", 90_000, "2025-12-31"), FIRST).when(INTRODUCED),
                "upgraded silver 2026-06-02, review 2027-01-01",
            ),
        ),
        (
            "a lifetime counts all of it",
            lambda: changed(
                having(
                    purchase("SO-0", 90_000, "2024-12-31"),
                    FIRST,
                    then=published(tiered(SILVER, GOLD, window={"kind": "lifetime"}), "2026-06-01"),
                ).when(INTRODUCED),
                "upgraded gold 2026-06-02, review 2027-06-02",
            ),
        ),
        (
            "and what a sign-up earns",
            lambda: changed(
                having(
                    signed_up("2026-02-01"),
                    then=published(
                        tiered(SILVER, growth=[SPENT, {"id": "joined", "on": "customer.signed_up", "amount": 100}]),
                        "2026-06-01",
                    ),
                ).when(INTRODUCED),
                "upgraded silver 2026-06-02, review 2027-01-01",
            ),
        ),
    )
    def test_the_history_counts(self, scenario):
        """Against: what was refunded counted all the same."""
        scenario()

    def test_the_record_says_what_was_counted(self):
        found = having(FIRST, SECOND).when(INTRODUCED)
        own = found.records[0]
        assert [posting.amount for posting in own.postings] == [300, 250]
        assert own.derived["tier"]["counted"] == [
            ["2026-03-01", 300, 1, 30_000, "CNY"],
            ["2026-04-01", 250, 1, 25_000, "CNY"],
        ]
        assert own.derived["records"] == [[1, 2]]

    def test_once(self):
        """What the second would count is counted already."""
        found = having(FIRST, SECOND, then=PUBLISHED)
        found.ledger.post(INTRODUCED)
        again = found.when(event("tier.introduced", "2026-06-03"))
        assert again.own.postings == ()
        assert again.own.derived["tier"]["counted"] == []

    def test_by_orders_and_spend(self):
        block = tiered(level("twice", 1, orders=2), level("rich", 2, spend=60_000), growth=[], currency="CNY")
        found = having(FIRST, SECOND, then=published(block, "2026-06-01")).when(INTRODUCED)
        changed(found, "upgraded twice 2026-06-02, review 2027-01-01")
        assert tier_seen(found.ledger, "2026-06-03")["value"] == {"growth": 0, "spend": 55_000, "orders": 2}

    def test_without_tiers_there_is_nothing_to_introduce(self):
        given(FIRST, document=BEFORE).when(INTRODUCED).refused("no_tiers")


class TestAfter:
    def test_a_refund_takes_from_what_was_counted(self):
        """On the purchase's own day, growth, spend and the order itself."""
        block = tiered(SILVER, GOLD, refunds_undo_upgrade=True, currency="CNY")
        steps = (FIRST, SECOND, published(block, "2026-06-01"), INTRODUCED)
        found = given(*steps, document=BEFORE).when(refunded("SO-1", 30_000, "2026-06-05"))
        assert changes(found.records) == ["downgraded silver 2026-06-05, review 2027-01-01"]
        assert tier_seen(found.ledger, "2026-06-06")["value"] == {"growth": 250, "spend": 25_000, "orders": 1}

    def test_in_parts_exactly_what_was_counted(self):
        steps = [FIRST, refunded("SO-1", 9_999, "2026-03-02"), PUBLISHED, INTRODUCED]
        steps += [refunded("SO-1", 10_001, "2026-06-05", refund="RF-2")]
        found = given(*steps, document=BEFORE).when(refunded("SO-1", 10_000, "2026-06-06", refund="RF-3"))
        assert found.own.balances["growth"] == 0 if "growth" in found.own.balances else True
        assert tier_seen(found.ledger, "2026-06-07")["value"]["growth"] == 0

    def test_what_comes_then_counts_with_it(self):
        found = given(FIRST, PUBLISHED, INTRODUCED, document=BEFORE).when(purchase("SO-3", 20_000, "2026-06-10"))
        changed(found, "upgraded gold 2026-06-10, review 2027-01-01")
        assert stands(found.ledger, "2026-06-11") == "gold"

    def test_orders_beyond_the_latest_are_counted_together(self):
        steps = [purchase(f"O-{number}", 100, "2026-03-01") for number in range(120)]
        found = having(*steps).when(INTRODUCED)
        assert sorted(posting.amount for posting in found.records[0].postings) == [1] * 50 + [70]
        assert stands(found.ledger, "2026-06-03") == "silver"
