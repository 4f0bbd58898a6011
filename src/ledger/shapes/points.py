"""Points granted, redeemed, given back and adjusted."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from ledger.money import AMOUNT_MAX
from ledger.shapes.basics import CLOSED, Currency, Instant, LongText, Money, Place, Positive, Text

GrantReason = Literal[
    "checkin", "game", "birthday", "referral", "campaign", "goodwill", "service", "sold", "partner_sale"
]


@with_config(CLOSED)
class PointsGranted(TypedDict):
    """`points.granted`: the reason comes from a closed list, because it decides the account."""

    grant_id: NotRequired[Text]
    points: Positive
    reason: GrantReason
    expires_at: NotRequired[Instant]
    campaign: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class Value(TypedDict):
    """What redeemed points were worth."""

    amount: Money
    currency: Currency


@with_config(CLOSED)
class PointsRedeemed(TypedDict):
    """`points.redeemed`: never more than is available."""

    redemption_id: Text
    points: Positive
    value: NotRequired[Value]
    reward: NotRequired[Text]
    on_behalf_of: NotRequired[Text]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class RedemptionReversed(TypedDict):
    """`points.redemption_reversed`: without `points`, all that is left of the redemption."""

    redemption_id: Text
    points: NotRequired[Positive]


@with_config(CLOSED)
class PointsAdjusted(TypedDict):
    """`points.adjusted`: by staff; may be negative, never zero."""

    points: Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    reason: LongText
    ticket: NotRequired[Text]


@with_config(CLOSED)
class PointsTransferred(TypedDict):
    """`points.transferred`: from the subject to another customer of the program, all or nothing."""

    transfer_id: Text
    points: Positive
    to: Text
    note: NotRequired[LongText]
    place: NotRequired[Place]


SHAPES: dict[str, Any] = {
    "points.granted": PointsGranted,
    "points.redeemed": PointsRedeemed,
    "points.redemption_reversed": RedemptionReversed,
    "points.adjusted": PointsAdjusted,
    "points.transferred": PointsTransferred,
}
