"""Every way the read side says no. A number that cannot be answered exactly is not answered."""

from ledger.errors import FormError, LedgerError, NotFound


class MetricUnknown(NotFound):
    """There is no metric of this name; `facts` lists those there are."""

    code = "metric_unknown"


class TwinDamaged(LedgerError):
    """A sealed range of the twin is damaged or belongs to another log; remove the twin, and it is built again."""

    code = "twin_damaged"


class NoConnectionsRecorded(LedgerError):
    """No connections recorded: nobody has posted who is connected to whom, so nobody knows the pool."""

    code = "no_connections_recorded"


class ReviewsUnwritten(LedgerError):
    """Reviews of tiers that were due by `as_of` are not written yet; who stands at which tier then is not known."""

    code = "reviews_unwritten"


class ReadModelBuilding(LedgerError):
    """This read model is being built; nothing is answered before it is whole."""

    code = "read_model_building"


class RebuildRunning(LedgerError):
    """Another rebuild of this read model is under way."""

    code = "rebuild_running"


class AnalysisEnded(LedgerError):
    """The process that answers questions about a whole program ended; ask again."""

    code = "analysis_ended"


def currencies_mixed(currencies: list[str]) -> FormError:
    """The problem of a question about money where there are orders in several currencies and none was chosen."""
    return FormError(
        "There are orders in several currencies; choose one with `currency`.",
        code="currencies_mixed",
        errors=[{"pointer": "?currency", "reason": "one of " + ", ".join(currencies)}],
    )


def bad_parameter(name: str, reason: str) -> FormError:
    """The problem of a metric's parameter."""
    return FormError(
        f"The parameter {name!r} is malformed.",
        code="parameter_malformed",
        errors=[{"pointer": f"?{name}", "reason": reason}],
    )
