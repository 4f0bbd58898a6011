"""Rules of tiers (升降保级): which there are, what reaches and keeps them, over what time, and how growth value is earned.

Days are business days of the program's zone; a period ends where the business day after its last begins.
"""

from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ledger.money import AMOUNT_MAX, Rounding, exponent, ratio
from ledger.rules.basics import Currency, Name, Part, Points, Ratio, TenderKind, months_later
from ledger.rules.benefits import Benefit

Threshold = Annotated[int, Field(ge=0, le=AMOUNT_MAX, strict=True)]

MEASURES = ("growth", "spend", "orders")

DAYS_KEPT_MIN = 731 + 366
"""The longest window and the longest grace period: what an account must remember by the day."""


class Condition(Part):
    """What reaches or keeps a tier. What is given must all hold; of `any` one must.

    `growth` in growth value, `spend` in minor units of the block's currency, `orders` a count.
    """

    growth: Threshold | None = None
    spend: Threshold | None = None
    orders: Threshold | None = None
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Condition":
        if not (self.measures or self.all or self.any):
            raise ValueError("a condition asks for growth, spend, orders, all or any")
        return self

    @cached_property
    def thresholds(self) -> dict[str, int]:
        """What this condition itself asks for, by measure."""
        asked = {measure: getattr(self, measure) for measure in MEASURES}
        return {measure: amount for measure, amount in asked.items() if amount is not None}

    @cached_property
    def measures(self) -> tuple[str, ...]:
        """What it looks at, in all its parts."""
        found = set(self.thresholds).union(*(part.measures for part in (*self.all, *self.any)))
        return tuple(measure for measure in MEASURES if measure in found)

    @cached_property
    def growth_asked(self) -> int:
        """The most growth any part of it asks for."""
        return max([self.growth or 0, *(part.growth_asked for part in (*self.all, *self.any))])

    @cached_property
    def always(self) -> bool:
        """Whether anyone meets it."""
        return self.met(dict.fromkeys(MEASURES, 0))

    def met(self, values: dict[str, int]) -> bool:
        """Whether values by measure meet it."""
        return (
            all(values[measure] >= amount for measure, amount in self.thresholds.items())
            and all(part.met(values) for part in self.all)
            and (not self.any or any(part.met(values) for part in self.any))
        )

    def missing(self, values: dict[str, int]) -> dict[str, Any]:
        """What values fall short of by measure; under `any` a list of the ways there are. Nothing where it is met."""
        if self.met(values):
            return {}
        short: dict[str, Any] = {
            measure: amount - values[measure] for measure, amount in self.thresholds.items() if amount > values[measure]
        }
        for part in self.all:
            for measure, amount in part.missing(values).items():
                known = short.get(measure)
                if known is None:
                    short[measure] = amount
                else:
                    short[measure] = [*known, *amount] if measure == "any" else max(known, amount)
        if self.any and not any(part.met(values) for part in self.any):
            short["any"] = [*short.get("any", []), *(part.missing(values) for part in self.any)]
        return short


class Rolling(Part):
    """The last months or days, the day looked at included; exactly one of the two. At most two years."""

    kind: Literal["rolling"]
    months: Annotated[int, Field(ge=1, le=24, strict=True)] | None = None
    days: Annotated[int, Field(ge=1, le=731, strict=True)] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> "Rolling":
        if (self.months is None) == (self.days is None):
            raise ValueError("give either months or days")
        return self

    def first_day(self, day: date, _: date) -> date:
        """The first day that counts on a day."""
        if self.days is not None:
            return day - timedelta(days=self.days - 1)
        return months_later(day, -(self.months or 0)) + timedelta(days=1)


