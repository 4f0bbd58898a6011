"""YAML is read as its version 1.2 has it."""

import pytest

from api.yaml_text import YamlError, load


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on: purchase.recorded", {"on": "purchase.recorded"}),
        ("business_day_starts_at: 10:00", {"business_day_starts_at": "10:00"}),
        ("effective_from: 2026-01-01T00:00:00Z", {"effective_from": "2026-01-01T00:00:00Z"}),
        ("a: [yes, no, off, true]", {"a": ["yes", "no", "off", True]}),
        ("a: [1, -2, 007, 1.5, ~]", {"a": [1, -2, 7, 1.5, None]}),
        ('a: "1"', {"a": "1"}),
        ('{"json": [true, null, 1]}', {"json": [True, None, 1]}),
    ],
)
def test_words_and_times_stay_text(written, read):
    assert load(written) == read


def test_what_is_not_yaml_is_refused_in_one_line_with_the_place():
    with pytest.raises(YamlError, match="line 1") as refused:
        load("a: [")
    assert "\n" not in str(refused.value)


def test_yaml_makes_no_objects():
    with pytest.raises(YamlError):
        load("!!python/object/apply:os.system ['true']")
