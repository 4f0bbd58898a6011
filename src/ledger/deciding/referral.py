"""Customers who bring customers: what follows on the referred customer's stream, and what the policy posts on both.

The referral itself is decided where its facts are, on the referred customer's stream: made by the sign-up or first purchase
that names a referrer, qualified by purchases, disqualified by their refund, each at once. What is due to either side is posted
by the policy (`ledger/policies/referring.py`), which follows these records. A referrer is named by its customer id: that is its
code. A wrong referrer never stops a sale: it is noted on the event, and no referral is made.
"""

from dataclasses import dataclass
from typing import Any

from ledger.deciding.clawback import take_back
from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import grant
from ledger.deciding.unit import Unit
from ledger.errors import FormError, ReferralEnded, ReferralLoop, ReferrerUnknown
from ledger.events import check_customer
from ledger.instants import NEVER, show
from ledger.parts.referral import counts_from
from ledger.records import Record
from ledger.rules import Referral

ASSET = "points"
NAMING = frozenset({"customer.signed_up", "purchase.recorded"})


def look_at_referrer(unit: Unit, command: Command) -> None:
    """Note on the event why the referrer it names does not count, if so; called before its own record is written."""
    referrer = command.data.get("referred_by")
    if referrer is None or unit.rules.document.referral is None:
        return
    reason = _why_not(unit, referrer)
    if reason is not None:
        unit.notes.append({"code": "referral_not_made", "referrer": referrer, "reason": reason})


def follow_referral(unit: Unit, own: Record) -> None:
    """Write what an event means for the referral of its customer: made, qualified, disqualified."""
    rules = unit.rules.document.referral
    if rules is not None and own.type in NAMING and "referred_by" in own.data and not _is_noted(own):
        _write_made(unit, own, rules)
    by = unit.account.parts.get("referral", {}).get("by")
    if by is None:
        return
    counts = counts_from(by)
    if by["status"] == "made" and counts <= own.instant:
        unit.write_following(own, "referral.qualified", {"referrer": by["referrer"]})
    elif by["status"] == "qualified" and counts == NEVER:
        in_window = own.instant < by["qualified_at"]
        data = {"referrer": by["referrer"], "in_window": in_window}
        unit.write_following(own, "referral.disqualified", data)


def referral_falls_due(unit: Unit, instant: int) -> None:
    """The refund window has passed and the referral still counts."""
    by = unit.account.parts.get("referral", {}).get("by")
    if by is not None and by["status"] == "made" and counts_from(by) <= instant:
        unit.write_due("referral.qualified", instant, {"referrer": by["referrer"]})


def noted(unit: Unit, command: Command) -> Decision:
    """The referrer's side of a referral that was made.

    Raises:
        ReferrerUnknown: kept until the referrer signs up.
        ReferralLoop: the referred customer brought this one.
    """
    _must_exist(unit)
    by = unit.account.parts.get("referral", {}).get("by")
    referred = command.data["referred"]
    if by is not None and by["referrer"] == referred and by["status"] != "revoked":
        raise ReferralLoop(referrer=command.subject, referred=referred)
    return unit.finish(command, reference=None, derived={})


def rewarded(unit: Unit, command: Command) -> Decision:
    """Give one side of a qualified referral its points, within the caps of the referrer and the budget of all.

    Raises:
        ReferrerUnknown: kept until the referrer signs up.
        ReferralEnded: it was revoked or rewarded meanwhile.
    """
    _must_exist(unit)
    rules = unit.rules.document.referral
    part = unit.account.parts.get("referral", {})
    if command.data["role"] == "referrer":
        standing = part.get("brought", {}).get(command.data["referred"])
        holds = standing is not None and standing[1] != "rewarded"
        points = _for_referrer(unit, rules, part) if holds and rules is not None else 0
    else:
        holds = part.get("by", {}).get("status") == "qualified"
        points = (rules.referred or 0) if rules is not None else 0
    if not holds:
        raise ReferralEnded(referred=command.data["referred"], role=command.data["role"])
    derived: dict[str, Any] = {}
    if points:
        lot = grant(unit, points, "referral", rule="referral", why=dict(command.data))
        unit.pay_debts([lot], ASSET)
        unit.join_lots(ASSET)
        if rules is not None and rules.budget is not None:
            derived["budget"] = f"referral:{rules.budget.name}"
            unit.counters.append((derived["budget"], points, rules.budget.points))
    return unit.finish(command, reference=None, derived=derived)


