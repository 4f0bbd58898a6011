"""How long points live, when they may be spent, and what comes of a redemption taken back."""

from datetime import date, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from ledger.instants import DAY, NEVER, business_day, midnight
from ledger.rules.basics import Part, months_later


class Expiry(Part):
    """When granted points are gone.

    `after_days` and `after_months` count from the grant (a month later is the same day of the month, or its last day, at the
    grant's local midnight's end); `end_of_month` with n: the end of the n-th month after the month of the grant; `end_of_year`
    with n: the end of the n-th year after the year of the grant. Ends are midnights in the program's zone.
    """

    kind: Literal["never", "after_days", "after_months", "end_of_month", "end_of_year"] = "never"
    n: int = Field(0, ge=0, le=1200, strict=True)

    def expires_at(self, granted_at: int, zone: ZoneInfo) -> int:
        """The first instant at which a lot granted then is gone, in microseconds; NEVER if it stays."""
        if self.kind == "never":
            return NEVER
        day = business_day(granted_at, zone)
        known = self._gone_at.get((day, zone))
        if known is None:
            known = self._gone_at[day, zone] = midnight(self._first_day_gone(day), zone)
        return known

    @cached_property
    def _gone_at(self) -> dict[tuple[date, ZoneInfo], int]:
        """Calendar arithmetic costs two microseconds, and a day's grants all share it."""
        return {}

    def _first_day_gone(self, day: date) -> date:
        if self.kind == "after_days":
            return day + timedelta(days=self.n + 1)
        if self.kind == "after_months":
            return months_later(day, self.n) + timedelta(days=1)
        if self.kind == "end_of_month":
            return months_later(day.replace(day=1), self.n + 1)
        return date(day.year + self.n + 1, 1, 1)


class Availability(Part):
    """When earned points may be spent: at once, `days` after the purchase, or `days` after delivery."""

    kind: Literal["at_once", "after_days", "after_delivery"] = "at_once"
    days: int = Field(0, ge=0, le=3660, strict=True)

    def available_at(self, earned_at: int) -> int | None:
        """Microseconds; None = at once; NEVER = waits for the delivery."""
        if self.kind == "at_once":
            return None
        return NEVER if self.kind == "after_delivery" else earned_at + self.days * DAY


class RedemptionReversal(Part):
    """What happens to a reversed redemption's lots whose expiry has passed: granted anew, or kept for `grace_days`."""

    expired_lots: Literal["reinstate", "grace"] = "reinstate"
    grace_days: int = Field(0, ge=0, le=3660, strict=True)
