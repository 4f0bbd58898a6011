"""What a point is worth, and how much of what is granted will be redeemed: dated, for the reports of what is owed."""

import re
from fractions import Fraction
from functools import cached_property

from pydantic import field_validator, model_validator

from ledger.instants import from_datetime
from ledger.rules.basics import Currency, Moment, Part, Ratio

_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?")


class Valuation(Part):
    """From an instant on: the value of one whole point in whole units of a currency, and the expected redemption rate (0 … 1).

    Both are decimal numbers written as text, so that no binary fraction comes between.
    """

    effective_from: Moment
    currency: Currency
    value_per_point: Ratio
    redemption_rate: Ratio

    @field_validator("value_per_point", "redemption_rate")
    @classmethod
    def _is_decimal(cls, text: str) -> str:
        if not _DECIMAL.fullmatch(text):
            raise ValueError("a decimal number of up to 12 places, written as text")
        return text

    @model_validator(mode="after")
    def _is_a_share(self) -> "Valuation":
        if self.rate > 1:
            raise ValueError("redemption_rate is a share from 0 to 1")
        return self

    @cached_property
    def since(self) -> int:
        """From when it counts, in microseconds."""
        return from_datetime(self.effective_from)

    @cached_property
    def value(self) -> Fraction:
        """Whole units of the currency a whole point is worth."""
        return Fraction(self.value_per_point)

    @cached_property
    def rate(self) -> Fraction:
        """The share of points expected to be redeemed."""
        return Fraction(self.redemption_rate)
