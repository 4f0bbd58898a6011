"""The rules of a program: a versioned document, and what its sentences mean in numbers.

A document is data (YAML or JSON), published as a record on the program's own stream. Its `program` block is fixed when the
program is created. Rules are chosen by the instant of the event they decide: the latest version whose `effective_from` is not
later. A program's first version counts from ever.
"""

from calendar import monthrange
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from ledger.errors import FormError
from ledger.instants import DAY, EARLIEST, NEVER, business_day, from_datetime, midnight, parse, to_datetime
from ledger.money import AMOUNT_MAX, Rounding, exponent, ratio

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Ratio = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(max_length=40),
]
Points = Annotated[int, Field(gt=0, le=AMOUNT_MAX, strict=True)]
TenderKind = Literal["cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "partner", "other"]


def _moment(value: Any) -> Any:
    """An instant with offset, as text or already read; a number is none."""
    if isinstance(value, str):
        return to_datetime(parse(value))
    if value is None or isinstance(value, datetime):
        return value
    raise ValueError("an instant is a string such as 2026-11-21T10:00:00+08:00")


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class ProgramBlock(_Part):
    """What is fixed when the program is created.

    `currencies` empty means any. `points_scale` is the number of decimals of a point; every amount of points in the ledger is a
    whole number of 10^-points_scale. `order_scope` says within what order numbers are unique.
    """

    time_zone: str = "UTC"
    currencies: tuple[Currency, ...] = ()
    points_scale: int = Field(0, ge=0, le=4, strict=True)
    order_scope: Literal["program", "source", "store"] = "program"

    @model_validator(mode="after")
    def _zone_exists(self) -> "ProgramBlock":
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not a known zone") from error
        return self


class PurchaseEarning(_Part):
    """Points for what was spent.

    `points_per_unit` points for each whole unit of currency spent, or `points` fixed for a purchase; exactly one of the two.
    `minimum_spend` is in minor units of the purchase's total. A capped rule earns what the cap leaves.
    """

    id: Name
    on: Literal["purchase.recorded"]
    points_per_unit: Ratio | None = None
    points: Points | None = None
    rounding: Rounding = Rounding.DOWN
    minimum_spend: int = Field(0, ge=0, le=AMOUNT_MAX, strict=True)
    exclude_categories: tuple[str, ...] = ()
    exclude_tenders: tuple[TenderKind, ...] = ("points",)
    tier_multipliers: dict[Name, Ratio] = {}
    cap_per_order: Points | None = None
    cap_per_day: Points | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> "PurchaseEarning":
        if (self.points_per_unit is None) == (self.points is None):
            raise ValueError("give either points_per_unit or points")
        for text in (self.points_per_unit or "1", *self.tier_multipliers.values()):
            ratio(text)
        return self

    @cached_property
    def _rates(self) -> dict[tuple[str, int], tuple[int, int, str]]:
        return {}

    def rate(self, currency: str, points_scale: int) -> tuple[int, int, str]:
        """Smallest units of points per minor unit of money: numerator, denominator, and the same in words (in points)."""
        key = (currency, points_scale)
        if key not in self._rates:
            per_minor = ratio(self.points_per_unit or "1") / 10 ** exponent(currency)
            smallest = per_minor * 10**points_scale
            self._rates[key] = (smallest.numerator, smallest.denominator, str(per_minor))
        return self._rates[key]

    def multiplier(self, tier: str | None) -> Fraction:
        """What a tier multiplies the earning by; 1 without one."""
        text = self.tier_multipliers.get(tier) if tier else None
        return ratio(text) if text else Fraction(1)


class EventEarning(_Part):
    """Points fixed for an event of a type."""

    id: Name
    on: Literal["customer.signed_up"]
    points: Points
    cap_per_day: Points | None = None


class Expiry(_Part):
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
            return _months_later(day, self.n) + timedelta(days=1)
        if self.kind == "end_of_month":
            return _months_later(day.replace(day=1), self.n + 1)
        return date(day.year + self.n + 1, 1, 1)


class Availability(_Part):
    """When earned points may be spent: at once, `days` after the purchase, or `days` after delivery."""

    kind: Literal["at_once", "after_days", "after_delivery"] = "at_once"
    days: int = Field(0, ge=0, le=3660, strict=True)

    def available_at(self, earned_at: int) -> int | None:
        """Microseconds; None = at once; NEVER = waits for the delivery."""
        if self.kind == "at_once":
            return None
        return NEVER if self.kind == "after_delivery" else earned_at + self.days * DAY


class RedemptionReversal(_Part):
    """What happens to a reversed redemption's lots whose expiry has passed: granted anew, or kept for `grace_days`."""

    expired_lots: Literal["reinstate", "grace"] = "reinstate"
    grace_days: int = Field(0, ge=0, le=3660, strict=True)


class RulesDocument(_Part):
    """One version of a program's rules."""

    program: ProgramBlock = ProgramBlock()
    effective_from: Moment | None = None
    earning: tuple[Annotated[PurchaseEarning | EventEarning, Field(discriminator="on")], ...] = ()
    expiry: Expiry = Expiry()
    availability: Availability = Availability()
    refunds: Literal["pending_only", "within_balance", "allow_negative"] = "within_balance"
    redemption_reversal: RedemptionReversal = RedemptionReversal()
    backdate_days: int = Field(45, ge=0, le=36_600, strict=True)
    business_day_starts_at: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$")] = "00:00"

    @model_validator(mode="after")
    def _ids_differ(self) -> "RulesDocument":
        ids = [rule.id for rule in self.earning]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"two earning rules are called {name!r}")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The program's time zone."""
        return ZoneInfo(self.program.time_zone)

    @cached_property
    def day_starts_minute(self) -> int:
        """Minutes after midnight at which a business day begins."""
        hours, minutes = self.business_day_starts_at.split(":")
        return int(hours) * 60 + int(minutes)

    @cached_property
    def purchase_earning(self) -> tuple[PurchaseEarning, ...]:
        """The rules for purchases, in order."""
        return tuple(rule for rule in self.earning if isinstance(rule, PurchaseEarning))

    @cached_property
    def signup_earning(self) -> tuple[EventEarning, ...]:
        """The rules for sign-ups, in order."""
        return tuple(rule for rule in self.earning if isinstance(rule, EventEarning))

    def business_day(self, instant: int) -> str:
        """The business day of an instant, as `YYYY-MM-DD`."""
        return business_day(instant, self.zone, self.day_starts_minute).isoformat()

    def expires_at(self, granted_at: int) -> int:
        """Expiry of points granted at an instant."""
        return self.expiry.expires_at(granted_at, self.zone)


