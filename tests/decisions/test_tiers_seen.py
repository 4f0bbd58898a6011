"""What is seen of tiers: evidence, the way up, lapse, where growth comes from; and rules that mean nothing."""

import pytest

from ledger import account as accounts
from ledger.errors import FormError
from ledger.explaining import explanation
from ledger.rules import read_document
from ledger.seeing import seen, unwritten
from tests.builders import CUSTOMER, PROGRAM, at, clock_runs, opened, purchase, refunded, signed_up
from tests.given import given
from tests.tiering import GOLD, SILVER, SPENT, changed, level, stands, tier_seen, tiered


def test_a_change_names_what_counted_what_it_came_to_and_what_was_asked():
    before = [purchase("A", 60_00, "2025-12-01"), purchase("B", 60_00, "2026-03-01"), signed_up("2026-03-01")]
    when = given(*before, document=tiered()).when(purchase("C", 41_00, "2026-03-02"))
    assert when.own.data["evidence"] == {
        "from": "2026-01-01",
        "to": "2026-03-02",
        "values": {"growth": 101, "orders": 2},
        "condition": {"growth": 100},
        "records": [[2, 2], [4, 4]],
        "rules": 1,
    }
    assert when.own.cause == {"source": "/till", "id": when.records[0].id}
    assert when.own.instant == when.records[0].instant


def test_a_reader_sees_the_way_up_and_what_keeps_the_tier():
    document = tiered(
        SILVER,
        level("gold", 2, any=[{"growth": 500}, {"all": [{"orders": 3}, {"growth": 200}]}], keeps={"growth": 300}),
    )
    ledger = given(purchase("A", 120_00, "2026-03-01"), document=document).ledger
    assert tier_seen(ledger, "2026-03-02") == {
        "tier": "silver",
        "since": "2026-03-01T00:00:00Z",
        "review_at": "2027-01-01T00:00:00Z",
        "qualifies_by": ["growth", "orders"],
        "value": {"growth": 120, "orders": 1},
        "window": {"from": "2026-01-01", "to": "2026-03-02"},
        "next": {"tier": "gold", "missing": {"any": [{"growth": 380}, {"orders": 2, "growth": 80}]}},
        "retain": {"missing": {}, "value": {"growth": 120, "orders": 1}},
    }
    assert tier_seen(ledger, "2026-02-01")["tier"] is None
    assert tier_seen(ledger, "2026-02-01")["next"] == {"tier": "silver", "missing": {"growth": 100}}


def test_a_reader_sees_a_tier_lapse_whether_or_not_the_clock_wrote_it():
    """Against: the tier shown as it was last written."""
    never = given(purchase("A", 120_00, "2026-03-01"), document=tiered()).ledger
    ran = given(purchase("A", 120_00, "2026-03-01"), clock_runs("2029-01-01"), document=tiered()).ledger
    for as_of in ("2026-12-31T23:59", "2027-01-01", "2027-12-31", "2028-01-01", "2028-06-01"):
        assert tier_seen(never, as_of) == tier_seen(ran, as_of)
    assert [stands(never, as_of) for as_of in ("2027-12-31", "2028-01-01")] == ["silver", None]


def test_where_growth_comes_from_adds_up():
    steps = [purchase("A", 90_00, "2026-03-01"), purchase("B", 40_00, "2026-03-02"), refunded("A", 45_00, "2026-03-03")]
    ledger = given(*steps, document=tiered()).ledger
    told = explanation([(record.version, record) for record in ledger.records], "growth", at("2026-04-01"))
    assert told["value"] == 85 == sum(term["remaining"] for term in told["terms"])
    assert [(term["amount"], term["remaining"], term["rule"]) for term in told["terms"]] == [
        (90, 45, "spent"),
        (40, 40, "spent"),
    ]


def test_where_growth_comes_from_adds_up_before_a_review_is_written():
    """Against: what a review that is due deducts left out, so that the account and its explanation differ."""
    document = tiered(window={"kind": "lifetime"}, deduct_growth=True)
    ledger = given(purchase("A", 620_00, "2026-03-01"), document=document).ledger
    instant = at("2027-03-01")
    state = accounts.fold(ledger.records, instant)
    due = unwritten(state, instant, program=PROGRAM, customer=CUSTOMER, known=ledger.program)
    told = explanation(
        [(record.version, record) for record in ledger.records] + [(None, one) for one in due], "growth", instant
    )
    shown = seen(state, instant, program=PROGRAM, customer=CUSTOMER, known=ledger.program)
    assert told["value"] == shown["balances"]["growth"] == 120
    assert [(taken["record"], taken["amount"], taken["to"]) for taken in told["terms"][0]["taken"]] == [
        (None, 500, "program:deducted")
    ]


def test_growth_taken_over_counts_on_the_day_it_was_granted():
    lots = [
        {"asset": "growth", "amount": 80, "granted_at": "2025-12-31T12:00:00Z", "reason": "opening"},
        {"asset": "growth", "amount": 60, "granted_at": "2026-01-05T12:00:00Z", "reason": "opening"},
    ]
    when = given(opened("2026-02-01", lots), document=tiered()).when(purchase("A", 40_00, "2026-02-02"))
    changed(when, "upgraded silver 2026-02-02, review 2027-01-01")


@pytest.mark.parametrize(
    ("tiers", "reason"),
    [
        ({"levels": [SILVER, SILVER]}, "names"),
        ({"levels": [SILVER, {**GOLD, "rank": 1}]}, "ranks"),
        ({"levels": [level("silver", 1, spend=1)]}, "currency"),
        ({"levels": [{**SILVER, "qualifies": {}}]}, "asks for"),
        ({"window": {"kind": "rolling"}}, "months or days"),
        ({"growth": [SPENT, SPENT]}, "ids"),
        ({"growth": [{**SPENT, "id": "base"}]}, "called 'base'"),
        ({"growth": [{**SPENT, "amount": 5}]}, "give one"),
    ],
)
def test_rules_that_mean_nothing_are_refused(tiers, reason):
    with pytest.raises(FormError) as error:
        read_document(tiered(**tiers) if "levels" not in tiers else tiered(*tiers["levels"]))
    assert reason in error.value.errors[0]["reason"]
    assert error.value.errors[0]["pointer"].startswith("/tiers")
