"""What an account knows besides its lots, debts and totals: one file a family, such as tiers or holds.

A family's part is JSON, kept in the head under the family's name, replaced and never changed in place. What a family says of
its part stands in `family.py`, so that each family's file can be listed here.
"""

from ledger.parts import (
    authorising,
    benefits,
    claims,
    membership,
    openings,
    referral,
    rules,
    standing,
    transfers,
    vouchers,
)
from ledger.parts.family import Family, never, nothing
from ledger.parts.holds import HOLDS
from ledger.parts.tiers import TIERS

__all__ = ["BY_NAME", "BY_TYPE", "FAMILIES", "Family", "never", "nothing"]

FAMILIES: tuple[Family, ...] = (
    HOLDS,
    rules.SIGNED_UP,
    rules.GIVEN,
    *vouchers.FAMILIES,
    membership.FAMILY,
    benefits.FAMILY,
    claims.FAMILY,
    referral.FAMILY,
    standing.FAMILY,
    transfers.FAMILY,
    openings.FAMILY,
    authorising.FAMILY,
    TIERS,
)

BY_NAME = {family.name: family for family in FAMILIES}
BY_TYPE: dict[str, tuple[Family, ...]] = {
    kind: tuple(family for family in FAMILIES if kind in family.types)
    for kind in sorted({kind for family in FAMILIES for kind in family.types})
}
"""The families whose part a record type changes."""
