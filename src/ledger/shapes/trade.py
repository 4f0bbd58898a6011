"""Purchases, refunds, returns and deliveries."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import (
    CLOSED,
    Attributes,
    Currency,
    Day,
    Instant,
    LineNumber,
    LongText,
    Money,
    Place,
    Positive,
    Quantity,
    Text,
)


@with_config(CLOSED)
class Line(TypedDict):
    """One line of a purchase."""

    line: LineNumber
    sku: Text
    category: NotRequired[Text]
    quantity: Quantity
    list_amount: NotRequired[Money]
    discount: NotRequired[Money]
    amount: Money
    tax: NotRequired[Money]
    fulfilled_at: NotRequired[Instant]
    earns: NotRequired[bool]


@with_config(CLOSED)
class Tender(TypedDict):
    """A means of payment. With `reference` it names what paid already and moves nothing; without, of a kind held here, it pays.

    One of kind coupon that pays says which, and is one use of it; a gift pays 0. `on_behalf_of` is the customer whose account pays.
    """

    kind: Literal["cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "partner", "other"]
    amount: Money
    reference: NotRequired[Text]
    coupon_id: NotRequired[Text]
    on_behalf_of: NotRequired[Text]


@with_config(CLOSED)
class Bearer(TypedDict):
    """Who bears how much of a discount."""

    party: Text
    amount: Money


@with_config(CLOSED)
class Discount(TypedDict):
    """What lowered the amount."""

    id: Text
    amount: Money
    bearers: NotRequired[Annotated[list[Bearer], Field(max_length=20)]]


@with_config(CLOSED)
class PurchaseRecorded(TypedDict):
    """`purchase.recorded`: Σ line amounts = total = Σ tenders where given; discounts lower an amount, tenders pay it."""

    order_id: Text
    currency: Currency
    total: Money
    lines: NotRequired[Annotated[list[Line], Field(max_length=500)]]
    tax: NotRequired[Money]
    prices_include_tax: NotRequired[bool]
    tenders: NotRequired[Annotated[list[Tender], Field(max_length=50)]]
    discounts: NotRequired[Annotated[list[Discount], Field(max_length=100)]]
    covers: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    place: NotRequired[Place]
    business_day: NotRequired[Day]
    referred_by: NotRequired[Text]
    attributes: NotRequired[Attributes]


@with_config(CLOSED)
class RefundedLine(TypedDict):
    """A line of the purchase that is refunded, wholly or in part."""

    line: LineNumber
    quantity: Quantity
    amount: Money


@with_config(CLOSED)
class PurchaseRefunded(TypedDict):
    """`purchase.refunded`: money back on a purchase that is named."""

    refund_id: Text
    order_id: Text
    amount: Positive
    lines: NotRequired[Annotated[list[RefundedLine], Field(min_length=1, max_length=500)]]
    tenders: NotRequired[Annotated[list[Tender], Field(max_length=50)]]
    place: NotRequired[Place]
    reason: NotRequired[LongText]


@with_config(CLOSED)
class ReturnedLine(TypedDict):
    """Goods brought back."""

    sku: Text
    category: NotRequired[Text]
    quantity: Quantity
    amount: Money


@with_config(CLOSED)
class PurchaseReturned(TypedDict):
    """`purchase.returned`: goods brought back without their order."""

    return_id: Text
    currency: Currency
    amount: Money
    lines: Annotated[list[ReturnedLine], Field(min_length=1, max_length=500)]
    match: Literal["latest", "none"]
    place: NotRequired[Place]
    reason: NotRequired[LongText]


@with_config(CLOSED)
class DeliveredLine(TypedDict):
    """A line of the purchase that was delivered."""

    line: LineNumber
    quantity: Quantity


@with_config(CLOSED)
class OrderDelivered(TypedDict):
    """`order.delivered`: without lines, all of it."""

    order_id: Text
    lines: NotRequired[Annotated[list[DeliveredLine], Field(min_length=1, max_length=500)]]
    place: NotRequired[Place]


SHAPES: dict[str, Any] = {
    "purchase.recorded": PurchaseRecorded,
    "purchase.refunded": PurchaseRefunded,
    "purchase.returned": PurchaseReturned,
    "order.delivered": OrderDelivered,
}
