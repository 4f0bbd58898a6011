"""Paid membership bought, renewed, paused, resumed, cancelled, and its end by time.

Days are local days of the program; a period ends at the midnight that begins the day `months` after its anchor, so renewals from
the old end never drift (31 January, 28 February, 31 March). Days paused push the end further. A change older than another
change of the membership is refused: that one was decided on the membership as it was.
"""

from datetime import date, timedelta
from typing import Any

from ledger import account as accounts
from ledger.deciding.bundle import give, take_back
from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.trade import check_currency
from ledger.deciding.unit import Unit
from ledger.instants import business_day, midnight, parse, show
from ledger.parts.membership import ACTIVE, CANCELLED, PAUSED, RUNNING, ends_at, shown, status_at
from ledger.refusals import (
    MembershipActive,
    MembershipNotActive,
    MembershipOutOfOrder,
    MembershipPauseNotAllowed,
    MembershipPlanUnknown,
    MembershipUnknown,
)
from ledger.rules.basics import months_later
from ledger.rules.membership import Plan


def purchased(unit: Unit, command: Command) -> Decision:
    """Buy a membership with its bundle; once per membership, and only where no other one runs.

    Raises:
        CurrencyNotAccepted, MembershipPlanUnknown, MembershipOutOfOrder, MembershipActive
        CouponKindUnknown, CouponExpired, LimitReached, TooManyLots: of the bundle.
    """
    data = command.data
    plan = _plan(unit, data["plan"])
    part = _part(unit)
    if part is not None and status_at(part, unit.instant) in RUNNING:
        raise MembershipActive(membership_id=part["id"], status=part["status"], end=show(part["end"]))
    fresh = {"id": data["membership_id"], "paused_days": 0, "paused_at": None, "periods": []}
    return _add_period(unit, command, plan, fresh, f"membership:{data['membership_id']}")


def renewed(unit: Unit, command: Command) -> Decision:
    """Add a period with its bundle: from the old end or from today, as the plan has it; after its end always from today.

    Raises:
        MembershipUnknown: kept until it is bought.
        CurrencyNotAccepted, MembershipOutOfOrder, MembershipNotActive, MembershipPlanUnknown, and those of the bundle.
    """
    part = _known(unit, command)
    if status_at(part, unit.instant) == PAUSED:
        raise MembershipNotActive(membership_id=part["id"], status=PAUSED)
    plan = _plan(unit, part["plan"])
    return _add_period(unit, command, plan, part, f"membership_renewal:{command.data['renewal_id']}")


def paused(unit: Unit, command: Command) -> Decision:
    """Stop the time of an active membership, for as many days as its plan lets.

    Raises:
        MembershipUnknown: kept until it is bought.
        MembershipOutOfOrder, MembershipNotActive, MembershipPauseNotAllowed
    """
    part = _known(unit, command)
    _need(part, unit.instant, ACTIVE)
    left = _terms(unit, part).pause_days_max - part["paused_days"]
    if left <= 0:
        raise MembershipPauseNotAllowed(membership_id=part["id"], paused_days=part["paused_days"])
    after = {**part, "status": PAUSED, "paused_at": unit.instant, "end": _later(unit, part["end"], left)}
    return _changed(unit, command, after, {})


def resumed(unit: Unit, command: Command) -> Decision:
    """Let time go on: the days paused are added to the end and to the period they fall into; what begins later moves along.

    Raises:
        MembershipUnknown: kept until it is bought.
        MembershipOutOfOrder, MembershipNotActive
    """
    part = _known(unit, command)
    _need(part, unit.instant, PAUSED)
    days = min(_paused_days(unit, part), _terms(unit, part).pause_days_max - part["paused_days"])
    periods = [_pushed(unit, period, part["paused_at"], days) for period in part["periods"]]
    after = {
        **part,
        "status": ACTIVE,
        "paused_at": None,
        "paused_days": part["paused_days"] + days,
        "end": periods[-1]["end"],
        "periods": periods,
    }
    return _changed(unit, command, after, {"days": days})


