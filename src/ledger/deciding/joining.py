"""A customer joins: by signing up, or with the balance of another system."""

from ledger.deciding.changes import approvals_at, is_approved
from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import earn_for_event
from ledger.deciding.opening import check_opening, open_coupons, open_membership
from ledger.deciding.places import where
from ledger.deciding.referral import look_at_referrer
from ledger.deciding.standing import may_earn
from ledger.deciding.tiers import count_opening, count_signup
from ledger.deciding.unit import Unit
from ledger.errors import ApprovalNeeded
from ledger.instants import NEVER, parse, show
from ledger.parts.openings import NAME as OPENINGS
from ledger.parts.openings import signed_up_there
from ledger.records import Posting


def signed_up(unit: Unit, command: Command) -> Decision:
    """Record a sign-up with what the rules give for it; once per customer, and not to whom another system signed up."""
    derived = where(unit, command.data)
    look_at_referrer(unit, command)
    is_first = _is_first(unit)
    if is_first and may_earn(unit):
        earn_for_event(unit, unit.rules.document.signup_earning, command.data, derived["business_day"], "signup")
    derived |= count_signup(unit, earns=is_first)
    return unit.finish(command, reference=f"signup:{command.subject}", derived=derived)


def opened_from(unit: Unit, command: Command) -> Decision:
    """Take over from another system what a customer held and had done there; once per customer, system and part.

    Raises:
        ApprovalNeeded: the rules let two people decide on it, and nobody has approved this.
        AlreadyLive, AlreadyTakenOver, CurrencyNotAccepted, TierUnknown
        CouponKindUnknown, CouponUsesExceeded, CouponExpired
        MembershipPlanUnknown, MembershipOutOfOrder, MembershipActive
        TooManyLots
    """
    data = command.data
    approvals = approvals_at(unit.context)
    if approvals is not None and approvals.openings and not is_approved(unit.context.state, command, "opening"):
        raise ApprovalNeeded("Opening balances are proposed by one and approved by another.", kind="opening")
    check_opening(unit, data)
    opened = []
    for lot in data["lots"]:
        expires_at = parse(lot["expires_at"]) if "expires_at" in lot else NEVER
        posting = Posting(
            lot["asset"],
            lot["amount"],
            f"program:opening:{data['system']}",
            f"customer:{lot['asset']}",
            lot="",
            granted_at=parse(lot["granted_at"]),
            expires_at=expires_at,
            reason=lot["reason"],
        )
        opened.append((lot["asset"], (unit.post(posting), lot["amount"], expires_at)))
    unit.pay_debts([lot for asset, lot in opened if asset == "points"], "points")
    for asset in sorted({asset for asset, _ in opened}):
        unit.join_lots(asset)
    coupons = open_coupons(unit, data)
    derived = {**({"coupons": coupons} if coupons else {}), **open_membership(unit, data), **count_opening(unit, data)}
    reference = f"opening:{data['system']}:{command.subject}:{data.get('part', 1)}"
    return unit.finish(command, reference=reference, derived=derived)


def _is_first(unit: Unit) -> bool:
    """Whether the customer had not signed up in a system that the account was taken over from."""
    before = signed_up_there(unit.account.parts.get(OPENINGS))
    if before is None or before > unit.instant:
        return True
    unit.notes.append({"code": "nothing_earned", "reason": "signed_up_before", "signed_up_at": show(before)})
    return False
