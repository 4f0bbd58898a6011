"""What needs two people: proposals and approvals on the program's own stream, and what is refused without them."""

from dataclasses import replace

import pytest

from ledger import changes
from ledger.deciding import Command
from ledger.errors import LedgerError
from ledger.instants import show
from ledger.records import own_place
from tests.builders import PROGRAM, MemoryLedger, adjusted, at, earns, granted, opened, rules

TWO = {"rules": True, "adjustments_over": 100}
NOW = at("2026-03-01")
DOUBLE = rules(earns("2"), approvals=TWO)


def ledger_of_two() -> MemoryLedger:
    ledger = MemoryLedger(rules(earns(), approvals=TWO))
    ledger.now = NOW
    return ledger


def say(ledger: MemoryLedger, what: str, number: str, actor: str, **data) -> list:
    command = Command(
        source="ledger:changes", id=number, type=what, subject=PROGRAM, time=ledger.now, data=data, actor=actor
    )
    decided = ledger.decide_on_program(command)
    ledger.program_records += decided.records
    ledger.program = decided.state
    return decided.records


def propose(ledger, number="p-1", actor="ann", kind="rules", content=DOUBLE):
    return say(
        ledger, "change.proposed", number, actor, kind=kind, content=content, hash=changes.hash_of(kind, content)
    )


def approve(ledger, number="p-1", actor="bob", sent=None):
    known = ledger.program.changes.get(number)
    return say(
        ledger,
        "change.approved",
        f"a-{number}-{actor}",
        actor,
        change=number,
        hash=sent or (known.hash if known else "0"),
    )


def refusal(do) -> str:
    with pytest.raises(LedgerError) as refused:
        do()
    return refused.value.code


def publish(ledger, document, actor="ann"):
    return say(ledger, "program.published", "x", actor, document=document)


def test_rules_count_once_another_has_approved_them():
    """Planted: the publication decided without its approval's unit."""
    ledger = ledger_of_two()
    propose(ledger)
    assert ledger.program.rules.latest.version == 1
    approval, publication = approve(ledger)
    assert (approval.type, publication.type, publication.version) == (
        "change.approved",
        "program.published",
        approval.version + 1,
    )
    assert own_place([approval.source, publication.source]) == 0
    assert publication.cause == {"source": approval.source, "id": approval.id}
    assert ledger.program.rules.latest.version == 2
    assert ledger.program.rules.latest.document.earning[0].points_per_unit == "2"
    change = ledger.program.changes["p-1"]
    assert (change.proposed_by, change.approved_by) == ("ann", "bob")


def test_each_refusal_comes_before_the_next():
    """Each row repairs one fault of the row above. Planted: the principal not compared; the second row saw it."""
    ledger = ledger_of_two()
    assert refusal(lambda: approve(ledger)) == "change_unknown"
    propose(ledger)
    assert refusal(lambda: approve(ledger, actor="ann", sent="0")) == "same_principal"
    assert refusal(lambda: approve(ledger, sent="0")) == "change_differs"
    approve(ledger)
    assert refusal(lambda: approve(ledger, actor="carl")) == "change_settled"


def test_a_proposal_on_older_rules_is_out_of_date():
    ledger = ledger_of_two()
    propose(ledger, "p-1")
    propose(ledger, "p-2", content=rules(earns("3"), approvals=TWO))
    approve(ledger, "p-1")
    assert refusal(lambda: approve(ledger, "p-2")) == "change_outdated"


def test_one_person_publishes_nothing_not_even_that_one_person_may():
    ledger = ledger_of_two()
    assert refusal(lambda: publish(ledger, DOUBLE)) == "approval_needed"
    assert refusal(lambda: publish(ledger, rules(earns()))) == "approval_needed"
    assert (
        refusal(lambda: propose(ledger, content=rules(earns("2"), program={"points_scale": 2}))) == "fixed_at_creation"
    )


def test_without_the_setting_one_person_is_enough():
    ledger = MemoryLedger(rules(earns(), approvals={"adjustments_over": 100}))
    ledger.now = NOW
    publish(ledger, rules(earns("2")))
    assert ledger.program.rules.latest.version == 2


def by_hand(number="p-1", points=-500, customer="c-1"):
    return {"customer": customer, "points": points, "reason": "by hand"}


def with_points():
    ledger = ledger_of_two()
    ledger.post(granted(1000, "2026-02-28"))
    return ledger


def post(ledger, points, number, source="ledger:changes"):
    return ledger.post(replace(adjusted(points, ledger.now), id=number, source=source))


@pytest.mark.parametrize("points", [100, -100])
def test_an_adjustment_up_to_the_limit_needs_nobody(points):
    assert post(with_points(), points, "x", "/crm") is not None


@pytest.mark.parametrize("points", [101, -101])
def test_an_adjustment_over_the_limit_does(points):
    """Planted: only what is given compared, not what is taken."""
    ledger = with_points()
    assert refusal(lambda: post(ledger, points, "x", "/crm")) == "approval_needed"


