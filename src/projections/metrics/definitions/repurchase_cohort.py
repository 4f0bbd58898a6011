"""N-day repurchase rate (N 日复购率): of customers whose first occasion lies in the window, the share with a second within N days.

A customer counts whose first-ever occasion is in the window and at least N × 24 h before as_of (immature=exclude), or every
one (immature=include); repeated = a second occasion later than the first and before first + N × 24 h. Customers taken over with
orders of before do not count: theirs are not known.
Online Retail (F1, gross, by order, as_of 2011-12-09 12:51): N=30 900 ÷ 4,070, N=90 1,601 ÷ 3,370 (47.51 %; 44.28 % on all
customers), N=180 1,877 ÷ 2,815.
Source: docs/METRICS.md, "repurchase_rate/cohort@1".
"""

from ledger.instants import DAY, to_datetime
from projections.metrics.before import without_those_before
from projections.metrics.definition import COUNTED, OCCASION, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, grouped, in_window, occasion_instants, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.tables import first_of, stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """First occasions, joined with the same customers' later ones."""
    first, both, keys = _first_and_later(fleet, asked)
    repeated = both.select("customer").distinct().mutate(repeated=True)
    cohort = first.left_join(repeated, "customer")
    rows = fleet.rows(grouped(cohort, keys).agg(repeated=cohort.repeated.count(), customers=cohort.count()))
    return [{**row, "value": ratio(row["repeated"], row["customers"])} for row in rows]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The first order of each customer, and those that followed within N days."""
    first, both, keys = _first_and_later(fleet, asked)
    return stacked(first.select("position", *keys), both.select(*keys, position="later_position"))


def _first_and_later(fleet: Fleet, asked: Asked) -> tuple[Expression, Expression, list[str]]:
    """First occasions of the window; each beside those within N days of it; and what they are grouped by."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    days = asked["n"]
    seen = occasion_instants(without_those_before(fleet, counted_orders(fleet, asked)), asked)
    first = first_of(seen.select("customer", "at", "local_at", "position"), "customer", [seen["at"], seen.position])
    if asked["immature"] == "exclude":
        ripe = ibis.timestamp(to_datetime(fleet.cut.as_of - days * DAY).replace(tzinfo=None))
        first = first.filter(first["at"] <= ripe)
    first, keys = with_keys(in_window(first, asked), asked)
    both = first.inner_join(seen.select("customer", later_at="at", later_position="position"), "customer")
    both = both.filter((both.later_at > both["at"]) & (both.later_at < both["at"] + ibis.interval(days=days)))
    return first, both, keys


DEFINITION = define(
    __doc__,
    compute,
    name="repurchase_rate/cohort",
    version=1,
    parameters=(
        *COUNTED,
        OCCASION,
        Parameter("n", "Days in which the second occasion must follow.", "whole", 90, most=3_650),
        Parameter(
            "immature", "Customers whose N days are not over by as_of.", "choice", "exclude", ("exclude", "include")
        ),
    ),
    by=tuple(TIME_UNITS),
    empty={"repeated": 0, "customers": 0, "value": None},
    explain=explain,
)
