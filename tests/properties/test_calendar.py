"""Days, midnights and expiry against a search step by step; shares of whole amounts against exact fractions."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.instants import (
    EARLIEST,
    LATEST,
    business_day,
    end_of_day,
    from_datetime,
    midnight,
    parse,
    show,
    to_datetime,
)
from ledger.money import Rounding, ratio, rounded, split
from ledger.rules import read_document
from tests.properties.calendar_by_hand import first_instant_of, gone_at, local_day

MOVING_ZONES = [
    "America/Sao_Paulo",
    "Asia/Beirut",
    "America/Havana",
    "Africa/Cairo",
    "America/Asuncion",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/New_York",
    "Europe/Lisbon",
    "Asia/Gaza",
    "America/Scoresbysund",
    "UTC",
]
zones = st.sampled_from(MOVING_ZONES)
days = st.dates(date(2012, 1, 1), date(2030, 12, 31)) | st.sampled_from([date(2011, 12, 29), date(2011, 12, 30)])


@given(day=days, zone=zones)
@settings(max_examples=150)
def test_a_day_begins_at_the_first_instant_the_calendar_shows_it(day: date, zone: str) -> None:
    """Planted: a skipped midnight read with the offset after the gap (an hour early)."""
    assert midnight(day, ZoneInfo(zone)) == first_instant_of(day, zone)
    assert end_of_day(day, ZoneInfo(zone)) == first_instant_of(day + timedelta(days=1), zone) - 1


@given(
    instant=st.integers(parse("2012-01-01T00:00:00Z"), parse("2030-12-31T00:00:00Z")),
    zone=zones,
    starts=st.integers(0, 95),
)
@settings(max_examples=150)
def test_a_business_day_is_what_the_wall_clock_says(instant: int, zone: str, starts: int) -> None:
    assert business_day(instant, ZoneInfo(zone), starts * 15) == local_day(instant, zone, starts * 15)


@given(
    instant=st.integers(parse("2012-01-01T00:00:00Z"), parse("2028-12-31T00:00:00Z")),
    zone=zones,
    kind=st.sampled_from(["never", "after_days", "after_months", "end_of_month", "end_of_year"]),
    n=st.integers(0, 25),
)
@settings(max_examples=200)
def test_points_are_gone_when_the_calendar_by_hand_says_so(instant: int, zone: str, kind: str, n: int) -> None:
    """Planted: months added by 30 days."""
    document = {"program": {"time_zone": zone}, "expiry": {"kind": kind, "n": n}}
    gone = read_document(document).expires_at(instant)
    assert gone == gone_at(document, instant)
    assert gone > instant


def test_zones_change_their_offset_on_quarters_of_an_hour():
    """What `business_day` relies on; looked at for the years a program of today lives in."""
    step = timedelta(hours=12)
    for name in sorted(available_timezones()):
        zone, when = ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC)
        while when.year < 2027:
            before, after = when.astimezone(zone).utcoffset(), (when + step).astimezone(zone).utcoffset()
            if before != after:
                quarters = [when + timedelta(minutes=15 * number) for number in range(49)]
                offsets = [quarter.astimezone(zone).utcoffset() for quarter in quarters]
                turn = quarters[offsets.index(after)]
                assert (turn - timedelta(microseconds=1)).astimezone(zone).utcoffset() == before, name
            when += step


@given(instant=st.integers(EARLIEST, LATEST - 1))
def test_an_instant_survives_being_written(instant: int) -> None:
    assert parse(show(instant)) == instant
    assert from_datetime(to_datetime(instant)) == instant
    assert len(show(instant)) == (20 if instant % 10**6 == 0 else 27)


@pytest.mark.parametrize(
    "text", ["2026-03-01", "2026-03-01T00:00:00", "1899-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "yesterday"]
)
def test_what_is_no_instant_is_not_read(text):
    with pytest.raises(ValueError):
        parse(text)


@given(amount=st.integers(0, 2**53), weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_a_split_loses_nothing_and_is_never_off_by_one(amount: int, weights: list[int]) -> None:
    """Planted: each part rounded by itself."""
    parts = split(amount, weights)
    assert sum(parts) == amount
    if sum(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(st.integers(0, 10**12), st.integers(1, 10**9), st.sampled_from(Rounding))
def test_rounding_is_that_of_the_exact_fraction(numerator: int, denominator: int, rounding: Rounding) -> None:
    exact = Fraction(numerator, denominator)
    wanted = {"down": floor(exact), "up": ceil(exact), "half_up": floor(exact + Fraction(1, 2))}[rounding.value]
    assert rounded(numerator, denominator, rounding) == wanted


@pytest.mark.parametrize("text", ["0", "-1", "1/0", "nothing", "1e5", ""])
def test_a_rate_is_a_positive_ratio(text):
    with pytest.raises(ValueError):
        ratio(text)
