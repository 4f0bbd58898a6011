"""What customers may transfer to each other; without this block, nothing."""

from typing import Literal

from pydantic import Field, model_validator

from ledger.money import AMOUNT_MAX
from ledger.rules.basics import Part


class Transfers(Part):
    """Points given by one customer to another.

    `points_min` and `points_max` bound one transfer, `per_day_max` what a customer transfers on one business day. `expiry` `kept`
    leaves every lot its date of grant and its expiry; `anew` lets what arrives begin as if granted then.
    """

    points_min: int = Field(1, ge=1, le=AMOUNT_MAX, strict=True)
    points_max: int | None = Field(None, ge=1, le=AMOUNT_MAX, strict=True)
    per_day_max: int | None = Field(None, ge=1, le=AMOUNT_MAX, strict=True)
    expiry: Literal["kept", "anew"] = "kept"

    @model_validator(mode="after")
    def _bounds_fit(self) -> "Transfers":
        if self.points_max is not None and self.points_max < self.points_min:
            raise ValueError("points_max is less than points_min: nothing could be transferred")
        return self
