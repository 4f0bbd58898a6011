"""Points transferred from one customer to another: what leaves the sender's lots arrives as lots at the receiver."""

from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.counterpart import counterpart, finish_half
from ledger.deciding.places import where
from ledger.deciding.spending import POINTS, Taken, find_points, take
from ledger.deciding.unit import Unit
from ledger.instants import show
from ledger.lots import in_groups, total
from ledger.parts.standing import NAME as STANDING
from ledger.parts.standing import is_frozen
from ledger.parts.transfers import NAME
from ledger.records import Posting
from ledger.refusals import (
    ReceiverClosed,
    ReceiverFrozen,
    ReceiverUnknown,
    TransferLimitReached,
    TransferNotAllowed,
    TransferToSelf,
)
from ledger.rules.transfers import Transfers

TRANSFERRED = "program:transferred"
"""What goes out of the sender's lots into it comes out of it into the receiver's in the same unit: over a program it holds 0."""


def transferred(unit: Unit, command: Command) -> Decision:
    """Take points from the sender's lots, soonest expiry first, and open a lot at the receiver for each of them.

    Raises:
        TransferNotAllowed, TransferToSelf, ReceiverUnknown, ReceiverClosed, ReceiverFrozen, TransferLimitReached,
        InsufficientPoints: nothing is taken.
    """
    data, points = command.data, command.data["points"]
    setting = unit.rules.document.transfers
    if setting is None:
        raise TransferNotAllowed
    if data["to"] == unit.subject:
        raise TransferToSelf(to=data["to"])
    receiver = _receiver(unit, data["to"])
    derived = where(unit, data)
    _check_limits(unit, setting, points, derived["business_day"])
    found = find_points(unit, points)
    take(unit, found, TRANSFERRED)
    _receive(receiver, found, setting)
    named = {name: value for name, value in data.items() if name != "to"}
    finish_half(unit, command, command.type, {**named, "from": unit.subject}, {})
    return unit.finish(command, reference=f"transfer:{data['transfer_id']}", derived=derived)


def _receiver(unit: Unit, customer: str) -> Unit:
    receiver = counterpart(unit, customer)
    if not receiver.account.version:
        raise ReceiverUnknown(to=customer)
    part = receiver.account.parts.get(STANDING)
    if part is not None and "closed" in part:
        raise ReceiverClosed(to=customer, closed_at=show(part["closed"][0]))
    if is_frozen(part, "earn", unit.instant):
        raise ReceiverFrozen(to=customer)
    return receiver


def _check_limits(unit: Unit, setting: Transfers, points: int, day: str) -> None:
    if points < setting.points_min:
        raise TransferLimitReached(requested=points, points_min=setting.points_min)
    if setting.points_max is not None and points > setting.points_max:
        raise TransferLimitReached(requested=points, points_max=setting.points_max)
    if setting.per_day_max is not None:
        before = _transferred_on(unit, day)
        if before + points > setting.per_day_max:
            raise TransferLimitReached(requested=points, transferred=before, per_day_max=setting.per_day_max)


def _transferred_on(unit: Unit, day: str) -> int:
    """What the customer transferred on a business day so far, in order of arrival."""
    part: dict[str, Any] = unit.account.parts.get(NAME, {"day": "", "points": 0})
    if day >= part["day"]:
        return int(part["points"]) if day == part["day"] else 0
    return sum(
        record.data["points"]
        for record in unit.history
        if record.type == "points.transferred" and (record.derived or {}).get("business_day") == day
    )


def _receive(receiver: Unit, found: list[Taken], setting: Transfers) -> None:
    """Open a lot for each that was taken from, of very many for those that agree; open debts are covered first."""
    opened = []
    kept = setting.expiry == "kept"
    for group in (group for taken in found for group in in_groups(taken.parts)):
        lot = min((part.lot for part in group), key=lambda lot: lot.granted_at)
        amount = total(group)
        expires_at = lot.expires_at if kept else receiver.rules.document.expires_at(receiver.instant)
        posting = Posting(
            POINTS,
            amount,
            TRANSFERRED,
            f"customer:{POINTS}",
            lot="",
            granted_at=lot.granted_at if kept else None,
            expires_at=expires_at,
            reason=lot.reason,
            why={"lots": [part.lot.id for part in group]},
        )
        opened.append((receiver.post(posting), amount, expires_at))
    receiver.pay_debts(opened, POINTS)
    receiver.join_lots(POINTS)
