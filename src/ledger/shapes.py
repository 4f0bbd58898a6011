"""The shape of the data of every event type a sender may post; source: the contract in docs/EVENTS.md.

Unknown fields are refused; `attributes` is the place for a sender's own. Money is whole minor units. What is kept is what
validation gives back: instants in UTC, quantities in their shortest form. `ledger/events.py` checks what spans fields.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.instants import parse, show
from ledger.money import AMOUNT_MAX

_CLOSED = ConfigDict(extra="forbid", strict=True)

ASSET_PATTERN = r"^(points|growth|stored\.(principal|bonus):[A-Z]{3})$"


def _clean(text: str) -> str:
    """Text that PostgreSQL and every JSON reader can keep: no U+0000, no lone surrogates."""
    if "\x00" in text or (not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)):
        raise ValueError("text may not hold U+0000 or lone surrogates")
    return text


def _instant(text: Any) -> str:
    """An instant with offset, kept in UTC."""
    if not isinstance(text, str):
        raise ValueError("an instant is a string such as 2026-11-21T10:00:00+08:00")
    return show(parse(text))


def _quantity(value: Any) -> int | str:
    """A positive whole number, or a decimal string of up to three places; `2` and `"2.0"` are kept as 2."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= AMOUNT_MAX:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,3})?", value) and Decimal(value) > 0:
        number = Decimal(value).normalize()
        return int(number) if number == number.to_integral_value() else format(number, "f")
    raise ValueError("a quantity is a positive whole number or a decimal string of up to 3 places")


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