def cancelled(unit: Unit, command: Command) -> Decision:
    """End it at once: each period's money back as its terms have it, what is left of the bundles taken back.

    Raises:
        MembershipUnknown: kept until it is bought.
        MembershipOutOfOrder, MembershipNotActive
    """
    part = _known(unit, command)
    _need(part, unit.instant, *RUNNING)
    until = unit.instant if part["paused_at"] is None else part["paused_at"]
    running = [period for period in part["periods"] if period["end"] > until]
    refunds = [_refund(unit, part, period, _day(unit, until)) for period in running]
    takes_back = [
        period for period in part["periods"] if period["end"] > until and _terms_of(unit, part, period).takes_back
    ]
    places = take_back(unit, takes_back)
    after = {
        **part,
        "status": CANCELLED,
        "paused_at": None,
        "end": unit.instant,
        "periods": [
            {**period, "end": min(period["end"], unit.instant)}
            for period in part["periods"]
            if period["start"] < unit.instant
        ],
    }
    derived: dict[str, Any] = {
        "refund": sum(refund["amount"] for refund in refunds),
        "currency": part["periods"][-1]["currency"],
        "refunds": refunds,
    }
    return _changed(unit, command, after, derived | ({"places_back": places} if places else {}))


def take_over(unit: Unit, held: dict[str, Any]) -> dict[str, Any]:
    """The membership a customer had in another system, as its record says it: one period, renewed from the day it ends.

    Nothing of a bundle comes with it: what is left of that is among the lots and coupons.

    Raises:
        MembershipPlanUnknown, CurrencyNotAccepted, MembershipOutOfOrder, MembershipActive
    """
    plan = _plan(unit, held["plan"])
    currency = held.get("currency", plan.currency)
    check_currency(unit, currency)
    part = _part(unit)
    if part is not None and status_at(part, unit.instant) in RUNNING:
        raise MembershipActive(membership_id=part["id"], status=part["status"], end=show(part["end"]))
    start, end = parse(held["start"]), parse(held["end"])
    begins, ends = _day(unit, start), _day(unit, end)
    period = {
        "start": start,
        "end": end,
        "months": next(months for months in range(1, 1_300) if months_later(begins, months) >= ends),
        "paused_days": 0,
        "price": held.get("price", 0),
        "currency": currency,
        "rules": unit.rules.version,
        "lots": [],
    }
    after = {
        "id": held["membership_id"],
        "plan": plan.id,
        "status": ACTIVE,
        "anchor": ends.isoformat(),
        "months": 0,
        "paused_days": 0,
        "paused_at": None,
        "end": end,
        "benefit": None if plan.benefit is None else plan.benefit.model_dump(mode="json"),
        "tier": plan.tier,
        "periods": [period],
    }
    return shown(after, unit.instant)


def falls_due(unit: Unit, instant: int) -> None:
    """Write the end of a membership that is over by an instant."""
    part = unit.account.parts.get("membership")
    if part is not None and ends_at(part) <= instant:
        unit.write_due("membership.ended", part["end"], {"membership_id": part["id"], "plan": part["plan"]})


def _add_period(unit: Unit, command: Command, plan: Plan, part: dict[str, Any], reference: str) -> Decision:
    data = command.data
    price, currency = data.get("price", plan.price), data.get("currency", plan.currency)
    check_currency(unit, currency)
    earlier = part["periods"]
    if earlier and plan.renewal == "from_end" and status_at(part, unit.instant) == ACTIVE:
        anchor, months, paused = date.fromisoformat(part["anchor"]), part["months"] + plan.months, part["paused_days"]
        start = part["end"]
    else:
        anchor, months, paused = _day(unit, unit.instant), plan.months, 0
        start = unit.instant
        earlier = [{**one, "end": min(one["end"], start)} for one in earlier if one["start"] < start]
    end = midnight(months_later(anchor, months) + timedelta(days=paused), unit.rules.document.zone)
    number = len(part["periods"]) + 1
    lots, coupons = give(unit, plan.bundle, f"membership:{part['id']}:{number}")
    period = {
        "start": start,
        "end": end,
        "months": plan.months,
        "paused_days": 0,
        "price": price,
        "currency": currency,
        "rules": unit.rules.version,
        "lots": lots,
    }
    after = {
        **part,
        "plan": plan.id,
        "status": ACTIVE,
        "anchor": anchor.isoformat(),
        "months": months,
        "paused_days": paused,
        "end": end,
        "benefit": None if plan.benefit is None else plan.benefit.model_dump(mode="json"),
        "tier": plan.tier,
        "periods": [*earlier, period],
    }
    return _changed(unit, command, after, {"coupons": coupons} if coupons else {}, reference)


