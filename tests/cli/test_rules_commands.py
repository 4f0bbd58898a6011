"""`ledger rules test|diff|backtest` and `ledger changes`, as someone would use them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

CAMPAIGN = Path(__file__).parents[2] / "docs" / "examples" / "campaign.yaml"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    text = CAMPAIGN.read_text()
    (tmp_path / "untrue.yaml").write_text(text.replace("points: 235", "points: 236"))
    (tmp_path / "broken.yaml").write_text(text.replace("data.place.channel", "data.plac.channel"))
    (tmp_path / "less.yaml").write_text(
        text.replace('points_per_unit: "1"', 'points_per_unit: "0.5"').split("examples:")[0]
    )
    (tmp_path / "two.yaml").write_text("approvals: {rules: true}\n" + text)
    events = [
        {
            "specversion": "1.0",
            "id": f"e-{number}",
            "source": "/till",
            "type": "purchase.recorded",
            "subject": f"c-{number % 3}",
            "time": f"2026-03-{number + 1:02d}T10:00:00+08:00",
            "data": {"order_id": f"SO-{number}", "currency": "CNY", "total": 10000},
        }
        for number in range(9)
    ]
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    return tmp_path


def test_examples_are_run_without_a_database(ledger: Run, files: Path):
    """Planted: the exit status 0 whatever came of them."""
    held = ledger("rules", "test", CAMPAIGN)
    assert "4 examples, 4 of them hold" in held.stdout
    failed = ledger("rules", "test", files / "untrue.yaml", status=1).stdout
    assert "balances: differs" in failed
    assert "points 236" in failed
    assert "points 235" in failed
    (first, *_) = json.loads(ledger("rules", "test", files / "untrue.yaml", "--json", status=1).stdout)
    assert first["mismatches"] == [{"what": "balances", "expected": {"points": 236}, "found": {"points": 235}}]
    broken = ledger("rules", "test", files / "broken.yaml", status=1).stderr
    assert "line 14, column 5: /earning/2/when event.data.plac: there is no such field" in broken


def test_two_files_are_compared_without_a_database(ledger: Run, files: Path):
    changed = ledger("rules", "diff", CAMPAIGN, files / "less.yaml", status=1).stdout
    assert "rule 'base': points per unit 1 → 0.5" in changed
    assert "customers who buy earn less" in changed
    assert ledger("rules", "diff", CAMPAIGN, CAMPAIGN).stdout == ""


@pytest.mark.slow
def test_a_proposal_is_tried_on_the_log_and_writes_nothing(ledger: Run, files: Path):
    ledger("migrate")
    ledger("rules", "publish", CAMPAIGN, "-p", "shop")
    assert (
        "an example of the rules"
        in ledger("rules", "publish", files / "untrue.yaml", "-p", "shop", status=1).stderr.lower()
    )
    ledger("import", files / "events.ndjson", "-p", "shop")
    length = [one["records"] for one in json.loads(ledger("programs", "list", "--json").stdout)]
    found = json.loads(ledger("rules", "backtest", files / "less.yaml", "-p", "shop", "--json").stdout)
    assert (found["now"]["accounts"]["issued"], found["then"]["accounts"]["issued"]) == (900, 450)
    assert (found["customers"], found["events"], found["lose"]) == (3, 9, 3)
    shown = ledger("rules", "backtest", files / "less.yaml", "-p", "shop").stdout
    assert "3 customers: 0 would have more points, 3 fewer" in shown
    assert "-50.0" in shown
    assert [one["records"] for one in json.loads(ledger("programs", "list", "--json").stdout)] == length


@pytest.mark.slow
def test_one_person_cannot_do_what_takes_two(ledger: Run, files: Path):
    ledger("migrate")
    ledger("rules", "publish", files / "two.yaml", "-p", "shop")
    assert (
        "proposed by one and approved by another" in ledger("rules", "publish", CAMPAIGN, "-p", "shop", status=1).stderr
    )
    assert "proposed by cli:" in ledger("changes", "propose", CAMPAIGN, "-p", "shop").stdout
    (change,) = json.loads(ledger("changes", "list", "-p", "shop", "--json").stdout)
    approve = ("changes", "approve", change["change"], "--hash", change["hash"], "-p", "shop")
    assert "cannot approve it, with whatever key" in ledger(*approve, status=1).stderr
    assert change["change"] in ledger("changes", "list", "-p", "shop").stdout
    assert "nothing differs" in ledger("check").stdout
