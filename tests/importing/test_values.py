"""Cells are read exactly, or refused with a reason."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.importing.values import instant, is_empty, scaled, text
from ledger.instants import parse

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("cell", "decimals", "expected"),
    [
        (2.55, 3, 2550),
        (0.001, 3, 1),
        (8142.75, 3, 8_142_750),
        (-2.1, 3, -2100),
        (7, 2, 700),
        ("3.39", 3, 3390),
        (" 12 ", 0, 12),
        ("1e3", 0, 1000),
        (Decimal("0.125"), 3, 125),
        (1.15, 2, 115),  # 1.15 * 100 is 114.99999999999999
    ],
)
def test_a_number_is_read_exactly(cell, decimals, expected):
    assert scaled(cell, decimals) == expected


@given(st.integers(-(10**11), 10**11), st.integers(0, 4))
def test_every_float_that_was_written_as_a_decimal_is_read_as_that_decimal(whole, decimals):
    assert scaled(whole / 10**decimals, decimals) == whole


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (0.1 + 0.2, "not exact at 3 decimals"),
        ("1.2345", "not exact at 3 decimals"),
        ("1,234.50", "is not a number"),
        ("two", "is not a number"),
        ("NaN", "is not a number"),
        (float("inf"), "not a number that a float holds"),
        ("1e400", "too large"),
        (True, "is not a number"),
    ],
)
def test_what_is_not_exact_is_refused_and_never_rounded(cell, reason):
    with pytest.raises(ValueError, match=reason):
        scaled(cell, 3)


@pytest.mark.parametrize(
    ("cell", "form", "expected"),
    [
        (datetime.fromisoformat("2010-12-01 08:26"), None, "2010-12-01T08:26:00Z"),
        (datetime.fromisoformat("2011-07-01 08:26"), None, "2011-07-01T07:26:00Z"),  # summer time
        (datetime(2011, 7, 1, 8, 26, tzinfo=UTC), None, "2011-07-01T08:26:00Z"),
        ("2011-07-01T08:26:00+08:00", None, "2011-07-01T00:26:00Z"),
        ("2011-07-01 08:26", None, "2011-07-01T07:26:00Z"),
        ("01/12/2010 08:26", "%d/%m/%Y %H:%M", "2010-12-01T08:26:00Z"),
        (date(2011, 7, 1), None, "2011-06-30T23:00:00Z"),
        (
            datetime.fromisoformat("2011-10-30 01:30"),
            None,
            "2011-10-30T00:30:00Z",
        ),  # this hour happens twice: the first is meant
        (
            datetime.fromisoformat("2011-03-27 01:30"),
            None,
            "2011-03-27T01:30:00Z",
        ),  # this one never does: read as before the gap
    ],
)
def test_a_time_without_an_offset_is_read_in_the_zone_of_the_mapping(cell, form, expected):
    assert instant(cell, LONDON, form) == parse(expected)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("yesterday", "is not an ISO 8601 time"), (20101201, "is not a time"), ("0001-01-01", "outside the years")],
)
def test_what_is_no_time_is_refused(cell, reason):
    with pytest.raises(ValueError, match=reason):
        instant(cell, LONDON, None)


def test_null_nan_and_blanks_are_empty_and_zero_is_not():
    assert [is_empty(cell) for cell in (None, float("nan"), "", "  ", 0, "0")] == [True, True, True, True, False, False]


def test_a_whole_number_is_written_without_a_point_whatever_its_type():
    assert [text(cell) for cell in (17850, 17850.0, " 17850 ", "C536379")] == ["17850", "17850", "17850", "C536379"]
