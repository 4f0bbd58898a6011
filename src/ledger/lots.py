"""Taking from lots: which ones, in what order, and how much of each was free."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.account import Account, order_of_consumption
from ledger.instants import NEVER, to_datetime
from ledger.records import Lot, Posting

LOTS_APART_MAX = 100


class Free(NamedTuple):
    """A lot and how much of it can be taken."""

    lot: Lot
    amount: int


def free_at(account: Account, asset: str, instant: int, *, pending: bool) -> list[Free]:
    """What can be taken from the head of a stream at an instant not before its latest; soonest expiry first, then oldest.

    Args:
        pending: whether lots not yet available count.
    """
    lots = [
        lot
        for lot in account.lots.values()
        if lot.asset == asset and lot.expires_at > instant and (pending or lot.available_at <= instant)
    ]
    if len(lots) > 1:
        lots.sort(key=order_of_consumption)
    return [Free(lot, lot.remaining) for lot in lots]


def total(free: Iterable[Free]) -> int:
    """How much can be taken altogether."""
    return sum(part.amount for part in free)


def chosen(free: Iterable[Free], amount: int) -> list[Free]:
    """The first lots that together hold `amount`, the last of them in part; all of them if they hold less."""
    taken = []
    for lot, available in free:
        if amount <= 0:
            break
        part = min(available, amount)
        if part:
            taken.append(Free(lot, part))
            amount -= part
    return taken


def joinable(account: Account, asset: str, instant: int) -> list[list[Lot]]:
    """Groups of at least two open lots that agree in expiry, reason and month of grant, the largest first.

    Those still pending agree in `available_at` too; what waits for a delivery stays apart, so that the delivery finds it.

    Args:
        instant: lots gone by then are left for the clock.
    """
    lots = (
        lot
        for lot in account.lots.values()
        if lot.asset == asset and lot.expires_at > instant and lot.available_at != NEVER
    )
    groups = (group for group in agreeing(lots, instant) if len(group) > 1)
    return sorted(groups, key=len, reverse=True)


def agreeing(lots: Iterable[Lot], instant: int = 0) -> list[list[Lot]]:
    """Lots by what they agree in: expiry, reason, month of grant, and until when they wait after an instant."""
    groups: dict[tuple[int, int, str, int], list[Lot]] = {}
    for lot in lots:
        pending_until = max(lot.available_at, instant)
        groups.setdefault((lot.expires_at, pending_until, lot.reason, _month(lot.granted_at)), []).append(lot)
    return list(groups.values())


def in_groups(parts: list[Free]) -> list[list[Free]]:
    """One lot apart each; of very many, those that agree together, so that a record does not grow beyond its bounds."""
    if len(parts) <= LOTS_APART_MAX:
        return [[part] for part in parts]
    amounts = {part.lot.id: part.amount for part in parts}
    return [[Free(lot, amounts[lot.id]) for lot in group] for group in agreeing(part.lot for part in parts)]


def _month(instant: int) -> int:
    granted = to_datetime(instant)
    return granted.year * 12 + granted.month


def open_after(account: Account, postings: Sequence[Posting], asset: str, at: int) -> int:
    """How many lots of an asset will be open at an instant, with postings that are to come."""
    left = {lot.id: lot.remaining for lot in account.lots.values() if lot.asset == asset and lot.expires_at > at}
    for posting in postings:
        if posting.asset == asset:
            sign = -1 if posting.source.startswith("customer:") else 1
            for lot, amount in posting.lots:
                left[lot] = left.get(lot, 0) + sign * amount
            if posting.lot is not None and posting.to == f"customer:{asset}":
                left[posting.lot] = posting.amount
    return sum(amount > 0 for amount in left.values())
