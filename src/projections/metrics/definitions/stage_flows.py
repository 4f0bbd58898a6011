"""Flows between stages: how many customers were in one stage when the window began and are in another at as_of.

before = the stage at the last instant before `from` (left out: `days` days before as_of), as the same records are known now;
after = the stage at as_of. Customers without a record by then are `not_yet` before. Both by the parameters of `stage`.
Source: docs/METRICS.md, "stage@1".
"""

from dataclasses import replace

from ledger.instants import DAY
from projections.metrics.definition import Asked, Parameter, Row, define
from projections.metrics.definitions import stage
from projections.twin.fleet import Expression, Fleet

NOT_YET = "not_yet"


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Customers by both stages, in the order of the stages; flows of nobody are left out."""
    both = _both(fleet, asked)
    rows = fleet.rows(both.group_by(["before", "after"]).agg(customers=both.count()))
    order = (NOT_YET, *stage.STAGES)
    return sorted(
        ({"before": row["before"], "after": row["after"], "customers": row["customers"]} for row in rows),
        key=lambda row: (order.index(row["before"]), order.index(row["after"])),
    )


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers of a flow, up to as_of, and what was refunded of them; of a prospect, its first record."""
    return stage.behind(fleet, asked, _both(fleet, asked), ["before", "after"])


def _both(fleet: Fleet, asked: Asked) -> Expression:
    """Customers with their stages `before` and `after`."""
    after = stage.stages(fleet, asked).select("customer", after="stage")
    before = stage.stages(earlier(fleet, asked), asked).select("customer", before="stage")
    both = after.left_join(before, "customer")
    return both.select("customer", "after", before=both.before.fill_null(NOT_YET))


def earlier(fleet: Fleet, asked: Asked) -> Fleet:
    """The fleet at the last instant before the window, or `days` before as_of; knowing what is known now."""
    begins = fleet.cut.as_of - asked["days"] * DAY if asked.start is None else asked.start - 1
    return replace(fleet, cut=replace(fleet.cut, as_of=min(begins, fleet.cut.as_of)))


DAYS = Parameter("days", "Days before as_of, where `from` is left out.", "whole", 90, most=3_650)

DEFINITION = define(
    __doc__,
    compute,
    name="stage/flows",
    version=1,
    parameters=(
        *stage.DEFINITION.parameters,
        DAYS,
    ),
    keys=("before", "after"),
    explain=explain,
)
