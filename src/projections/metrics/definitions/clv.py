"""Customer lifetime value: what customers have spent, and what they are expected to spend in the weeks after as_of.

BG/NBD (r, alpha, a, b) for repeat occasions and Gamma-Gamma (p, q, gamma) for their amount, both fitted by maximum likelihood
on x, t_x, T, in weeks by business days, and zbar, the mean amount of a repeat occasion; first occasions excluded.
expected_orders = Σ E[orders in the weeks | x, t_x, T]; expected_amount = Σ expected orders × expected amount of each customer;
alive = Σ P(alive). Parameters are null where fewer than 10 customers came back, or no maximum was found. CDNOW sample, 39 weeks:
r .243, alpha 4.414, a .793, b 2.426, log-likelihood −9,582.4; p 6.25, q 3.74, gamma 15.44.
Source: docs/METRICS.md; Fader, Hardie & Lee (2005); Fader & Hardie (2013).
"""

from datetime import date
from typing import Any

from projections.metrics import bgnbd
from projections.metrics.definition import MONEY, Asked, Parameter, Row, define
from projections.metrics.orders import counted_orders
from projections.metrics.periods import local_day
from projections.twin.fleet import Fleet

REPEATERS_MIN = 10
DAYS_OF_WEEK = 7

_EPOCH = date(1970, 1, 1)


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """One row for the whole program."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    found = statistics(fleet, asked)
    x = found["x"]
    spent = int(found["spent"].sum()) if len(x) else 0
    row: Row = {"customers": len(x), "repeaters": int((x > 0).sum()), "amount_to_date": spent, "weeks": asked["weeks"]}
    row.update(dict.fromkeys(_MODELLED))
    if row["repeaters"] < REPEATERS_MIN:
        return [row]
    try:
        orders, money = _fitted(found)
    except bgnbd.NotFitted:
        return [row]
    expected = bgnbd.expected_orders(orders, asked["weeks"], x, found["t_x"], found["observed"])
    each = bgnbd.expected_amount(money, x, found["mean_amount"])
    row.update({name: getattr(orders, name) for name in ("r", "alpha", "a", "b")})
    row.update({name: getattr(money, name) for name in ("p", "q", "gamma")})
    row["log_likelihood"], row["gamma_gamma_log_likelihood"] = orders.log_likelihood, money.log_likelihood
    row["alive"] = float(np.sum(bgnbd.alive(orders, x, found["t_x"], found["observed"])))
    row["expected_orders"], row["expected_amount"] = float(np.sum(expected)), float(np.sum(expected * each))
    return [row]


def statistics(fleet: Fleet, asked: Asked) -> dict[str, Any]:
    """Arrays `customer`, `x`, `t_x`, `observed` (weeks), `mean_amount` of repeat occasions, `spent`; in order of customer."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    orders = counted_orders(fleet, asked)
    days = orders.group_by(["customer", "business_day"]).agg(amount=orders.amount.sum().cast("int64"))
    each = days.group_by("customer").agg(
        days=days.count(),
        first=days.business_day.min(),
        last=days.business_day.max(),
        spent=days.amount.sum().cast("int64"),
        first_amount=days.amount.argmin(days.business_day),
    )
    found = fleet.columns(each.order_by("customer"))
    first, last = (found[name].astype("datetime64[D]").astype(np.int64) for name in ("first", "last"))
    today = (local_day(fleet.cut.as_of, fleet.book.zone) - _EPOCH).days
    x = found["days"].astype(np.int64) - 1
    repeated = found["spent"] - found["first_amount"]
    return {
        "customer": found["customer"],
        "x": x,
        "t_x": (last - first) / DAYS_OF_WEEK,
        "observed": (today - first) / DAYS_OF_WEEK,
        "mean_amount": np.where(x > 0, repeated / np.maximum(x, 1), 0.0),
        "spent": found["spent"],
    }


def _fitted(found: dict[str, Any]) -> tuple[bgnbd.BgNbd, bgnbd.GammaGamma]:
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    alike, weights = np.unique(np.stack([found["x"], found["t_x"], found["observed"]]), axis=1, return_counts=True)
    x, t_x, observed = alike
    orders = bgnbd.fit_bgnbd(x, t_x, observed, weights)
    paying = (found["x"] > 0) & (found["mean_amount"] > 0)
    return orders, bgnbd.fit_gamma_gamma(found["x"][paying], found["mean_amount"][paying])


_MODELLED = (
    *("r", "alpha", "a", "b", "log_likelihood", "p", "q", "gamma", "gamma_gamma_log_likelihood"),
    *("alive", "expected_orders", "expected_amount"),
)

DEFINITION = define(
    __doc__,
    compute,
    name="clv",
    version=1,
    parameters=(*MONEY, Parameter("weeks", "Weeks after as_of.", "whole", 52, most=1_000)),
    window=False,
    explain="its numbers come from a model that is fitted to all customers together",
)
