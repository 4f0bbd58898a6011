"""One way to take what a customer spends, whatever takes it, and one way to give it back to the lots it came from.

Points are taken from the lots that expire first. Stored value is two assets, principal and bonus; the rules say which of them
is spent first, and within each the same order holds.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ledger.deciding.unit import Unit
from ledger.errors import InsufficientPoints, InsufficientStoredValue
from ledger.instants import DAY
from ledger.lots import Free, chosen, total
from ledger.money import split
from ledger.records import Lot, Posting
from ledger.rules.stored import Consumption

POINTS = "points"


class Taken(NamedTuple):
    """What is to be taken of one asset, lot by lot."""

    asset: str
    parts: list[Free]


def principal_of(currency: str) -> str:
    """The asset of what was paid in."""
    return f"stored.principal:{currency}"


def bonus_of(currency: str) -> str:
    """The asset of what was given with it."""
    return f"stored.bonus:{currency}"


def shares(consumption: Consumption, amount: int, principal: int, bonus: int) -> tuple[int, int]:
    """How an amount falls on principal and bonus, of which there is at least as much together."""
    if consumption == "proportional":
        of_principal, of_bonus = split(amount, [principal, bonus])
        return of_principal, of_bonus
    if consumption == "principal_first":
        return min(amount, principal), amount - min(amount, principal)
    return amount - min(amount, bonus), min(amount, bonus)


def find_points(unit: Unit, points: int) -> list[Taken]:
    """The lots that give so many points.

    Raises:
        InsufficientPoints: nothing is taken.
    """
    free = unit.free(POINTS, unit.instant, pending=False)
    if total(free) < points:
        raise InsufficientPoints(available=total(free), requested=points)
    return [Taken(POINTS, chosen(free, points))]


def find_stored(unit: Unit, currency: str, amount: int) -> list[Taken]:
    """The lots of principal and bonus that give an amount, in the rules' order of consumption.

    Raises:
        InsufficientStoredValue: nothing is taken.
    """
    assets = principal_of(currency), bonus_of(currency)
    principal, bonus = (unit.free(asset, unit.instant, pending=False) for asset in assets)
    available = total(principal) + total(bonus)
    if available < amount:
        raise InsufficientStoredValue(currency=currency, available=available, requested=amount)
    wanted = shares(unit.rules.document.stored_value.consumption, amount, total(principal), total(bonus))
    found = (chosen(free, part) for free, part in zip((principal, bonus), wanted, strict=True))
    return [Taken(asset, parts) for asset, parts in zip(assets, found, strict=True) if parts]


def take(unit: Unit, taken: Iterable[Taken], to: str, why: dict[str, Any] | None = None) -> None:
    """Post what was found, out of the customer's accounts."""
    for asset, parts in taken:
        lots = unit.take(parts, unit.instant)
        unit.post(Posting(asset, total(parts), f"customer:{asset}", to, lots=lots, why=why))


def spend_points(unit: Unit, points: int, to: str) -> None:
    """Take points.

    Raises:
        InsufficientPoints: nothing is taken.
    """
    take(unit, find_points(unit, points), to)


def last_consumed_first(left: Iterable[tuple[str, int]], amount: int) -> list[tuple[str, int]]:
    """Which lots get an amount back, and how much each.

    Args:
        left: lots in order of consumption, with what was not given back yet.
    """
    parts = []
    for lot, taken in reversed(list(left)):
        part = min(taken, amount)
        if part:
            parts.append((lot, part))
            amount -= part
    return parts


def give_back(unit: Unit, asset: str, parts: list[tuple[str, int]], at: int, why: dict[str, Any] | None = None) -> None:
    """Give what was spent back to the lots it came from; open debts are covered first.

    A lot keeps its old expiry. Where that has passed the rules say: granted anew (`reinstate`), or kept for some days (`grace`).
    """
    lots = unit.timeline.lots
    alive = [(lot, amount) for lot, amount in parts if lots[lot].expires_at > at]
    opened: list[tuple[str, int, int]] = []
    if alive:
        unit.post(
            Posting(
                asset,
                sum(amount for _, amount in alive),
                "program:redeemed",
                f"customer:{asset}",
                lots=unit.restore(alive, at),
                at=None if at == unit.instant else at,
                why=why,
                restores=tuple(lots[lot]._replace(remaining=0) for lot, _ in alive),
            )
        )
        opened += [(lot, amount, lots[lot].expires_at) for lot, amount in alive]
    opened += [_granted_anew(unit, lots[lot], amount, at, why) for lot, amount in parts if lots[lot].expires_at <= at]
    unit.pay_debts(opened, asset, since=at)
    unit.join_lots(asset)


def _granted_anew(unit: Unit, lot: Lot, amount: int, at: int, why: dict[str, Any] | None) -> tuple[str, int, int]:
    """A new lot for what comes back after its old lot is past its expiry."""
    setting = unit.rules.document.redemption_reversal
    expires_at = at + setting.grace_days * DAY if setting.expired_lots == "grace" else _expiry(unit, lot.asset, at)
    opened = unit.post(
        Posting(
            lot.asset,
            amount,
            "program:redeemed",
            f"customer:{lot.asset}",
            lot="",
            at=None if at == unit.instant else at,
            granted_at=lot.granted_at,
            expires_at=expires_at,
            reason=lot.reason,
            why={"lot": lot.id, "expired_lots": setting.expired_lots, **(why or {})},
        )
    )
    return opened, amount, expires_at


def _expiry(unit: Unit, asset: str, at: int) -> int:
    """When what is put into an account at an instant is gone."""
    document = unit.rules.document
    if asset.startswith("stored.principal:"):
        return document.stored_value.principal_expiry.expires_at(at, document.zone)
    if asset.startswith("stored.bonus:"):
        return document.stored_value.bonus_expiry.expires_at(at, document.zone)
    return document.expires_at(at)
