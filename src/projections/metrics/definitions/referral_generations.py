"""Generations of referrals: customers brought by customers nobody brought, those brought by these, and so on.

generation 1 = customers whose referral stands at as_of and whose referrer was brought by nobody; generation n + 1 = those brought
by generation n; up to `generations`. qualified = those of them whose referral has qualified; orders, amount = their counted orders,
from the referral on; per_referrer = customers of the generation ÷ customers of the one before (generation 0: their referrers).
Source: docs/METRICS.md; the referral block of the rules.
"""

from collections import defaultdict
from typing import Any

from projections.metrics.definition import MONEY, Asked, Parameter, Row, define, ratio
from projections.metrics.referring import brought, orders_of_brought
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Generation after generation, with what they bought."""
    members = _members(fleet, asked)
    orders = orders_of_brought(fleet, asked).inner_join(members.select("customer", "generation"), "customer")
    bought = {
        row["generation"]: row
        for row in fleet.rows(orders.group_by("generation").agg(orders=orders.count(), amount=orders.amount.sum()))
    }
    counted = members.group_by("generation").agg(
        customers=members.count(), qualified=members.qualified.sum(), referrers=members.referrer.nunique()
    )
    rows: list[Row] = []
    for row in sorted(fleet.rows(counted), key=lambda row: row["generation"]):
        before = rows[-1]["customers"] if rows else row["referrers"]
        own = bought.get(row["generation"], {"orders": 0, "amount": 0})
        rows.append(
            {
                "generation": row["generation"],
                "customers": row["customers"],
                "qualified": int(row["qualified"]),
                "orders": own["orders"],
                "amount": int(own["amount"]),
                "per_referrer": ratio(row["customers"], before),
            }
        )
    return rows


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The referrals that brought a generation, and its orders."""
    members = _members(fleet, asked)
    orders = orders_of_brought(fleet, asked).inner_join(members.select("customer", "generation"), "customer")
    return stacked(members.select("position", "generation"), orders)


def _members(fleet: Fleet, asked: Asked) -> Expression:
    """Customers who were brought, with their `generation`; looked at in memory, since each hangs on the one before."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415

    everyone = fleet.backend.to_pyarrow(brought(fleet).select("customer", "referrer", "qualified", "position"))
    numbers = _generations(everyone.column("customer").to_pylist(), everyone.column("referrer").to_pylist())
    numbered = everyone.append_column("generation", pa.array(numbers, pa.int64()))
    members = ibis.memtable(numbered)
    return members.filter(members.generation <= asked["generations"])


def _generations(customers: list[str], referrers: list[str]) -> list[int | None]:
    """The generation of each customer; None of those in a loop, which nobody begins."""
    brought_by: dict[str, list[int]] = defaultdict(list)
    for place, referrer in enumerate(referrers):
        brought_by[referrer].append(place)
    known = set(customers)
    found: list[Any] = [None] * len(customers)
    level = [place for referrer, places in brought_by.items() if referrer not in known for place in places]
    generation = 1
    while level:
        for place in level:
            found[place] = generation
        level = [below for place in level for below in brought_by.get(customers[place], ())]
        generation += 1
    return found


DEFINITION = define(
    __doc__,
    compute,
    name="referral/generations",
    version=1,
    parameters=(*MONEY, Parameter("generations", "How many at most.", "whole", 5, most=10)),
    window=False,
    keys=("generation",),
    explain=explain,
)
