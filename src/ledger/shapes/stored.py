"""Stored value: money paid in ahead, and the bonus given with it."""

from typing import Any, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Currency, Instant, LongText, Money, Place, Positive, Text


@with_config(CLOSED)
class StoredValueLoaded(TypedDict):
    """`stored_value.loaded`: `principal` was paid in, `bonus` is given with it; both in minor units of `currency`."""

    load_id: Text
    currency: Currency
    principal: Positive
    bonus: NotRequired[Money]
    payment_reference: Text
    bonus_expires_at: NotRequired[Instant]
    place: NotRequired[Place]


@with_config(CLOSED)
class StoredValueSpent(TypedDict):
    """`stored_value.spent`: never more than is there of principal and bonus together."""

    spend_id: Text
    currency: Currency
    amount: Positive
    order_id: NotRequired[Text]
    on_behalf_of: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class StoredValueRefunded(TypedDict):
    """`stored_value.refunded`: principal paid back, of one load or of a currency; without `amount` all that is left of it."""

    refund_id: Text
    load_id: NotRequired[Text]
    currency: NotRequired[Currency]
    amount: NotRequired[Positive]
    payment_reference: NotRequired[Text]
    place: NotRequired[Place]
    reason: NotRequired[LongText]


SHAPES: dict[str, Any] = {
    "stored_value.loaded": StoredValueLoaded,
    "stored_value.spent": StoredValueSpent,
    "stored_value.refunded": StoredValueRefunded,
}
