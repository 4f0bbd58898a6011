"""Paid membership: what a plan costs, how long it runs, what comes with it, and how it is renewed, paused and cancelled."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ledger.rules.basics import Currency, Name, Part, Points, Ratio
from ledger.rules.coupons import Minor

Count = Annotated[int, Field(ge=1, le=100, strict=True)]


class BundleCoupons(Part):
    """Some coupons of a kind the same document knows."""

    kind: Name
    count: Count = 1


class Bundle(Part):
    """What is granted with every purchase and renewal, in the same record."""

    points: Points | None = None
    coupons: Annotated[tuple[BundleCoupons, ...], Field(max_length=20)] = ()


class PriceBenefit(Part):
    """What a member pays less; shown with an active membership, applied by the till."""

    percent_off: Ratio


class Plan(Part):
    """A plan of membership. A period keeps the terms of the rules version under which it was bought.

    `price` in minor units for `months` of it. A renewal `from_end` begins where the period before ends, `from_today` at once. At
    a cancellation the days after it are paid back: `pro_rata`, `less_used_at_list` (the price less the months begun at
    `list_month` each), or `none`; what is left of the bundle is taken back where `takes_back` says so. `tier` is held at least as
    long as the membership is active.
    """

    id: Name
    price: int = Field(ge=0, le=2**53 - 1, strict=True)
    currency: Currency
    months: Annotated[int, Field(ge=1, le=120, strict=True)]
    bundle: Bundle = Bundle()
    benefit: PriceBenefit | None = None
    renewal: Literal["from_end", "from_today"] = "from_end"
    refund: Literal["pro_rata", "less_used_at_list", "none"] = "pro_rata"
    list_month: Minor | None = None
    tier: Name | None = None
    takes_back: bool = Field(default=True, strict=True)
    pause_days_max: int = Field(0, ge=0, le=3660, strict=True)

    @model_validator(mode="after")
    def _list_month_is_known(self) -> "Plan":
        if (self.refund == "less_used_at_list") != (self.list_month is not None):
            raise ValueError("list_month belongs to refund less_used_at_list")
        return self
