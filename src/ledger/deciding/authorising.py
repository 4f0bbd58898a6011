"""Spending on another customer's account: who lets whom, how much of it is left, and what is charged and given back.

The event stands on the spender's stream and moves nothing there; the owner's stream is charged in the same unit
(`account.charged`, or the hold itself) and keeps what is left of the authorisation. What takes it back finds the owner in the
spender's records.
"""

from collections.abc import Sequence
from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.counterpart import counterpart, finish_half
from ledger.deciding.unit import Unit
from ledger.errors import CustomerClosed, CustomerFrozen
from ledger.instants import show
from ledger.parts.authorising import ENTRIES_MAX, NAME, Entry, key_of, left_of, runs
from ledger.parts.standing import NAME as STANDING
from ledger.parts.standing import is_frozen
from ledger.refusals import (
    AuthorisationEnded,
    AuthorisationLimitExceeded,
    AuthorisedForOtherAsset,
    NotAuthorised,
    SpenderUnknown,
    TooManyAuthorisations,
)

Charge = dict[str, Any]
"""`{"asset", "amount", "authorisation"}`: what counts against which authorisation of the owner's."""


def authorised(unit: Unit, command: Command) -> Decision:
    """Let another customer spend on this account; anew, it replaces what ran before.

    Raises:
        NotAuthorised: to oneself. SpenderUnknown: kept until the spender signs up. CustomerClosed, TooManyAuthorisations
    """
    spender = _spender(unit, command)
    if not spender.account.version:
        raise SpenderUnknown(waits_for=f"signup:{spender.subject}", spender=spender.subject)
    running = [one for one in given_by(unit) if runs(one, unit.instant)]
    if len(running) >= ENTRIES_MAX:
        raise TooManyAuthorisations(running=len(running), limit=ENTRIES_MAX)
    _check_open(spender)
    _finish_both(unit, command)
    return unit.finish(command, reference=None, derived={})


def authorisation_ended(unit: Unit, command: Command) -> Decision:
    """End what another customer may spend.

    Raises:
        NotAuthorised: nothing of the kind runs.
    """
    spender = _spender(unit, command)
    asset = key_of(command.data["asset"], command.data.get("currency"))
    find_authorisation(unit, spender.subject, asset)
    _finish_both(unit, command)
    return unit.finish(command, reference=None, derived={})


def payer(unit: Unit, data: dict[str, Any]) -> Unit:
    """On whose account an event spends: the subject's own, or that of the one it names.

    Raises:
        NotAuthorised, CustomerClosed, CustomerFrozen
    """
    customer = data.get("on_behalf_of")
    if customer is None:
        return unit
    if customer == unit.subject:
        raise NotAuthorised(owner=customer)
    owner = counterpart(unit, customer)
    _check_open(owner)
    if is_frozen(owner.account.parts.get(STANDING), "redeem", unit.instant):
        raise CustomerFrozen(what="redeem", customer=customer)
    return owner


def payee(unit: Unit, customer: str) -> Unit:
    """The owner to whom something is given back.

    Raises:
        CustomerClosed
    """
    owner = counterpart(unit, customer)
    _check_open(owner)
    return owner


def given_by(owner: Unit) -> list[Entry]:
    """Every authorisation an account has given, those that are over included."""
    given: list[Entry] = owner.account.parts.get(NAME, {}).get("given", [])
    return given


def find_authorisation(owner: Unit, spender: str, asset: str) -> Entry:
    """The authorisation that runs at the event's instant, of several the latest.

    Raises:
        NotAuthorised, AuthorisedForOtherAsset, AuthorisationEnded
    """
    named = {"owner": owner.subject, "spender": spender, "asset": asset}
    given = [one for one in given_by(owner) if one["with"] == spender and one["since"] <= owner.instant]
    if not given:
        raise NotAuthorised(**named)
    of_asset = [one for one in given if one["asset"] == asset]
    if not of_asset:
        raise AuthorisedForOtherAsset(**named, authorised=sorted({one["asset"] for one in given}))
    running = [one for one in of_asset if runs(one, owner.instant)]
    if not running:
        ended = max(one["until"] for one in of_asset if one["until"] is not None)
        raise AuthorisationEnded(**named, until=show(ended))
    return max(running, key=lambda one: one["since"])


def charge(entry: Entry, amount: int, before: Sequence[Charge] = ()) -> Charge:
    """What counts against an authorisation, within what is left of it.

    Args:
        before: what the same event is charged already.

    Raises:
        AuthorisationLimitExceeded
    """
    left = left_of(entry) - sum(one["amount"] for one in before if one["authorisation"] == entry["in"])
    if amount > left:
        raise AuthorisationLimitExceeded(limit=entry["limit"], left=left, requested=amount)
    return {"asset": entry["asset"], "amount": amount, "authorisation": entry["in"]}


def finish_charge(
    unit: Unit, owner: Unit, command: Command, charges: list[Charge], named: dict[str, Any]
) -> dict[str, Any]:
    """Write the owner's `account.charged`; says for the spender's `derived` who was charged and what was taken, lot by lot."""
    taken = [
        {"asset": posting.asset, "lots": posting.lots, **({} if posting.why is None else {"why": posting.why})}
        for posting in owner.postings
    ]
    finish_half(unit, command, "account.charged", {"spender": unit.subject, **named, "charges": charges}, {})
    return {"customer": owner.subject, "charges": charges, "taken": taken}


def finish_charge_back(unit: Unit, command: Command, charges: list[Charge], named: dict[str, Any]) -> None:
    """Write the owner's `account.charge_reversed`: so much of the limit is free again."""
    finish_half(unit, command, "account.charge_reversed", {"spender": unit.subject, **named, "charges": charges}, {})


def _spender(unit: Unit, command: Command) -> Unit:
    name = command.data["spender"]
    if name == unit.subject:
        raise NotAuthorised(owner=name, spender=name)
    return counterpart(unit, name)


def _finish_both(unit: Unit, command: Command) -> None:
    named = {name: value for name, value in command.data.items() if name != "spender"}
    finish_half(unit, command, command.type, {"owner": unit.subject, **named}, {})


def _check_open(other: Unit) -> None:
    part = other.account.parts.get(STANDING)
    if part is not None and "closed" in part:
        raise CustomerClosed(closed_at=show(part["closed"][0]), customer=other.subject)
