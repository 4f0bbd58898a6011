"""Benefits of a tier: taken by the customer, or given by themselves when a tier is reached; each once in its period.

What is given by itself never stops the event it follows from: what a limit leaves no room for is left out, and its record says so.
A tier that turns out later not to have been, or that is lost, takes nothing of it back.
"""

from datetime import date
from typing import Any

from ledger.deciding.applying import is_moment
from ledger.deciding.bundle import give, give_points, one_coupon
from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.tiers import tier_at_event
from ledger.deciding.unit import Unit
from ledger.errors import LimitReached, Refused, TooManyLots
from ledger.parts.benefits import NAME
from ledger.parts.standing import NAME as STANDING
from ledger.parts.standing import is_frozen
from ledger.parts.tiers import MEMBERSHIP, tier_of
from ledger.records import Record
from ledger.refusals import BenefitNotForTier, BenefitNotNow, BenefitTaken, BenefitUnknown, CouponExpired
from ledger.rules.benefits import Benefit
from ledger.rules.coupons import CouponKind

REACHED_BY = frozenset({"upgraded", "assigned", MEMBERSHIP})
"""What brings a tier that is then reached; a review only keeps it or takes it away."""


def taken(unit: Unit, command: Command) -> Decision:
    """Give a customer a benefit of the tier held when it is taken.

    Raises:
        BenefitUnknown, BenefitNotForTier, BenefitNotNow, BenefitTaken
        CouponKindUnknown, CouponExpired, LimitReached, TooManyLots: of its coupons.
    """
    data, document = command.data, unit.rules.document
    derived = where(unit, data)
    benefits = document.tiers.benefits_by_id if document.tiers else {}
    benefit = benefits.get(data["benefit"])
    if benefit is None:
        raise BenefitUnknown(benefit=data["benefit"], benefits=sorted(benefits))
    tier = tier_at_event(unit)
    if tier not in benefit.tiers:
        raise BenefitNotForTier(benefit=benefit.id, tier=tier, tiers=list(benefit.tiers))
    day = document.business_day(unit.instant)
    if benefit.moments and not any(is_moment(unit, name, data, day) for name in benefit.moments):
        raise BenefitNotNow(benefit=benefit.id, moments=list(benefit.moments))
    period = benefit.period(date.fromisoformat(day))
    if _was_given(unit, benefit, period):
        raise BenefitTaken(benefit=benefit.id, period=period)
    _, coupons = give(unit, benefit, _prefix(benefit, period), reason=_reason(unit, benefit), rule=benefit.id)
    derived |= {"tier_held": tier, "period": period} | ({"coupons": coupons} if coupons else {})
    return unit.finish(command, reference=None, derived=derived)


def follow(unit: Unit, own: Record) -> None:
    """Give what the tier that an event brought gives when it is reached."""
    tiers = unit.rules.document.tiers
    if tiers is None or not tiers.given_when_reached:
        return
    tier = tier_of(unit.account.parts.get("tiers"))
    fresh = [one.data for one in unit.records if one.version > own.version and one.type == "tier.changed"]
    if not any(change["tier"] == tier != change["from"] and change["by"] in REACHED_BY for change in fresh):
        return
    if is_frozen(unit.account.parts.get(STANDING), "earn", unit.instant):
        return
    for benefit in tiers.given_when_reached:
        period = benefit.period(unit.rules.document.business_date(unit.instant))
        if tier in benefit.tiers and not _was_given(unit, benefit, period):
            _give_beside(unit, own, benefit, tier, period)


def _give_beside(unit: Unit, own: Record, benefit: Benefit, tier: str | None, period: str) -> None:
    """Write what of a benefit there is room for as a record of its own; no record where there is room for nothing."""
    with unit.beside() as beside:
        coupons = _coupons(unit, benefit, period)
        if benefit.points is not None:
            give_points(unit, benefit.points, reason=_reason(unit, benefit), rule=benefit.id)
    if not beside.postings:
        return
    derived: dict[str, Any] = {"coupons": coupons} if coupons else {}
    if beside.counters:
        derived["counters"] = [[name, amount] for name, amount, _ in beside.counters]
    data = {"benefit": benefit.id, "tier": tier, "period": period}
    written = unit.write_following(own, "benefit.granted", data, tuple(beside.postings), derived or None)
    written.notes = beside.notes


def _coupons(unit: Unit, benefit: Benefit, period: str) -> list[dict[str, str]]:
    """The coupons of a benefit for which there is room; a note for each that is left out."""
    coupons = []
    for part in benefit.coupons:
        kind = unit.rules.document.coupon_kinds[part.kind]
        for number in range(1, part.count + 1):
            postings, counters = len(unit.postings), len(unit.counters)
            try:
                _check_left(unit, kind)
                coupons.append(one_coupon(unit, kind, _prefix(benefit, period), number, "benefit"))
            except (LimitReached, CouponExpired, TooManyLots) as no:
                del unit.postings[postings:], unit.counters[counters:]
                unit.notes.append(_left_out(no, kind.id))
            else:
                unit.may_go_without.add(f"{kind.asset}:total")
    return coupons


def _check_left(unit: Unit, kind: CouponKind) -> None:
    counter = f"{kind.asset}:total"
    if counter in unit.context.used_up:
        raise LimitReached(counter=counter, limit=kind.caps.total)


def _left_out(no: Refused, kind: str) -> dict[str, Any]:
    return {"code": "left_out", "kind": kind, "reason": no.code}


def _was_given(unit: Unit, benefit: Benefit, period: str) -> bool:
    return period in unit.account.parts.get(NAME, {}).get(benefit.id, ())


def _prefix(benefit: Benefit, period: str) -> str:
    return f"benefit:{benefit.id}:{period}"


def _reason(unit: Unit, benefit: Benefit) -> str:
    """The reason of its points: a birthday's where a month of birth is asked for."""
    occasions = unit.rules.document.occasions
    birthday = any(occasions[name].birthday_month for name in benefit.moments or ())
    return "birthday" if birthday else "benefit"