Text = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_clean)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_clean)]
Instant = Annotated[str, BeforeValidator(_instant)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_date)]
Money = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Positive = Annotated[int, Field(gt=0, le=AMOUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Quantity = Annotated[int | str, BeforeValidator(_quantity)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Attribute = (
    Annotated[str, StringConstraints(max_length=256), AfterValidator(_clean)]
    | bool
    | Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    | None
)
Attributes = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Attribute], Field(max_length=32)
]
LineNumber = Annotated[int, Field(ge=1, le=100_000)]


@with_config(_CLOSED)
class Place(TypedDict):
    """Where it happened."""

    store: Text
    channel: Text
    guide: NotRequired[Text]
    terminal: NotRequired[Text]


@with_config(_CLOSED)
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


@with_config(_CLOSED)
class Tender(TypedDict):
    """A means of payment. With `reference` it names a redemption or hold already posted and moves nothing."""

    kind: Literal["cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "partner", "other"]
    amount: Money
    reference: NotRequired[Text]


@with_config(_CLOSED)
class Bearer(TypedDict):
    """Who bears how much of a discount."""

    party: Text
    amount: Money


@with_config(_CLOSED)
class Discount(TypedDict):
    """What lowered the amount."""

    id: Text
    amount: Money
    bearers: NotRequired[Annotated[list[Bearer], Field(max_length=20)]]


@with_config(_CLOSED)
class SignedUp(TypedDict):
    """`customer.signed_up`: a customer joins."""

    place: NotRequired[Place]
    live_code: NotRequired[Text]
    campaign: NotRequired[Text]
    referred_by: NotRequired[Text]


@with_config(_CLOSED)
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
    attributes: NotRequired[Attributes]


@with_config(_CLOSED)
class RefundedLine(TypedDict):
    """A line of the purchase that is refunded, wholly or in part."""

    line: LineNumber
    quantity: Quantity
    amount: Money


@with_config(_CLOSED)
class PurchaseRefunded(TypedDict):
    """`purchase.refunded`: money back on a purchase that is named."""

    refund_id: Text
    order_id: Text
    amount: Positive
    lines: NotRequired[Annotated[list[RefundedLine], Field(min_length=1, max_length=500)]]
    tenders: NotRequired[Annotated[list[Tender], Field(max_length=50)]]
    place: NotRequired[Place]
    reason: NotRequired[LongText]


@with_config(_CLOSED)
class ReturnedLine(TypedDict):
    """Goods brought back."""

    sku: Text
    category: NotRequired[Text]
    quantity: Quantity
    amount: Money


@with_config(_CLOSED)
class PurchaseReturned(TypedDict):
    """`purchase.returned`: goods brought back without their order."""

    return_id: Text
    currency: Currency
    amount: Money
    lines: Annotated[list[ReturnedLine], Field(min_length=1, max_length=500)]
    match: Literal["latest", "none"]
    place: NotRequired[Place]
    reason: NotRequired[LongText]


@with_config(_CLOSED)
class DeliveredLine(TypedDict):
    """A line of the purchase that was delivered."""

    line: LineNumber
    quantity: Quantity


@with_config(_CLOSED)
class OrderDelivered(TypedDict):
    """`order.delivered`: without lines, all of it."""

    order_id: Text
    lines: NotRequired[Annotated[list[DeliveredLine], Field(min_length=1, max_length=500)]]
    place: NotRequired[Place]


GrantReason = Literal[
    "checkin", "game", "birthday", "referral", "campaign", "goodwill", "service", "sold", "partner_sale"
]


@with_config(_CLOSED)
class PointsGranted(TypedDict):
    """`points.granted`: the reason comes from a closed list, because it decides the account."""

    grant_id: NotRequired[Text]
    points: Positive
    reason: GrantReason
    expires_at: NotRequired[Instant]
    campaign: NotRequired[Text]
    place: NotRequired[Place]


@with_config(_CLOSED)
class Value(TypedDict):
    """What redeemed points were worth."""

    amount: Money
    currency: Currency


@with_config(_CLOSED)
class PointsRedeemed(TypedDict):
    """`points.redeemed`: never more than is available."""

    redemption_id: Text
    points: Positive
    value: NotRequired[Value]
    reward: NotRequired[Text]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(_CLOSED)
class RedemptionReversed(TypedDict):
    """`points.redemption_reversed`: without `points`, all that is left of the redemption."""

    redemption_id: Text
    points: NotRequired[Positive]


@with_config(_CLOSED)
class PointsAdjusted(TypedDict):
    """`points.adjusted`: by staff; may be negative, never zero."""

    points: Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    reason: LongText
    ticket: NotRequired[Text]


@with_config(_CLOSED)
class OpeningLot(TypedDict):
    """A lot taken over from another system."""

    asset: Annotated[str, StringConstraints(pattern=ASSET_PATTERN)]
    amount: Positive
    granted_at: Instant
    expires_at: NotRequired[Instant]
    reason: Text


@with_config(_CLOSED)
class OpeningHistory(TypedDict, total=False):
    """What the customer had bought before; `spend` in minor units by currency."""

    first_order_at: Instant
    last_order_at: Instant
    orders: Count
    spend: Annotated[dict[Currency, Money], Field(max_length=20)]


@with_config(_CLOSED)
class OpenedFrom(TypedDict):
    """`account.opened_from`: migration, once per customer, system and part."""

    system: Text
    cutover_at: Instant
    part: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    lots: Annotated[list[OpeningLot], Field(max_length=200)]
    history: NotRequired[OpeningHistory]


@with_config(_CLOSED)
class PlaceRegistered(TypedDict):
    """`place.registered`: a store belongs to a brand, a legal entity and perhaps a franchisee from an instant on."""

    store: Text
    brand: Text
    entity: Text
    franchisee: NotRequired[Text]
    effective_from: Instant


SHAPES: dict[str, Any] = {
    "customer.signed_up": SignedUp,
    "purchase.recorded": PurchaseRecorded,
    "purchase.refunded": PurchaseRefunded,
    "purchase.returned": PurchaseReturned,
    "order.delivered": OrderDelivered,
    "points.granted": PointsGranted,
    "points.redeemed": PointsRedeemed,
    "points.redemption_reversed": RedemptionReversed,
    "points.adjusted": PointsAdjusted,
    "account.opened_from": OpenedFrom,
    "place.registered": PlaceRegistered,
}
"""Every type a sender may post, with the shape of its data."""
