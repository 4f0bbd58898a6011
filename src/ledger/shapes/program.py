"""What stands on the program's own stream."""

from typing import Annotated, Any, NotRequired

from pydantic import Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.codes import NUMBERS_MAX
from ledger.shapes.basics import CLOSED, KIND_PATTERN, Instant, Positive, Text

BatchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


@with_config(CLOSED)
class PlaceRegistered(TypedDict):
    """`place.registered`: a store belongs to a brand, a legal entity and perhaps a franchisee from an instant on."""

    store: Text
    brand: Text
    entity: Text
    franchisee: NotRequired[Text]
    effective_from: Instant


@with_config(CLOSED)
class CodesMade(TypedDict):
    """`codes.made`: so many codes, each of which a customer may claim for a coupon of a kind.

    `per_customer` of them at most by one customer, `total` by all (left out: all of them), before `claim_until`.
    """

    batch: BatchName
    kind: Annotated[str, StringConstraints(pattern=KIND_PATTERN)]
    count: Annotated[int, Field(ge=1, le=NUMBERS_MAX, strict=True)]
    campaign: NotRequired[Text]
    per_customer: NotRequired[Positive]
    total: NotRequired[Positive]
    claim_until: NotRequired[Instant]


SHAPES: dict[str, Any] = {
    "place.registered": PlaceRegistered,
    "codes.made": CodesMade,
}
