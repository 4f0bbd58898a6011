"""Holds: value set aside for a checkout, then captured, released, or timed out.

What is held lies in lots of its own, one for each lot it came from and under the same terms, in the account
`customer:<asset>:held`; there it does not expire. Released it is a lot again with the old expiry, or, past that, expires at once.
Captured it counts as spent at the hold's own instant. Of a coupon one use is held; freed it lies in the coupon's own lot again.
"""

from typing import Any, NamedTuple

from ledger.account import Account, order_of_consumption
from ledger.deciding.authorising import charge, find_authorisation, given_by, payee, payer
from ledger.deciding.command import Command, Decision
from ledger.deciding.counterpart import finish_half
from ledger.deciding.places import where
from ledger.deciding.spending import POINTS, bonus_of, find_points, find_stored, principal_of, shares
from ledger.deciding.unit import Unit
from ledger.deciding.using import count_money, find_use, money_counter, named, taken_off, terms
from ledger.errors import CaptureExceedsHold, HoldEnded, HoldUnknown, TooManyHolds
from ledger.history_value import Held
from ledger.instants import show
from ledger.lots import Free, chosen, in_groups, total
from ledger.parts.authorising import key_of
from ledger.parts.holds import NAME
from ledger.records import Lot, Posting

COUPON = "coupon"

HOLDS_MAX = 100


class Hold(NamedTuple):
    """A hold that can be captured or released: when it was placed, and its lots in order of consumption by asset.

    `coupon` says of a coupon's use what its record said, with the lot it came from.
    """

    instant: int
    consumption: Any
    lots: dict[str, list[Free]]
    coupon: dict[str, Any] | None = None

    @property
    def amount(self) -> int:
        """What is held."""
        return sum(total(lots) for lots in self.lots.values())


def placed(unit: Unit, command: Command) -> Decision:
    """Set an amount aside, on the customer's own account or another's, or one use of a coupon.

    Raises:
        TooManyHolds, InsufficientPoints, InsufficientStoredValue, and what is refused of a coupon or of spending for another:
        nothing is set aside.
    """
    data = command.data
    owner = payer(unit, data)
    if len(owner.account.parts.get(NAME, ())) >= HOLDS_MAX:
        raise TooManyHolds(open=HOLDS_MAX, limit=HOLDS_MAX)
    derived = where(unit, data)
    if data["asset"] == COUPON:
        _set_coupon_aside(unit, data, derived)
        return unit.finish(command, reference=f"hold:{data['hold_id']}", derived=derived)
    said: dict[str, Any] = {}
    if owner is not unit:
        entry = find_authorisation(owner, unit.subject, key_of(data["asset"], data.get("currency")))
        said["authorisation"] = charge(entry, data["amount"])["authorisation"]
    if data["asset"] == POINTS:
        found = find_points(owner, data["amount"])
    else:
        found = find_stored(owner, data["currency"], data["amount"])
        said["consumption"] = unit.rules.document.stored_value.consumption
    for asset, parts in found:
        for group in in_groups(parts):
            _set_aside(owner, asset, group)
    if owner is unit:
        derived |= said
    else:
        named_so = {name: value for name, value in data.items() if name != "on_behalf_of"}
        finish_half(unit, command, command.type, {**named_so, "spender": unit.subject}, said)
    return unit.finish(command, reference=f"hold:{data['hold_id']}", derived=derived)


def captured(unit: Unit, command: Command) -> Decision:
    """Spend what is held, all or part, as at the hold's own instant; the rest is released.

    Raises:
        HoldUnknown: kept until the hold arrives.
        HoldEnded, CaptureExceedsHold
    """
    data = command.data
    owner = _holder(unit, data["hold_id"])
    hold = _open(owner, data["hold_id"], data.get("amount"))
    if hold.coupon is not None:
        return _use(unit, command, hold)
    amount = data.get("amount", hold.amount)
    for asset, lots, part in _shares(hold, amount):
        spent = chosen(lots, part)
        if spent:
            source = f"customer:{asset}:held"
            why = {"hold": data["hold_id"]}
            at = None if hold.instant == unit.instant else hold.instant
            owner.post(Posting(asset, total(spent), source, "program:redeemed", lots=_named(spent), at=at, why=why))
        _release(owner, asset, _rest(lots, spent), max(unit.instant, hold.instant))
    derived = {"captured": amount, "released": hold.amount - amount}
    if owner is not unit:
        said = derived | _counted_again(owner, data["hold_id"], amount)
        finish_half(unit, command, command.type, {**data, "spender": unit.subject}, said)
    return unit.finish(command, reference=f"capture:{data['hold_id']}", derived=derived)


