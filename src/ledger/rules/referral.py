"""Rules for customers who bring customers: when a referral counts, what both sides get, and how much in all."""

from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from ledger.instants import DAY
from ledger.money import AMOUNT_MAX
from ledger.rules.basics import Currency, Name, Part, Points

ORDERS_MAX = 100


class Qualification(Part):
    """What the referred customer must do for the referral to count.

    `first_purchase`, the `n`-th purchase, or a `spend` of `amount` minor units of `currency` in all. A purchase counts with what
    is left of it after refunds, and only if that is at least `minimum_spend`. With `refund_window_days` the referral counts so
    many days later, if it still would.
    """

    kind: Literal["first_purchase", "nth_purchase", "spend"] = "first_purchase"
    n: int = Field(1, ge=1, le=ORDERS_MAX, strict=True)
    amount: int | None = Field(None, gt=0, le=AMOUNT_MAX, strict=True)
    currency: Currency | None = None
    minimum_spend: int = Field(0, ge=0, le=AMOUNT_MAX, strict=True)
    refund_window_days: int = Field(0, ge=0, le=3660, strict=True)

    @model_validator(mode="after")
    def _measured(self) -> "Qualification":
        if (self.kind == "spend") != (self.amount is not None and self.currency is not None):
            raise ValueError("amount and currency belong to kind spend, and it needs both")
        if self.kind != "nth_purchase" and self.n != 1:
            raise ValueError("n belongs to kind nth_purchase")
        return self


class Step(Part):
    """So many points for each referral from the `from_count`-th rewarded one on."""

    from_count: int = Field(ge=1, le=AMOUNT_MAX, strict=True)
    points: Points


class Budget(Part):
    """Points that all rewards together may cost; another name begins another budget."""

    name: Name
    points: Points


class Referral(Part):
    """Rewards for bringing customers.

    Attributes:
        referrer: what the referrer gets, by how many were rewarded before; none: nothing.
        referred: what the referred customer gets.
        valid_days: a purchase later than that after the referral does not qualify it; None: any does.
        protection_days: so long no other referrer can be named; None: never. One that has qualified is final.
        cap_referrals, cap_points: what one referrer can be rewarded for in all.
    """

    referrer: tuple[Step, ...] = ()
    referred: Points | None = None
    qualification: Qualification = Qualification()
    valid_days: int | None = Field(None, ge=1, le=36_600, strict=True)
    protection_days: int | None = Field(None, ge=0, le=36_600, strict=True)
    cap_referrals: int | None = Field(None, ge=1, le=AMOUNT_MAX, strict=True)
    cap_points: Points | None = None
    budget: Budget | None = None

    @model_validator(mode="after")
    def _steps_rise(self) -> "Referral":
        counts = [step.from_count for step in self.referrer]
        if counts != sorted(set(counts)) or (counts and counts[0] != 1):
            raise ValueError("the steps of referrer begin with from_count 1 and rise")
        return self

    @cached_property
    def _newest_first(self) -> tuple[Step, ...]:
        return self.referrer[::-1]

    def for_referrer(self, count: int) -> int:
        """Points for the `count`-th rewarded referral of a customer, before any cap."""
        return next((step.points for step in self._newest_first if step.from_count <= count), 0)

    def valid_until(self, instant: int) -> int | None:
        """The last instant at which a purchase can qualify a referral made then; None: there is none."""
        return None if self.valid_days is None else instant + self.valid_days * DAY

    def protected_until(self, instant: int) -> int | None:
        """The first instant at which another referrer may be named; None: never."""
        return None if self.protection_days is None else instant + self.protection_days * DAY
