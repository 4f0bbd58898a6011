"""Points granted, redeemed, given back and adjusted by hand."""

from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import grant
from ledger.deciding.places import where
from ledger.deciding.unit import Unit
from ledger.errors import InsufficientPoints, RedemptionUnknown, ReversalBeforeRedemption, ReversalExceedsRedemption
from ledger.instants import DAY, parse
from ledger.lots import chosen, total
from ledger.records import Lot, Posting

ASSET = "points"


def granted(unit: Unit, command: Command) -> Decision:
    """Grant points for one of the closed list of reasons; open debts are covered first."""
    data = command.data
    expires_at = parse(data["expires_at"]) if "expires_at" in data else None
    _open(unit, grant(unit, data["points"], data["reason"], expires_at=expires_at))
    reference = f"grant:{data['grant_id']}" if "grant_id" in data else None
    return unit.finish(command, reference=reference, derived=where(unit, data))


def redeemed(unit: Unit, command: Command) -> Decision:
    """Consume the requested points from the lots that expire first.

    Raises:
        InsufficientPoints: nothing is consumed.
    """
    data = command.data
    _spend(unit, data["points"], "program:redeemed")
    derived = where(unit, data) if "place" in data else {}
    return unit.finish(command, reference=f"redemption:{data['redemption_id']}", derived=derived)


def redemption_reversed(unit: Unit, command: Command) -> Decision:
    """Give points of a redemption back to the lots they came from, those consumed last first.

    A lot keeps its old expiry. Where that has passed the rules say: granted anew (`reinstate`), or kept for some days (`grace`).

    Raises:
        RedemptionUnknown: kept until the redemption arrives.
        ReversalBeforeRedemption, ReversalExceedsRedemption
    """
    data = command.data
    redemption = unit.timeline.redemptions.get(data["redemption_id"])
    if redemption is None:
        raise RedemptionUnknown(waits_for=f"redemption:{data['redemption_id']}", redemption_id=data["redemption_id"])
    if unit.instant < redemption.instant:
        raise ReversalBeforeRedemption(redemption_id=data["redemption_id"])
    left = sum(redemption.left.values())
    points = data.get("points", left)
    if points > left or not left:
        raise ReversalExceedsRedemption(left=left, requested=points)
    parts = _last_consumed_first(redemption.left, points)
    _give_back(unit, parts)
    derived = {"redemption_version": redemption.version, "reversed": parts}
    return unit.finish(command, reference=None, derived=derived)


def adjusted(unit: Unit, command: Command) -> Decision:
    """Adjust by hand: a positive amount opens a lot, a negative one consumes like a redemption.

    Raises:
        InsufficientPoints: nothing is taken.
    """
    points = command.data["points"]
    if points < 0:
        _spend(unit, -points, "program:adjusted")
    else:
        expires_at = unit.rules.document.expires_at(unit.instant)
        lot = unit.post(Posting(ASSET, points, "program:adjusted", "customer:points", lot="", expires_at=expires_at))
        _open(unit, (lot, points, expires_at))
    return unit.finish(command, reference=None, derived={})


def _open(unit: Unit, lot: tuple[str, int, int]) -> None:
    unit.pay_debts([lot], ASSET)
    unit.join_lots(ASSET)


def _spend(unit: Unit, points: int, to: str) -> None:
    free = unit.free(ASSET, unit.instant, pending=False)
    available = total(free)
    if available < points:
        raise InsufficientPoints(available=available, requested=points)
    unit.post(Posting(ASSET, points, "customer:points", to, lots=unit.take(chosen(free, points), unit.instant)))


def _last_consumed_first(left: dict[str, int], points: int) -> list[tuple[str, int]]:
    parts = []
    for lot, amount in reversed(left.items()):
        part = min(amount, points)
        if part:
            parts.append((lot, part))
            points -= part
    return parts


def _give_back(unit: Unit, parts: list[tuple[str, int]]) -> None:
    lots = unit.timeline.lots
    alive = [(lot, amount) for lot, amount in parts if lots[lot].expires_at > unit.instant]
    opened: list[tuple[str, int, int]] = []
    if alive:
        unit.post(
            Posting(
                ASSET,
                sum(amount for _, amount in alive),
                "program:redeemed",
                "customer:points",
                lots=tuple(alive),
                restores=tuple(lots[lot]._replace(remaining=0) for lot, _ in alive),
            )
        )
        opened += [(lot, amount, lots[lot].expires_at) for lot, amount in alive]
    opened += [_granted_anew(unit, lots[lot], amount) for lot, amount in parts if lots[lot].expires_at <= unit.instant]
    unit.pay_debts(opened, ASSET)
    unit.join_lots(ASSET)


def _granted_anew(unit: Unit, lot: Lot, amount: int) -> tuple[str, int, int]:
    """A new lot for points whose old lot is past its expiry."""
    setting = unit.rules.document.redemption_reversal
    why: dict[str, Any] = {"lot": lot.id, "expired_lots": setting.expired_lots}
    if setting.expired_lots == "grace":
        expires_at = unit.instant + setting.grace_days * DAY
    else:
        expires_at = unit.rules.document.expires_at(unit.instant)
    opened = unit.post(
        Posting(
            ASSET,
            amount,
            "program:redeemed",
            "customer:points",
            lot="",
            granted_at=lot.granted_at,
            expires_at=expires_at,
            reason=lot.reason,
            why=why,
        )
    )
    return opened, amount, expires_at
