"""Recency, frequency and amount of every customer, and the segments that follow from their scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.instants import DAY
from projections.metrics.definition import Asked, Row
from projections.metrics.orders import counted_orders, in_window, with_refunds
from projections.twin.fleet import Expression, Fleet

SEGMENTS: Mapping[str, tuple[Sequence[int], Sequence[int]]] = {
    "hibernating": ((1, 2), (1, 2)),
    "at_Risk": ((1, 2), (3, 4)),
    "cant_loose": ((1, 2), (5,)),
    "about_to_sleep": ((3,), (1, 2)),
    "need_attention": ((3,), (3,)),
    "loyal_customers": ((3, 4), (4, 5)),
    "promising": ((4,), (1,)),
    "new_customers": ((5,), (1,)),
    "potential_loyalists": ((4, 5), (2, 3)),
    "champions": ((5,), (4, 5)),
}
"""Segment → scores of R and of F. Source: the published table of Online Retail II, with its spelling."""

_OF_SCORES = {(r, f): name for name, (recency, frequency) in SEGMENTS.items() for r in recency for f in frequency}


def values(fleet: Fleet, asked: Asked) -> dict[str, Any]:
    """Arrays `customer`, `recency` (whole days, rounded down), `frequency`, `amount` of customers with an amount above 0.

    In order of frequency, and of customer id where it is equal: as a number if all ids are digits.
    """
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    orders = in_window(counted_orders(fleet, asked), asked)
    each = orders.group_by("customer").agg(
        last_at=orders["at"].max(), frequency=orders.count(), amount=orders.amount.sum().cast("int64")
    )
    found = fleet.columns(each.filter(each.amount > 0))
    ids = found["customer"].astype(str)
    as_numbers = ids.astype(np.int64) if len(ids) and all(one.isascii() and one.isdigit() for one in ids) else ids
    order = np.lexsort((as_numbers, found["frequency"]))
    last = found["last_at"].astype("datetime64[us]").astype(np.int64)
    recency = (fleet.cut.as_of - last) // DAY
    return {
        "customer": ids[order],
        "recency": recency[order],
        "frequency": found["frequency"][order],
        "amount": found["amount"][order],
    }


def with_segment(found: dict[str, Any], recency_score: Any, frequency_score: Any) -> dict[str, Any]:
    """The arrays with `segment`, by scores from 1 to 5."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    scores = zip(recency_score.tolist(), frequency_score.tolist(), strict=True)
    return {**found, "segment": np.array([_OF_SCORES[r, f] for r, f in scores], dtype=object)}


def by_segment(found: dict[str, Any]) -> list[Row]:
    """Customers of each segment with the means of what they were scored on."""
    names = found["segment"]
    rows = []
    for name in sorted(SEGMENTS):
        inside = names == name
        if inside.any():
            rows.append(
                {
                    "segment": name,
                    "customers": int(inside.sum()),
                    "share": float(inside.mean()),
                    "recency_days_mean": float(found["recency"][inside].mean()),
                    "frequency_mean": float(found["frequency"][inside].mean()),
                    "amount_mean": float(found["amount"][inside].mean()),
                    "amount": int(found["amount"][inside].sum()),
                }
            )
    return rows


def segment_table(found: dict[str, Any]) -> Expression:
    """`customer` and `segment` as a table."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415

    columns = {name: pa.array(found[name].tolist(), pa.string()) for name in ("customer", "segment")}
    return ibis.memtable(pa.table(columns))


def explain_segments(fleet: Fleet, asked: Asked, found: dict[str, Any]) -> Expression:
    """The orders of the customers of a segment, and what was refunded of them."""
    orders = in_window(counted_orders(fleet, asked), asked).inner_join(segment_table(found), "customer")
    return with_refunds(fleet, asked, orders, ["segment"])


def quintiles(numbers: Any) -> Any:
    """Scores 1 to 5 by linearly interpolated edges, right-closed."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    edges = np.quantile(numbers, (0.2, 0.4, 0.6, 0.8), method="linear")
    return np.searchsorted(edges, numbers, side="left") + 1
