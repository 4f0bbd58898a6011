"""Taking back what was given for something that did not last, as far as the rules for refunds let it."""

from typing import Any

from ledger.deciding.command import told_after
from ledger.deciding.unit import Unit
from ledger.lots import Free, chosen, total
from ledger.records import Posting


def take_back(
    unit: Unit, asset: str, lots: list[str], amount: int, *, opened_at: int, why: dict[str, Any]
) -> dict[str, int]:
    """Take back an amount of an asset; what expired by itself counts as taken back.

    First from the lots that were given, then, unless the rules say `pending_only`, from others: at the event's instant what was
    free from then until now, for a late event also from lots open now (under `pending_only` from its own that wait now). What
    is left is dropped or becomes a debt.

    Args:
        lots: what was given, and where it was moved since. opened_at: when; nothing is taken back before.

    Returns:
        `due`, and what became of it: `taken`, `expired`, `dropped`, `debt`.
    """
    policy = unit.rules.document.refunds
    at, left = max(unit.instant, opened_at), amount
    pending_only = policy == "pending_only"
    left -= take(unit, asset, chosen(_own(unit, lots, at, pending_only=pending_only), left), at, why)
    expired = min(left, unit.timeline.expired_of(lots, at))
    unit.timeline.count_expired(lots, expired)
    left -= expired
    told_late = unit.late and told_after(unit.context, unit.instant)
    for instant in (at, unit.context.now) if told_late else (at,):
        left -= take(
            unit, asset, chosen(_others(unit, asset, lots, instant, pending_only=pending_only), left), instant, why
        )
    debt = owe(unit, asset, left, at, why) if left and policy == "allow_negative" else 0
    return {
        "due": amount,
        "taken": amount - left - expired,
        "expired": expired,
        "dropped": left - debt,
        "debt": debt,
    }


def take(unit: Unit, asset: str, parts: list[Free], at: int, why: dict[str, Any], to: str = "program:reversed") -> int:
    """Take parts of lots back to the program at an instant; how much they are together."""
    if parts:
        taken = unit.take(parts, at)
        moved_at = None if at == unit.instant else at
        unit.post(Posting(asset, total(parts), f"customer:{asset}", to, lots=taken, at=moved_at, why=dict(why)))
    return total(parts)


def _own(unit: Unit, lots: list[str], instant: int, *, pending_only: bool) -> list[Free]:
    """What is free of the lots that were given; under `pending_only` of those not to be spent yet."""
    own = unit.timeline.own(lots, instant)
    return [part for part in own if part.lot.available_at > instant] if pending_only else own


def _others(unit: Unit, asset: str, lots: list[str], instant: int, *, pending_only: bool) -> list[Free]:
    """What else may be taken: under `pending_only` still none but the lots that were given."""
    return (
        _own(unit, lots, instant, pending_only=True)
        if pending_only
        else unit.timeline.free_at(asset, instant, pending=True)
    )


def owe(unit: Unit, asset: str, amount: int, at: int, why: dict[str, Any], to: str = "program:reversed") -> int:
    """Let the customer owe what could not be taken; returns it."""
    moved_at = None if at == unit.instant else at
    unit.post(Posting(asset, amount, f"customer:{asset}:debt", to, lot="", at=moved_at, why=dict(why)))
    return amount