def revoked(unit: Unit, command: Command) -> Decision:
    """End one side of a referral, and take back what it was rewarded with as far as the rules for refunds let it."""
    named = {"role": command.data["role"], "referred": command.data["referred"]}
    reward = _reward_of(unit, named)
    derived: dict[str, Any] = {}
    if reward is not None:
        back = take_back(unit, ASSET, reward.lots, reward.points, opened_at=reward.at, why=named)
        derived["clawback"] = back
        if reward.budget is not None:
            unit.counters.append((reward.budget, back["dropped"] - back["due"], None))
    return unit.finish(command, reference=None, derived=derived)


@dataclass(slots=True)
class _Reward:
    """What one side was given: its lot and those its points were moved into since, and the counter it was taken from."""

    lots: list[str]
    points: int
    at: int
    budget: str | None


def _reward_of(unit: Unit, named: dict[str, str]) -> _Reward | None:
    """What this side of a referral was given and still has to answer for."""
    reward = None
    for record in unit.history:
        if record.type in ("referral.rewarded", "referral.revoked"):
            if named.items() <= record.data.items():
                reward = _given_by(record) if record.type == "referral.rewarded" else None
        elif reward is not None:
            moved = (posting for posting in record.postings if posting.lot and posting.source == posting.to)
            reward.lots += [
                posting.lot or "" for posting in moved if any(lot in reward.lots for lot, _ in posting.lots)
            ]
    return reward


def _given_by(record: Record) -> _Reward | None:
    for posting in record.postings:
        if posting.lot is not None and posting.source == "program:issued:referral":
            return _Reward([posting.lot], posting.amount, record.instant, (record.derived or {}).get("budget"))
    return None


def _must_exist(unit: Unit) -> None:
    if unit.account.version == 0:
        raise ReferrerUnknown(waits_for=f"signup:{unit.subject}", referrer=unit.subject)


def _why_not(unit: Unit, referrer: str) -> str | None:
    """Why a customer cannot be brought by this one; None if it can. In the order in which the reasons are looked for."""
    part = unit.account.parts.get("referral", {})
    by = part.get("by")
    if referrer == unit.subject:
        return "self_referral"
    if not _is_customer(referrer):
        return "not_a_customer_id"
    if unit.account.totals.orders:  # those of another system the account was taken over from among them
        return "not_new"
    if referrer in part.get("brought", ()):
        return "loop"
    if by is not None and by["status"] != "revoked":
        protected = by["protected_until"]
        if by["status"] != "made" or protected is None or unit.instant < protected or referrer == by["referrer"]:
            return "already_referred"
    return None


def _is_noted(own: Record) -> bool:
    return any(note["code"] == "referral_not_made" for note in own.notes)


def _is_customer(text: str) -> bool:
    try:
        check_customer(text)
    except FormError:
        return False
    return True


def _write_made(unit: Unit, own: Record, rules: Referral) -> None:
    terms = rules.qualification.model_dump(mode="json", exclude_none=True)
    data: dict[str, Any] = {
        "referrer": own.data["referred_by"],
        "terms": terms,
        "valid_until": _shown(rules.valid_until(own.instant)),
        "protected_until": _shown(rules.protected_until(own.instant)),
    }
    before = unit.account.parts.get("referral", {}).get("by")
    if before is not None and before["status"] == "made":
        data["replaces"] = before["referrer"]
    if own.type == "purchase.recorded" and terms.get("currency") in (None, own.data["currency"]):
        data["order"] = {"reference": (own.derived or {})["reference"], "total": own.data["total"]}
    unit.write_following(own, "referral.made", data)


def _shown(instant: int | None) -> str | None:
    return None if instant is None else show(instant)


def _for_referrer(unit: Unit, rules: Referral, part: dict[str, Any]) -> int:
    """What the referrer's next referral is worth; a note says which cap bit."""
    count, earned = part.get("rewarded", 0), part.get("earned", 0)
    points = rules.for_referrer(count + 1)
    allowed = points
    if rules.cap_referrals is not None and count >= rules.cap_referrals:
        allowed = 0
    if rules.cap_points is not None:
        allowed = max(0, min(allowed, rules.cap_points - earned))
    if allowed < points:
        unit.notes.append({"code": "capped", "rule": "referral", "uncapped": points, "allowed": allowed})
    return allowed
