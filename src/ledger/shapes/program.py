"""What stands on the program's own stream."""

from typing import Any, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Instant, Text


@with_config(CLOSED)
class PlaceRegistered(TypedDict):
    """`place.registered`: a store belongs to a brand, a legal entity and perhaps a franchisee from an instant on."""

    store: Text
    brand: Text
    entity: Text
    franchisee: NotRequired[Text]
    effective_from: Instant


SHAPES: dict[str, Any] = {
    "place.registered": PlaceRegistered,
}
