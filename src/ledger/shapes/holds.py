"""Value set aside for a checkout."""

from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Currency, Instant, LongText, Money, Place, Positive, Text


@with_config(CLOSED)
class HoldPlaced(TypedDict):
    """`hold.placed`: `amount` of points, or of stored value in minor units of `currency`, is set aside until `until`.

    Of a coupon it is one use; `spend` is what is to be bought with it and `amount` what it is to take off, in minor units.
    """

    hold_id: Text
    asset: Literal["points", "stored_value", "coupon"]
    currency: NotRequired[Currency]
    amount: NotRequired[Positive]
    coupon_id: NotRequired[Text]
    spend: NotRequired[Money]
    until: Instant
    on_behalf_of: NotRequired[Text]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class HoldCaptured(TypedDict):
    """`hold.captured`: what was held is spent; without `amount` all of it, otherwise the rest is released.

    A coupon is used once whatever `amount` it takes off.
    """

    hold_id: Text
    amount: NotRequired[Positive]
    order_id: NotRequired[Text]


@with_config(CLOSED)
class HoldReleased(TypedDict):
    """`hold.released`: what was held is free again."""

    hold_id: Text
    reason: NotRequired[LongText]


SHAPES: dict[str, Any] = {
    "hold.placed": HoldPlaced,
    "hold.captured": HoldCaptured,
    "hold.released": HoldReleased,
}
