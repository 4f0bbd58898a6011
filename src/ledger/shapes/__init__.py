"""The shape of the data of every event type a sender may post; source: the contract in docs/EVENTS.md.

Unknown fields are refused; `attributes` is the place for a sender's own. Money is whole minor units. What is kept is what
validation gives back: instants in UTC, quantities in their shortest form. `ledger/events.py` checks what spans fields.
One file a family.
"""

from typing import Any

from ledger.shapes import (
    authorising,
    coupons,
    declaring,
    holds,
    joining,
    membership,
    packages,
    points,
    program,
    standing,
    stored,
    tiers,
    trade,
)

SHAPES: dict[str, Any] = {
    **joining.SHAPES,
    **trade.SHAPES,
    **points.SHAPES,
    **stored.SHAPES,
    **coupons.SHAPES,
    **packages.SHAPES,
    **holds.SHAPES,
    **tiers.SHAPES,
    **membership.SHAPES,
    **standing.SHAPES,
    **authorising.SHAPES,
    **program.SHAPES,
    **declaring.SHAPES,
}
"""Every type a sender may post, with the shape of its data."""
