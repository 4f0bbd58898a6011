"""Time between purchases: the days from an occasion to the same customer's next.

gaps = pairs of successive occasions whose later one lies in the window; mean, quartiles (linearly interpolated) in days.
CDNOW row to row, zero-value orders included: 46,089 gaps, mean 68.97, quartiles 10, 31, 89.
Source: docs/METRICS.md; the gap of the stage machine's interval mode.
"""

from projections.metrics.definition import COUNTED, OCCASION, Asked, Row, define
from projections.metrics.gaps import with_gaps
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Gaps, and how they are distributed."""
    gaps, keys = _gaps(fleet, asked)
    return fleet.rows(
        grouped(gaps, keys).agg(
            gaps=gaps.count(),
            mean_days=gaps.gap_days.mean(),
            q25_days=gaps.gap_days.quantile(0.25),
            median_days=gaps.gap_days.quantile(0.5),
            q75_days=gaps.gap_days.quantile(0.75),
        )
    )


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """Both orders of each pair; of a day with several, its first."""
    gaps, keys = _gaps(fleet, asked)
    return stacked(gaps.select("position", *keys), gaps.select(*keys, position="position_before"))


def _gaps(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    seen = with_gaps(fleet, asked)
    return with_keys(in_window(seen.filter(seen.gap_days.notnull()), asked), asked)


DEFINITION = define(
    __doc__,
    compute,
    name="purchase_interval",
    version=1,
    parameters=(*COUNTED, OCCASION),
    by=tuple(TIME_UNITS),
    explain=explain,
)
