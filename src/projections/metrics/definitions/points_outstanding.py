"""Points outstanding: what customers hold at as_of, by the month it was granted in and the month it expires in.

Lots and debts apart, never netted: `outstanding` = Σ remaining of lots, pending and held included, `debt` = Σ remaining of
debts (dated by nothing). Lots past their expiry are not outstanding, whether or not that has been written. A lot without
expiry stands in the row "never".
Source: docs/METRICS.md, "points".
"""

from datetime import UTC, datetime

from projections.metrics.definition import Asked, Parameter, Row, define
from projections.metrics.flows import ASSET
from projections.metrics.lots import remaining
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Remaining of lots by month, and the debts in a row of their own."""
    left = remaining(fleet)
    left = left.filter(left.asset == asked["asset"])
    column = "granted_at" if asked["month"] == "grant" else "expires_at"
    found: dict[str, Row] = {}
    for row in fleet.rows(left.group_by(["kind", column]).agg(lots=left.count(), amount=left.left.sum())):
        month = "debt" if row["kind"] == "debt" else _month(fleet, row[column])
        target = found.setdefault(month, {"month": month, "lots": 0, "outstanding": 0, "debt": 0})
        target["lots"] += row["lots"] if row["kind"] == "lot" else 0
        target["outstanding" if row["kind"] == "lot" else "debt"] += int(row["amount"])
    return [found[month] for month in sorted(found)]


def _month(fleet: Fleet, instant: datetime | None) -> str:
    return "never" if instant is None else f"{instant.replace(tzinfo=UTC).astimezone(fleet.book.zone):%Y-%m}"


DEFINITION = define(
    __doc__,
    compute,
    name="points/outstanding",
    version=1,
    parameters=(ASSET, Parameter("month", "Which month.", "choice", "expiry", ("expiry", "grant"))),
    window=False,
)
