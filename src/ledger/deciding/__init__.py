"""Deciding: a command goes in, a unit of records comes out, and one pure function decides.

    decide(account, command, context) -> Decision        advance(account, until, context) -> Decision

Pure, synchronous, no I/O, no clock of its own. A decision is taken at the event's `time`, never at the wall clock. Refusals are
named and checked in the order in which this file and the family's function read.
"""

from collections.abc import Callable

from ledger.account import Account
from ledger.deciding import benefits, coupons, membership, packages
from ledger.deciding.authorising import authorisation_ended, authorised
from ledger.deciding.claiming import claimed
from ledger.deciding.command import Command, Context, Counterpart, Decision, NeedsCounterpart, NeedsHistory, instant_of
from ledger.deciding.holds import captured, placed, released, time_out
from ledger.deciding.introducing import introduced
from ledger.deciding.joining import opened_from, signed_up
from ledger.deciding.points import adjusted, granted, redeemed, redemption_reversed
from ledger.deciding.program import ProgramDecision, decide_program
from ledger.deciding.referral import follow_referral, noted, referral_falls_due, revoked, rewarded
from ledger.deciding.refunds import refund, returned
from ledger.deciding.standing import check_standing, closed, frozen, unfreeze_when_due, unfrozen
from ledger.deciding.stored import load_refunded, loaded, spent
from ledger.deciding.tiers import falls_due, follows_at_once, tier_assigned
from ledger.deciding.trade import delivered, purchase
from ledger.deciding.transfers import transferred
from ledger.deciding.unit import FALLS_DUE, FOLLOWS_AT_ONCE, Unit
from ledger.errors import NotPermitted
from ledger.instants import DAY

__all__ = [
    "Command",
    "Context",
    "Counterpart",
    "Decision",
    "NeedsCounterpart",
    "NeedsHistory",
    "ProgramDecision",
    "advance",
    "decide",
    "decide_program",
]

_FAMILIES: dict[str, Callable[[Unit, Command], Decision]] = {
    "customer.signed_up": signed_up,
    "purchase.recorded": purchase,
    "purchase.refunded": refund,
    "purchase.returned": returned,
    "order.delivered": delivered,
    "points.granted": granted,
    "points.redeemed": redeemed,
    "points.redemption_reversed": redemption_reversed,
    "points.adjusted": adjusted,
    "points.transferred": transferred,
    "account.authorised": authorised,
    "account.authorisation_ended": authorisation_ended,
    "tier.assigned": tier_assigned,
    "tier.introduced": introduced,
    "benefit.taken": benefits.taken,
    "account.opened_from": opened_from,
    "hold.placed": placed,
    "hold.captured": captured,
    "hold.released": released,
    "stored_value.loaded": loaded,
    "stored_value.spent": spent,
    "stored_value.refunded": load_refunded,
    "coupon.issued": coupons.issued,
    "coupon.claimed": claimed,
    "coupon.redeemed": coupons.redeemed,
    "coupon.returned": coupons.returned,
    "coupon.voided": coupons.voided,
    "customer.frozen": frozen,
    "customer.unfrozen": unfrozen,
    "customer.closed": closed,
    "referral.noted": noted,
    "referral.rewarded": rewarded,
    "referral.revoked": revoked,
    "package.sold": packages.sold,
    "package.used": packages.used,
    "package.refunded": packages.refunded,
    "membership.purchased": membership.purchased,
    "membership.renewed": membership.renewed,
    "membership.paused": membership.paused,
    "membership.resumed": membership.resumed,
    "membership.cancelled": membership.cancelled,
}


FALLS_DUE[:] = [time_out, referral_falls_due, unfreeze_when_due, falls_due, membership.falls_due]
FOLLOWS_AT_ONCE[:] = [follow_referral, follows_at_once, benefits.follow]


def decide(account: Account, command: Command, context: Context) -> Decision:
    """Decide an event on a customer's stream.

    Args:
        account: the state of the stream's head; left as it is.
        command: the event, its data validated.
        context: rules and places, the writer's clock, and the stream's records where they were asked for.

    Returns:
        What fell due on the way, what the event makes untrue of it, and the event's own record, in this order.

    Raises:
        FormError: `time_in_future`.
        NotPermitted: older than the rules allow without the scope `backdate`.
        NeedsHistory: decide again with the stream's records.
        NeedsCounterpart: decide again with the other customer's account.
        Refused: a named no; nothing is changed.
    """
    instant = instant_of(command, context)
    rules = context.state.rules.at(instant)
    if not command.may_backdate and command.time < context.now - rules.document.backdate_days * DAY:
        raise NotPermitted(
            f"Events older than {rules.document.backdate_days} days need the scope 'backdate'.",
            scope="backdate",
            backdate_days=rules.document.backdate_days,
        )
    unit = Unit(account, context, command.subject, instant, rules)
    unit.begin()
    if unit.account.parts:
        check_standing(unit, command)
    return _FAMILIES[command.type](unit, command)


def advance(account: Account, subject: str, until: int, context: Context) -> Decision:
    """What falls due on a customer's stream by an instant; the records may be none."""
    unit = Unit(account, context, subject, until, context.state.rules.at(until))
    unit.advance(until)
    return Decision(unit.records, unit.account, counters=unit.all_counters)
