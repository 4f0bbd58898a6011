"""Occasions in order of each customer, with the gap before each."""

from ledger.instants import DAY
from projections.metrics.definition import Asked
from projections.metrics.orders import counted_orders, occasion_instants
from projections.twin.fleet import Expression, Fleet


def with_gaps(fleet: Fleet, asked: Asked) -> Expression:
    """Occasions with `number` (1 for the first ever), and `before` and `gap_days` of the one before, null for the first."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    seen = occasion_instants(counted_orders(fleet, asked), asked)
    by_customer = ibis.window(group_by="customer", order_by="at")
    seen = seen.mutate(
        number=ibis.row_number().over(by_customer) + 1,
        before=seen["at"].lag().over(by_customer),
        position_before=seen.position.lag().over(by_customer),
    )
    gap = seen["at"].delta(seen.before, unit="microsecond")
    return seen.mutate(gap_days=gap.cast("float64") / DAY)
