"""What a sender may post: the shape of the data of every event type, checked without looking at any state.

An accepted event's `data` is what validation gives back, so two posts that mean the same are the same. Unknown fields are
refused; `attributes` is the place for a sender's own. Money is whole minor units. Source of the shapes: docs/EVENTS.md.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    with_config,
)
from typing_extensions import TypedDict

from ledger.errors import FormError
from ledger.instants import parse, show
from ledger.money import AMOUNT_MAX

_CLOSED = ConfigDict(extra="forbid", strict=True)

ASSET_PATTERN = r"^(points|growth|stored\.(principal|bonus):[A-Z]{3})$"

_CUSTOMER_ID = re.compile(r"[A-Za-z0-9._~:@-]{1,128}")
_PERSONAL = re.compile(r"(\+?86)?1[3-9]\d{9}|\+\d.*|.*@.*\..*|o[A-Za-z0-9_-]{27}", re.ASCII | re.DOTALL)


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

_ADAPTERS: dict[str, TypeAdapter[dict[str, Any]]] = {name: TypeAdapter(shape) for name, shape in SHAPES.items()}


def validated(event_type: str, data: Any, time: int) -> dict[str, Any]:
    """Check the data of an event of a type.

    Args:
        event_type: one of SHAPES.
        data: the JSON value that was sent.
        time: the event's own time, in microseconds.

    Returns:
        The data as it will be kept.

    Raises:
        FormError: every fault with its JSON pointer, below `/data`.
    """
    adapter = _ADAPTERS.get(event_type)
    if adapter is None:
        raise FormError(
            f"There is no event type {event_type!r}.",
            code="type_unknown",
            errors=[{"pointer": "/type", "reason": "unknown event type"}],
        )
    try:
        kept = adapter.validate_python(data)
    except ValidationError as error:
        raise FormError(
            "The event's data is malformed.",
            errors=[_fault(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)[:20]],
        ) from error
    check = _CHECKS.get(event_type)
    if check is not None:
        check(kept, time)
    return kept


def check_customer(customer: str) -> None:
    """Refuse a subject that is no customer id, or that is personal: it would be hashed for ever.

    Raises:
        FormError: `malformed` or `personal_identifier`.
    """
    if _PERSONAL.fullmatch(customer):
        raise FormError(
            "The subject looks like a phone number, an e-mail address or an openid; send an id of your own.",
            code="personal_identifier",
            errors=[{"pointer": "/subject", "reason": "personal identifiers may not be customer ids"}],
        )
    if not _CUSTOMER_ID.fullmatch(customer):
        raise FormError(
            "The subject is not a customer id.",
            errors=[{"pointer": "/subject", "reason": "1 to 128 of A–Z a–z 0–9 . _ ~ : @ -"}],
        )


def milli(quantity: int | str) -> int:
    """A quantity in thousandths."""
    return quantity * 1000 if isinstance(quantity, int) else int(Decimal(quantity) * 1000)


def _fault(location: tuple[int | str, ...], reason: str) -> dict[str, str]:
    return {
        "pointer": "/data" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location),
        "reason": reason,
    }


def _reject(pointer: str, reason: str, code: str = "malformed") -> None:
    raise FormError(
        f"The event's data is malformed: {reason}.",
        code=code,
        errors=[{"pointer": "/data" + pointer, "reason": reason}],
    )


def _check_purchase(data: dict[str, Any], _: int) -> None:
    lines, total = data.get("lines"), data["total"]
    if lines:
        if sum(line["amount"] for line in lines) != total:
            _reject(
                "/lines",
                f"the lines add up to {sum(line['amount'] for line in lines)}, the total is {total}",
                "lines_do_not_add_up",
            )
        if len({line["line"] for line in lines}) != len(lines):
            _reject("/lines", "two lines have the same number")
    tenders = data.get("tenders")
    if tenders:
        if sum(tender["amount"] for tender in tenders) != total:
            _reject(
                "/tenders",
                f"the tenders add up to {sum(tender['amount'] for tender in tenders)}, the total is {total}",
                "tenders_do_not_add_up",
            )
        _check_tenders(tenders)


def _check_tenders(tenders: list[dict[str, Any]]) -> None:
    for place, tender in enumerate(tenders):
        if tender["kind"] in ("points", "stored_value", "coupon") and "reference" not in tender:
            _reject(
                f"/tenders/{place}/reference",
                f"a tender of kind {tender['kind']} names the redemption that paid it",
                "tender_needs_reference",
            )


def _check_refund(data: dict[str, Any], _: int) -> None:
    lines = data.get("lines")
    if lines:
        if sum(line["amount"] for line in lines) != data["amount"]:
            _reject(
                "/lines",
                f"the lines add up to {sum(line['amount'] for line in lines)}, the amount is {data['amount']}",
                "lines_do_not_add_up",
            )
        if len({line["line"] for line in lines}) != len(lines):
            _reject("/lines", "two lines have the same number")
    tenders = data.get("tenders")
    if tenders and sum(tender["amount"] for tender in tenders) != data["amount"]:
        _reject("/tenders", "the tenders do not add up to the amount", "tenders_do_not_add_up")


def _check_return(data: dict[str, Any], _: int) -> None:
    if sum(line["amount"] for line in data["lines"]) != data["amount"]:
        _reject("/lines", "the lines do not add up to the amount", "lines_do_not_add_up")


def _check_delivery(data: dict[str, Any], _: int) -> None:
    lines = data.get("lines", ())
    if len({line["line"] for line in lines}) != len(lines):
        _reject("/lines", "two lines have the same number")


def _check_grant(data: dict[str, Any], time: int) -> None:
    if "expires_at" in data and parse(data["expires_at"]) <= time:
        _reject("/expires_at", "points expire after they are granted", "expires_before_grant")


def _check_adjustment(data: dict[str, Any], _: int) -> None:
    if data["points"] == 0:
        _reject("/points", "an adjustment of 0 changes nothing")


def _check_opening(data: dict[str, Any], time: int) -> None:
    for place, lot in enumerate(data["lots"]):
        if parse(lot["granted_at"]) > time:
            _reject(f"/lots/{place}/granted_at", "a lot is granted before it is taken over")
        if "expires_at" in lot and parse(lot["expires_at"]) <= time:
            _reject(f"/lots/{place}/expires_at", "a lot that is gone cannot be taken over", "expires_before_grant")
    if not data["lots"] and "history" not in data:
        _reject("/lots", "nothing is taken over: neither lots nor history")


_CHECKS: dict[str, Callable[[dict[str, Any], int], None]] = {
    "purchase.recorded": _check_purchase,
    "purchase.refunded": _check_refund,
    "purchase.returned": _check_return,
    "order.delivered": _check_delivery,
    "points.granted": _check_grant,
    "points.adjusted": _check_adjustment,
    "account.opened_from": _check_opening,
}