def released(unit: Unit, command: Command) -> Decision:
    """Free what is held.

    Raises:
        HoldUnknown: kept until the hold arrives.
        HoldEnded
    """
    owner = _holder(unit, command.data["hold_id"])
    hold = _open(owner, command.data["hold_id"], None)
    derived: dict[str, Any] = {"released": hold.amount}
    at = max(unit.instant, hold.instant)
    if hold.coupon is not None:
        moved_at = None if at == unit.instant else at
        for posting in _coupon_back(hold.coupon, hold.lots, at, moved_at):
            unit.post(posting)
        derived |= _back_of(hold.coupon, at)
        _count(unit, hold.coupon, -hold.coupon.get("amount", 0))
    else:
        for asset, lots in hold.lots.items():
            _release(owner, asset, lots, at)
    if owner is not unit:
        finish_half(unit, command, command.type, {**command.data, "spender": unit.subject}, derived)
    return unit.finish(command, reference=f"release:{command.data['hold_id']}", derived=derived)


def time_out(unit: Unit, instant: int) -> None:
    """Write the time-out of every hold that has reached its end by an instant."""
    for hold_id, hold in unit.account.parts.get(NAME, {}).items():
        if hold["until"] <= instant:
            version = unit.account.version + 1
            if "coupon" in hold:
                _time_out_coupon(unit, hold_id, hold)
                continue
            postings = [
                posting
                for asset, lots in _lots_of(unit.account, hold["lots"]).items()
                for posting in _releases(asset, lots, hold["until"], None)
            ]
            numbered = [
                posting if posting.lot is None else posting._replace(lot=f"{version}.{number}")
                for number, posting in enumerate(postings, start=1)
            ]
            unit.write_due("hold.timed_out", hold["until"], {"hold_id": hold_id}, tuple(numbered))


def _set_coupon_aside(unit: Unit, data: dict[str, Any], derived: dict[str, Any]) -> None:
    """Hold one use of a coupon, and what it is to take off of the kind's budget."""
    found = find_use(unit, data["coupon_id"], data, derived, uses=1)
    amount = taken_off(found.kind, spend=data.get("spend"), wanted=data.get("amount"))
    (part,) = found.taken
    own = part.lot._replace(remaining=0)
    asset = found.kind.asset
    posting = Posting(
        asset,
        1,
        f"customer:{asset}",
        f"customer:{asset}:held",
        lot="",
        lots=unit.take(found.taken, unit.instant),
        granted_at=own.granted_at,
        expires_at=own.expires_at,
        reason=own.reason,
        restores=(own,),
    )
    unit.post(posting)
    count_money(unit, found.kind, amount)
    derived[COUPON] = {**named(unit, found.held), **found.used(amount)}


def _use(unit: Unit, command: Command, hold: Hold) -> Decision:
    """A coupon's use, as at the hold's own instant; what it takes off less than was held goes back to the budget."""
    coupon, data = hold.coupon or {}, command.data
    held = coupon.get("amount", 0)
    amount = data.get("amount", held)
    at = None if hold.instant == unit.instant else hold.instant
    for asset, lots in hold.lots.items():
        source, why = f"customer:{asset}:held", {"hold": data["hold_id"]}
        unit.post(Posting(asset, total(lots), source, "program:redeemed", lots=_named(lots), at=at, why=why))
    _count(unit, coupon, amount - held)
    kind = terms(unit, coupon["kind"], coupon["rules"])
    used = {**coupon, "lot": coupon["lot"][0]}
    if "amount" in coupon:
        used |= {"amount": amount, "bearers": kind.borne(amount)}
    derived = {"captured": amount, "released": held - amount, COUPON: used}
    return unit.finish(command, reference=f"capture:{data['hold_id']}", derived=derived)


