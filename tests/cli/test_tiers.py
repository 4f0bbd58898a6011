"""`ledger tiers introduce`: everybody is counted once, however often it runs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

TIERS = """
tiers:
  window: {kind: lifetime}
  levels: [{name: regular, rank: 1, qualifies: {orders: 2}}]
"""


def bought(number: int, customer: str) -> str:
    event = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/till",
        "type": "purchase.recorded",
        "subject": customer,
        "time": f"2026-01-{number:02d}T10:00:00Z",
        "data": {"order_id": f"SO-{number}", "currency": "CNY", "total": 1000},
    }
    return json.dumps(event)


def test_tiers_are_introduced_once(ledger: Run, tmp_path: Path) -> None:
    before, after, events = tmp_path / "before.yaml", tmp_path / "after.yaml", tmp_path / "events.ndjson"
    before.write_text("{}")
    after.write_text(TIERS)
    events.write_text("\n".join([bought(1, "c-1"), bought(2, "c-2"), bought(3, "c-1")]) + "\n")
    ledger("migrate")
    ledger("rules", "publish", before, "-p", "shop")
    ledger("import", events, "-p", "shop")
    ledger("rules", "publish", after, "-p", "shop")
    assert "2 customers counted, 0 before" in ledger("tiers", "introduce", "-p", "shop").stdout
    assert "0 customers counted, 2 before" in ledger("tiers", "introduce", "-p", "shop").stdout
    replayed = ledger("replay", "c-1", "-p", "shop").stdout
    assert "tier.introduced" in replayed
    assert "tier.changed" in replayed
    ledger("check", "-p", "shop")
