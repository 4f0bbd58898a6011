"""Days, ends of months and expiry worked out the slow way, from the design's words, for the naive model."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 2**62
STEP = timedelta(minutes=15)
MINUTE = 60 * 10**6
DAY = 24 * 60 * MINUTE


def moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def instant_of(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


def read(text: str) -> int:
    return instant_of(datetime.fromisoformat(text))


def local_day(instant: int, zone: str, minutes_after_midnight: int = 0) -> date:
    """The day a wall clock and calendar in the zone show, days beginning so many minutes after midnight."""
    wall = moment(instant).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (wall - timedelta(minutes=minutes_after_midnight)).date()


@cache
def first_instant_of(day: date, zone: str) -> int:
    """Step by step from two days before, until the calendar in the zone shows the day, or one after it."""
    when = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    while when.astimezone(ZoneInfo(zone)).date() < day:
        when += STEP
    return instant_of(when)


def gone_at(document: dict[str, Any], granted_at: int) -> int:
    """The first instant at which points granted then are gone."""
    expiry = document.get("expiry", {"kind": "never"})
    zone = document.get("program", {}).get("time_zone", "UTC")
    day, n = local_day(granted_at, zone), expiry.get("n", 0)
    match expiry["kind"]:
        case "never":
            return FOREVER
        case "after_days":
            last = day + timedelta(days=n)
        case "after_months":
            last = _same_day_months_later(day, n)
        case "end_of_month":
            last = _last_day(*_month_later(day.year, day.month, n))
        case "end_of_year":
            last = date(day.year + n, 12, 31)
    return first_instant_of(last + timedelta(days=1), zone)


def _month_later(year: int, month: int, months: int) -> tuple[int, int]:
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return year, month


def _last_day(year: int, month: int) -> date:
    following = _month_later(year, month, 1)
    return date(*following, 1) - timedelta(days=1)


def _same_day_months_later(day: date, months: int) -> date:
    year, month = _month_later(day.year, day.month, months)
    return min(date(year, month, 1) + timedelta(days=day.day - 1), _last_day(year, month))