class RuleVersion(_Part):
    """A published document with its number; `effective_from` in microseconds."""

    version: int
    effective_from: int
    document: RulesDocument


class Rulebook:
    """All versions of a program's rules, oldest first."""

    def __init__(self, versions: tuple[RuleVersion, ...]) -> None:
        self.versions = versions
        self._newest_first = versions[::-1]

    def at(self, instant: int) -> RuleVersion:
        """The version that decides an event of that instant: the latest published whose `effective_from` is not later."""
        for version in self._newest_first:
            if version.effective_from <= instant:
                return version
        return self.versions[0]

    @property
    def latest(self) -> RuleVersion:
        """The version published last."""
        return self.versions[-1]


DEFAULT_DOCUMENT: dict[str, Any] = {
    "program": {"time_zone": "UTC", "currencies": [], "points_scale": 0, "order_scope": "program"},
    "earning": [
        {"id": "base", "on": "purchase.recorded", "points_per_unit": "1"},
        {"id": "signup", "on": "customer.signed_up", "points": 100},
    ],
    "expiry": {"kind": "end_of_month", "n": 12},
    "refunds": "within_balance",
}
"""The rules of program `default`, made at the first start on an empty database."""

EVER = EARLIEST


def read_document(document: Any) -> RulesDocument:
    """Validate a rules document.

    Raises:
        FormError: names the place (JSON pointer) and the reason of every fault.
    """
    try:
        return RulesDocument.model_validate(document)
    except ValidationError as error:
        faults = [
            {"pointer": _pointer(fault["loc"]), "reason": fault["msg"]} for fault in error.errors(include_url=False)
        ]
        raise FormError("The rules document is malformed.", errors=faults) from error


def effective_from(document: RulesDocument, *, first: bool, published_at: int) -> int:
    """From when a document counts: ever for a program's first, else as it says, else from its publication."""
    if first:
        return EVER
    return published_at if document.effective_from is None else from_datetime(document.effective_from)


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{part}" for part in location if part not in ("purchase.recorded", "customer.signed_up"))


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
