"""A customer joins: by signing up, or with the balance of another system."""

from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import earn_for_event
from ledger.deciding.places import where
from ledger.deciding.referral import look_at_referrer
from ledger.deciding.standing import may_earn
from ledger.deciding.tiers import count_opening, count_signup
from ledger.deciding.unit import Unit
from ledger.instants import NEVER, parse
from ledger.records import Posting


def signed_up(unit: Unit, command: Command) -> Decision:
    """Record a sign-up with the points the rules give for it; once per customer."""
    derived = where(unit, command.data)
    look_at_referrer(unit, command)
    if may_earn(unit):
        earn_for_event(unit, unit.rules.document.signup_earning, command.data, derived["business_day"], "signup")
    derived |= count_signup(unit)
    return unit.finish(command, reference=f"signup:{command.subject}", derived=derived)


def opened_from(unit: Unit, command: Command) -> Decision:
    """Take over lots and history from another system; once per customer, system and part."""
    data = command.data
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
    reference = f"opening:{data['system']}:{command.subject}:{data.get('part', 1)}"
    return unit.finish(command, reference=reference, derived=count_opening(unit, data))
