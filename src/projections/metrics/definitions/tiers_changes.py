"""Changes of tier: upgrades, downgrades and tiers kept by a review, in the period.

Changes that a later one made untrue do not count. upgraded, downgraded = to a higher, a lower tier than the one before, whatever
brought it (purchases, a refund, a review, staff, a correction); retained = kept by a review; assigned = given by staff, among the
others; customers = distinct customers with any change. By tier: the tier after the change, null = none any more.
Source: docs/METRICS.md; the tiers of the rules.
"""

from projections.metrics.definition import Asked, Row, define
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Changes that stand, by whether they lead up or down."""
    changes, keys = _changes(fleet, asked)
    rows = fleet.rows(
        grouped(changes, keys).agg(
            upgraded=changes.count(where=changes["rank"] > changes.rank_before),
            downgraded=changes.count(where=changes["rank"] < changes.rank_before),
            retained=changes.count(where=changes.kind == "retained"),
            assigned=changes.count(where=changes.kind == "assigned"),
            customers=changes.customer.nunique(),
        )
    )
    return [{**row, "net": row["upgraded"] - row["downgraded"]} for row in rows]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The changes that stand."""
    changes, keys = _changes(fleet, asked)
    return changes.select("position", *keys)


def _changes(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    """Changes of the window that no other made untrue, with `rank_before` (0: none)."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    changes = fleet.table("tier_changes")
    untrue = changes.select("customer", version=changes.corrects.unnest())
    stand = changes.anti_join(untrue, ["customer", "version"])
    by_customer = ibis.window(group_by="customer", order_by=["at", "version"])
    stand = stand.mutate(rank_before=stand["rank"].lag().over(by_customer).fill_null(0))
    return with_keys(in_window(stand, asked), asked)


_NOTHING: Row = dict.fromkeys(("upgraded", "downgraded", "retained", "assigned", "customers", "net"), 0)

DEFINITION = define(
    __doc__,
    compute,
    name="tiers/changes",
    version=1,
    by=(*TIME_UNITS, "tier"),
    empty=_NOTHING,
    explain=explain,
)
