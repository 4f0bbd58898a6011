"""The rules of a program: a versioned document, and what its sentences mean in numbers.

A document is data (YAML or JSON), published as a record on the program's own stream. Its `program` block is fixed when the
program is created. Rules are chosen by the instant of the event they decide: the latest version whose `effective_from` is not
later. A program's first version counts from ever. One file a family; `document.py` puts them together.
"""

from ledger.rules.document import (
    DEFAULT_DOCUMENT,
    EVER,
    ProgramBlock,
    Rulebook,
    RulesDocument,
    RuleVersion,
    effective_from,
    read_document,
)
from ledger.rules.earning import EventEarning, PurchaseEarning
from ledger.rules.points import Availability, Expiry, RedemptionReversal
from ledger.rules.referral import Referral
from ledger.rules.stacking import Stacking

__all__ = [
    "DEFAULT_DOCUMENT",
    "EVER",
    "Availability",
    "EventEarning",
    "Expiry",
    "ProgramBlock",
    "PurchaseEarning",
    "RedemptionReversal",
    "Referral",
    "RuleVersion",
    "Rulebook",
    "RulesDocument",
    "Stacking",
    "effective_from",
    "read_document",
]
