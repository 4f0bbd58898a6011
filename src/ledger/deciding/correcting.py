"""An adjustment that an order to correct brings about: what wrong records gave a customer is made what was right.

What is too much goes back from the very lots the wrong records opened, or what was moved out of them; only where those do not
hold it any more, and the order's setting says so, from others. What is missing comes in a lot of its own with the dates of the
one it completes. What a refund took back, and what expired by itself, is not taken again.

Caps for a day and a customer are looked at as they would have been. Budgets count what is given in the end.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from ledger import account as accounts
from ledger.account import Account
from ledger.corrections import SOURCE, Correction, gifts, selects
from ledger.deciding.clawback import owe, take
from ledger.deciding.command import Command, Context, Decision, told_after
from ledger.deciding.joining import signed_up
from ledger.deciding.refunds import due_of
from ledger.deciding.trade import delivered_share, purchase
from ledger.deciding.unit import Unit
from ledger.errors import ApprovalNeeded, LedgerError
from ledger.history import Earning, Order
from ledger.instants import NEVER
from ledger.lots import Free, chosen
from ledger.records import Posting, Record
from ledger.rules import EVER, Rulebook

ASSET = "points"
ACCOUNT = "program:adjusted"

Key = tuple[str | None, str, tuple[int, ...], str | None]
"""Rule, reason, lines, and what a multiplier multiplies: by that a posting finds the one that would have been right."""


class Gift(NamedTuple):
    """Points a record gave or should have given: the posting it made, or else the one it should have made.

    `name` is the lot it opened, or says which is missing; `right` is what would have been right.
    """

    record: Record
    name: str
    posting: Posting
    right: int


@dataclass(slots=True)
class Excess:
    """What one gift gave too much, and what has become of it so far.

    Attributes:
        part: what the record says of it.
        left: points not taken back yet.
    """

    earning: Earning
    part: dict[str, Any]
    opened_at: int
    left: int
    why: dict[str, Any]


def corrected(unit: Unit, command: Command) -> Decision:
    """Set right what an order says was wrong.

    `derived.corrected` says for each gift: the record, the lot, what it was and is now, what is due back and what became of it.

    Raises:
        ApprovalNeeded: there is no such order.
    """
    order = unit.context.state.corrections.get(command.data["correction"])
    if order is None or command.source != SOURCE:
        raise ApprovalNeeded(kind="correction")
    parts: list[dict[str, Any]] = []
    opened: list[tuple[str, int, int]] = []
    excesses: list[Excess] = []
    for gift in list(_gifts(unit, order)):
        trade = next((one for one in unit.timeline.orders.values() if one.version == gift.record.version), None)
        right, charged = gift.right, 0
        for earning in _earnings(unit, gift):
            part = min(right, earning.points)
            right -= part
            charged += part - earning.points
            if part != earning.points:
                excess = _reduce(unit, gift, earning, part, trade, order)
                excesses.append(excess)
                parts.append(excess.part)
        if right:
            parts.append(_complete(unit, gift, right, trade, order, opened))
            charged += right
        _charge(unit, gift, charged)
    _take_back(unit, order, excesses)
    if opened:
        unit.pay_debts(opened, ASSET)
        unit.join_lots(ASSET)
    return unit.finish(command, reference=None, derived={"corrected": parts})


def adjustment(order: Correction, customer: str) -> Command:
    """What sets a customer's points right: a function of the order and the customer alone."""
    why: dict[str, Any] = {name: order.content[name] for name in ("reason", "ticket") if name in order.content}
    return Command(
        source=SOURCE,
        id=str(uuid5(NAMESPACE_URL, f"{order.id}/{customer}")),
        type="points.adjusted",
        subject=customer,
        time=order.time,
        data={**why, "correction": order.id},
        actor=order.ordered_by,
        cause={"source": order.source, "id": order.id},
    )


def _gifts(unit: Unit, order: Correction) -> Iterator[Gift]:
    """What the selected records gave, and what they should have given."""
    wanted = [record for record in unit.history if selects(order, record)]
    if order.factor is not None:
        for record in wanted:
            for posting in gifts(order, record):
                right = posting.amount * order.factor.numerator // order.factor.denominator
                yield Gift(record, posting.lot or "", posting, right)
    elif wanted:
        yield from _decided_again(unit, order, {record.version for record in wanted})


