"""What needs two people."""

from pydantic import Field

from ledger.money import AMOUNT_MAX
from ledger.rules.basics import Part


class Approvals(Part):
    """What is proposed by one principal and approved by another before it counts.

    `rules`: the publication of rules, this block's own change included. `adjustments_over`: adjustments by hand of more
    points than that, up or down; left out: none. `openings`: balances taken over from another system. `corrections`: orders to
    set right what wrong records gave.
    """

    rules: bool = Field(default=False, strict=True)
    adjustments_over: int | None = Field(None, ge=0, le=AMOUNT_MAX, strict=True)
    openings: bool = Field(default=False, strict=True)
    corrections: bool = Field(default=False, strict=True)
