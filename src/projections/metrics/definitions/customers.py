"""Customers: streams opened by the end of the period and not closed, merged into another or erased by then.

opened = customers whose first record happened in the period; left = customers closed, merged or erased in it;
net = opened − left; customers = opened before its end − left before its end. A customer is where its first place was (channel,
store, brand …). A customer without an order or a sign-up with a place has none. By tier: where customers stand at as_of.
Source: docs/METRICS.md; the pool of customers a program has, whoever is connected.
"""

from projections.metrics.definition import ORDER_DIMENSIONS, Asked, Row, define
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.standing import LEAVING, tiers
from projections.metrics.tables import first_of, stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Opened and left by period, and the sum of both up to its end."""
    opened, left = _opened_and_left(fleet, asked)
    changes: dict[tuple[object, ...], Row] = {}
    for name, table in (("opened", opened), ("left", left)):
        keyed, keys = with_keys(in_window(table, asked), asked)
        counted = grouped(keyed, keys).agg(n=keyed.count())
        for row in fleet.rows(counted):
            key = tuple(row[one] for one in keys)
            change = changes.setdefault(key, {**dict(zip(keys, key, strict=True)), "opened": 0, "left": 0})
            change[name] = row["n"]
    rows = [changes[key] for key in sorted(changes, key=lambda key: [str(one or "") for one in key])]
    return _summed(rows, asked, _before(fleet, asked, opened, left))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The first records of customers opened in the period, and what ended those that left in it."""
    opened, left = (with_keys(in_window(one, asked), asked) for one in _opened_and_left(fleet, asked))
    return stacked(opened[0].select("position", *opened[1]), left[0])


def _opened_and_left(fleet: Fleet, asked: Asked) -> tuple[Expression, Expression]:
    records = fleet.table("records")
    left = records.filter(records.type.isin(LEAVING))
    return _placed(fleet, asked, _first(records)), _placed(fleet, asked, _first(left))


def _first(records: Expression) -> Expression:
    records = records.select("customer", "at", "local_at", "position")
    return first_of(records, "customer", [records["at"], records.position])


def _placed(fleet: Fleet, asked: Asked, customers: Expression) -> Expression:
    """Customers with their tier at as_of and their first place, where they are asked for."""
    if "tier" in asked.by:
        standing = tiers(fleet).select("customer", "tier")
        customers = customers.left_join(standing, "customer").drop("customer_right")
    wanted = [name for name in asked.dimensions if name != "tier"]
    if not wanted:
        return customers
    seen = [
        table.select("customer", "position", at_place="at", **{name: name for name in wanted})
        for table in (fleet.table("signups"), fleet.table("orders"))
    ]
    places = stacked(*seen)
    places = places.filter(places[wanted[0]].notnull())
    first = first_of(places, "customer", [places.at_place, places.position]).select("customer", *wanted)
    return customers.left_join(first, "customer").drop("customer_right")


def _before(fleet: Fleet, asked: Asked, opened: Expression, left: Expression) -> dict[tuple[object, ...], int]:
    """Customers there were before the window, by dimension."""
    if asked.start is None:
        return {}
    earlier = Asked(asked.parameters, None, asked.start, asked.by)
    found: dict[tuple[object, ...], int] = {}
    for sign, table in ((1, opened), (-1, left)):
        inside = in_window(table, earlier)
        keys = list(asked.dimensions)
        counted = grouped(inside, keys).agg(n=inside.count())
        for row in fleet.rows(counted):
            key = tuple(row[one] for one in keys)
            found[key] = found.get(key, 0) + sign * row["n"]
    return found


def _summed(rows: list[Row], asked: Asked, before: dict[tuple[object, ...], int]) -> list[Row]:
    running = dict(before)
    for row in rows:
        key = tuple(row[one] for one in asked.dimensions)
        row["net"] = row["opened"] - row["left"]
        running[key] = row["customers"] = running.get(key, 0) + row["net"]
    return rows


DEFINITION = define(
    __doc__, compute, name="customers", version=1, by=(*TIME_UNITS, *ORDER_DIMENSIONS, "tier"), explain=explain
)
