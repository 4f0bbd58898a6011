"""RFM by thresholds: customers scored 1 to 5 on recency and frequency by edges that are given, in ten named segments.

R = 5 up to the first of `recency_days`, 4 up to the second …, 1 beyond the fourth; F = 1 up to the first of `frequencies`
(right-closed), 5 beyond the fourth. The same customer with the same history gets the same segment whoever else there is.
Source: docs/METRICS.md, "rfm/threshold@1".
"""

from typing import Any

from projections.errors import bad_parameter
from projections.metrics.definition import MONEY, Asked, Parameter, Row, define
from projections.metrics.rfm import by_segment, explain_segments, values, with_segment
from projections.twin.fleet import Expression, Fleet

EDGES = 4


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Segments of all customers of the window."""
    return by_segment(segmented(fleet, asked))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers of a segment, and what was refunded of them."""
    return explain_segments(fleet, asked, segmented(fleet, asked))


def segmented(fleet: Fleet, asked: Asked) -> dict[str, Any]:
    """The arrays of `rfm.values` with `segment`.

    Raises:
        FormError: other than four edges.
    """
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    for name in ("recency_days", "frequencies"):
        if len(asked[name]) != EDGES:
            raise bad_parameter(name, "four numbers that rise, with commas between them")
    found = values(fleet, asked)
    recency = 5 - np.searchsorted(asked["recency_days"], found["recency"], side="left")
    frequency = np.searchsorted(asked["frequencies"], found["frequency"], side="left") + 1
    return with_segment(found, recency, frequency)


EDGES_GIVEN = (
    Parameter("recency_days", "Edges of R in days.", "numbers", (30.0, 60.0, 120.0, 365.0)),
    Parameter("frequencies", "Edges of F in orders.", "numbers", (1.0, 2.0, 4.0, 8.0)),
)


DEFINITION = define(
    __doc__,
    compute,
    name="rfm/threshold",
    version=1,
    parameters=(
        *MONEY,
        *EDGES_GIVEN,
    ),
    keys=("segment",),
    explain=explain,
)