def _changed(
    unit: Unit, command: Command, after: dict[str, Any], derived: dict[str, Any], reference: str | None = None
) -> Decision:
    """The record says the whole membership after it, so a fold needs no rules."""
    said = shown(after, unit.instant) | {"status": after["status"]}
    return unit.finish(
        command, reference=reference, derived={"membership": said, **derived, **where(unit, command.data)}
    )


def _part(unit: Unit) -> dict[str, Any] | None:
    """The membership as it was at the unit's instant.

    Raises:
        MembershipOutOfOrder, NeedsHistory
    """
    part: dict[str, Any] | None = unit.account.parts.get("membership")
    if part is None or not unit.late:
        return part
    if part["changed"] > unit.instant:
        raise MembershipOutOfOrder(membership_id=part["id"], changed_at=show(part["changed"]))
    unit.timeline  # noqa: B018 - asks for the history where it was not read
    then = accounts.fold([*(unit.context.history or ()), *unit.records], unit.instant)
    return then.parts.get("membership")


def _known(unit: Unit, command: Command) -> dict[str, Any]:
    """The membership an event names.

    Raises:
        MembershipUnknown: not bought by then. MembershipNotActive: another was bought since.
        MembershipOutOfOrder, NeedsHistory
    """
    name = command.data["membership_id"]
    part = _part(unit)
    if part is not None and part["id"] == name:
        return part
    unit.timeline  # noqa: B018 - asks for the history where it was not read
    for record in unit.context.history or ():
        if record.type == "membership.purchased" and record.data["membership_id"] == name:
            raise MembershipNotActive(membership_id=name, status="replaced" if part else "not_begun")
    raise MembershipUnknown(waits_for=f"membership:{name}", membership_id=name)


def _need(part: dict[str, Any], instant: int, *wanted: str) -> None:
    status = status_at(part, instant)
    if status not in wanted:
        raise MembershipNotActive(membership_id=part["id"], status=status)


def _plan(unit: Unit, name: str) -> Plan:
    plans = unit.rules.document.plans
    if name not in plans:
        raise MembershipPlanUnknown(plan=name, plans=sorted(plans))
    return plans[name]


def _terms(unit: Unit, part: dict[str, Any]) -> Plan:
    return _terms_of(unit, part, part)


def _terms_of(unit: Unit, part: dict[str, Any], made: dict[str, Any]) -> Plan:
    """The plan as the rules version had it that made a period."""
    plans: dict[str, Plan] = unit.context.state.rules.numbered(made["rules"]).document.plans
    return plans[part["plan"]]


def _day(unit: Unit, instant: int) -> date:
    return business_day(instant, unit.rules.document.zone)


def _later(unit: Unit, end: int, days: int) -> int:
    return midnight(_day(unit, end) + timedelta(days=days), unit.rules.document.zone)


def _paused_days(unit: Unit, part: dict[str, Any]) -> int:
    return (_day(unit, unit.instant) - _day(unit, part["paused_at"])).days


def _pushed(unit: Unit, period: dict[str, Any], paused_at: int, days: int) -> dict[str, Any]:
    if period["end"] <= paused_at:
        return period
    pushed = {**period, "end": _later(unit, period["end"], days)}
    if period["start"] > paused_at:
        return {**pushed, "start": _later(unit, period["start"], days)}
    return {**pushed, "paused_days": period["paused_days"] + days}


def _refund(unit: Unit, part: dict[str, Any], period: dict[str, Any], today: date) -> dict[str, Any]:
    """What is paid back of one period, in minor units rounded down; the day of the cancellation counts as used."""
    plan = _terms_of(unit, part, period)
    begins, ends = _day(unit, period["start"]), _day(unit, period["end"])
    days = (ends - begins).days - period["paused_days"]
    left = min(days, max(0, (ends - today).days - 1))
    amount = 0
    if begins > today:
        amount, left = period["price"] if plan.refund != "none" else 0, days
    elif plan.refund == "pro_rata":
        amount = period["price"] * left // max(1, days)
    elif plan.refund == "less_used_at_list":
        used = next(month for month in range(1, 1_300) if months_later(begins, month) > today)
        amount = max(0, period["price"] - used * (plan.list_month or 0))
    return {"rule": plan.refund, "amount": amount, "price": period["price"], "days": days, "days_left": left}
