"""Accounts frozen, unfrozen and closed."""

from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from ledger.shapes.basics import CLOSED, Instant, LongText

What = Literal["earn", "redeem", "all"]


@with_config(CLOSED)
class Frozen(TypedDict):
    """`customer.frozen`: the customer may not earn, not redeem, or neither, until an instant or until unfrozen."""

    what: What
    reason: LongText
    until: NotRequired[Instant]


@with_config(CLOSED)
class Unfrozen(TypedDict):
    """`customer.unfrozen`: what was frozen is free again."""

    what: What
    reason: NotRequired[LongText]


@with_config(CLOSED)
class Closed(TypedDict):
    """`customer.closed`: the customer leaves; what is left is forfeited."""

    reason: LongText


SHAPES: dict[str, Any] = {
    "customer.frozen": Frozen,
    "customer.unfrozen": Unfrozen,
    "customer.closed": Closed,
}
