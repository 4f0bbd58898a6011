"""Examples kept in a rules document, and what differs between two documents in words."""

from pathlib import Path

import pytest

from api.documents import read_yaml_with_marks
from ledger.errors import FormError
from ledger.examples import check_examples, run_examples
from ledger.rules import read_document
from ledger.rules.wording import differences
from tests.builders import earns, rules

SHIPPED = Path(__file__).parents[2] / "docs" / "examples"
SIGN_UP = {"id": "signup", "on": "customer.signed_up", "points": 100}


def posted(kind, time, **data):
    return {"type": kind, "time": time, "data": data}


def bought(order, total, time, **more):
    return posted("purchase.recorded", time, order_id=order, currency="CNY", total=total, **more)


JOINED = posted("customer.signed_up", "2026-03-01T10:00:00Z")


def ran(given, expect, *earning, **more):
    document = rules(
        *(earning or (earns(), SIGN_UP)), examples=[{"name": "x", "given": given, "expect": expect}], **more
    )
    (one,) = run_examples(read_document(document))
    return [(mismatch.what, mismatch.expected, mismatch.found) for mismatch in one.mismatches]


@pytest.mark.parametrize(
    ("given", "expect", "mismatches"),
    [
        ([JOINED], {"balances": {"points": 100}}, []),
        ([JOINED], {"balances": {"points": 99}}, [("balances", {"points": 99}, {"points": 100})]),
        ([JOINED], {"earned": {"signup": 100, "base": 0}}, []),
        ([JOINED], {"customer": "c-2", "balances": {"points": 0}}, []),
        ([JOINED, JOINED | {"subject": "c-2"}], {"customer": "c-2", "earned": {"signup": 100}}, []),
        (
            [JOINED, posted("points.redeemed", "2026-03-02T10:00:00Z", redemption_id="R", points=101)],
            {"balances": {"points": 100}},
            [("refused", [], ["insufficient_points"])],
        ),
        (
            [
                bought("SO-1", 1000, "2026-03-02T10:00:00Z"),
                posted("purchase.refunded", "2026-03-03T10:00:00Z", refund_id="RF", order_id="SO-1", amount=500),
            ],
            {"balances": {"points": 5}},
            [],
        ),
        (
            [posted("purchase.recorded", "2026-03-02T10:00:00Z")],
            {},
            [
                (
                    "event 1",
                    "an event",
                    "/data/order_id Field required; /data/currency Field required; /data/total Field required",
                )
            ],
        ),
    ],
)
def test_an_example_holds_or_says_what_differs(given, expect, mismatches):
    """Planted: refusals looked at only where the example expects one."""
    assert ran(given, expect) == mismatches


def test_an_example_is_seen_at_an_instant_with_what_has_fallen_due():
    expiry = {"kind": "after_days", "n": 30}
    assert not ran([JOINED], {"at": "2026-04-30T00:00:00Z", "balances": {"points": 0}}, expiry=expiry)
    assert not ran([JOINED], {"at": "2026-03-30T00:00:00Z", "balances": {"points": 100}}, expiry=expiry)


def test_a_budget_is_shared_by_the_customers_of_an_example():
    given = [
        bought("SO-1", 100, "2026-03-02T10:00:00Z"),
        bought("SO-2", 100, "2026-03-02T10:00:00Z") | {"subject": "c-2"},
    ]
    launch = {"id": "launch", "on": "purchase.recorded", "points": 60, "budget": 100}
    assert not ran(given, {"customer": "c-2", "earned": {"launch": 0}, "notes": ["budget"]}, launch)


def test_a_document_whose_example_does_not_hold_is_refused():
    document = rules(earns(), examples=[{"name": "wrong", "given": [JOINED], "expect": {"balances": {"points": 1}}}])
    with pytest.raises(FormError) as refused:
        check_examples(read_document(document))
    assert refused.value.form_code == "example_fails"
    assert refused.value.errors == [
        {"pointer": "/examples/0/expect", "reason": "wrong: balances is {'points': 0}, expected {'points': 1}"}
    ]


def test_every_example_that_ships_holds():
    files = sorted(SHIPPED.glob("*.yaml"))
    assert files
    for file in files:
        document, marks = read_yaml_with_marks(file.read_bytes())
        with marks.named():
            outcome = run_examples(read_document(document))
        assert outcome, file
        assert all(one.holds for one in outcome), (file, [one for one in outcome if not one.holds])


@pytest.mark.parametrize(
    ("before", "after", "what", "whom"),
    [
        (rules(earns("1")), rules(earns("2")), "rule 'base': points per unit 1 → 2", "customers who buy earn more"),
        (rules(earns("1.5")), rules(earns("1")), "rule 'base': points per unit 1.5 → 1", "customers who buy earn less"),
        (
            rules(earns()),
            rules(earns(cap_per_day=5)),
            "rule 'base': cap per day none → 5",
            "customers who buy may earn less",
        ),
        (
            rules(earns(minimum_spend=500)),
            rules(earns(minimum_spend=1000)),
            "rule 'base': minimum spend 500 → 1000",
            "customers who buy for 1000 minor units or more earn only from a higher amount on",
        ),
        (
            rules(earns()),
            rules(earns(), SIGN_UP),
            "new rule 'signup': 100 points for a sign-up",
            "customers who sign up earn by it",
        ),
        (
            rules(earns(), earns(None, id="x", multiply="2", schedule={"days": ["sat"]})),
            rules(earns()),
            "rule 'x' is gone: what the other rules earn times 2",
            "customers who buy on sat earn nothing by it",
        ),
        (
            rules(),
            rules(expiry={"kind": "after_days", "n": 30}),
            "points: never gone → gone after 30 days",
            "points granted from then on; what was granted before keeps its date",
        ),
        (
            rules(),
            rules(refunds="allow_negative"),
            "refunds: within_balance → allow_negative",
            "customers who bring goods back after spending their points",
        ),
        (
            rules(earns(moments=["a"]), moments=[{"id": "a", "dates": ["11-11"]}]),
            rules(earns(moments=["a"]), moments=[{"id": "a", "dates": ["12-12"]}]),
            "moments.a.dates: 11-11 → 12-12",
            "customers to whom the rules of that moment apply",
        ),
    ],
)
def test_what_differs_is_said_in_words(before, after, what, whom):
    """Planted: more and less exchanged."""
    assert differences(read_document(before), read_document(after)) == [(what, whom)]


def test_the_same_documents_do_not_differ():
    assert differences(read_document(rules()), read_document(rules())) == []
