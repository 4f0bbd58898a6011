"""Membership bought, renewed, paused, resumed, cancelled."""

from typing import Annotated, Any, NotRequired

from pydantic import StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, KIND_PATTERN, Currency, LongText, Money, Place, Text

PlanName = Annotated[str, StringConstraints(pattern=KIND_PATTERN)]


@with_config(CLOSED)
class MembershipPurchased(TypedDict):
    """`membership.purchased`: without `price` and `currency`, those of the plan."""

    membership_id: Text
    plan: PlanName
    price: NotRequired[Money]
    currency: NotRequired[Currency]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class MembershipRenewed(TypedDict):
    """`membership.renewed`: one more period of its plan, by hand or automatic."""

    membership_id: Text
    renewal_id: Text
    price: NotRequired[Money]
    currency: NotRequired[Currency]
    automatic: NotRequired[bool]
    order_id: NotRequired[Text]
    place: NotRequired[Place]


@with_config(CLOSED)
class MembershipChanged(TypedDict):
    """`membership.paused`, `membership.resumed`, `membership.cancelled`."""

    membership_id: Text
    reason: NotRequired[LongText]
    place: NotRequired[Place]


SHAPES: dict[str, Any] = {
    "membership.purchased": MembershipPurchased,
    "membership.renewed": MembershipRenewed,
    "membership.paused": MembershipChanged,
    "membership.resumed": MembershipChanged,
    "membership.cancelled": MembershipChanged,
}
