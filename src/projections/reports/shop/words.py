"""Numbers, periods and texts as the report writes them: English and Chinese side by side."""

from dataclasses import dataclass
from decimal import Decimal

from ledger.money import exponent
from projections.reports.shop.asking import Span


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    en: str
    zh: str


def number(value: float) -> str:
    """A count, with commas: 4,338."""
    return f"{value:,.0f}"


def signed(value: float) -> str:
    """A change of a count: +312, −5, 0."""
    return number(0) if not value else f"{'+' if value > 0 else '−'}{abs(value):,.0f}"


def percent(share: float | None) -> str:
    """A share as 41.2 %."""
    return "–" if share is None else f"{share * 100:.1f} %"


def points(change: float) -> str:
    """A change of a share, in percentage points: +3.2, −0.4."""
    return f"{'+' if change >= 0 else '−'}{abs(change) * 100:.1f}"


def change(now: float, then: float) -> str:
    """A change in per cent of what was: +8.1 %."""
    relative = (now - then) / then
    return f"{'+' if relative >= 0 else '−'}{abs(relative) * 100:.1f} %"


def money(minor: float | None, currency: str | None, *, whole: bool = False) -> str:
    """Minor units as 480.87 GBP; `whole`: without the digits behind the point."""
    if minor is None or currency is None:
        return "–"
    digits = exponent(currency)
    major = Decimal(minor) / 10**digits
    return f"{major:,.{0 if whole else digits}f} {currency}"


def months(span: Span) -> str:
    """A span as 2011-09 … 2011-11."""
    last = span.end.replace(day=1)
    year, month = (last.year, last.month - 1) if last.month > 1 else (last.year - 1, 12)
    return f"{span.start:%Y-%m} … {year}-{month:02d}"
