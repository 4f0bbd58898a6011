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
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


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


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The records that opened the lots and debts of a month."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415

    left = remaining(fleet)
    left = left.filter(left.asset == asked["asset"])
    column = "granted_at" if asked["month"] == "grant" else "expires_at"
    lots = left.filter(left.kind == "lot").mutate(instant=lambda one: one[column])
    instants = [row["instant"] for row in fleet.rows(lots.select("instant").distinct())]
    months = ibis.memtable(
        pa.table(
            {
                "instant": pa.array([one for one in instants if one is not None], pa.timestamp("us")),
                "month": pa.array([_month(fleet, one) for one in instants if one is not None], pa.string()),
            }
        )
    )
    dated = lots.inner_join(months, "instant").select("position", "month")
    undated = lots.filter(lots.instant.isnull()).select("position", month=ibis.literal("never"))
    debts = left.filter(left.kind == "debt").select("position", month=ibis.literal("debt"))
    return stacked(dated, undated, debts)


def _month(fleet: Fleet, instant: datetime | None) -> str:
    return "never" if instant is None else f"{instant.replace(tzinfo=UTC).astimezone(fleet.book.zone):%Y-%m}"


DEFINITION = define(
    __doc__,
    compute,
    name="points/outstanding",
    version=1,
    parameters=(ASSET, Parameter("month", "Which month.", "choice", "expiry", ("expiry", "grant"))),
    window=False,
    keys=("month",),
    explain=explain,
)
