"""The business key told from an event alone is the one its record carries."""

import pytest

from ledger.records import Record
from ledger.references import reference_of
from tests import builders
from tests.builders import CUSTOMER, PROGRAM, MemoryLedger, line, refunded_line, rules

PLACE = {"store": "S-1", "channel": "shop"}
STORY = [
    builders.signed_up("2026-01-03"),
    builders.purchase("SO-1", 20_000, "2026-01-04", lines=[line(1, 15_000), line(2, 5_000)], place=PLACE),
    builders.redeemed("RD-1", 120, "2026-01-05"),
    builders.given_back("RD-1", "2026-01-06", 20),
    builders.refunded("SO-1", 5_000, "2026-01-07", lines=[refunded_line(2, 5_000)], place=PLACE),
    builders.returned(("A", 1, 7_500), time="2026-01-08", place=PLACE),
    builders.delivered("SO-1", "2026-01-09"),
    builders.granted(50, "2026-01-10", grant_id="G-1"),
    builders.granted(50, "2026-01-10"),
    builders.adjusted(-30, "2026-01-11"),
    builders.opened(
        "2026-01-12", [{"asset": "points", "amount": 7, "granted_at": "2025-01-01T00:00:00Z", "reason": "x"}]
    ),
    builders.opened(
        "2026-01-12", [{"asset": "points", "amount": 7, "granted_at": "2025-01-01T00:00:00Z", "reason": "x"}], part=2
    ),
]
"""An event of every type of a customer's; in a program where orders are unique in a store, deliveries name none."""


@pytest.mark.parametrize("scope", ["program", "source"])
def test_the_key_of_an_event_is_the_key_of_its_record(scope):
    """Planted bug: the scope left out."""
    ledger = MemoryLedger(rules(program={"order_scope": scope}))
    for posted in STORY:
        decision = ledger.post(posted)
        assert decision is not None
        own: Record = decision.records[-1]
        assert reference_of(ledger.command(posted, CUSTOMER), PROGRAM, scope) == own.reference


def test_an_order_unique_in_its_store_is_named_with_it():
    ledger = MemoryLedger(rules(program={"order_scope": "store"}))
    for posted in STORY[1:2] + STORY[4:6]:
        decision = ledger.post(posted)
        assert decision is not None
        command = ledger.command(posted, CUSTOMER)
        assert reference_of(command, PROGRAM, "store") == decision.records[-1].reference
