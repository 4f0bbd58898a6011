"""Accounts frozen, unfrozen and closed, and what that keeps other events from.

A freeze is looked at at the event's own instant. Where earning is frozen, a purchase or sign-up is recorded and earns nothing;
what only gives is refused, and so is what spends where redeeming is frozen. A closed account takes nothing any more, whatever the
event's instant: what happened before should have come before.
"""

from ledger.deciding.command import Command, Decision
from ledger.deciding.unit import Unit
from ledger.errors import CustomerClosed, CustomerFrozen, CustomerNotFrozen, CustomerNotSettled
from ledger.instants import show
from ledger.parts.membership import RUNNING, status_at
from ledger.parts.standing import NAME, is_frozen, parts_of
from ledger.records import Lot, Posting

GIVES = frozenset({"points.granted", "coupon.issued", "coupon.claimed", "benefit.taken", "referral.rewarded"})
SPENDS = frozenset(
    {"points.redeemed", "points.transferred", "stored_value.spent", "coupon.redeemed", "package.used", "hold.placed"}
)
PAYS = frozenset({"points", "stored_value", "coupon"})
"""Tenders that spend what is on the account, unless they name what has been spent already."""

OWED = ("stored.principal:", "package:")
"""Assets that were paid for: an account that holds one is not closed before it is refunded."""


def check_standing(unit: Unit, command: Command) -> None:
    """Refuse what the customer's standing does not allow.

    Raises:
        CustomerClosed, CustomerFrozen
    """
    part = unit.account.parts.get(NAME)
    if part is None:
        return
    if "closed" in part:
        raise CustomerClosed(closed_at=show(part["closed"][0]))
    if command.type in GIVES and is_frozen(part, "earn", unit.instant):
        raise CustomerFrozen(what="earn")
    if _spends(command) and is_frozen(part, "redeem", unit.instant):
        raise CustomerFrozen(what="redeem")


def may_earn(unit: Unit) -> bool:
    """Whether an event earns; a note says so where it does not."""
    if is_frozen(unit.account.parts.get(NAME), "earn", unit.instant):
        unit.notes.append({"code": "nothing_earned", "reason": "frozen"})
        return False
    return True


def unfreeze_when_due(unit: Unit, instant: int) -> None:
    """Write that a freeze is over."""
    part = unit.account.parts.get(NAME, {})
    over = {what for what, _, until, _ in part.get("freezes", ()) if until == instant}
    if over and part.get("unfrozen_at", instant - 1) < instant:
        unit.write_due("customer.unfrozen", instant, {"what": over.pop() if len(over) == 1 else "all"})


def frozen(unit: Unit, command: Command) -> Decision:
    """Freeze earning, redeeming or both."""
    return unit.finish(command, reference=None, derived={})


def unfrozen(unit: Unit, command: Command) -> Decision:
    """End what is frozen.

    Raises:
        CustomerNotFrozen: nothing of it is.
    """
    part = unit.account.parts.get(NAME)
    if not any(is_frozen(part, what, unit.instant) for what in parts_of(command.data["what"])):
        raise CustomerNotFrozen(what=command.data["what"])
    return unit.finish(command, reference=None, derived={})


def closed(unit: Unit, command: Command) -> Decision:
    """Close the account: what is left of it is forfeited, what is owed is written off.

    It takes effect on the balance as it is now, also where the closing is dated before the stream's latest instant.

    Raises:
        CustomerNotSettled: something paid for (a membership that runs, too) or a hold is open; or points, where the rules say so.
    """
    _must_be_settled(unit)
    at = max(unit.instant, unit.account.latest)
    moved_at = None if at == unit.instant else at
    by_asset: dict[str, list[Lot]] = {}
    for lot in unit.account.lots.values():
        by_asset.setdefault(lot.asset, []).append(lot)
    for asset, lots in by_asset.items():
        amount = sum(lot.remaining for lot in lots)
        taken = tuple((lot.id, lot.remaining) for lot in lots)
        unit.post(Posting(asset, amount, f"customer:{asset}", "program:adjusted", lots=taken, at=moved_at))
    for debt in unit.account.debts.values():
        owed = ((debt.id, debt.remaining),)
        to = f"customer:{debt.asset}:debt"
        unit.post(Posting(debt.asset, debt.remaining, "program:adjusted", to, debts=owed, at=moved_at))
    return unit.finish(command, reference=f"closing:{command.subject}", derived={})


def _must_be_settled(unit: Unit) -> None:
    account = unit.account
    open_assets: dict[str, int] = {}
    for lot in account.lots.values():
        stays = lot.asset.startswith(OWED)
        if stays or (lot.asset == "points" and unit.rules.document.closing.points == "refuse"):
            open_assets[lot.asset] = open_assets.get(lot.asset, 0) + lot.remaining
    holds = list(account.parts.get("holds") or ())
    membership = account.parts.get("membership")
    runs = membership is not None and status_at(membership, unit.instant) in RUNNING
    if open_assets or holds or runs:
        raise CustomerNotSettled(open=open_assets, holds=holds, membership=runs)


def _spends(command: Command) -> bool:
    if command.type in SPENDS:
        return True
    tenders = command.data.get("tenders", ()) if command.type == "purchase.recorded" else ()
    return any(tender["kind"] in PAYS and "reference" not in tender for tender in tenders)
