"""RFM by quintiles: customers scored 1 to 5 on recency and frequency, in ten named segments.

R = whole days from the last order to as_of; F = orders; M = amount, customers with M > 0 only. Quintiles with linearly
interpolated edges, right-closed; R reversed (5 = recent); F is ranked first by (F, customer id ascending, as a number if all
are digits), so that equal F are told apart in one way only. Online Retail with its POST line, as_of 2011-12-11, gives the
published counts. A small program (fewer than 5 customers) has no quintiles.
Source: docs/METRICS.md, "rfm/quantile@1".
"""

from projections.metrics.definition import MONEY, Asked, Row, define
from projections.metrics.rfm import by_segment, quintiles, values
from projections.twin.fleet import Fleet

CUSTOMERS_MIN = 5


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Segments of all customers of the window."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    found = values(fleet, asked)
    size = len(found["customer"])
    if size < CUSTOMERS_MIN:
        return []
    recency = 6 - quintiles(found["recency"])
    frequency = quintiles(np.arange(1, size + 1))
    return by_segment(found, recency.tolist(), frequency.tolist())


DEFINITION = define(__doc__, compute, name="rfm/quantile", version=1, parameters=MONEY)
