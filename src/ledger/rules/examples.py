"""Examples kept in the rules document: events, and what is to come of them."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from ledger.rules.basics import Moment, Part

Customer = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~:@-]{1,128}$")]


class ExampleEvent(Part):
    """An event as a sender would post it, without its envelope."""

    type: str
    time: Moment
    subject: Customer = "c-1"
    data: dict[str, Any] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _is_known(cls, name: str) -> str:
        from ledger.shapes import SHAPES  # noqa: PLC0415 - the shapes of a family may name its rules

        if name not in SHAPES:
            raise ValueError(f"there is no event type {name!r}")
        return name


class Expected(Part):
    """What is to come of the events; what is left out is not looked at, but for `refused`: by default nothing is.

    `balances` and `available` by asset, as a reader sees them at `at` (left out: at the last event). `earned` by rule: the
    points it gave in all. `refused`: the codes of the events refused, in order. `notes`: the reasons of the notes, in order.
    """

    customer: Customer = "c-1"
    at: Moment | None = None
    balances: dict[str, int] | None = None
    available: dict[str, int] | None = None
    earned: dict[str, int] | None = None
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] | None = None
    tier: str | None = None


class Example(Part):
    """One story under these rules."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    given: Annotated[tuple[ExampleEvent, ...], Field(min_length=1, max_length=100)]
    expect: Expected
