"""Ultimate burn rate: the share of points granted that is expected ever to be redeemed (URR), as the rules assume it.

value = `redemption_rate` of the valuation that counts at as_of, by currency: the assumption of the liability report, not a count.
The rules are those known at known_at; without a valuation it is `valuation_missing`. Beside it stand the two that are counted:
`burn_rate/period` and `burn_rate/to_date`.
Source: docs/METRICS.md, "points"; the rules' `valuation`.
"""

from projections.metrics.definition import Asked, Row, define
from projections.reports.asking import ValuationMissing, valuations_at
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, _asked: Asked) -> list[Row]:
    """The valuations that count.

    Raises:
        ValuationMissing: the rules have none at as_of.
    """
    rulebook = fleet.book.state.rulebook
    valuations = rulebook.latest.document.valuation if rulebook else ()
    found = valuations_at(valuations, fleet.cut.as_of, None)
    if not found:
        raise ValuationMissing(missing=["valuation"])
    return [
        {"currency": one.currency, "value": float(one.rate), "effective_from": one.effective_from.isoformat()}
        for one in found
    ]


DEFINITION = define(
    __doc__,
    compute,
    name="burn_rate/ultimate",
    version=1,
    window=False,
    rules=True,
    explain="it is an assumption of the rules, not a count of records",
)
