"""What customers hold: the remaining of every lot and debt at `as_of`, whether or not the clock has written what fell due.

The per-customer fold and this are two roads to one number; a property test holds them together. Source: `ledger.account.lapsed`.
"""

from ledger.instants import to_datetime
from projections.twin.fleet import Expression, Fleet


def entries_by_lot(fleet: Fleet) -> Expression:
    """Every lot (`kind` lot) and debt with what is `left` of it by its records alone, written expiries only.

    `position` is of the record that opened it.
    """
    entries = fleet.table("lot_entries")
    return entries.group_by(["customer", "asset", "kind", "lot"]).agg(
        left=entries.amount.sum(),
        granted_at=entries.granted_at.max(),
        expires_at=entries.expires_at.max(),
        held_until=entries.held_until.max(),
        reason=entries.reason.max(),
        position=entries.position.max(where=entries.opens),
    )


def has_lapsed(fleet: Fleet, lots: Expression) -> Expression:
    """Whether a lot is past its expiry at `as_of` and no hold keeps it."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    as_of = ibis.timestamp(to_datetime(fleet.cut.as_of).replace(tzinfo=None))
    gone = lots.expires_at.notnull() & (lots.expires_at <= as_of)
    return gone & (lots.held_until.isnull() | (lots.held_until <= as_of))


def remaining(fleet: Fleet) -> Expression:
    """Every lot and debt of which something is left at `as_of`."""
    lots = entries_by_lot(fleet)
    return lots.filter((lots.left != 0) & ~has_lapsed(fleet, lots))


def balances(fleet: Fleet) -> Expression:
    """`customer`, `asset`, `balance` = Σ remaining of lots − Σ remaining of debts, and `debt`; held and pending included."""
    left = remaining(fleet)
    debt = left.left.sum(where=left.kind == "debt").fill_null(0)
    lots = left.left.sum(where=left.kind == "lot").fill_null(0)
    return left.group_by(["customer", "asset"]).agg(balance=lots - debt, debt=debt)
