"""Packages sold, used, refunded."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Currency, Instant, LongText, Money, Place, Text
from ledger.shapes.coupons import Kind

Uses = Annotated[int, Field(ge=1, le=10_000)]


@with_config(CLOSED)
class PackageSold(TypedDict):
    """`package.sold`: uses of a kind the rules know, paid in advance; `price` in minor units for all of them."""

    package_id: Text
    kind: Kind
    uses: Uses
    price: Money
    currency: Currency
    valid_until: NotRequired[Instant]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class PackageUsed(TypedDict):
    """`package.used`: one use, or several at once."""

    package_id: Text
    use_id: Text
    uses: NotRequired[Uses]
    place: NotRequired[Place]


@with_config(CLOSED)
class PackageRefunded(TypedDict):
    """`package.refunded`: money back for uses that are left; without `uses`, for all of them."""

    package_id: Text
    refund_id: Text
    uses: NotRequired[Uses]
    reason: NotRequired[LongText]
    place: NotRequired[Place]


SHAPES: dict[str, Any] = {
    "package.sold": PackageSold,
    "package.used": PackageUsed,
    "package.refunded": PackageRefunded,
}
