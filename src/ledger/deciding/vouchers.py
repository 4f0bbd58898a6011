"""Vouchers put in and taken from: which lots are theirs, what may be used, and the exact reason where nothing may.

An open voucher stands in its family's part of the head. One that does not, or of which not enough may be used, is looked up in
the stream's history, which knows why.
"""

from typing import Any, NamedTuple

from ledger.account import OPEN_LOTS_MAX
from ledger.deciding.unit import Unit
from ledger.errors import Refused, TooManyLots
from ledger.instants import show
from ledger.lots import Free, chosen, total
from ledger.records import Posting
from ledger.refusals import CouponHeld
from ledger.rules.coupons import CouponKind, PackageKind, Where
from ledger.vouchers import Held, Vouchers, Words


class Refusals(NamedTuple):
    """What a sort of voucher says where it may not be used."""

    unknown: type[Refused]
    not_yet_valid: type[Refused]
    voided: type[Refused]
    expired: type[Refused]
    used: type[Refused]


def history(unit: Unit, words: Words) -> Vouchers:
    """The stream's vouchers and their uses.

    Raises:
        NeedsHistory
    """
    unit.timeline  # noqa: B018 - asks for the history where it was not read
    return Vouchers.of([*(unit.context.history or ()), *unit.records], words)


def put_in(
    unit: Unit,
    kind: CouponKind | PackageKind,
    uses: int,
    *,
    reason: str,
    expires_at: int | None,
    no: Refusals,
    facts: dict[str, str],
) -> str:
    """Post a voucher's lot; returns its id.

    Args:
        expires_at: an end before the one the rules give.

    Raises:
        Refused: `no.expired`, where it would be gone already.
        TooManyLots
    """
    asset, validity = kind.asset, kind.validity
    ends_at = validity.ends_at(unit.instant, unit.rules.document.zone)
    if expires_at is not None:
        ends_at = min(ends_at, expires_at)
    if ends_at <= unit.instant:
        raise no.expired(**facts, expired_at=show(ends_at))
    open_lots = sum(lot.asset == asset for lot in unit.account.lots.values())
    open_lots += sum(posting.asset == asset and posting.lot is not None for posting in unit.postings)
    if open_lots >= OPEN_LOTS_MAX:
        raise TooManyLots(open=open_lots, limit=OPEN_LOTS_MAX)
    begins_at = validity.begins_at()
    return unit.post(
        Posting(
            asset,
            uses,
            f"program:issued:{reason}",
            f"customer:{asset}",
            lot="",
            available_at=begins_at if begins_at > unit.instant else None,
            expires_at=ends_at,
        )
    )


def check_place(
    usable_at: Where, data: dict[str, Any], derived: dict[str, Any], no: type[Refused], facts: dict[str, str]
) -> None:
    """Refuse a use where the voucher may not be used.

    Raises:
        no
    """
    store, brand = data.get("place", {}).get("store"), derived.get("brand")
    if not usable_at.admits(store, brand):
        raise no(**facts, store=store, brand=brand, **usable_at.model_dump(mode="json"))


def usable(unit: Unit, words: Words, no: Refusals, name: str, uses: int | None) -> tuple[Held, list[Free]]:
    """What to take from a voucher at the unit's instant.

    Args:
        uses: how many, of those valid by then; None = all that are left, those not valid yet included.

    Raises:
        NeedsHistory
        CouponHeld
        Refused: one of `no`.
    """
    entry = None if unit.late else unit.account.parts.get(words.made, {"open": {}})["open"].get(name)
    if entry is not None:
        lots = [unit.account.lots[lot] for lot, *_ in entry["lots"]]
        free = [Free(lot, lot.remaining) for lot in lots]
        begun = all(lot.available_at <= unit.instant for lot in lots)
        if uses is None or (uses <= total(free) and begun):
            taken = chosen(free, total(free) if uses is None else uses)
            return Held(name, entry["kind"], entry["rules"], tuple(lot.id for lot in lots)), taken
    return _looked_up(unit, words, no, name, uses)


def _looked_up(unit: Unit, words: Words, no: Refusals, name: str, uses: int | None) -> tuple[Held, list[Free]]:
    voucher = history(unit, words).all.get(name)
    if voucher is None:
        raise no.unknown(waits_for=f"{words.word}:{name}", **{words.id: name})
    facts = {words.id: name, "kind": voucher.held.kind}
    if voucher.made_at > unit.instant:
        raise no.not_yet_valid(**facts, valid_from=show(voucher.made_at))
    if voucher.voided_at is not None:
        raise no.voided(**facts, voided_at=show(voucher.voided_at))
    free = unit.timeline.own(voucher.held.lots, unit.instant)
    wanted = 1 if uses is None else uses
    if total(free) < wanted:
        _refuse_held(unit, words, facts)
        _refuse(unit, no, voucher.held, facts, wanted)
    begins = max(part.lot.available_at for part in free)
    if uses is not None and begins > unit.instant:
        raise no.not_yet_valid(**facts, valid_from=show(begins))
    return voucher.held, chosen(free, total(free) if uses is None else uses)


def _refuse_held(unit: Unit, words: Words, facts: dict[str, str]) -> None:
    for hold_id, hold in unit.account.parts.get("holds", {}).items():
        if words.word in hold and hold[words.word][words.id] == facts[words.id]:
            raise CouponHeld(**facts, hold_id=hold_id)


def _refuse(unit: Unit, no: Refusals, held: Held, facts: dict[str, str], wanted: int) -> None:
    """Say whether it is used up or too old."""
    lots = [unit.timeline.lots[lot] for lot in held.lots]
    left = sum(unit.timeline.courses[lot.id].held() for lot in lots)
    ended_at = max(lot.expires_at for lot in lots)
    if left >= wanted and ended_at <= unit.instant:
        raise no.expired(**facts, expired_at=show(ended_at))
    raise no.used(**facts, left=left, requested=wanted)
