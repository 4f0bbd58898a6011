"""Life-cycle stages: the stage of every customer at as_of, and how many are in each.

g = time since the last counted occasion, n = occasions ever. prospect n = 0; churned g ≥ D; dormant S ≤ g < D; silent
A ≤ g < S; then, with g < A: new n = 1, active ≥ k occasions in the last W days, returning otherwise. mode=interval: A, S, D =
1.5, 3, 6 × the customer's median gap where n ≥ 4, each clamped to ⅓ … 3 × its fixed value. `resurrected` counts customers of
the stage who within the last W days bought while dormant or churned. Orders in a system taken over count in n and g. Exactly one
stage at every instant; a full refund can move a customer back.
Source: docs/METRICS.md, "stage@1".
"""

from ledger.instants import DAY, to_datetime
from projections.metrics.before import bought_before
from projections.metrics.definition import COUNTED, OCCASION, Asked, Parameter, Row, define, ratio
from projections.metrics.gaps import with_gaps
from projections.metrics.orders import counted_orders, with_refunds
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

STAGES = ("prospect", "new", "active", "returning", "silent", "dormant", "churned")
OCCASIONS_OF_INTERVAL_MIN = 4


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Customers of each stage; a stage nobody is in is shown with 0."""
    staged = stages(fleet, asked)
    counted = {
        row["stage"]: row
        for row in fleet.rows(
            staged.group_by("stage").agg(customers=staged.count(), resurrected=staged.resurrected.sum().fill_null(0))
        )
    }
    whole = sum(row["customers"] for row in counted.values())
    rows = []
    for stage in STAGES:
        row = counted.get(stage, {"customers": 0, "resurrected": 0})
        share = ratio(row["customers"], whole)
        rows.append(
            {"stage": stage, "customers": row["customers"], "share": share, "resurrected": int(row["resurrected"])}
        )
    return rows


def stages(fleet: Fleet, asked: Asked) -> Expression:
    """Every customer with `stage`, `occasions`, `days_since` the last one, and `resurrected`."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    as_of = ibis.timestamp(to_datetime(fleet.cut.as_of).replace(tzinfo=None))
    recent_from = ibis.timestamp(to_datetime(fleet.cut.as_of - asked["window"] * DAY).replace(tzinfo=None))
    seen = with_gaps(fleet, asked)
    is_recent = seen["at"] > recent_from
    each = seen.group_by("customer").agg(
        occasions=seen.count(),
        last_at=seen["at"].max(),
        recent=seen.count(where=is_recent),
        median_gap=seen.gap_days.quantile(0.5),
        woken=seen.count(where=is_recent & (seen.gap_days >= asked["dormant"])),
    )
    each = _with_those_before(fleet, each)
    since = as_of.delta(each.last_at, unit="microsecond")
    each = each.mutate(days_since=since.cast("float64") / DAY)
    silent, dormant, churned = (_edge(each, asked, name, times) for name, times in _EDGES)
    each = each.mutate(
        stage=ibis.cases(
            (each.days_since >= churned, "churned"),
            (each.days_since >= dormant, "dormant"),
            (each.days_since >= silent, "silent"),
            (each.occasions == 1, "new"),
            (each.recent >= asked["k"], "active"),
            else_="returning",
        )
    )
    known = fleet.table("records").select("customer").distinct()
    staged = known.left_join(each, "customer")
    return staged.select(
        "customer",
        stage=staged.stage.fill_null("prospect"),
        occasions=staged.occasions.fill_null(0),
        days_since=staged.days_since,
        resurrected=(staged.woken.fill_null(0) > 0).cast("int64"),
    )


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers of a stage, and what was refunded of them; of a prospect, its first record."""
    return behind(fleet, asked, stages(fleet, asked), ["stage"])


def behind(fleet: Fleet, asked: Asked, staged: Expression, keys: list[str]) -> Expression:
    """The records behind the stages of customers, with the keys they have."""
    orders = counted_orders(fleet, asked).inner_join(staged.select("customer", *keys), "customer")
    records = fleet.table("records")
    first = records.group_by("customer").agg(position=records.position.min())
    without = staged.anti_join(orders, "customer").inner_join(first, "customer")
    return stacked(with_refunds(fleet, asked, orders, keys), without)


def _with_those_before(fleet: Fleet, each: Expression) -> Expression:
    """Occasions here, and those of another system the customer was taken over from: how many, and the last of them."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    both = each.outer_join(bought_before(fleet), "customer")
    return both.select(
        customer=both.customer.fill_null(both.customer_right),
        occasions=both.occasions.fill_null(0) + both.orders_before.fill_null(0),
        last_at=ibis.greatest(both.last_at.fill_null(both.last_before), both.last_before.fill_null(both.last_at)),
        recent=both.recent.fill_null(0),
        median_gap=both.median_gap,
        woken=both.woken.fill_null(0),
    )


_EDGES = (("silent", 1.5), ("dormant", 3.0), ("churned", 6.0))


def _edge(each: Expression, asked: Asked, name: str, times: float) -> Expression:
    """Days from which a stage counts: the rule, or a multiple of the customer's own gap near it."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    fixed = ibis.literal(float(asked[name]))
    if asked["mode"] == "fixed":
        return fixed
    own = (each.median_gap * times).clip(lower=asked[name] / 3, upper=asked[name] * 3)
    return (each.occasions >= OCCASIONS_OF_INTERVAL_MIN).ifelse(own, fixed)


DEFINITION = define(
    __doc__,
    compute,
    name="stage",
    version=1,
    parameters=(
        *COUNTED,
        OCCASION,
        Parameter("mode", "Fixed edges, or each customer's own gap.", "choice", "fixed", ("fixed", "interval")),
        Parameter("silent", "A, days.", "whole", 60, most=3_650),
        Parameter("dormant", "S, days.", "whole", 120, most=3_650),
        Parameter("churned", "D, days.", "whole", 365, most=3_650),
        Parameter("window", "W, days.", "whole", 90, most=3_650),
        Parameter("k", "Occasions in W that make a customer active.", "whole", 3),
    ),
    window=False,
    keys=("stage",),
    explain=explain,
)
