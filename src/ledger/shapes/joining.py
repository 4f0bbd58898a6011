"""A customer joins."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import ASSET_PATTERN, CLOSED, Count, Currency, Day, Instant, Money, Place, Positive, Text
from ledger.shapes.coupons import Kind
from ledger.shapes.membership import PlanName


@with_config(CLOSED)
class SignedUp(TypedDict):
    """`customer.signed_up`: a customer joins."""

    place: NotRequired[Place]
    live_code: NotRequired[Text]
    campaign: NotRequired[Text]
    referred_by: NotRequired[Text]


@with_config(CLOSED)
class OpeningLot(TypedDict):
    """A lot taken over from another system."""

    asset: Annotated[str, StringConstraints(pattern=ASSET_PATTERN)]
    amount: Positive
    granted_at: Instant
    expires_at: NotRequired[Instant]
    reason: Text


Spend = Annotated[dict[Currency, Money], Field(max_length=20)]


@with_config(CLOSED)
class OpeningDay(TypedDict):
    """What was bought on one day, for tiers that count orders or spend over a time; `spend` in minor units by currency."""

    on: Day
    orders: NotRequired[Count]
    spend: NotRequired[Spend]


@with_config(CLOSED)
class OpeningHistory(TypedDict, total=False):
    """What the customer had done before; `spend` in minor units by currency, `counted` what of it counts towards a tier."""

    signed_up_at: Instant
    first_order_at: Instant
    last_order_at: Instant
    orders: Count
    spend: Spend
    counted: Annotated[list[OpeningDay], Field(max_length=200)]


@with_config(CLOSED)
class OpeningTier(TypedDict):
    """The tier the customer stood at, since when, and when it is reviewed; without `review_at`, as the rules have it."""

    tier: Text
    since: NotRequired[Instant]
    review_at: NotRequired[Instant]


@with_config(CLOSED)
class OpeningCoupon(TypedDict):
    """A coupon not used up: `uses` left, all of its kind's where it is not said; without `expires_at`, its end by the rules."""

    coupon_id: Text
    kind: Kind
    issued_at: Instant
    uses: NotRequired[Positive]
    expires_at: NotRequired[Instant]
    code: NotRequired[Text]
    campaign: NotRequired[Text]


@with_config(CLOSED)
class OpeningMembership(TypedDict):
    """The period of a paid membership that runs; without `price`, nothing of it is ever paid back."""

    membership_id: Text
    plan: PlanName
    start: Instant
    end: Instant
    price: NotRequired[Money]
    currency: NotRequired[Currency]


@with_config(CLOSED)
class OpenedFrom(TypedDict):
    """`account.opened_from`: migration, once per customer, system and part."""

    system: Text
    cutover_at: Instant
    part: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    lots: Annotated[list[OpeningLot], Field(max_length=200)]
    history: NotRequired[OpeningHistory]
    tier: NotRequired[OpeningTier]
    coupons: NotRequired[Annotated[list[OpeningCoupon], Field(max_length=100)]]
    membership: NotRequired[OpeningMembership]


SHAPES: dict[str, Any] = {
    "customer.signed_up": SignedUp,
    "account.opened_from": OpenedFrom,
}
