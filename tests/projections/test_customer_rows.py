"""A customer's row, folded in memory."""

from projections.models.customers import CUSTOMERS
from tests.builders import MemoryLedger, purchase
from tests.decisions.test_tiers import tiered


def test_a_row_names_the_tier_that_stands_and_its_memory_survives_being_stored():
    ledger = MemoryLedger(tiered())
    for posted in (purchase("A", 90_00, "2026-03-01"), purchase("B", 410_00, "2026-03-02")):
        ledger.post(posted)
    memory = None
    for position, record in enumerate(ledger.records, start=1):
        memory = CUSTOMERS.fold(memory, "c-1", position, record)
        memory = CUSTOMERS.read(CUSTOMERS.write(memory))
    row = dict(zip(CUSTOMERS.columns, CUSTOMERS.row(memory), strict=True))
    assert (row["tier"], row["orders"], row["net"], row["average"]) == ("gold", 2, 500_00, 250_00)
