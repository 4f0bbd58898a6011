"""Super-members: their share of customers and of revenue, and how they buy compared with the rest.

super = at as_of in a paid membership that runs (rule=paid), at `tier` or above (rule=tier; left out: at any), or in the `segment`
of `rfm/threshold` (rule=segment); rest = all others. customers = those not closed, merged or erased by as_of; buyers, orders,
amount = counted orders of the window; orders_per_buyer_ratio, spend_per_buyer_ratio = super ÷ rest. Minor units.
Source: docs/METRICS.md, "super_members@1".
"""

from dataclasses import replace

from projections.errors import bad_parameter
from projections.metrics.definition import MONEY, Asked, Parameter, Row, define, ratio
from projections.metrics.definitions import rfm_threshold
from projections.metrics.orders import counted_orders, in_window, with_refunds
from projections.metrics.rfm import SEGMENTS, segment_table
from projections.metrics.standing import paid_members, present, tiers
from projections.twin.fleet import Expression, Fleet

GROUPS = ("super", "rest")


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Both groups, and the ratios of one to the other."""
    members = _members(fleet, asked)
    orders = _orders(fleet, asked, members)
    bought = {
        row["group"]: row
        for row in fleet.rows(
            orders.group_by("group").agg(
                buyers=orders.customer.nunique(), orders=orders.count(), amount=orders.amount.sum()
            )
        )
    }
    everyone = present(fleet)
    (there,) = fleet.rows(everyone.agg(n=everyone.count()))
    inside = everyone.semi_join(members, "customer")
    (chosen,) = fleet.rows(inside.agg(n=inside.count()))
    customers = {"super": chosen["n"], "rest": there["n"] - chosen["n"]}
    amount = sum(int(row["amount"]) for row in bought.values())
    rows = [_row(group, customers, bought.get(group, _NOTHING), amount) for group in GROUPS]
    above, rest = rows
    for name in ("orders_per_buyer", "spend_per_buyer"):
        above[f"{name}_ratio"] = ratio(above[name], rest[name])
        rest[f"{name}_ratio"] = None
    return rows


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of a group, and what was refunded of them."""
    return with_refunds(fleet, asked, _orders(fleet, asked, _members(fleet, asked)), ["group"])


def _members(fleet: Fleet, asked: Asked) -> Expression:
    """`customer`: who is a super-member."""
    if asked["rule"] == "paid":
        return paid_members(fleet).select("customer")
    if asked["rule"] == "segment":
        found = segment_table(rfm_threshold.segmented(fleet, replace(asked, start=None, end=None)))
        return found.filter(found.segment == asked["segment"]).select("customer")
    standing = tiers(fleet)
    return standing.filter(standing["rank"] >= _rank(fleet, asked)).select("customer")


def _rank(fleet: Fleet, asked: Asked) -> int:
    """The rank of the tier that is asked for, as the rules have it; 1 where any will do.

    Raises:
        FormError: the rules know no such tier.
    """
    if asked["tier"] is None:
        return 1
    rulebook = fleet.book.state.rulebook
    block = rulebook.latest.document.tiers if rulebook else None
    level = block.level(asked["tier"]) if block else None
    if level is None:
        names = ", ".join(level.name for level in block.levels) if block else "none"
        raise bad_parameter("tier", f"a tier of the rules; there are: {names}")
    return int(level.rank)


def _orders(fleet: Fleet, asked: Asked, members: Expression) -> Expression:
    """Counted orders of the window with the `group` of their customer."""
    orders = in_window(counted_orders(fleet, asked), asked)
    marked = orders.left_join(members.distinct().mutate(is_super=True), "customer").drop("customer_right")
    return marked.mutate(group=marked.is_super.notnull().ifelse("super", "rest"))


def _row(group: str, customers: dict[str, int], bought: Row, amount: int) -> Row:
    spent, buyers = int(bought["amount"]), bought["buyers"]
    return {
        "group": group,
        "customers": customers[group],
        "share_of_customers": ratio(customers[group], sum(customers.values())),
        "buyers": buyers,
        "orders": bought["orders"],
        "amount": spent,
        "share_of_amount": ratio(spent, amount),
        "orders_per_buyer": ratio(bought["orders"], buyers),
        "spend_per_buyer": ratio(spent, buyers),
    }


_NOTHING: Row = {"buyers": 0, "orders": 0, "amount": 0}

DEFINITION = define(
    __doc__,
    compute,
    name="super_members",
    version=1,
    parameters=(
        *MONEY,
        Parameter("rule", "Who is a super-member.", "choice", "paid", ("paid", "tier", "segment")),
        Parameter("tier", "With rule=tier: from which tier on.", "name"),
        Parameter("segment", "With rule=segment: which.", "choice", "champions", tuple(SEGMENTS)),
        *rfm_threshold.EDGES_GIVEN,
    ),
    keys=("group",),
    rules=True,
    explain=explain,
)
