"""Pool: distinct customers with at least one open connection at as_of.

Net growth = customers who became connected − customers who lost their last connection; channels may sum to more than the total,
in which everyone counts once. Until the ledger records connections this answers `no_connections_recorded`: how many customers
there are, connected or not, says `customers`.
Source: docs/METRICS.md, "pool@1".
"""

from projections.errors import NoConnectionsRecorded
from projections.metrics.definition import ORDER_DIMENSIONS, Asked, Row, define
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(_fleet: Fleet, _asked: Asked) -> list[Row]:
    """Refused by name.

    Raises:
        NoConnectionsRecorded: no record type of this ledger says who is connected.
    """
    raise NoConnectionsRecorded(see="customers")


DEFINITION = define(
    __doc__,
    compute,
    name="pool",
    version=1,
    by=(*TIME_UNITS, *ORDER_DIMENSIONS),
    explain="no connections are recorded",
)
