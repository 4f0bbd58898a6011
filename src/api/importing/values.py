"""Values of a file's cells, read exactly: numbers as whole multiples of a power of ten, times as instants.

A float is taken for the decimal it was written as: it must be the nearest float to a number of so many decimals. What is
not exact is refused, never rounded away in silence.
"""

from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

from ledger.instants import EARLIEST, LATEST, from_datetime

DIGITS_MAX = 15
"""A float holds so many digits of a decimal exactly."""


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing: null, NaN, or nothing but blanks."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return value != value  # noqa: PLR0124 - NaN alone is not itself


def text(value: object) -> str:
    """A cell as text. A whole number is written without a point, whichever type the file gave it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def scaled(value: object, decimals: int) -> int:
    """A number times 10^decimals, exactly.

    Raises:
        ValueError: not a number, or not exact at so many decimals.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value * _ten_to(decimals)
    if isinstance(value, float):
        return _scaled_float(value, decimals)
    if isinstance(value, str | Decimal):
        return _scaled_decimal(value, decimals)
    raise ValueError(f"{value!r} is not a number")


def instant(value: object, zone: ZoneInfo, form: str | None) -> int:
    """A point in time, in microseconds.

    Without an offset it is read in `zone`: of an hour that happens twice the first is meant, a time in a gap of the clock
    is read with the offset before it. A date alone is its first instant.

    Args:
        form: how text is read, as `strptime` has it; None = ISO 8601.

    Raises:
        ValueError: not a time, or outside the years 1900 to 9998.
    """
    if isinstance(value, str):
        value = _moment(value.strip(), form)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is not a time")
    return _instant(value, zone)


def _ten_to(decimals: int) -> int:
    power: int = 10**decimals
    return power


@lru_cache(maxsize=4_096)
def _moment(written: str, form: str | None) -> datetime:
    try:
        return datetime.fromisoformat(written) if form is None else datetime.strptime(written, form)  # noqa: DTZ007 - the mapping's zone follows
    except ValueError:
        wanted = "an ISO 8601 time" if form is None else f"a time of the form {form}"
        raise ValueError(f"{written!r} is not {wanted}") from None


@lru_cache(maxsize=4_096)
def _instant(moment: datetime, zone: ZoneInfo) -> int:
    found = from_datetime(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    if not EARLIEST <= found < LATEST:
        raise ValueError(f"{moment} lies outside the years 1900 to 9998")
    return found


def _scaled_float(value: float, decimals: int) -> int:
    whole = value * _ten_to(decimals)
    if not abs(whole) < 10**DIGITS_MAX:  # NaN and infinity are not less than anything
        raise ValueError(f"{value!r} is not a number that a float holds exactly")
    nearest = round(whole)
    if nearest / _ten_to(decimals) != value:
        raise ValueError(f"{value!r} is not exact at {decimals} decimals")
    return nearest


def _scaled_decimal(value: str | Decimal, decimals: int) -> int:
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else value
        is_small = abs(number) < 10**DIGITS_MAX
    except InvalidOperation:  # NaN too
        raise ValueError(f"{str(value)!r} is not a number") from None
    if not is_small:
        raise ValueError(f"{value} is too large")
    shifted = number * _ten_to(decimals)
    whole = int(shifted)
    if whole != shifted:
        raise ValueError(f"{value} is not exact at {decimals} decimals")
    return whole
