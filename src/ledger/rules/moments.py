"""When a rule applies: schedules, and moments such as a festival, a birthday month or the day a customer signed up.

Days are business days of the program, hours are of the clock on the wall in its zone.
"""

import re
from calendar import isleap
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ledger.rules.basics import Name, Part

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_EVERY_YEAR = re.compile(r"\d{2}-\d{2}")


def _minutes(text: str) -> tuple[int, int]:
    """`22:00-02:00` as minutes after midnight."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError("hours are written 09:00-12:00; the second is the first minute no longer in it")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end or start >= 24 * 60 or end > 24 * 60:
        raise ValueError("hours begin before 24:00, end by 24:00, and are not empty")
    return start, end


def _hours(text: str) -> str:
    _minutes(text)
    return text


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _dates(text: str) -> str:
    """`11-11` (every year), `2026-11-11`, or from … to: `2026-12-01..2026-12-07`."""
    for one in text.split("..", 1):
        date.fromisoformat(f"2024-{one}" if _EVERY_YEAR.fullmatch(one) else one)
    first, _, last = text.partition("..")
    if last and len(first) != len(last):
        raise ValueError("both ends of a range are of one year, or both of every year")
    if last and len(first) > 5 and last < first:  # noqa: PLR2004 - `mm-dd` has five characters
        raise ValueError("the range ends before it begins")
    return text


Hours = Annotated[str, AfterValidator(_hours)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
Dates = Annotated[str, StringConstraints(max_length=22), AfterValidator(_dates)]


class Schedule(Part):
    """Days and hours on which a rule applies; what is left out does not matter, what is given must all hold.

    `hours` may cross midnight; the day is still the business day. `first_day` and `last_day` both count.
    """

    days: (
        Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field(min_length=1)] | None
    ) = None
    days_of_month: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=31, strict=True)], ...], Field(min_length=1)] | None
    ) = None
    hours: Annotated[tuple[Hours, ...], Field(min_length=1)] | None = None
    first_day: Day | None = None
    last_day: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValueError("last_day lies before first_day")
        return self

    def holds(self, day: date, local: datetime) -> bool:
        """Whether it holds on a business day at a local time."""
        text = day.isoformat()
        minute = local.hour * 60 + local.minute
        return (
            (self.days is None or WEEKDAYS[day.weekday()] in self.days)
            and (self.days_of_month is None or day.day in self.days_of_month)
            and (self.first_day is None or text >= self.first_day)
            and (self.last_day is None or text <= self.last_day)
            and (self.hours is None or any(_within(minute, *hours) for hours in self._hours_in_minutes))
        )

    @cached_property
    def _hours_in_minutes(self) -> list[tuple[int, int]]:
        return [_minutes(text) for text in self.hours or ()]


class Occasion(Part):
    """A named occasion: exactly one of three.

    `dates`: a festival, a launch, with `stores` the anniversary of a store: `11-11` every year, `2026-11-11`, or a range
    `2026-12-01..2026-12-07`. `birthday_month`: the attribute of a purchase in which the sender says the customer's month
    of birth, 1 to 12; the ledger keeps no birthday. `anniversary`: the day of the sign-up in each later year, and with `days`
    the days after it.
    """

    id: Name
    dates: Annotated[tuple[Dates, ...], Field(min_length=1, max_length=100)] | None = None
    stores: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    birthday_month: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    anniversary: Literal["sign_up"] | None = None
    days: int | None = Field(None, ge=1, le=365, strict=True)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.dates, self.birthday_month, self.anniversary]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("give exactly one of dates, birthday_month, anniversary")
        if self.stores is not None and self.dates is None:
            raise ValueError("stores belong to dates")
        if self.days is not None and self.anniversary is None:
            raise ValueError("days belong to an anniversary")
        return self

    def holds(self, day: date, data: dict[str, Any], signed_up_on: date | None) -> bool:
        """Whether it is this moment on a business day, for an event's data and a customer's day of sign-up."""
        if self.dates is not None:
            store = data.get("place", {}).get("store")
            return (self.stores is None or store in self.stores) and any(_on(day, dates) for dates in self.dates)
        if self.birthday_month is not None:
            return data.get("attributes", {}).get(self.birthday_month) in (day.month, str(day.month))
        return signed_up_on is not None and _is_anniversary(day, signed_up_on, self.days or 1)


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end


def _on(day: date, dates: str) -> bool:
    first, _, last = dates.partition("..")
    text = day.isoformat()[-len(first) :]
    last = last or first
    return first <= text <= last if first <= last else text >= first or text <= last


def _is_anniversary(day: date, origin: date, days: int) -> bool:
    """Whether a day lies in the `days` from the return of a date on; 29 February returns on the 28th where there is none."""
    for back in range(days):
        on = day - timedelta(days=back)
        if on.year > origin.year and (on.month, on.day) == _returned(origin, on.year):
            return True
    return False


def _returned(origin: date, year: int) -> tuple[int, int]:
    return (2, 28) if (origin.month, origin.day) == (2, 29) and not isleap(year) else (origin.month, origin.day)
