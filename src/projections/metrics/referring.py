"""Referrals as they stand at `as_of`, and what those who were brought have bought since."""

from projections.metrics.definition import Asked
from projections.metrics.orders import counted_orders
from projections.metrics.tables import first_of
from projections.twin.fleet import Expression, Fleet


def brought(fleet: Fleet) -> Expression:
    """Customers whose referral stands: `customer`, `referrer`, `at`, `local_at`, `position` (of `referral.made`), `qualified`.

    The one made last stands, unless it was revoked (a loop, a refund) since.
    """
    steps = fleet.table("referrals")
    made = first_of(steps.filter(steps.kind == "made"), "customer", [steps.version.desc()])
    made = made.select("customer", "referrer", "at", "local_at", "position", "version")
    own = steps.customer == steps.referred
    ends = steps.filter(own, (steps.kind == "disqualified") | ((steps.kind == "revoked") & (steps.role == "referred")))
    ends = ends.select("customer", ended="version")
    ended = made.inner_join(ends, "customer")
    made = made.anti_join(ended.filter(ended.ended > ended.version), "customer")
    counted = steps.filter(own, steps.kind == "qualified").select("customer", counted="version")
    counted = made.inner_join(counted, "customer")
    counted = counted.filter(counted.counted > counted.version).select("customer").distinct().mutate(is_qualified=True)
    marked = made.left_join(counted, "customer").drop("customer_right", "version")
    return marked.mutate(qualified=marked.is_qualified.notnull()).drop("is_qualified")


def orders_of_brought(fleet: Fleet, asked: Asked) -> Expression:
    """Counted orders of customers who were brought, from the referral on, with their `referrer`."""
    made = brought(fleet).select("customer", "referrer", brought_at="at")
    orders = counted_orders(fleet, asked).inner_join(made, "customer")
    return orders.filter(orders["at"] >= orders.brought_at)


def points_given(fleet: Fleet) -> Expression:
    """What referrals cost in points: each movement of a reward or its revocation with signed `points`, and its `referrer`."""
    steps = fleet.table("referrals")
    steps = steps.filter(steps.kind.isin(("rewarded", "revoked"))).select("position", "referrer")
    postings = fleet.table("postings")
    postings = postings.filter(postings.asset == "points").inner_join(steps, "position")
    given = postings.source.startswith("program:")
    taken_back = postings.target.startswith("program:")
    postings = postings.filter(given | taken_back)
    return postings.mutate(
        points=postings.source.startswith("program:").ifelse(postings.amount, -postings.amount),
    ).select("position", "at", "local_at", "referrer", "points")
