"""Tiers: what staff decides about them."""

from typing import Any, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Instant, LongText, Text


@with_config(CLOSED)
class TierAssigned(TypedDict):
    """`tier.assigned`: a tier given by staff, until an instant or its next review."""

    tier: Text
    reason: LongText
    until: NotRequired[Instant]
    ticket: NotRequired[Text]


SHAPES: dict[str, Any] = {"tier.assigned": TierAssigned}
