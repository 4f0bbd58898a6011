"""Categories by stage: what the customers of each life-cycle stage have bought.

By the customer's `stage` at as_of and the category of the lines: customers, orders and amount of counted orders in the window; an
order of several categories counts in each, with the amount of its lines alone; share = amount ÷ amount of the stage. An order
without lines is of no category (null). With `currency` only orders in it count, also for the stage. Minor units.
Source: docs/METRICS.md, "stage@1".
"""

from projections.metrics.definition import CURRENCY, Asked, Row, define, ratio
from projections.metrics.definitions import stage
from projections.metrics.orders import by_category, counted_orders, in_window, with_refunds
from projections.twin.fleet import Expression, Fleet

KEYS = ["stage", "category"]


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Parts of orders by stage and category, in the order of the stages."""
    parts = _parts(fleet, asked)
    rows = fleet.rows(
        parts.group_by(KEYS).agg(
            customers=parts.customer.nunique(), orders=parts.count(), amount=parts.amount.sum().cast("int64")
        )
    )
    whole: dict[str, int] = {}
    for row in rows:
        whole[row["stage"]] = whole.get(row["stage"], 0) + row["amount"]
    rows.sort(key=lambda row: (stage.STAGES.index(row["stage"]), row["category"] is None, row["category"] or ""))
    return [{**row, "share": ratio(row["amount"], whole[row["stage"]])} for row in rows]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders with a line of the category, and what was refunded of them."""
    return with_refunds(fleet, asked, _parts(fleet, asked), KEYS)


def _parts(fleet: Fleet, asked: Asked) -> Expression:
    """Counted orders of the window by category, with the stage of their customer."""
    staged = stage.stages(fleet, asked).select("customer", "stage")
    orders = in_window(counted_orders(fleet, asked), asked)
    return by_category(fleet, orders, asked).inner_join(staged, "customer")


DEFINITION = define(
    __doc__,
    compute,
    name="products/by_stage",
    version=1,
    parameters=(*stage.DEFINITION.parameters, CURRENCY),
    keys=tuple(KEYS),
    explain=explain,
)