def _time_out_coupon(unit: Unit, hold_id: str, hold: dict[str, Any]) -> None:
    coupon, until = hold[COUPON], hold["until"]
    derived = _back_of(coupon, until)
    kind, amount = terms(unit, coupon["kind"], coupon["rules"]), coupon.get("amount", 0)
    if amount:
        derived["counters"] = [[money_counter(kind), -amount]]
        unit.counters_beside.append((money_counter(kind), -amount, None))
    postings = _coupon_back(coupon, _lots_of(unit.account, hold["lots"]), until, None)
    unit.write_due("hold.timed_out", until, {"hold_id": hold_id}, tuple(postings), derived or None)


def _coupon_back(coupon: dict[str, Any], lots: dict[str, list[Free]], instant: int, at: int | None) -> list[Posting]:
    """What frees a coupon's use at an instant: it lies in its own lot again; past its end it expires at once."""
    own = Lot(*coupon["lot"])
    held = f"customer:{own.asset}:held"
    (parts,) = lots.values()
    if own.expires_at <= instant:
        return [Posting(own.asset, 1, held, "program:expired", lots=_named(parts), at=at)]
    back = ((own.id, 1),)
    return [
        Posting(own.asset, 1, held, "program:reversed", lots=_named(parts), at=at),
        Posting(own.asset, 1, "program:reversed", f"customer:{own.asset}", lots=back, at=at, restores=(own,)),
    ]


def _back_of(coupon: dict[str, Any], instant: int) -> dict[str, Any]:
    """How `derived` names a coupon whose use is free again at an instant; nothing where its time is over."""
    own = Lot(*coupon["lot"])
    if own.expires_at <= instant:
        return {}
    said = {name: coupon[name] for name in ("coupon_id", "kind", "rules", "code", "campaign") if name in coupon}
    return {"coupons_back": [{**said, "lot": own.id}]}


def _count(unit: Unit, coupon: dict[str, Any], amount: int) -> None:
    count_money(unit, terms(unit, coupon["kind"], coupon["rules"]), amount)


def _set_aside(unit: Unit, asset: str, parts: list[Free]) -> None:
    eldest = min((part.lot for part in parts), key=lambda lot: lot.granted_at)
    unit.post(
        Posting(
            asset,
            total(parts),
            f"customer:{asset}",
            f"customer:{asset}:held",
            lot="",
            lots=unit.take(parts, unit.instant),
            granted_at=eldest.granted_at,
            expires_at=eldest.expires_at,
            reason=eldest.reason,
        )
    )


def _holder(unit: Unit, hold_id: str) -> Unit:
    """On whose account a hold of this customer's lies."""
    if hold_id in unit.account.parts.get(NAME, {}):
        return unit
    past = unit.timeline.holds.get(hold_id)
    return unit if past is None or not past.owner or past.ended else payee(unit, past.owner)


def _counted_again(owner: Unit, hold_id: str, amount: int) -> dict[str, Any]:
    """What a late capture of a hold that timed out counts against: what has been spent of the authorisation since stays.

    Raises:
        AuthorisationLimitExceeded
    """
    if hold_id in owner.account.parts.get(NAME, {}):
        return {}
    number = owner.timeline.holds[hold_id].authorisation
    entry = next((one for one in given_by(owner) if one["in"] == number), None)
    return {} if entry is None else {"authorisation": charge(entry, amount)["authorisation"]}


def _open(unit: Unit, hold_id: str, amount: int | None) -> Hold:
    """A hold that is open at the event's instant, of which so much is to be captured."""
    part = unit.account.parts.get(NAME, {}).get(hold_id)
    if part is not None:
        lots = _lots_of(unit.account, part["lots"])
        hold = Hold(part["at"], part["consumption"], lots, part.get("coupon"))
        _check(hold, amount)
        return hold
    past = unit.timeline.holds.get(hold_id)
    if past is None:
        raise HoldUnknown(waits_for=f"hold:{hold_id}", hold_id=hold_id)
    if past.ended != "timed_out" or past.until <= unit.instant:
        raise HoldEnded(hold_id=hold_id, ended=past.ended, at=show(past.ended_at))
    return _taken_back(unit, past, amount)


