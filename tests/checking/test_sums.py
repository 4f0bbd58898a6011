"""What the check adds up over all streams."""

from collections import Counter

import pytest

from ledger import checking
from ledger.checking import LogReport


@pytest.mark.parametrize(("arrived", "what"), [(30, None), (20, "transfers")])
def test_what_leaves_one_customer_arrives_at_another(arrived: int, what: str | None) -> None:
    """Planted: the account that transfers pass through not looked at; every other sum still comes out even."""
    report = LogReport("shop")
    report.accounts["points"] = Counter({"program:issued:goodwill": 100, "program:transferred": arrived - 30})
    report.customers["points"] = 70 + arrived
    checking._check_sums(report)
    assert (None if report.first is None else report.first.what) == what
