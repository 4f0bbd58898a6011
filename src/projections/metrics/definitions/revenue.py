"""Revenue: what was sold in the period, less what was refunded in it.

gross = Σ totals of orders placed in the period; refunds = Σ refunds and returns dated in the period, whatever order they
undo; net = gross − refunds; refund_rate = refunds ÷ gross. Minor units. This is refund_basis=refund_date: a refund lowers the
period it happens in, never one that is over. By tier a refund counts for the tier of the order it undoes (of the latest one, where
it undoes several; none, where it undoes none), by category for those of its lines, by cohort for its customer's.
Source: docs/METRICS.md, "Defaults".
"""

from projections.metrics.definition import CURRENCY, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import cohorts, grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.tables import first_of, stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Gross of orders and what refunds took back, each at its own date."""
    found: dict[tuple[object, ...], Row] = {}
    for name, side in (("orders", _sold(fleet, asked)), ("refunds", _undone(fleet, asked))):
        table, keys = with_keys(in_window(side, asked), asked)
        for row in fleet.rows(grouped(table, keys).agg(n=table.count(), minor=table.amount.sum())):
            key = tuple(row[one] for one in keys)
            target = found.setdefault(key, {**dict(zip(keys, key, strict=True)), **_NOTHING})
            target["gross" if name == "orders" else "refunds"] = int(row["minor"] or 0)
            target["orders" if name == "orders" else "refunds_count"] = row["n"]
    return [_finished(row) for row in found.values()]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """Orders, refunds and returns of the window."""
    sold, keys = with_keys(in_window(_sold(fleet, asked), asked), asked)
    undone, _ = with_keys(in_window(_undone(fleet, asked), asked), asked)
    return stacked(sold.select("position", *keys), undone)


def _sold(fleet: Fleet, asked: Asked) -> Expression:
    """Orders with their `amount`; by category once for each category, with that of its lines."""
    orders = _in_currency(fleet.table("orders"), asked).mutate(amount=lambda one: one.total)
    if "category" in asked.by:
        lines = fleet.table("order_lines")
        parts = lines.group_by(["position", "category"]).agg(part=lines.amount.sum()).rename(of="position")
        orders = orders.left_join(parts, orders.position == parts.of)
        orders = orders.mutate(amount=orders.part.coalesce(orders.amount))
    return _with_cohort(fleet, orders, asked)


def _undone(fleet: Fleet, asked: Asked) -> Expression:
    """Refunds and returns with their `amount`; by category once for each category of what they undo."""
    refunds = _in_currency(fleet.table("refunds"), asked)
    if "tier" in asked.by:
        refunds = refunds.left_join(_tiers_of_refunds(fleet), "position").drop("position_right")
    if "category" in asked.by:
        parts = _categories_of_refunds(fleet).rename(of="position")
        refunds = refunds.left_join(parts, refunds.position == parts.of)
        refunds = refunds.mutate(amount=refunds.part.coalesce(refunds.amount))
    return _with_cohort(fleet, refunds, asked)


def _tiers_of_refunds(fleet: Fleet) -> Expression:
    orders = fleet.table("orders").select("reference", "tier", ordered="position")
    parts = fleet.table("refund_parts").select("position", "reference").inner_join(orders, "reference")
    return first_of(parts, "position", [parts.ordered.desc()]).select("position", "tier")


def _categories_of_refunds(fleet: Fleet) -> Expression:
    """By refund (`position`) and category the `part` of its amount: of the lines it undoes, or of the goods brought back."""
    orders = fleet.table("orders").select("reference", ordered="position")
    lines = fleet.table("order_lines").select("line", "category", ordered="position")
    undone = fleet.table("refund_lines").anti_join(fleet.table("returned_lines"), "position")
    undone = undone.select("position", "reference", "line", "amount").inner_join(orders, "reference")
    undone = undone.left_join(lines, ["ordered", "line"]).select("position", "category", "amount")
    parts = stacked(undone, fleet.table("returned_lines"))
    return parts.group_by(["position", "category"]).agg(part=parts.amount.sum())


def _with_cohort(fleet: Fleet, table: Expression, asked: Asked) -> Expression:
    if "cohort" not in asked.by:
        return table
    return table.left_join(cohorts(fleet, fleet.table("orders")), "customer").drop("customer_right")


def _in_currency(table: Expression, asked: Asked) -> Expression:
    return table.filter(table.currency == asked["currency"]) if asked["currency"] else table


def _finished(row: Row) -> Row:
    return {**row, "net": row["gross"] - row["refunds"], "refund_rate": ratio(row["refunds"], row["gross"])}


_NOTHING: Row = {"orders": 0, "gross": 0, "refunds_count": 0, "refunds": 0, "net": 0, "refund_rate": None}

DEFINITION = define(
    __doc__,
    compute,
    name="revenue",
    version=1,
    parameters=(CURRENCY,),
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty=_NOTHING,
    explain=explain,
    money=("orders", "refunds"),
)
