"""Points granted, redeemed, given back and adjusted by hand."""

from ledger.deciding.authorising import charge, find_authorisation, finish_charge, finish_charge_back, payee, payer
from ledger.deciding.changes import approvals_at, is_approved
from ledger.deciding.command import Command, Decision
from ledger.deciding.correcting import corrected
from ledger.deciding.earning import grant
from ledger.deciding.places import where
from ledger.deciding.spending import give_back, last_consumed_first, spend_points
from ledger.deciding.unit import Unit
from ledger.errors import ApprovalNeeded, RedemptionUnknown, ReversalBeforeRedemption, ReversalExceedsRedemption
from ledger.instants import parse
from ledger.records import Posting

ASSET = "points"


def granted(unit: Unit, command: Command) -> Decision:
    """Grant points for one of the closed list of reasons; open debts are covered first."""
    data = command.data
    expires_at = parse(data["expires_at"]) if "expires_at" in data else None
    _open(unit, grant(unit, data["points"], data["reason"], expires_at=expires_at))
    reference = f"grant:{data['grant_id']}" if "grant_id" in data else None
    return unit.finish(command, reference=reference, derived=where(unit, data))


def redeemed(unit: Unit, command: Command) -> Decision:
    """Consume the requested points from the lots that expire first, on the customer's own account or another's.

    Raises:
        InsufficientPoints, and what is refused of spending for another: nothing is consumed.
    """
    data = command.data
    derived = where(unit, data) if "place" in data else {}
    owner = payer(unit, data)
    if owner is unit:
        spend_points(unit, data["points"], "program:redeemed")
    else:
        charges = [charge(find_authorisation(owner, unit.subject, ASSET), data["points"])]
        spend_points(owner, data["points"], "program:redeemed")
        named = {"redemption_id": data["redemption_id"]}
        derived["charged"] = finish_charge(unit, owner, command, charges, named)
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
    parts = last_consumed_first(redemption.left.items(), points)
    if redemption.owner:
        give_back(payee(unit, redemption.owner), ASSET, parts, unit.instant)
        back = {"asset": ASSET, "amount": points, "authorisation": redemption.authorisation}
        finish_charge_back(unit, command, [back], {"redemption_id": data["redemption_id"]})
    else:
        give_back(unit, ASSET, parts, unit.instant)
    derived = {"redemption_version": redemption.version, "reversed": parts}
    return unit.finish(command, reference=None, derived=derived)


def adjusted(unit: Unit, command: Command) -> Decision:
    """Adjust by hand: a positive amount opens a lot, a negative one consumes like a redemption. Or as an order says.

    Raises:
        ApprovalNeeded: the rules let two people decide on so many points, and nobody has approved this.
        InsufficientPoints: nothing is taken.
    """
    if "correction" in command.data:
        return corrected(unit, command)
    points = command.data["points"]
    _check_approved(unit, command)
    if points < 0:
        spend_points(unit, -points, "program:adjusted")
    else:
        expires_at = unit.rules.document.expires_at(unit.instant)
        lot = unit.post(Posting(ASSET, points, "program:adjusted", "customer:points", lot="", expires_at=expires_at))
        _open(unit, (lot, points, expires_at))
    return unit.finish(command, reference=None, derived={})


def _check_approved(unit: Unit, command: Command) -> None:
    approvals, points = approvals_at(unit.context), command.data["points"]
    if approvals is None or approvals.adjustments_over is None or abs(points) <= approvals.adjustments_over:
        return
    if not is_approved(unit.context.state, command, "adjustment"):
        message = "Adjustments of so many points are proposed by one and approved by another."
        raise ApprovalNeeded(message, kind="adjustment", points=points, adjustments_over=approvals.adjustments_over)


def _open(unit: Unit, lot: tuple[str, int, int]) -> None:
    unit.pay_debts([lot], ASSET)
    unit.join_lots(ASSET)
