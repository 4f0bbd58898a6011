"""What we find ourselves about an event's place and day; kept in `derived`, no part of what was posted."""

from typing import Any

from ledger.deciding.unit import Unit


def where(unit: Unit, data: dict[str, Any]) -> dict[str, Any]:
    """The business day, and brand, entity and franchisee of the store valid at the event's instant.

    A store that is not registered is accepted; then they stay empty.
    """
    derived: dict[str, Any] = {
        "business_day": data.get("business_day") or unit.rules.document.business_day(unit.instant)
    }
    place = data.get("place")
    known = unit.context.state.place_at(place["store"], unit.instant) if place else None
    if known is not None:
        derived["brand"] = known.brand
        derived["entity"] = known.entity
        if known.franchisee is not None:
            derived["franchisee"] = known.franchisee
    return derived
