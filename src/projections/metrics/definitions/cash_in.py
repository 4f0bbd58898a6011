"""Cash-in (回款): the money that came in: paid for orders, loaded, paid for memberships and packages, less what was paid back.

value = orders + stored_value + memberships + packages − refunds, each at its own date. orders = Σ tenders of orders in cash, by
card, wechat, alipay or other; what stored value, points, coupons or a partner paid is no cash of that day. refunds = Σ such tenders
of refunds, and what was paid back of loads, memberships and packages. untendered = Σ totals of orders that name no tenders − Σ
refunds and returns that name none: shown apart, and part of the value with untendered=include. Minor units.
Source: docs/METRICS.md, "cash_in@1".
"""

from projections.metrics.definition import CURRENCY, ORDER_DIMENSIONS, Asked, Parameter, Row, define
from projections.metrics.orders import in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

CASH = ("cash", "card", "wechat", "alipay", "other")
PARTS = ("orders", "stored_value", "memberships", "packages", "refunds", "untendered")


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Every movement of money as a part with its sum."""
    moved, keys = with_keys(in_window(_moved(fleet, asked), asked), asked)
    found: dict[tuple[object, ...], Row] = {} if keys else {(): dict.fromkeys(PARTS, 0)}
    for row in fleet.rows(moved.group_by([*keys, "part"]).agg(minor=moved.amount.sum())):
        key = tuple(row[one] for one in keys)
        target = found.setdefault(key, {**dict(zip(keys, key, strict=True)), **dict.fromkeys(PARTS, 0)})
        target[row["part"]] = int(row["minor"])
    return [_finished(row, asked) for row in found.values()]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """Orders, refunds, loads, packages and memberships that are part of the value."""
    moved, keys = with_keys(in_window(_moved(fleet, asked), asked), asked)
    if asked["untendered"] == "exclude":
        moved = moved.filter(moved.part != "untendered")
    return moved.select("position", *keys)


def _moved(fleet: Fleet, asked: Asked) -> Expression:
    """Money by `part`: refunds are below 0."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    columns = ("position", "at", "local_at", *asked.dimensions)
    tenders = fleet.table("tenders")
    sold = fleet.table("orders").mutate(amount=lambda one: one.total)
    undone = fleet.table("refunds").mutate(amount=lambda one: -one.amount)
    places = stacked(sold.select("position", *asked.dimensions), undone)
    paid = tenders.filter(tenders.kind.isin(CASH)).inner_join(places, "position")
    paid = paid.select(*columns, "currency", "amount", part=(paid.amount < 0).ifelse("refunds", "orders"))
    silent = stacked(sold.select(*columns, "currency", "amount"), undone)
    silent = silent.anti_join(tenders, "position").mutate(part=ibis.literal("untendered"))
    ahead = fleet.table("prepayments")
    kinds = ibis.cases(
        (ahead.kind == "stored_value", "stored_value"), (ahead.kind == "package", "packages"), else_="memberships"
    )
    ahead = ahead.select(*columns, "currency", "amount", part=ahead.is_refund.ifelse("refunds", kinds))
    moved = stacked(paid, silent, ahead)
    return moved.filter(moved.currency == asked["currency"]) if asked["currency"] else moved


def _finished(row: Row, asked: Asked) -> Row:
    value = sum(row[part] for part in PARTS if part != "untendered" or asked["untendered"] == "include")
    return {**row, "refunds": -row["refunds"], "value": value}


DEFINITION = define(
    __doc__,
    compute,
    name="cash_in",
    version=1,
    parameters=(
        CURRENCY,
        Parameter(
            "untendered", "Orders and refunds that name no tenders.", "choice", "exclude", ("exclude", "include")
        ),
    ),
    by=(*TIME_UNITS, *ORDER_DIMENSIONS),
    empty={**dict.fromkeys(PARTS, 0), "value": 0},
    explain=explain,
    money=("orders", "refunds", "prepayments"),
)
