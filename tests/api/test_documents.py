"""YAML that says what JSON could say, and nothing else."""

import pytest

from api.documents import read_json, read_yaml
from ledger.errors import FormError


def test_scalars_are_those_of_json():
    """Planted: the library's resolvers left in; seen (`on` was true, the date a date)."""
    text = b"""
    on: purchase.recorded
    yes: no
    day: 2026-01-01
    instant: 2026-01-01T00:00:00Z
    minutes: 10:30
    octal: 0123
    hex: 0x10
    true_: true
    nothing: null
    empty:
    whole: -12
    fraction: 1.5e3
    quoted: "12"
    """
    assert read_yaml(text) == {
        "on": "purchase.recorded",
        "yes": "no",
        "day": "2026-01-01",
        "instant": "2026-01-01T00:00:00Z",
        "minutes": "10:30",
        "octal": "0123",
        "hex": "0x10",
        "true_": True,
        "nothing": None,
        "empty": None,
        "whole": -12,
        "fraction": 1500.0,
        "quoted": "12",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a: 1\na: 2", "the key 'a' is given twice (line 2, column 1)"),
        (b"a: &x [1]\nb: *x", "aliases are not taken"),
        (b"1: 2", "a key is text"),
        (b"{[1]: 2}", "a key is text"),
        (b"[", "expected the node content"),
        (b"a: !!binary eA==", "is not taken"),
        (b"a: !!timestamp 2026-01-01", "is not taken"),
        (b"!!python/object:os.system {}", "is not taken"),
        (b"- a\n---\n- b", "another document"),
        (b"[" * 40_000, "nested too deeply"),
        (b"\xff\xfe", "UnicodeDecodeError"),
        (b"\x00", "ReaderError"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_what_json_could_not_say_is_refused_with_its_place(text, reason):
    with pytest.raises(FormError) as refused:
        read_yaml(text)
    assert reason in refused.value.errors[0]["reason"]
    assert "(line " in refused.value.errors[0]["reason"]


def test_json_that_is_none_says_where():
    with pytest.raises(FormError) as refused:
        read_json(b'{"a":\n x}')
    assert "(line 2, column 2)" in refused.value.errors[0]["reason"]
