"""docs/METRICS.md is what the definitions say."""

from pathlib import Path

from projections.metrics.definitions import DEFINITIONS
from projections.metrics.documenting import markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_written_from_the_definitions():
    assert (DOCS / "METRICS.md").read_text() == markdown(), (
        "python -m projections.metrics.documenting > docs/METRICS.md"
    )


def test_every_definition_is_one_sentence_with_a_formula_and_its_source():
    for one in DEFINITIONS:
        assert one.sentence.endswith("."), one.id
        assert "Source:" in one.formula, one.id
    assert len({one.id for one in DEFINITIONS}) == len(DEFINITIONS)