def _decided_again(unit: Unit, order: Correction, wanted: set[int]) -> Iterator[Gift]:
    """Decide the wanted records again under other rules, each on the account as it was, with caps as they would have been."""
    document = unit.context.state.rules.numbered(order.content["as_rules"])
    ruled = replace(unit.context.state, rulebook=Rulebook((document.model_copy(update={"effective_from": EVER}),)))
    account, before = accounts.empty(), list[Record]()
    more: Counter[tuple[str, str]] = Counter()
    for record in unit.history:
        if record.version in wanted:
            context = Context(unit.context.program, record.recorded_at, ruled, history=before)
            made = _issued(order, record)
            right = _right(record, _as_it_would_have_been(account, record, more), context, order)
            for key in dict.fromkeys([*made, *(right or made)]):
                posting = made[key] if key in made or not right else right[key]
                amount = posting.amount if right is None else right[key].amount if key in right else 0
                more[_day(record), key[0] or ""] += amount - (made[key].amount if key in made else 0)
                yield Gift(record, (key in made and posting.lot) or f"{record.version}:{key}", posting, amount)
        accounts.apply(account, record)
        before.append(record)


def _right(record: Record, account: Account, context: Context, order: Correction) -> dict[Key, Posting] | None:
    """What a record would have given under the rules of the context; None where they would not have taken the event at all."""
    command = Command(
        source=record.source,
        id=record.id,
        type=record.type,
        subject=record.subject,
        time=record.time,
        data=record.data,
        actor=record.actor,
    )
    unit = Unit(account, context, record.subject, record.instant, context.state.rules.latest)
    decide = purchase if record.type == "purchase.recorded" else signed_up
    try:
        decision = decide(unit, command)
    except LedgerError:
        return None
    return _issued(order, decision.records[decision.own])


def _issued(order: Correction, record: Record) -> dict[Key, Posting]:
    """The points a record gave, by what they are compared by."""
    found: dict[Key, Posting] = {}
    for posting in gifts(order, record):
        why = posting.why or {}
        key = (posting.rule, posting.source, tuple(why.get("lines", ())), why.get("multiplies"))
        found[key] = posting
    return found


def _as_it_would_have_been(account: Account, record: Record, more: Counter[tuple[str, str]]) -> Account:
    """The account with what caps count as if the records before had been right."""
    seen = accounts.copied(account)
    given = dict(seen.parts.get("given", {}))
    for (day, rule), amount in more.items():
        if day == seen.day == _day(record):
            seen.earned[rule] = seen.earned.get(rule, 0) + amount
        if rule in given:
            given[rule] += amount
    if given:
        seen.parts["given"] = given
    return seen


def _day(record: Record) -> str:
    return str((record.derived or {}).get("business_day", ""))


def _earnings(unit: Unit, gift: Gift) -> list[Earning]:
    """What stands for a gift now: what it gave itself, then what corrections have added to it."""
    timeline = unit.timeline
    lots = [gift.name, *timeline.completed.get(gift.name, ())]
    return [timeline.given[lot] for lot in lots if lot in timeline.given]


def _reduce(unit: Unit, gift: Gift, earning: Earning, right: int, trade: Order | None, order: Correction) -> Excess:
    """Make an earning smaller; what refunds took back of it already is not due again."""
    was, refunded = earning.points, earning.due
    earning.points = right
    earning.due = due_of(trade, earning) if trade is not None else 0
    earning.moved = delivered_share(trade, earning) if trade is not None and earning.moved else 0
    back = was - refunded - (right - earning.due)
    forgone = min(earning.dropped, refunded - earning.due)
    lot = earning.lots[0]
    part = {"record": gift.record.version, "of": gift.name, "lot": lot, "was": was, "right": right}
    part |= {"refunded": earning.due, "delivered": earning.moved, "due": back, "forgone": forgone}
    part |= dict.fromkeys(("own", "expired", "others", "dropped", "debt", "given"), 0)
    why = {"correction": order.id, "record": gift.record.version, "lot": lot}
    return Excess(earning, part, unit.timeline.courses[lot].opened_at, back, why)


