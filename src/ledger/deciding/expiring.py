"""What time takes: the postings of lots past their expiry, by the type of the record that tells of them, and their reversal."""

from ledger.account import order_of_consumption
from ledger.records import Lot, Posting

TOLD_APART = frozenset({"coupon", "package"})
"""First words of assets with records of their own, as `coupon.expired`; all others are told of as `points.expired`."""


def expiries(lots: list[Lot]) -> dict[str, tuple[Posting, ...]]:
    """The postings that expire lots of one instant, an asset each, by record type."""
    by_asset: dict[str, list[Lot]] = {}
    for lot in lots:
        by_asset.setdefault(lot.asset, []).append(lot)
    told: dict[str, tuple[Posting, ...]] = {}
    for asset, gone in by_asset.items():
        posting = Posting(
            asset,
            sum(lot.remaining for lot in gone),
            f"customer:{asset}",
            "program:expired",
            lots=tuple((lot.id, lot.remaining) for lot in sorted(gone, key=order_of_consumption)),
        )
        what = f"{_word(asset)}.expired"
        told[what] = (*told.get(what, ()), posting)
    return told


def expiry_reversal(parts: list[tuple[Lot, int]]) -> tuple[str, tuple[Posting, ...]]:
    """The record type and the postings that give back to lots what one record expired."""
    by_asset: dict[str, list[tuple[Lot, int]]] = {}
    for lot, amount in parts:
        by_asset.setdefault(lot.asset, []).append((lot, amount))
    postings = tuple(
        Posting(
            asset,
            sum(amount for _, amount in back),
            "program:expired",
            f"customer:{asset}",
            lots=tuple((lot.id, amount) for lot, amount in back),
            restores=tuple(lot._replace(remaining=0) for lot, _ in back),
        )
        for asset, back in by_asset.items()
    )
    return f"{_word(parts[0][0].asset)}.expiry_reversed", postings


def _word(asset: str) -> str:
    word = asset.partition(":")[0]
    return word if word in TOLD_APART else "points"
