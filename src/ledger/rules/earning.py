"""Rules that earn points."""

from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ledger.money import AMOUNT_MAX, Rounding, exponent, ratio
from ledger.rules.basics import Name, Part, Points, Ratio, TenderKind
from ledger.rules.conditions import Condition, compiled, condition_on
from ledger.rules.moments import Schedule

Stack = Literal["all", "best", "first"]
"""Of the rules of a group that would earn something: all count, only the one that gives most, or only the first."""

BUDGET = "budget:"
"""Counters of that name are sums over all customers of what a rule gave."""


class Earning(Part):
    """What every earning rule may say besides its amount; what is left out does not matter.

    It applies where `schedule` and `when` hold and one of `moments` is. `cap_per_customer` bounds what one customer is ever
    given by the rule, `budget` what all are together: an earning that the rest of the budget does not cover is not given, or,
    where it may be `partial`, as far as it reaches.
    Within a `group` the document's `stacking` decides which rules count.
    """

    id: Name
    when: str | None = None
    schedule: Schedule | None = None
    moments: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    group: Name | None = None
    cap_per_day: Points | None = None
    cap_per_customer: Points | None = None
    budget: Points | None = None
    partial: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _partial_of_a_budget(self) -> Self:
        if self.partial and self.budget is None:
            raise ValueError("partial belongs to a budget")
        return self

    @cached_property
    def is_gated(self) -> bool:
        """Whether it applies at some times or to some events only."""
        return self.when is not None or self.schedule is not None or self.moments is not None

    @property
    def budget_counter(self) -> str:
        """The counter that holds what was given of its budget."""
        return BUDGET + self.id


class PurchaseEarning(Earning):
    """Points for what was spent.

    `points_per_unit` points for each whole unit of currency spent, `points` fixed for a purchase, or `multiply`: what the
    rules named in `of` (left out: all that are no multipliers) earn is multiplied by so much; exactly one of the three.
    `minimum_spend` is in minor units of the purchase's total. A capped rule earns what the cap leaves.
    """

    on: Literal["purchase.recorded"]
    when: condition_on("purchase.recorded") | None = None  # type: ignore[valid-type]
    points_per_unit: Ratio | None = None
    points: Points | None = None
    multiply: Ratio | None = None
    of: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    rounding: Rounding = Rounding.DOWN
    minimum_spend: int = Field(0, ge=0, le=AMOUNT_MAX, strict=True)
    exclude_categories: tuple[str, ...] = ()
    exclude_tenders: tuple[TenderKind, ...] = ("points",)
    tier_multipliers: dict[Name, Ratio] = Field(default_factory=dict)
    cap_per_order: Points | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.multiply is not None:
            self._check_multiplier()
        elif (self.points_per_unit is None) == (self.points is None):
            raise ValueError("give either points_per_unit or points")
        if self.of is not None and self.multiply is None:
            raise ValueError("of belongs to multiply")
        for text in (self.points_per_unit or "1", *self.tier_multipliers.values()):
            ratio(text)
        return self

    def _check_multiplier(self) -> None:
        if self.points_per_unit is not None or self.points is not None:
            raise ValueError("give one of points_per_unit, points and multiply")
        if ratio(self.multiply or "1") <= 1:
            raise ValueError("multiply adds to what is earned: it is more than 1")
        own = (self.exclude_categories, self.tier_multipliers, self.exclude_tenders != ("points",))
        if any(own) or self.rounding is not Rounding.DOWN:
            raise ValueError("lines, tenders, tiers and rounding are those of the rules that are multiplied")

    @cached_property
    def condition(self) -> Condition | None:
        """`when`, compiled."""
        return None if self.when is None else compiled(self.when, self.on)

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


class EventEarning(Earning):
    """Points fixed for an event of a type."""

    on: Literal["customer.signed_up"]
    when: condition_on("customer.signed_up") | None = None  # type: ignore[valid-type]
    points: Points

    @cached_property
    def condition(self) -> Condition | None:
        """`when`, compiled."""
        return None if self.when is None else compiled(self.when, self.on)
