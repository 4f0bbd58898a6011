"""Coupons and packages: what a kind is worth, where and when it may be used, who bears it, how many there are."""

from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from ledger.instants import from_datetime
from ledger.money import AMOUNT_MAX, Rounding, ratio, rounded, split
from ledger.rules.basics import Currency, Moment, Name, Part, Ratio
from ledger.rules.points import Expiry

Minor = Annotated[int, Field(gt=0, le=AMOUNT_MAX, strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=256)]

HUNDRED = 100

TAKEN_NAMES = frozenset({"held", "debt"})
"""A customer's accounts end so where something is set aside or owed: `customer:coupon:held` would be read as that."""


def _free(name: str) -> str:
    if name in TAKEN_NAMES:
        raise ValueError(f"{name} is the name of an account, not of a kind")
    return name


KindName = Annotated[Name, AfterValidator(_free)]


class AmountOff(Part):
    """A fixed sum in minor units, never more than what is bought."""

    kind: Literal["amount"]
    amount: Minor
    currency: Currency

    def worth(self, spend: int | None) -> int:
        """Minor units a use is worth against a spend; against an unknown one the whole sum."""
        return self.amount if spend is None else min(self.amount, spend)


class PercentageOff(Part):
    """A share of what is bought, rounded down, at most `at_most` minor units."""

    kind: Literal["percentage"]
    percent: Ratio
    currency: Currency
    at_most: Minor | None = None

    @model_validator(mode="after")
    def _at_most_all(self) -> "PercentageOff":
        if ratio(self.percent) > HUNDRED:
            raise ValueError("a percentage is at most 100")
        return self

    def worth(self, spend: int | None) -> int:
        """Minor units a use is worth against a spend."""
        share = ratio(self.percent) / HUNDRED
        worth = rounded((spend or 0) * share.numerator, share.denominator, Rounding.DOWN)
        return worth if self.at_most is None else min(worth, self.at_most)


class Gift(Part):
    """Something handed over; its worth is not money here."""

    kind: Literal["gift"]
    sku: Text


Worth = Annotated[AmountOff | PercentageOff | Gift, Field(discriminator="kind")]


class Validity(Part):
    """From when and until when: `expiry` counts from the issue, `begins` and `until` are instants; the narrower window counts."""

    expiry: Expiry = Expiry()
    begins: Moment | None = None
    until: Moment | None = None

    def begins_at(self) -> int:
        """The first instant of use, in microseconds; 0 = at once."""
        return 0 if self.begins is None else from_datetime(self.begins)

    def ends_at(self, issued_at: int, zone: ZoneInfo) -> int:
        """The first instant at which one issued then is gone; NEVER if it stays."""
        end = self.expiry.expires_at(issued_at, zone)
        return end if self.until is None else min(end, from_datetime(self.until))


class Where(Part):
    """Usable where the store is one of `stores`, or belongs to one of `brands`; both empty = everywhere."""

    brands: tuple[Text, ...] = ()
    stores: tuple[Text, ...] = ()

    def admits(self, store: str | None, brand: str | None) -> bool:
        """Whether it may be used there."""
        if not self.brands and not self.stores:
            return True
        return store in self.stores or brand in self.brands


class BearerShare(Part):
    """Who bears the cost of a use, in whole parts of all shares."""

    party: Text
    share: Minor


class CouponCaps(Part):
    """How many there are: `total` issued to all customers, `per_customer` issued to one, `budget` minor units used by all.

    A coupon voided before any use gives its place back, a use that is returned its money.
    """

    total: Minor | None = None
    per_customer: Minor | None = None
    budget: Minor | None = None


class CouponKind(Part):
    """A kind of coupon. The terms of a coupon are those of the rules version that issued it.

    `uses` of one coupon; `minimum_spend` in minor units of its currency; `campaigns` empty = any, or none named; `tiers` empty =
    whoever asks. A use returned after the coupon's end comes back for `return_days`, or not at all where that is 0.
    """

    id: KindName
    value: Worth
    uses: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    minimum_spend: int = Field(0, ge=0, le=AMOUNT_MAX, strict=True)
    validity: Validity = Validity()
    usable_at: Where = Where()
    bearers: tuple[BearerShare, ...] = ()
    campaigns: tuple[Text, ...] = ()
    tiers: tuple[Name, ...] = ()
    caps: CouponCaps = CouponCaps()
    return_days: int = Field(0, ge=0, le=3660, strict=True)

    @model_validator(mode="after")
    def _money_has_a_currency(self) -> "CouponKind":
        if isinstance(self.value, Gift) and (self.caps.budget or self.minimum_spend or self.bearers):
            raise ValueError("a gift has no currency, so no minimum_spend, bearers or budget")
        return self

    @cached_property
    def asset(self) -> str:
        """What the lots of this kind hold: uses."""
        return f"coupon:{self.id}"

    def borne(self, amount: int) -> list[dict[str, int | str]]:
        """Who bears how much of a use; the parts add up to it."""
        if not self.bearers:
            return []
        parts = split(amount, [bearer.share for bearer in self.bearers])
        return [{"party": bearer.party, "amount": part} for bearer, part in zip(self.bearers, parts, strict=True)]


class PackageKind(Part):
    """A kind of package: uses that are sold in advance. Its terms are those of the rules version under which it was sold.

    `refund` of what is left: `pro_rata` its share of the price; `less_used_at_list` the price less the used ones at
    `list_price` (minor units) each, only for all that is left; `none` is refused.
    """

    id: KindName
    validity: Validity = Validity()
    usable_at: Where = Where()
    refund: Literal["pro_rata", "less_used_at_list", "none"] = "pro_rata"
    list_price: Minor | None = None

    @model_validator(mode="after")
    def _list_price_is_known(self) -> "PackageKind":
        if (self.refund == "less_used_at_list") != (self.list_price is not None):
            raise ValueError("list_price belongs to refund less_used_at_list")
        return self

    @cached_property
    def asset(self) -> str:
        """What the lots of this kind hold: uses."""
        return f"package:{self.id}"
