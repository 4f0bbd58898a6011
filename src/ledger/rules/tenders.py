"""Tenders that pay: what a point is worth at the till, and which tender a refund goes back to."""

from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ledger.money import exponent, ratio
from ledger.rules.basics import Currency, Part, Ratio


class PointsTender(Part):
    """What one whole point pays, by currency, in whole units of it: `{CNY: "0.01"}` is a hundred points for a yuan."""

    value: Annotated[dict[Currency, Ratio], Field(min_length=1)]

    @model_validator(mode="after")
    def _values_are_ratios(self) -> "PointsTender":
        for text in self.value.values():
            ratio(text)
        return self

    def points_for(self, amount: int, currency: str, points_scale: int) -> Fraction | None:
        """Smallest units of points that pay an amount of minor units, exactly; None where a point has no value in the currency."""
        if currency not in self.value:
            return None
        return amount * self._per_minor(currency, points_scale)

    def _per_minor(self, currency: str, points_scale: int) -> Fraction:
        key = (currency, points_scale)
        if key not in self._rates:
            self._rates[key] = 10**points_scale / (ratio(self.value[currency]) * 10 ** exponent(currency))
        return self._rates[key]

    @cached_property
    def _rates(self) -> dict[tuple[str, int], Fraction]:
        return {}


class Tenders(Part):
    """Tenders the ledger itself pays from the customer's lots.

    `refund` says where a refund that names no tenders goes: to every tender in the proportion of what is left of it, first to
    those paid from the customer's lots (`ledger_first`), or to them last.
    """

    points: PointsTender | None = None
    refund: Literal["proportional", "ledger_first", "ledger_last"] = "proportional"