def _taken_back(unit: Unit, past: Held, amount: int | None) -> Hold:
    """Undo a time-out that the event, late, makes untrue; only where all that was freed has stayed free.

    Each amount goes back from the lot it was freed into, or out of what expired at once, to the lot in which it was held.
    """
    timeline = unit.timeline
    lots: dict[str, list[Free]] = {}
    for held_lot, freed, part in past.freed:
        lot = timeline.held[held_lot]
        lots.setdefault(lot.asset, []).append(Free(lot, part))
        if freed is not None and total(timeline.own([freed], past.until)) < part:
            raise HoldEnded(hold_id=past.id, ended=past.ended, at=show(past.ended_at))
    in_order = {asset: _in_order(parts) for asset, parts in lots.items()}
    hold = Hold(past.instant, past.consumption, in_order, past.coupon)
    _check(hold, amount)
    if past.coupon is not None:
        _count(unit, past.coupon, past.coupon.get("amount", 0))
    why = {"hold": past.id, "timed_out_in": past.ended_in}
    for held_lot, freed, part in past.freed:
        lot = timeline.held[held_lot]
        source = "program:expired"
        if freed is not None:
            source = "program:reversed"
            taken = unit.take([Free(timeline.lots[freed], part)], past.until)
            unit.post(Posting(lot.asset, part, f"customer:{lot.asset}", source, lots=taken, at=past.until, why=why))
        unit.post(
            Posting(
                lot.asset,
                part,
                source,
                f"customer:{lot.asset}:held",
                lots=((held_lot, part),),
                at=past.until,
                why=why,
                restores=(lot._replace(remaining=0),),
            )
        )
    return hold


def _check(hold: Hold, amount: int | None) -> None:
    held = hold.amount if hold.coupon is None else hold.coupon.get("amount", 0)
    if amount is not None and amount > held:
        raise CaptureExceedsHold(held=held, requested=amount)


def _lots_of(account: Account, lots: list[str]) -> dict[str, list[Free]]:
    """Held lots by asset, in order of consumption."""
    found: dict[str, list[Free]] = {}
    for lot in (account.held[lot_id] for lot_id in lots if lot_id in account.held):
        found.setdefault(lot.asset, []).append(Free(lot, lot.remaining))
    return {asset: _in_order(parts) for asset, parts in found.items()}


def _in_order(parts: list[Free]) -> list[Free]:
    return sorted(parts, key=lambda part: order_of_consumption(part.lot))


def _shares(hold: Hold, amount: int) -> list[tuple[str, list[Free], int]]:
    """How an amount captured falls on the assets held: as if only that had been spent."""
    if len(hold.lots) == 1:
        return [(asset, lots, amount) for asset, lots in hold.lots.items()]
    currency = next(iter(hold.lots)).rpartition(":")[2]
    assets = principal_of(currency), bonus_of(currency)
    wanted = shares(hold.consumption, amount, *(total(hold.lots[asset]) for asset in assets))
    return [(asset, hold.lots[asset], part) for asset, part in zip(assets, wanted, strict=True)]


def _rest(lots: list[Free], spent: list[Free]) -> list[Free]:
    gone = {part.lot.id: part.amount for part in spent}
    left = (Free(part.lot, part.amount - gone.get(part.lot.id, 0)) for part in lots)
    return [part for part in left if part.amount]


def _release(unit: Unit, asset: str, lots: list[Free], at: int) -> None:
    for posting in _releases(asset, lots, at, None if at == unit.instant else at):
        unit.post(posting)


def _releases(asset: str, lots: list[Free], instant: int, at: int | None) -> list[Posting]:
    """What frees held lots at an instant: each a lot again under its old terms; what is past its expiry expires at once."""
    held = f"customer:{asset}:held"
    alive = [part for part in lots if part.lot.expires_at > instant]
    gone = [part for part in lots if part.lot.expires_at <= instant]
    postings = [_again(part.lot, part.amount, at) for part in alive]
    if gone:
        postings.append(Posting(asset, total(gone), held, "program:expired", lots=_named(gone), at=at))
    return postings


def _again(lot: Lot, amount: int, at: int | None) -> Posting:
    return Posting(
        lot.asset,
        amount,
        f"customer:{lot.asset}:held",
        f"customer:{lot.asset}",
        lot="",
        lots=((lot.id, amount),),
        at=at,
        granted_at=lot.granted_at,
        expires_at=lot.expires_at,
        reason=lot.reason,
    )


def _named(parts: list[Free]) -> tuple[tuple[str, int], ...]:
    return tuple((part.lot.id, part.amount) for part in parts)