class Calendar(Part):
    """The calendar period the day lies in, up to the day."""

    kind: Literal["calendar"]
    period: Literal["month", "quarter", "half_year", "year"]

    @property
    def months(self) -> int:
        """Months of a period."""
        return {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[self.period]

    def first_day(self, day: date, _: date) -> date:
        """The first day of the period."""
        return date(day.year, (day.month - 1) // self.months * self.months + 1, 1)


class MembershipYear(Part):
    """The year of membership the day lies in, up to the day; it begins on the day of the sign-up or, without, the first order."""

    kind: Literal["membership_year"]

    def first_day(self, day: date, joined: date) -> date:
        """The last anniversary of joining; of 29 February it is the 28th in a common year."""
        anniversary = months_later(joined, (day.year - joined.year) * 12)
        return anniversary if anniversary <= day else months_later(joined, (day.year - joined.year - 1) * 12)


class Lifetime(Part):
    """All there ever was, less what reviews deducted."""

    kind: Literal["lifetime"]

    def first_day(self, _: date, __: date) -> date:
        """The first day there is."""
        return date.min


Window = Annotated[Rolling | Calendar | MembershipYear | Lifetime, Field(discriminator="kind")]


class PurchaseGrowth(Part):
    """Growth value for a purchase: for each whole unit of currency spent, for each point it earned, or fixed; exactly one."""

    id: Name
    on: Literal["purchase.recorded"]
    per_unit: Ratio | None = None
    per_point: Ratio | None = None
    amount: Points | None = None
    rounding: Rounding = Rounding.DOWN
    minimum_spend: int = Field(0, ge=0, le=AMOUNT_MAX, strict=True)
    exclude_categories: tuple[str, ...] = ()
    exclude_tenders: tuple[TenderKind, ...] = ()

    @model_validator(mode="after")
    def _one_measure(self) -> "PurchaseGrowth":
        if sum(value is not None for value in (self.per_unit, self.per_point, self.amount)) != 1:
            raise ValueError("give one of per_unit, per_point and amount")
        for text in (self.per_unit, self.per_point):
            if text is not None:
                ratio(text)
        return self

    @cached_property
    def _rates(self) -> dict[tuple[str, int], tuple[int, int, str]]:
        return {}

    def rate(self, currency: str, points_scale: int) -> tuple[int, int, str]:
        """Growth for a minor unit of money, or for a smallest unit of points: numerator, denominator, and in words."""
        key = (currency, points_scale)
        if key not in self._rates:
            if self.per_unit is not None:
                each = ratio(self.per_unit) / 10 ** exponent(currency)
            else:
                each = ratio(self.per_point or "1") / 10**points_scale
            self._rates[key] = (each.numerator, each.denominator, str(each))
        return self._rates[key]


class EventGrowth(Part):
    """Growth value fixed for an event of a type."""

    id: Name
    on: Literal["customer.signed_up"]
    amount: Points


class Level(Part):
    """A tier. `rank` orders them, the highest is the best. Without `qualifies` it is only assigned.

    `retains` is what keeps it at a review; left out, what reaches it.
    """

    name: Name
    rank: int = Field(ge=1, le=1000, strict=True)
    qualifies: Condition | None = None
    retains: Condition | None = None

    @property
    def keeps(self) -> Condition | None:
        """What keeps it at a review."""
        return self.retains or self.qualifies


class Tiers(Part):
    """The tiers of a program.

    Attributes:
        currency: of the thresholds of spend.
        window: over what time growth, spend and orders count.
        valid_months: how long a tier holds before it is reviewed, for windows that have no end of their own (rolling, lifetime).
            Others are reviewed at the end of their period.
        review: what becomes of a tier that is not kept: it stays, goes one step down, or falls to what the values keep.
        deduct_growth: a review takes from the growth what keeping the tier asks for, at most what is there.
        grace_days: how long after a failed review the tier may still be kept; what is done meanwhile counts.
        refunds_undo_upgrade: a refund without whose purchase the tier would not have been reached takes it back.
        growth: how growth value is earned.
        benefits: what holding a tier brings besides earning.
    """

    currency: Currency | None = None
    window: Window
    valid_months: int = Field(12, ge=1, le=120, strict=True)
    review: Literal["retain", "step_down", "fall"] = "fall"
    deduct_growth: bool = Field(default=False, strict=True)
    grace_days: int = Field(0, ge=0, le=366, strict=True)
    refunds_undo_upgrade: bool = Field(default=False, strict=True)
    growth: tuple[Annotated[PurchaseGrowth | EventGrowth, Field(discriminator="on")], ...] = ()
    levels: tuple[Level, ...] = Field(min_length=1, max_length=100)
    benefits: Annotated[tuple[Benefit, ...], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Tiers":
        for attribute, values in (
            ("names", [level.name for level in self.levels]),
            ("ranks", [level.rank for level in self.levels]),
            ("ids", [rule.id for rule in (*self.growth, *(self.benefits or ()))]),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"the {attribute} must differ")
        conditions = [part for level in self.levels for part in (level.qualifies, level.retains) if part]
        if self.currency is None and any("spend" in condition.measures for condition in conditions):
            raise ValueError("a threshold of spend needs a currency")
        return self

    @cached_property
    def highest_first(self) -> tuple[Level, ...]:
        """The tiers by rank, the best first."""
        return tuple(sorted(self.levels, key=lambda level: -level.rank))

    @cached_property
    def benefits_by_id(self) -> dict[str, Benefit]:
        """What holding a tier brings, by name."""
        return {benefit.id: benefit for benefit in self.benefits or ()}

    @cached_property
    def given_when_reached(self) -> tuple[Benefit, ...]:
        """Those of them that are given by themselves."""
        return tuple(benefit for benefit in self.benefits or () if benefit.given == "reached")

    @cached_property
    def _by_name(self) -> dict[str, Level]:
        return {level.name: level for level in self.levels}

    def level(self, name: str | None) -> Level | None:
        """The tier of a name, None where there is none."""
        return self._by_name.get(name) if name else None

    def above(self, rank: int) -> Level | None:
        """The next tier above a rank that can be reached."""
        reachable = [level for level in self.levels if level.rank > rank and level.qualifies]
        return min(reachable, key=lambda level: level.rank, default=None)

    def review_on(self, day: date, *, anchor: date, joined: date) -> date:
        """The day on which a tier held on a day is reviewed next.

        Args:
            anchor: the day the tier was reached; months count from it, so that the 31st does not creep.
        """
        window = self.window
        if isinstance(window, Calendar):
            return months_later(window.first_day(day, joined), window.months)
        if isinstance(window, MembershipYear):
            begun = window.first_day(day, joined)
            return months_later(joined, (begun.year - joined.year + 1) * 12)
        terms = ((day.year - anchor.year) * 12 + day.month - anchor.month) // self.valid_months
        review = months_later(anchor, terms * self.valid_months)
        return review if review > day else months_later(anchor, (terms + 1) * self.valid_months)
