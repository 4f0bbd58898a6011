"""Cohorts: customers by the month of their first order, and how many of them buy k months later, with what they spend.

cell (c, k) = customers of cohort c with at least one order in calendar month c + k; retention = that ÷ size of c; k = 0 is 1.
With rolling=true k counts [30k, 30k + 30) days from each customer's first order. amount = Σ amount of the cell, cumulated
amount ÷ size is the value of a customer of c by then. A cell whose month has not ended at as_of is incomplete. Customers taken over
with orders of before are in no cohort: their months are not known.
Source: docs/METRICS.md, "cohort@1"; Online Retail's published table under filter F1.
"""

from collections import defaultdict
from datetime import date
from typing import Any

from ledger.instants import DAY, midnight
from projections.metrics.before import without_those_before
from projections.metrics.definition import MONEY, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, with_refunds
from projections.metrics.periods import DECEMBER, local_day, next_period
from projections.twin.fleet import Expression, Fleet

WINDOW_DAYS = 30


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Cells in order of cohort and k."""
    orders = _aged(fleet, asked)
    cells = fleet.rows(
        orders.group_by(["cohort", "k"]).agg(customers=orders.customer.nunique(), amount=orders.amount.sum())
    )
    by_cohort: dict[date, dict[int, Row]] = defaultdict(dict)
    for cell in cells:
        by_cohort[cell["cohort"]][int(cell["k"])] = cell
    zone = fleet.book.zone
    wanted = [
        cohort
        for cohort in sorted(by_cohort)
        if (asked.start is None or midnight(cohort, zone) >= asked.start)
        and (asked.end is None or midnight(cohort, zone) < asked.end)
    ]
    return [row for cohort in wanted for row in _rows(fleet, asked, cohort, by_cohort[cohort])]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of a cell, and what was refunded of them."""
    orders = _aged(fleet, asked)
    zone = fleet.book.zone
    if asked.start is not None:
        orders = orders.filter(orders.cohort > local_day(asked.start - 1, zone))
    if asked.end is not None:
        orders = orders.filter(orders.cohort <= local_day(asked.end - 1, zone))
    orders = orders.mutate(cohort=orders.first_local_at.strftime("%Y-%m"))
    return with_refunds(fleet, asked, orders, ["cohort", "k"])


def _aged(fleet: Fleet, asked: Asked) -> Expression:
    """Orders with the `cohort` of their customer, and their `k`."""
    orders = without_those_before(fleet, counted_orders(fleet, asked))
    first = orders.group_by("customer").agg(first_at=orders["at"].min(), first_local_at=orders.local_at.min())
    orders = orders.inner_join(first, "customer")
    return orders.mutate(cohort=orders.first_local_at.truncate("M").cast("date"), k=_age(orders, asked))


def _age(orders: Expression, asked: Asked) -> Expression:
    if asked["rolling"] == "true":
        age = orders["at"].delta(orders.first_at, unit="microsecond")
        return (age // (WINDOW_DAYS * DAY)).cast("int64")
    months = (orders.local_at.year() - orders.first_local_at.year()) * DECEMBER
    return (months + orders.local_at.month() - orders.first_local_at.month()).cast("int64")


def _rows(fleet: Fleet, asked: Asked, cohort: date, cells: dict[int, Row]) -> list[Row]:
    size = cells[0]["customers"]
    rows, cumulated = [], 0
    for k in range(_last(fleet, asked, cohort, cells) + 1):
        cell: Any = cells.get(k, {"customers": 0, "amount": 0})
        cumulated += int(cell["amount"])
        rows.append(
            {
                "cohort": f"{cohort:%Y-%m}",
                "k": k,
                "size": size,
                "customers": cell["customers"],
                "retention": ratio(cell["customers"], size),
                "amount": int(cell["amount"]),
                "cumulated_per_customer": ratio(cumulated, size),
                "incomplete": _is_incomplete(fleet, asked, cohort, k),
            }
        )
    return rows


def _last(fleet: Fleet, asked: Asked, cohort: date, cells: dict[int, Row]) -> int:
    """The last k that had begun at as_of."""
    today = local_day(fleet.cut.as_of, fleet.book.zone)
    if asked["rolling"] == "true":
        return max(*cells, (today - cohort).days // WINDOW_DAYS)
    return max(*cells, (today.year - cohort.year) * DECEMBER + today.month - cohort.month)


def _is_incomplete(fleet: Fleet, asked: Asked, cohort: date, k: int) -> bool:
    if asked["rolling"] == "true":
        last_first = midnight(next_period(cohort, "month"), fleet.book.zone)
        return last_first + (k + 1) * WINDOW_DAYS * DAY > fleet.cut.as_of
    month = date(cohort.year + (cohort.month - 1 + k) // DECEMBER, (cohort.month - 1 + k) % DECEMBER + 1, 1)
    return midnight(next_period(month, "month"), fleet.book.zone) - 1 > fleet.cut.as_of


DEFINITION = define(
    __doc__,
    compute,
    name="cohort",
    version=1,
    parameters=(
        *MONEY,
        Parameter("rolling", "30-day steps from each first order.", "choice", "false", ("false", "true")),
    ),
    keys=("cohort", "k"),
    explain=explain,
)
