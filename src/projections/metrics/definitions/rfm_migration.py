"""RFM migration: how many customers were in one segment at one date and are in another at as_of.

before = the segment at the last instant before `from` (left out: `days` days before as_of), as the same records are known now;
after = the segment at as_of; each over all orders up to its date. scoring=threshold: edges of `rfm/threshold`, so that a
customer moves by its own doing alone; scoring=quantile: `rfm/quantile`, where others move it too. A customer without a counted
order at a date is in no segment then: `none`.
Source: docs/METRICS.md, "rfm/quantile@1", "rfm/threshold@1".
"""

from dataclasses import replace

from projections.metrics.definition import MONEY, Asked, Parameter, Row, define
from projections.metrics.definitions import rfm_quantile, rfm_threshold
from projections.metrics.definitions.stage_flows import DAYS, earlier
from projections.metrics.orders import counted_orders, with_refunds
from projections.metrics.rfm import segment_table
from projections.twin.fleet import Expression, Fleet

SCORINGS = {"threshold": rfm_threshold.segmented, "quantile": rfm_quantile.segmented}
NONE = "none"


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Customers by both segments; moves of nobody are left out."""
    both = _both(fleet, asked)
    rows = fleet.rows(both.group_by(["before", "after"]).agg(customers=both.count()))
    return sorted(rows, key=lambda row: (row["before"], row["after"]))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers who moved so, up to as_of, and what was refunded of them."""
    orders = counted_orders(fleet, asked).inner_join(_both(fleet, asked), "customer")
    return with_refunds(fleet, asked, orders, ["before", "after"])


def _both(fleet: Fleet, asked: Asked) -> Expression:
    """Customers with their segments `before` and `after`."""
    segmented = SCORINGS[asked["scoring"]]
    whole = replace(asked, start=None, end=None)
    after = segment_table(segmented(fleet, whole)).rename(after="segment")
    before = segment_table(segmented(earlier(fleet, asked), whole)).rename(before="segment")
    both = before.outer_join(after, "customer")
    return both.select(
        customer=both.customer.coalesce(both.customer_right),
        before=both.before.fill_null(NONE),
        after=both.after.fill_null(NONE),
    )


DEFINITION = define(
    __doc__,
    compute,
    name="rfm/migration",
    version=1,
    parameters=(
        *MONEY,
        Parameter("scoring", "By edges that are given, or by quintiles.", "choice", "threshold", tuple(SCORINGS)),
        *rfm_threshold.EDGES_GIVEN,
        DAYS,
    ),
    keys=("before", "after"),
    explain=explain,
)
