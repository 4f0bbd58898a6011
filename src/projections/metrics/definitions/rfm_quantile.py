"""RFM by quintiles: customers scored 1 to 5 on recency and frequency, in ten named segments.

R = whole days from the last order to as_of; F = orders; M = amount, customers with M > 0 only. Quintiles with linearly
interpolated edges, right-closed; R reversed (5 = recent); F is ranked first by (F, customer id ascending, as a number if all
are digits), so that equal F are told apart in one way only. Online Retail with its POST line, as_of 2011-12-11, gives the
published counts. A small program (fewer than 5 customers) has no quintiles.
Source: docs/METRICS.md, "rfm/quantile@1".
"""

from typing import Any

from projections.metrics.definition import MONEY, Asked, Row, define
from projections.metrics.rfm import by_segment, explain_segments, quintiles, values, with_segment
from projections.twin.fleet import Expression, Fleet

CUSTOMERS_MIN = 5


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Segments of all customers of the window."""
    return by_segment(segmented(fleet, asked))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers of a segment, and what was refunded of them."""
    return explain_segments(fleet, asked, segmented(fleet, asked))


def segmented(fleet: Fleet, asked: Asked) -> dict[str, Any]:
    """The arrays of `rfm.values` with `segment`; of nobody where there are too few."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    found = values(fleet, asked)
    size = len(found["customer"])
    if size < CUSTOMERS_MIN:
        nobody = {name: array[:0] for name, array in found.items()}
        return {**nobody, "segment": np.array([], dtype=object)}
    return with_segment(found, 6 - quintiles(found["recency"]), quintiles(np.arange(1, size + 1)))


DEFINITION = define(
    __doc__, compute, name="rfm/quantile", version=1, parameters=MONEY, keys=("segment",), explain=explain
)
