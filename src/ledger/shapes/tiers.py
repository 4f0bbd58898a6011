"""Tiers: what staff decides about them, and what a customer takes of their benefits."""

from typing import Annotated, Any, NotRequired

from pydantic import StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, KIND_PATTERN, Attributes, Instant, LongText, Place, Text


@with_config(CLOSED)
class TierAssigned(TypedDict):
    """`tier.assigned`: a tier given by staff, until an instant or its next review."""

    tier: Text
    reason: LongText
    until: NotRequired[Instant]
    ticket: NotRequired[Text]


@with_config(CLOSED)
class BenefitTaken(TypedDict):
    """`benefit.taken`: the customer takes a benefit of the tier; `attributes` say what its moments ask for."""

    benefit: Annotated[str, StringConstraints(pattern=KIND_PATTERN)]
    attributes: NotRequired[Attributes]
    place: NotRequired[Place]


@with_config(CLOSED)
class TierIntroduced(TypedDict):
    """`tier.introduced`: what the customer did before the program had tiers counts from now on."""

    reason: NotRequired[LongText]


SHAPES: dict[str, Any] = {
    "tier.introduced": TierIntroduced,
    "tier.assigned": TierAssigned,
    "benefit.taken": BenefitTaken,
}
