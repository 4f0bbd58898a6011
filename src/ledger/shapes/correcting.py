"""An order to correct: which records, what is right instead, and what becomes of points that are spent already."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.money import AMOUNT_MAX
from ledger.shapes.basics import CLOSED, Instant, LongText, Text

CorrectableType = Literal["purchase.recorded", "customer.signed_up", "points.granted", "account.opened_from"]
"""Types whose own postings give points; what follows from others (tiers, referrals, memberships) has bookkeeping of its own."""

Version = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]


CorrectionOrder = TypedDict(
    "CorrectionOrder",
    {
        "from": Instant,
        "until": Instant,
        "types": NotRequired[Annotated[list[CorrectableType], Field(min_length=1, max_length=4)]],
        "rule": NotRequired[Text],
        "rules": NotRequired[Version],
        "store": NotRequired[Text],
        "source": NotRequired[Text],
        "campaign": NotRequired[Text],
        "where": NotRequired[Text],
        "factor": NotRequired[Annotated[str, StringConstraints(min_length=1, max_length=40)]],
        "as_rules": NotRequired[Version],
        "spent": NotRequired[Literal["pending_only", "within_balance", "allow_negative"]],
        "reason": LongText,
        "ticket": NotRequired[Text],
    },
)
"""Content of `correction.ordered`. Records happened from `from` on and before `until`; what is left out selects all.

`factor` (of what was issued, rounded down) or `as_rules` (a version: as these rules would have decided) says what is right.
"""
with_config(CLOSED)(CorrectionOrder)
