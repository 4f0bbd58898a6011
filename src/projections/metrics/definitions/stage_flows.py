"""Flows between stages: how many customers were in one stage when the window began and are in another at as_of.

before = the stage at the last instant before `from` (left out: `days` days before as_of), as the same records are known now;
after = the stage at as_of. Customers without a record by then are `not_yet` before. Both by the parameters of `stage`.
Source: docs/METRICS.md, "stage@1".
"""

from dataclasses import replace

from ledger.instants import DAY
from projections.metrics.definition import Asked, Parameter, Row, define
from projections.metrics.definitions import stage
from projections.twin.fleet import Fleet

NOT_YET = "not_yet"


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Customers by both stages, in the order of the stages; flows of nobody are left out."""
    begins = fleet.cut.as_of - asked["days"] * DAY if asked.start is None else asked.start - 1
    earlier = replace(fleet, cut=replace(fleet.cut, as_of=min(begins, fleet.cut.as_of)))
    after = stage.stages(fleet, asked).select("customer", after="stage")
    before = stage.stages(earlier, asked).select("customer", before="stage")
    both = after.left_join(before, "customer").select("after", before=before.before.fill_null(NOT_YET))
    rows = fleet.rows(both.group_by(["before", "after"]).agg(customers=both.count()))
    order = (NOT_YET, *stage.STAGES)
    return sorted(
        ({"before": row["before"], "after": row["after"], "customers": row["customers"]} for row in rows),
        key=lambda row: (order.index(row["before"]), order.index(row["after"])),
    )


DEFINITION = define(
    __doc__,
    compute,
    name="stage/flows",
    version=1,
    parameters=(
        *stage.DEFINITION.parameters,
        Parameter("days", "Days before as_of, where `from` is left out.", "whole", 90, most=3_650),
    ),
)
