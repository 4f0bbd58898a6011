"""What the documents show is what the service takes."""

import json
import re
from pathlib import Path

import pytest

from api.documents import read_yaml
from ledger.events import SHAPES, validated
from ledger.instants import parse
from ledger.rules import read_document
from ledger.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def _examples() -> list[tuple[str, str]]:
    text = (DOCS / "EVENTS.md").read_text()
    return re.findall(r"^## ([a-z_.]+)\n\n```json\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("event_type", "example"), _examples())
def test_every_example_of_an_event_is_accepted_as_it_stands(event_type: str, example: str) -> None:
    assert validated(event_type, json.loads(example), parse("2026-01-01T00:00:00+08:00"))


def test_every_event_type_has_an_example() -> None:
    assert {event_type for event_type, _ in _examples()} == set(SHAPES)


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(
        re.findall(r"^\| `(LEDGER_[A-Z_]+)` \| `?([^|`]*?)`?\s*\|", (DOCS / "OPERATIONS.md").read_text(), re.MULTILINE)
    )
    shown = {name: value.strip().removeprefix("./") for name, value in rows.items()}
    settings = {
        f"LEDGER_{name.upper()}": "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert shown == settings


def test_the_rules_shown_for_tiers_are_rules() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (DOCS / "TIERS.md").read_text(), re.DOTALL)
    document, of_benefits = (read_document(read_yaml(one.encode())) for one in shown)
    assert document.tiers is not None
    assert of_benefits.tiers is not None
    assert list(of_benefits.tiers.benefits_by_id) == ["birthday_gift", "welcome", "coffee"]
    assert [level.name for level in document.tiers.highest_first] == ["staff", "gold", "silver", "member"]
