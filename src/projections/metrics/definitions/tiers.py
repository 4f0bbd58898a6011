"""Tiers: how many customers stand at each tier at as_of, and how many of them are reviewed soon.

members = customers whose last change of tier written says so, not closed, merged or erased; tier null = everyone else; share of
both together. due_for_review = those whose review falls into the `days` after as_of. Where a review that was due by as_of is not
written yet, nobody knows the tiers then: `reviews_unwritten`.
Source: docs/METRICS.md; the tiers of the rules.
"""

from ledger.instants import DAY, to_datetime
from projections.metrics.definition import Asked, Parameter, Row, define, ratio
from projections.metrics.standing import present, tiers
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Members of each tier, the highest first; then customers without one."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    soon = ibis.timestamp(to_datetime(fleet.cut.as_of + asked["days"] * DAY).replace(tzinfo=None))
    standing = tiers(fleet)
    members = fleet.rows(
        standing.group_by(["rank", "tier"]).agg(
            members=standing.count(), due_for_review=(standing.review_at <= soon).sum().fill_null(0)
        )
    )
    everyone = present(fleet)
    (there,) = fleet.rows(everyone.agg(n=everyone.count()))
    without = there["n"] - sum(row["members"] for row in members)
    rows = sorted(members, key=lambda row: (-row["rank"], row["tier"]))
    rows.append({"rank": 0, "tier": None, "members": without, "due_for_review": 0})
    return [
        {
            "tier": row["tier"],
            "rank": row["rank"],
            "members": row["members"],
            "share": ratio(row["members"], there["n"]),
            "due_for_review": int(row["due_for_review"]),
        }
        for row in rows
    ]


def explain(fleet: Fleet, _asked: Asked) -> Expression:
    """The change that put each member there; of a customer without a tier, its first record."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    standing = tiers(fleet)
    records = fleet.table("records")
    first = records.group_by("customer").agg(position=records.position.min())
    without = first.semi_join(present(fleet), "customer").anti_join(standing, "customer")
    none = without.select("position", tier=ibis.null("string"))
    return stacked(standing.select("position", "tier"), none)


DEFINITION = define(
    __doc__,
    compute,
    name="tiers",
    version=1,
    parameters=(Parameter("days", "Reviews within so many days after as_of are due.", "whole", 30, most=3_650),),
    window=False,
    keys=("tier",),
    explain=explain,
)
