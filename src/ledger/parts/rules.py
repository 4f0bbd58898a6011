"""What earning rules ask of an account beside its totals: when the customer signed up, and what capped rules gave so far."""

from typing import Any

from ledger.instants import parse
from ledger.parts.family import Family
from ledger.records import Record

CAP = "cap_per_customer"
"""The reason on a posting that says: what it gave counts towards its rule's cap for this customer."""


def _signed_up(part: Any, record: Record, instant: int) -> Any:
    if record.type == "account.opened_from":
        told = record.data.get("history", {}).get("signed_up_at")
        if told is None:
            return part
        instant = parse(told)
    return instant if part is None else min(part, instant)


def _count(part: Any, record: Record, _: int) -> Any:
    for posting in record.postings:
        if posting.why is not None and CAP in posting.why:
            given = (part or {}).get(posting.rule, 0) + posting.amount
            part = {**(part or {}), posting.rule: given}
    return part


SIGNED_UP = Family("signed_up", frozenset({"customer.signed_up", "account.opened_from"}), _signed_up)
"""The instant of the sign-up, in this system or in the one the account was taken over from, microseconds."""

GIVEN = Family("given", frozenset({"purchase.recorded", "customer.signed_up"}), _count)
"""Points by rule, for rules with a cap per customer only."""
