"""Instants: whole microseconds since 1970 UTC inside, RFC 3339 with `Z` in bytes and answers.

An instant is an `int` of microseconds, so comparing, sorting and storing it costs nothing and never loses a digit.
Text appears only at the edges. A fraction has six digits and is written only when it is not zero.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NEVER = 2**62
"""Later than any instant: a lot that never expires, or that waits for a delivery not yet known."""

EARLIEST = -2_208_988_800 * SECOND
"""1900-01-01: nothing a retailer posts is older."""

LATEST = 253_370_764_800 * SECOND
"""9999-01-01: the last instant that calendar arithmetic may start from."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - its text has no offset to be cut off again
_MICROSECOND = timedelta(microseconds=1)
_QUARTER = 15 * MINUTE


def parse(text: str) -> int:
    """Read an RFC 3339 instant with its offset.

    Args:
        text: such as `2026-11-21T10:00:00+08:00` or `…Z`.

    Returns:
        Microseconds since 1970 UTC.

    Raises:
        ValueError: not an instant, no offset, or outside 1900 … 9998.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs an offset, such as Z or +08:00")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not EARLIEST <= instant < LATEST:
        raise ValueError("the instant lies outside the years 1900 to 9998")
    return instant


def show(instant: int) -> str:
    """Write an instant as UTC with `Z`, with a fraction of six digits only where it is not zero."""
    seconds, fraction = divmod(instant, SECOND)
    return f"{_second(seconds)}.{fraction:06d}Z" if fraction else _second(seconds) + "Z"


def from_datetime(moment: datetime) -> int:
    """Turn an aware datetime into microseconds."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int) -> datetime:
    """Turn microseconds into an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


@lru_cache(maxsize=65_536)
def day_of(quarter: int, zone: ZoneInfo, day_starts_minute: int) -> date:
    """The business day that holds a quarter of an hour; see `business_day`."""
    local = to_datetime(quarter * _QUARTER).astimezone(zone)
    return (local.replace(tzinfo=None) - timedelta(minutes=day_starts_minute)).date()


def business_day(instant: int, zone: ZoneInfo, day_starts_minute: int = 0) -> date:
    """The business day of an instant in a zone.

    Zones change their offset on quarters of an hour, so the quarter decides and is remembered. (Until 2011 St John's did so
    a minute after midnight; for the rest of that quarter its day is the one that had begun.)

    Args:
        instant: microseconds.
        zone: the program's time zone.
        day_starts_minute: minutes after midnight at which a business day begins; a multiple of 15.
    """
    return day_of(instant // _QUARTER, zone, day_starts_minute)


@lru_cache(maxsize=16_384)
def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a calendar day in a zone.

    Where midnight is skipped by daylight saving, the instant at which the gap ends; where it happens twice, the first.
    """
    local = datetime.combine(day, time(), tzinfo=zone)
    there_and_back = local.astimezone(UTC).astimezone(zone)
    if there_and_back.replace(tzinfo=None) != local.replace(tzinfo=None):
        return _gap_end(day, zone)
    return from_datetime(local)


@lru_cache(maxsize=16_384)
def start_of_day(day: date, zone: ZoneInfo, day_starts_minute: int) -> int:
    """The first instant of a business day in a zone: where clocks skip its beginning, the instant at which the gap ends.

    Args:
        day_starts_minute: minutes after midnight at which a business day begins.
    """
    if day_starts_minute == 0:
        return midnight(day, zone)
    local = datetime.combine(day, time(*divmod(day_starts_minute, 60)), tzinfo=zone)
    if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return from_datetime(local)
    quarter = from_datetime(datetime.combine(day, time(), tzinfo=UTC)) - DAY
    while business_day(quarter, zone, day_starts_minute) < day:
        quarter += _QUARTER
    return quarter


def end_of_day(day: date, zone: ZoneInfo) -> int:
    """The last microsecond of a calendar day: what a date means as a cut-off."""
    return midnight(day + timedelta(days=1), zone) - 1


def _gap_end(day: date, zone: ZoneInfo) -> int:
    """The first instant, on quarters of an hour, at which the day or a later one has begun: whole days were left out too."""
    quarter = from_datetime(datetime.combine(day, time(), tzinfo=UTC)) - DAY
    while to_datetime(quarter).astimezone(zone).date() < day:
        quarter += _QUARTER
    return quarter


@lru_cache(maxsize=65_536)
def _second(seconds: int) -> str:
    return (_NAIVE_EPOCH + timedelta(seconds=seconds)).isoformat()
