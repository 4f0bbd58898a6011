"""Time to redeem: the days from the grant of points to their redemption, weighted by points.

Every point redeemed in the period counts with the days since its lot was granted (opening balances: since their own grant);
mean_days, q25, median, q75 = the mean, and the days by which a quarter, half, three quarters of them were redeemed. Redemptions
given back later still count. Points that are never redeemed have no time, so this says nothing about them: see `burn_rate`.
Source: docs/METRICS.md, "points".
"""

from ledger.instants import DAY
from projections.metrics.definition import Asked, Row, define, ratio
from projections.metrics.flows import ASSET
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

QUARTILES = {"q25_days": 0.25, "median_days": 0.5, "q75_days": 0.75}


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Points and days of each part of a lot that was redeemed, and their weighted distribution."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    redeemed, keys = _redeemed(fleet, asked)
    rising = ibis.cumulative_window(group_by=keys, order_by=["days", "position", "lot"])
    whole = ibis.window(group_by=keys)
    redeemed = redeemed.mutate(so_far=redeemed.points.sum().over(rising), all=redeemed.points.sum().over(whole))
    rows = fleet.rows(
        grouped(redeemed, keys).agg(
            redemptions=redeemed.position.nunique(),
            points=redeemed.points.sum().fill_null(0),
            weighted=(redeemed.points * redeemed.days).sum(),
            **{
                name: redeemed.days.min(where=redeemed.so_far >= redeemed["all"] * share)
                for name, share in QUARTILES.items()
            },
        )
    )
    return [_row(row) for row in rows]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The redemptions, and the grants of the lots they took from."""
    redeemed, keys = _redeemed(fleet, asked)
    return stacked(redeemed.select("position", *keys), redeemed.select(*keys, position="granted_by"))


def _redeemed(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    """Parts of lots that were redeemed in the window: `points`, `days`."""
    entries = fleet.table("lot_entries")
    entries = entries.filter(entries.asset == asked["asset"], entries.kind == "lot")
    opened = entries.filter(entries.opens).select("customer", "lot", "granted_at", granted_by="position")
    taken = entries.filter(entries.amount < 0, entries.target.startswith("program:redeemed"))
    taken = taken.select("customer", "lot", "position", "at", "local_at", points=-taken.amount)
    both = taken.inner_join(opened, ["customer", "lot"])
    waited = both["at"].delta(both.granted_at, unit="microsecond")
    both = both.mutate(days=waited.cast("float64") / DAY)
    return with_keys(in_window(both, asked), asked)


def _row(row: Row) -> Row:
    points, weighted = int(row["points"]), row.pop("weighted")
    quartiles = {name: row.pop(name) for name in QUARTILES}
    return {**row, "points": points, "mean_days": ratio(weighted, points), **quartiles}


DEFINITION = define(
    __doc__,
    compute,
    name="time_to_redeem",
    version=1,
    parameters=(ASSET,),
    by=tuple(TIME_UNITS),
    explain=explain,
)
