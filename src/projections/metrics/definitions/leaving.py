"""Customers who are leaving or have left: who they are, when and what they last bought, and what they were worth.

Customers whose `stage` at as_of is silent, dormant or churned (of=going: silent and dormant; of=gone: churned), the most
valuable first, ties by id, up to `limit`. amount = Σ amount of all their counted orders; last_bought = the line of the last one
with the largest amount, its category where it has one, else its sku; null where the order has no lines. With
`currency` only orders in it count, also for the stage.
Source: docs/METRICS.md, "stage@1".
"""

from projections.metrics.definition import CURRENCY, Asked, Parameter, Row, define
from projections.metrics.definitions import stage
from projections.metrics.orders import counted_orders, with_refunds
from projections.metrics.tables import first_of
from projections.twin.fleet import Expression, Fleet

STAGES_OF = {"all": ("silent", "dormant", "churned"), "going": ("silent", "dormant"), "gone": ("churned",)}


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Each customer with the last order and the sum of all."""
    staged = stage.stages(fleet, asked)
    away = staged.filter(staged.stage.isin(STAGES_OF[asked["of"]]))
    orders = counted_orders(fleet, asked)
    worth = orders.group_by("customer").agg(orders=orders.count(), amount=orders.amount.sum())
    last = first_of(orders, "customer", [orders["at"].desc(), orders.position.desc()])
    found = away.inner_join(worth, "customer").inner_join(
        last.select("customer", "position", last_at="local_at"), "customer"
    )
    found = found.order_by([found.amount.desc(), found.customer]).limit(asked["limit"])
    found = found.left_join(_bought(fleet), "position")
    rows = fleet.rows(found.select("customer", "stage", "last_at", "days_since", "last_bought", "orders", "amount"))
    return sorted((_row(row) for row in rows), key=lambda row: (-row["amount"], row["customer"]))


def _bought(fleet: Fleet) -> Expression:
    """The largest line of each order."""
    lines = fleet.table("order_lines")
    largest = first_of(lines, "position", [lines.amount.desc(), lines.line])
    return largest.select("position", last_bought=largest.category.coalesce(largest.sku))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers, and what was refunded of them."""
    staged = stage.stages(fleet, asked)
    away = staged.filter(staged.stage.isin(STAGES_OF[asked["of"]]))
    return with_refunds(fleet, asked, counted_orders(fleet, asked).semi_join(away, "customer"), ["customer"])


def _row(row: Row) -> Row:
    return {
        "customer": row["customer"],
        "stage": row["stage"],
        "last_on": row["last_at"].date().isoformat(),
        "days_since": int(row["days_since"]),
        "last_bought": row["last_bought"],
        "orders": row["orders"],
        "amount": int(row["amount"]),
    }


DEFINITION = define(
    __doc__,
    compute,
    name="leaving",
    version=1,
    parameters=(
        *stage.DEFINITION.parameters,
        CURRENCY,
        Parameter("of", "Those who are going, those who are gone, or all.", "choice", "going", tuple(STAGES_OF)),
        Parameter("limit", "How many customers at most.", "whole", 100, most=10_000),
    ),
    window=False,
    keys=("customer",),
    explain=explain,
)
