"""What a source says it sold on a store's business day, and differences that are waived."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.money import AMOUNT_MAX
from ledger.shapes.basics import CLOSED, Count, Currency, Day, LongText, Money, Text

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@with_config(CLOSED)
class SourceDeclared(TypedDict):
    """`source.declared`: orders and money of one source, store, business day and currency; net = gross − refunds.

    `hash` is the SHA-256 of the order ids in the order of their code points, each followed by a line feed.
    """

    source: Text
    store: Text
    business_day: Day
    currency: Currency
    orders: Count
    gross: Money
    refunds: Money
    net: Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    hash: NotRequired[Sha256]
    order_ids: NotRequired[Annotated[list[Text], Field(max_length=5_000)]]


@with_config(CLOSED)
class DeclarationWaived(TypedDict):
    """`declaration.waived`: the differences of the last declaration are accepted as they are."""

    source: Text
    store: Text
    business_day: Day
    currency: Currency
    reason: LongText


SHAPES: dict[str, Any] = {
    "source.declared": SourceDeclared,
    "declaration.waived": DeclarationWaived,
}
