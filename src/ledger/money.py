"""Money and shares of whole amounts: minor units, ISO 4217, rounding and splitting that never loses one.

Source of the exponents: ISO 4217 list one, "minor unit" column; currencies not listed here have two digits.
"""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

AMOUNT_MAX = 2**53 - 1
"""Amounts are exact in every JSON reader, those with binary64 numbers included."""

_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class Rounding(StrEnum):
    """How a fraction of a smallest unit is rounded."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


def exponent(currency: str) -> int:
    """Number of digits of a currency's minor unit, such as 2 for CNY, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Round `numerator / denominator` (both not negative) to a whole number."""
    if rounding is Rounding.DOWN:
        return numerator // denominator
    if rounding is Rounding.UP:
        return -(-numerator // denominator)
    return (2 * numerator + denominator) // (2 * denominator)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split a whole amount in proportion to weights; the parts add up to the amount exactly.

    Each part is the difference of two cumulative shares rounded down, so no part is ever off by one or more.
    With weights that are all zero, the last part gets everything.

    Args:
        amount: not negative.
        weights: at least one, none negative.
    """
    total = sum(weights)
    if total == 0:
        return [0] * (len(weights) - 1) + [amount]
    parts, weight_so_far, given = [], 0, 0
    for weight in weights:
        weight_so_far += weight
        share = amount * weight_so_far // total
        parts.append(share - given)
        given = share
    return parts


def ratio(text: str) -> Fraction:
    """Read an exact, positive ratio such as `1`, `1.5` or `1/100`.

    Raises:
        ValueError: not a number, or not positive.
    """
    if "e" in text.lower():
        raise ValueError("a rate is written without an exponent")  # 1e999999999 would fill the memory
    try:
        value = Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError("a rate has no zero below the line") from error
    if value <= 0:
        raise ValueError("a rate must be positive")
    return value