def test_an_approved_adjustment_is_exactly_the_one_approved():
    """Planted: the approval looked up without comparing its content."""
    ledger = with_points()
    propose(ledger, kind="adjustment", content=by_hand())
    assert refusal(lambda: post(ledger, -500, "p-1")) == "approval_needed"
    approve(ledger)
    assert refusal(lambda: post(ledger, -501, "p-1")) == "approval_needed"
    assert refusal(lambda: post(ledger, 500, "p-1")) == "approval_needed"
    assert refusal(lambda: post(ledger, -500, "p-1", "/crm")) == "approval_needed"
    assert post(ledger, -500, "p-1") is not None
    assert ledger.account.balances()["points"] == 500


def test_an_approval_for_one_customer_is_none_for_another():
    ledger = with_points()
    propose(ledger, kind="adjustment", content=by_hand(customer="c-2"))
    approve(ledger)
    assert refusal(lambda: post(ledger, -500, "p-1")) == "approval_needed"


def test_the_hash_is_of_the_content_whatever_the_order_of_its_keys():
    assert changes.hash_of("rules", {"a": 1, "b": 2}) == changes.hash_of("rules", {"b": 2, "a": 1})
    assert changes.hash_of("rules", {"a": 1}) != changes.hash_of("adjustment", {"a": 1})


def opening(ledger: MemoryLedger, number="p-1/0", source="ledger:changes", amount=500):
    return ledger.post(replace(opened(ledger.now, [lot(amount)]), id=number, source=source))


def lot(amount):
    return {"asset": "points", "amount": amount, "granted_at": "2025-01-01T00:00:00Z", "reason": "earned"}


def of_openings() -> MemoryLedger:
    ledger = MemoryLedger(rules(earns(), approvals={"openings": True}))
    ledger.now = NOW
    return ledger


def test_an_opening_balance_is_exactly_one_of_those_approved():
    """Each row repairs one fault of the row above. Planted: any approved change of the kind taken for this one."""
    ledger = of_openings()
    data = {"system": "old", "cutover_at": show(NOW), "lots": [lot(500)]}
    assert refusal(lambda: opening(ledger)) == "approval_needed"
    propose(ledger, kind="opening", content={"openings": [{"customer": "c-1", **data}]})
    assert refusal(lambda: opening(ledger)) == "approval_needed"
    approve(ledger)
    assert refusal(lambda: opening(ledger, source="/crm")) == "approval_needed"
    assert refusal(lambda: opening(ledger, number="p-2/0")) == "approval_needed"
    assert refusal(lambda: opening(ledger, amount=501)) == "approval_needed"
    assert opening(ledger) is not None


def test_an_older_date_is_no_way_round():
    """Planted: the rules of the event's own time asked; before they were published one person was enough."""
    ledger = MemoryLedger(rules(earns()))
    ledger.now = NOW
    publish(ledger, rules(earns(), approvals={"openings": True, "adjustments_over": 100}))
    early = at("2026-02-01")
    assert refusal(lambda: ledger.post(adjusted(500, early))) == "approval_needed"
    assert refusal(lambda: ledger.post(opened(early, [lot(500)]))) == "approval_needed"


ORDER = {
    "from": "2026-02-01T00:00:00Z",
    "until": "2026-02-02T00:00:00Z",
    "types": ["purchase.recorded"],
    "factor": "1/10",
    "spent": "within_balance",
    "reason": "a hundred for ten",
}


def test_a_correction_follows_from_its_approval():
    """Against: an order of anything else than what was proposed."""
    ledger = MemoryLedger(rules(earns(), approvals={"corrections": True}))
    ledger.now = NOW
    assert refusal(lambda: say(ledger, "correction.ordered", "o-1", "ann", order=ORDER)) == "approval_needed"
    propose(ledger, kind="correction", content=ORDER)
    assert refusal(lambda: approve(ledger, actor="ann")) == "same_principal"
    approval, order = approve(ledger)
    assert (order.type, order.cause) == ("correction.ordered", {"source": approval.source, "id": approval.id})
    assert order.data == {"order": ORDER, "hash": changes.hash_of("correction", ORDER), "change": "p-1"}
    assert ledger.program.corrections[order.id].change == "p-1"


def test_without_the_setting_one_person_orders():
    ledger = MemoryLedger(rules(earns()))
    ledger.now = NOW
    (order,) = say(ledger, "correction.ordered", "o-1", "ann", order=ORDER)
    assert (order.actor, ledger.program.corrections["o-1"].change) == ("ann", None)


def test_a_correction_that_could_not_be_ordered_is_not_proposed():
    ledger = MemoryLedger(rules(earns(), approvals={"corrections": True}))
    ledger.now = NOW
    content = {**ORDER, "until": "2026-04-01T00:00:00Z"}
    assert refusal(lambda: propose(ledger, kind="correction", content=content)) == "malformed"
