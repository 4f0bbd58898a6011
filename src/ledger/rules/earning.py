"""Rules that earn points."""

from fractions import Fraction
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from ledger.money import AMOUNT_MAX, Rounding, exponent, ratio
from ledger.rules.basics import Name, Part, Points, Ratio, TenderKind


class PurchaseEarning(Part):
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
    tier_multipliers: dict[Name, Ratio] = Field(default_factory=dict)
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


class EventEarning(Part):
    """Points fixed for an event of a type."""

    id: Name
    on: Literal["customer.signed_up"]
    points: Points
    cap_per_day: Points | None = None
