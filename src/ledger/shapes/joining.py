"""A customer joins."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import ASSET_PATTERN, CLOSED, Count, Currency, Instant, Money, Place, Positive, Text


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


@with_config(CLOSED)
class OpeningHistory(TypedDict, total=False):
    """What the customer had bought before; `spend` in minor units by currency."""

    first_order_at: Instant
    last_order_at: Instant
    orders: Count
    spend: Annotated[dict[Currency, Money], Field(max_length=20)]


@with_config(CLOSED)
class OpenedFrom(TypedDict):
    """`account.opened_from`: migration, once per customer, system and part."""

    system: Text
    cutover_at: Instant
    part: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    lots: Annotated[list[OpeningLot], Field(max_length=200)]
    history: NotRequired[OpeningHistory]


SHAPES: dict[str, Any] = {
    "customer.signed_up": SignedUp,
    "account.opened_from": OpenedFrom,
}
