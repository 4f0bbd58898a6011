"""Stored value loaded, spent and refunded. Principal and bonus are two assets; principal is all that is ever paid back."""

from typing import Any, NamedTuple

from ledger.deciding.authorising import charge, find_authorisation, finish_charge, payer
from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.spending import bonus_of, find_stored, principal_of, take
from ledger.deciding.trade import check_currency
from ledger.deciding.unit import Unit
from ledger.errors import CoolingOffEnded, LoadUnknown, RefundExceedsPrincipal
from ledger.history_value import Load
from ledger.instants import parse
from ledger.lots import Free, chosen, total
from ledger.parts.authorising import key_of
from ledger.records import Posting


def loaded(unit: Unit, command: Command) -> Decision:
    """Open a lot of principal for what was paid in, and one of bonus for what is given with it.

    Raises:
        CurrencyNotAccepted, TooManyLots
    """
    data = command.data
    currency = data["currency"]
    check_currency(unit, currency)
    rules = unit.rules.document
    setting = rules.stored_value
    bonus_until = setting.bonus_expiry.expires_at(unit.instant, rules.zone)
    if "bonus_expires_at" in data:
        bonus_until = parse(data["bonus_expires_at"])
    principal_until = setting.principal_expiry.expires_at(unit.instant, rules.zone)
    _open(unit, principal_of(currency), data["principal"], "load", principal_until)
    if data.get("bonus"):
        _open(unit, bonus_of(currency), data["bonus"], "load_bonus", bonus_until)
    return unit.finish(command, reference=f"load:{data['load_id']}", derived=where(unit, data))


def spent(unit: Unit, command: Command) -> Decision:
    """Take an amount from principal and bonus, in the rules' order of consumption, of the customer's own or of another's.

    Raises:
        InsufficientStoredValue, and what is refused of spending for another: nothing is taken.
    """
    data, amount = command.data, command.data["amount"]
    why = {"consumption": unit.rules.document.stored_value.consumption}
    derived = where(unit, data)
    owner = payer(unit, data)
    charges = []
    if owner is not unit:
        entry = find_authorisation(owner, unit.subject, key_of("stored_value", data["currency"]))
        charges.append(charge(entry, amount))
    take(owner, find_stored(owner, data["currency"], amount), "program:redeemed", why)
    if charges:
        derived["charged"] = finish_charge(unit, owner, command, charges, {"spend_id": data["spend_id"]})
    return unit.finish(command, reference=f"spend:{data['spend_id']}", derived=derived)


class _Refundable(NamedTuple):
    """Principal that is there, the load it was paid in with, and whether it is within that load's cooling-off window."""

    free: Free
    load: Load | None
    cools_off: bool


def load_refunded(unit: Unit, command: Command) -> Decision:
    """Pay principal back, and void the bonus that the rules void with it.

    Raises:
        LoadUnknown: kept until the load arrives.
        CoolingOffEnded, RefundExceedsPrincipal
    """
    data = command.data
    currency, there = _there(unit, data)
    setting = unit.rules.document.stored_value
    refundable = [part for part in there if part.cools_off or setting.after_cooling_off == "allowed"]
    if there and not refundable:
        raise CoolingOffEnded(cooling_off_days=setting.cooling_off_days, left=_total(there))
    left = _total(refundable)
    amount = data.get("amount", left)
    if amount > left or not left:
        raise RefundExceedsPrincipal(currency=currency, left=left, requested=amount)
    paid_back = chosen([part.free for part in refundable], amount)
    loads = _by_load(unit, refundable, paid_back)
    _reverse(unit, principal_of(currency), paid_back)
    _reverse(unit, bonus_of(currency), [part for one in loads for part in one["void"]])
    shown = [{**one, "void": total(one["void"])} for one in loads]
    derived = {"currency": currency, "principal": amount, "loads": shown, **where(unit, data)}
    return unit.finish(command, reference=f"load_refund:{data['refund_id']}", derived=derived)


def _open(unit: Unit, asset: str, amount: int, reason: str, expires_at: int) -> None:
    source = f"program:issued:{reason}"
    unit.post(Posting(asset, amount, source, f"customer:{asset}", lot="", expires_at=expires_at))
    unit.join_lots(asset)


def _there(unit: Unit, data: dict[str, Any]) -> tuple[str, list[_Refundable]]:
    """The currency, and the principal that is there of the load or the currency that is named, in the order of refund."""
    setting, timeline = unit.rules.document.stored_value, unit.timeline
    if "load_id" in data:
        load = timeline.loads.get(data["load_id"])
        if load is None:
            raise LoadUnknown(waits_for=f"load:{data['load_id']}", load_id=data["load_id"])
        currency, free = load.currency, timeline.own(load.principal, unit.instant)
    else:
        currency = data["currency"]
        free = timeline.free_at(principal_of(currency), unit.instant, pending=False)
        free.sort(key=lambda part: part.lot.granted_at, reverse=setting.refund_order == "newest_first")
    loads = {lot: load for load in timeline.loads.values() for lot in load.principal}
    return currency, [
        _Refundable(part, loads.get(part.lot.id), setting.cools_off(part.lot.granted_at, unit.instant)) for part in free
    ]


def _by_load(unit: Unit, refundable: list[_Refundable], paid_back: list[Free]) -> list[dict[str, Any]]:
    """What is paid back of each load, and the lots of its bonus that are void with it."""
    amounts = {part.lot.id: part.amount for part in paid_back}
    loads: dict[str, dict[str, Any]] = {}
    left: dict[str, int] = {}
    for free, load, cools_off in refundable:
        if load is not None and free.lot.id in amounts:
            one = loads.setdefault(load.id, {"load_id": load.id, "principal": 0, "cools_off": cools_off})
            one["principal"] += amounts[free.lot.id]
        if load is not None:
            left[load.id] = left.get(load.id, 0) + free.amount
    for load_id, one in loads.items():
        bonus = unit.timeline.own(unit.timeline.loads[load_id].bonus, unit.instant)
        void = _void(unit, total(bonus), one["principal"], left[load_id], cools_off=one["cools_off"])
        one["void"] = chosen(bonus, void)
    return list(loads.values())


def _void(unit: Unit, bonus: int, paid_back: int, left: int, *, cools_off: bool) -> int:
    """How much of a load's bonus is void when so much of what is left of its principal is paid back."""
    rule = unit.rules.document.stored_value.refund_bonus
    if cools_off or rule == "void":
        return bonus
    return 0 if rule == "keep" else -(-bonus * paid_back // left)


def _reverse(unit: Unit, asset: str, parts: list[Free]) -> None:
    if parts:
        lots = unit.take(parts, unit.instant)
        unit.post(Posting(asset, total(parts), f"customer:{asset}", "program:reversed", lots=lots))


def _total(parts: list[_Refundable]) -> int:
    return sum(part.free.amount for part in parts)
