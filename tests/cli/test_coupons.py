"""`ledger coupons codes`: made once, written out again, the same."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

RULES = """
coupons:
  - {id: tea, value: {kind: amount, amount: 1000, currency: CNY}}
"""


def test_codes_are_made_and_written_out_again(ledger: Run, tmp_path: Path) -> None:
    document = tmp_path / "rules.yaml"
    document.write_text(RULES)
    ledger("migrate")
    ledger("rules", "publish", document, "-p", "shop")
    first = ledger("coupons", "codes", "spring", "-p", "shop", "--kind", "tea", "--count", 3)
    again = ledger("coupons", "codes", "spring", "-p", "shop")
    assert first.stdout == again.stdout
    assert [line.split(",")[0] for line in first.stdout.splitlines()] == ["number", "1", "2", "3"]
    assert (tmp_path / "data" / "codes.key").stat().st_mode & 0o777 == 0o600
    refused = ledger("coupons", "codes", "spring", "-p", "shop", "--kind", "tea", "--count", 4, status=1)
    assert "has a batch of codes of this name" in refused.stderr
