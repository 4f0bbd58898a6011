"""Stored value: which part of it is spent first, which is paid back, and what becomes of the bonus.

Source of the default window: the Supreme People's Court's interpretation 法释〔2025〕4号, seven days without a reason.
"""

from typing import Literal

from pydantic import Field

from ledger.instants import DAY
from ledger.rules.basics import Part
from ledger.rules.points import Expiry

Consumption = Literal["principal_first", "bonus_first", "proportional"]


class StoredValue(Part):
    """How stored value is spent and paid back.

    Principal is what was paid in and all that is ever paid back; it stays for ever unless `principal_expiry` says otherwise.
    Within `cooling_off_days` of its load principal is always paid back and the load's bonus is void. Afterwards it is paid back
    where `after_cooling_off` is `allowed`, and `refund_bonus` says what becomes of the bonus: void, lowered in the proportion
    of the principal paid back (what is taken is rounded up), or kept. A refund that names no load takes the newest or the
    oldest loads first.
    """

    consumption: Consumption = "principal_first"
    refund_order: Literal["newest_first", "oldest_first"] = "newest_first"
    refund_bonus: Literal["void", "proportional", "keep"] = "void"
    cooling_off_days: int = Field(7, ge=0, le=3660, strict=True)
    after_cooling_off: Literal["allowed", "refused"] = "allowed"
    principal_expiry: Expiry = Expiry()
    bonus_expiry: Expiry = Expiry()

    def cools_off(self, loaded_at: int, instant: int) -> bool:
        """Whether an instant lies within the cooling-off window of a load."""
        return instant < loaded_at + self.cooling_off_days * DAY
