"""How customers stand at `as_of`: who is still there, at which tier, in a paid membership. What is written last stands."""

from ledger.instants import show, to_datetime
from projections.errors import ReviewsUnwritten
from projections.metrics.tables import first_of
from projections.twin.fleet import Expression, Fleet

LEAVING = ("customer.closed", "customer.merged", "customer.erased")
RUNNING = ("active", "paused")


def present(fleet: Fleet) -> Expression:
    """`customer`: streams opened by `as_of` and not closed, merged into another or erased by then."""
    records = fleet.table("records")
    left = records.filter(records.type.isin(LEAVING)).select("customer").distinct()
    return records.select("customer").distinct().anti_join(left, "customer")


def tiers(fleet: Fleet) -> Expression:
    """Customers who stand at a tier: `customer`, `tier`, `rank`, `review_at`, and `position` of the change.

    Raises:
        ReviewsUnwritten: a review that was due by `as_of` is not written, so nobody knows the tiers then.
    """
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    changes = fleet.table("tier_changes")
    last = first_of(changes, "customer", [changes.version.desc()])
    standing = last.filter(last.tier.notnull()).semi_join(present(fleet), "customer")
    standing = standing.select("customer", "tier", "rank", "review_at", "position")
    as_of = ibis.timestamp(to_datetime(fleet.cut.as_of).replace(tzinfo=None))
    late = standing.filter(standing.review_at <= as_of)
    (waiting,) = fleet.rows(late.agg(customers=late.count(), first=late.review_at.min()))
    if waiting["customers"]:
        raise ReviewsUnwritten(
            customers=waiting["customers"], due_from=f"{waiting['first'].isoformat()}Z", as_of=show(fleet.cut.as_of)
        )
    return standing


def paid_members(fleet: Fleet) -> Expression:
    """Customers in a paid membership that runs: `customer`, `plan`, `position` of what left it so."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    events = fleet.table("memberships")
    last = first_of(events, "customer", [events.version.desc()])
    as_of = ibis.timestamp(to_datetime(fleet.cut.as_of).replace(tzinfo=None))
    running = last.filter(last.status.isin(RUNNING), last.ends_at > as_of)
    return running.semi_join(present(fleet), "customer").select("customer", "plan", "position")
