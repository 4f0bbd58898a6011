"""What a tier brings its holders besides earning: gifts and coupons, each given once in a while."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ledger.rules.basics import Name
from ledger.rules.membership import Bundle

QUARTER_MONTHS = 3


class Benefit(Bundle):
    """Points and coupons for whoever holds one of `tiers`.

    `given` when such a tier is `reached`, by itself, or when the customer has it `taken`; whoever did not get what is given by
    itself may have it taken. `once` in a business month, quarter or year, or ever. With `moments` one of these must be now, such
    as the month of birth, which the event that takes it says and no record of a customer keeps.
    """

    id: Name
    tiers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    given: Literal["reached", "taken"] = "taken"
    once: Literal["month", "quarter", "year", "ever"] = "year"
    moments: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _gives_something(self) -> "Benefit":
        if self.points is None and not self.coupons:
            raise ValueError("a benefit gives points or coupons")
        if self.given == "reached" and self.moments is not None:
            raise ValueError("moments belong to what is taken: a tier is reached when it is")
        return self

    def period(self, day: date) -> str:
        """The stretch of time in which it is given once: `2026-05`, `2026-Q2`, `2026`, `ever`."""
        match self.once:
            case "month":
                return f"{day:%Y-%m}"
            case "quarter":
                return f"{day:%Y}-Q{(day.month - 1) // QUARTER_MONTHS + 1}"
            case "year":
                return f"{day:%Y}"
            case _:
                return "ever"
