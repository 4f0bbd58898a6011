"""The program's calendar: periods, their names, and whether they have ended."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ledger.instants import midnight, to_datetime

TIME_UNITS = {"day": "D", "week": "W", "month": "M", "quarter": "Q"}
"""Units of time with Ibis' letter for them. A week begins on Monday."""

MONTHS_OF_QUARTER = 3
DECEMBER = 12


def period_of(local_at: Any, unit: str) -> Any:
    """The first day of the period that an instant on the program's clocks lies in, as an expression."""
    return local_at.truncate(TIME_UNITS[unit]).cast("date")


def first_day(day: date, unit: str) -> date:
    """The first day of the period a day lies in."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return date(day.year, day.month - (day.month - 1) % MONTHS_OF_QUARTER, 1)
    return day


def next_period(first: date, unit: str) -> date:
    """The first day of the period after one."""
    if unit == "day":
        return first + timedelta(days=1)
    if unit == "week":
        return first + timedelta(days=7)
    months = first.month - 1 + (1 if unit == "month" else MONTHS_OF_QUARTER)
    return date(first.year + months // DECEMBER, months % DECEMBER + 1, 1)


def periods_between(first: date, last: date, unit: str) -> list[date]:
    """Every period from one to another, both among them."""
    found = []
    while first <= last:
        found.append(first)
        first = next_period(first, unit)
    return found


def months_apart(first: date, last: date) -> int:
    """Calendar months from one to another."""
    return (last.year - first.year) * DECEMBER + last.month - first.month


def name_of(first: date, unit: str) -> str:
    """How a period is called: 2026-03-01, 2026-W09, 2026-03, 2026-Q1."""
    if unit == "week":
        year, week, _ = first.isocalendar()
        return f"{year}-W{week:02d}"
    if unit == "month":
        return f"{first:%Y-%m}"
    if unit == "quarter":
        return f"{first.year}-Q{(first.month - 1) // MONTHS_OF_QUARTER + 1}"
    return first.isoformat()


def named(name: str, unit: str) -> date:
    """The first day of the period of a name.

    Raises:
        ValueError: no period is called so.
    """
    if unit == "week":
        year, _, week = name.partition("-W")
        return date.fromisocalendar(int(year), int(week), 1)
    if unit == "quarter":
        year, _, quarter = name.partition("-Q")
        return date(int(year), (int(quarter) - 1) * MONTHS_OF_QUARTER + 1, 1)
    return date.fromisoformat(f"{name}-01" if unit == "month" else name)


def is_incomplete(first: date, unit: str, zone: ZoneInfo, *, start: int | None, end: int | None, as_of: int) -> bool:
    """Whether a period had not ended at `as_of`, or the window cuts it."""
    begins, ends = midnight(first, zone), midnight(next_period(first, unit), zone)
    return ends - 1 > as_of or (start is not None and start > begins) or (end is not None and end < ends)


def local_day(instant: int, zone: ZoneInfo) -> date:
    """The calendar day of an instant."""
    return to_datetime(instant).astimezone(zone).date()