def _take_back(unit: Unit, order: Correction, excesses: list[Excess]) -> None:
    """First everything from its own lots, then what is missing from others, so that no wrong lot pays for another."""
    pending_only = order.content["spent"] == "pending_only"
    for excess in excesses:
        lots, at = excess.earning.lots, max(unit.instant, excess.opened_at)
        own = [part for part in unit.timeline.own(lots, at) if not pending_only or part.lot.available_at > at]
        _note(excess, "own", _taken(unit, own, excess, at))
        expired = min(excess.left, unit.timeline.expired_of(lots, at))
        unit.timeline.count_expired(lots, expired)
        _note(excess, "expired", expired)
    for excess in excesses:
        at = max(unit.instant, excess.opened_at)
        for instant in () if pending_only or not excess.left else _instants(unit, at):
            free = unit.timeline.free_at(ASSET, instant, pending=True)
            _note(excess, "others", _taken(unit, free, excess, instant))
        if excess.left and order.content["spent"] == "allow_negative":
            _note(excess, "debt", owe(unit, ASSET, excess.left, at, excess.why, ACCOUNT))
        _note(excess, "dropped", excess.left)


def _instants(unit: Unit, at: int) -> tuple[int, ...]:
    """When others are looked at: at the order's instant what was free from then until now, then what is open now."""
    return (at, unit.context.now) if unit.late and told_after(unit.context, unit.instant) else (at,)


def _taken(unit: Unit, free: list[Free], excess: Excess, at: int) -> int:
    return take(unit, ASSET, chosen(free, excess.left), at, excess.why, ACCOUNT)


def _note(excess: Excess, what: str, amount: int) -> None:
    excess.part[what] += amount
    excess.left -= amount


def _complete(
    unit: Unit, gift: Gift, missing: int, trade: Order | None, order: Correction, opened: list[tuple[str, int, int]]
) -> dict[str, Any]:
    """Give what a gift lacked, with the dates of its lot; what would be gone by now counts as expired."""
    posting, record = gift.posting, gift.record
    why: dict[str, Any] = {
        name: (posting.why or {})[name] for name in ("lines", "bases") if name in (posting.why or {})
    }
    earning = Earning([], missing, dict(zip(why.get("lines", ()), why.get("bases", ()), strict=True)))
    if trade is not None:  # what is refunded is a share of the whole gift: shares of its parts may round to less
        already = sum(one.due for one in _earnings(unit, gift))
        earning.due = max(0, min(missing, due_of(trade, replace(earning, points=gift.right)) - already))
    given = missing - earning.due
    part = {"record": record.version, "of": gift.name, "lot": None, "was": 0, "right": missing}
    part |= {"refunded": earning.due, "delivered": 0, "due": 0, "forgone": 0}
    part |= dict.fromkeys(("own", "expired", "others", "dropped", "debt", "given"), 0)
    if not given:
        return part
    if posting.expires_at <= unit.instant:
        return part | {"expired": given}
    available_at = posting.available_at
    if available_at == NEVER and trade is not None and delivered_share(trade, earning) >= missing:
        available_at = None
    lot = unit.post(
        Posting(
            ASSET,
            given,
            ACCOUNT,
            "customer:points",
            lot="",
            available_at=available_at if available_at is None or available_at > unit.instant else None,
            granted_at=record.instant if posting.granted_at is None else posting.granted_at,
            expires_at=posting.expires_at,
            reason=posting.reason or posting.source.rpartition(":")[2],
            rule=posting.rule,
            why={**why, "correction": order.id, "completes": gift.name},
        )
    )
    opened.append((lot, given, posting.expires_at))
    return part | {"lot": lot, "given": given}


def _charge(unit: Unit, gift: Gift, points: int) -> None:
    """Give a budget back what was too much, and take from it what was missing; it is never a reason not to correct."""
    book, rule = unit.context.state.rules, gift.posting.rule
    if not points or rule is None:
        return
    for one in book.numbered(gift.record.rules).document.earning:
        if one.id == rule and one.budget is not None:
            unit.counters.append((one.budget_counter, points, None))
