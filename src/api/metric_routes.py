"""The routes of metrics, and what the OpenAPI document says of them."""

from typing import Any

from api.metrics import list_metrics, read_metric, read_metric_in_a_sense
from api.openapi import Operation, good, parameter
from api.schemas import Schema, ref
from projections.metrics.definition import Parameter
from projections.metrics.definitions import DEFINITIONS
from projections.metrics.explaining import DIGITS_MAX, LIMIT, LIMIT_MAX

_NAMES = sorted({one.name.partition("/")[0] for one in DEFINITIONS})
_SENSES = sorted({one.name.partition("/")[2] for one in DEFINITIONS if "/" in one.name})
_DATE_OR_INSTANT: Schema = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}

_WINDOW = (
    parameter(
        "from", "query", "Begin of the window, in it: a date in the program's zone, or an instant.", _DATE_OR_INSTANT
    ),
    parameter("to", "query", "End of the window, not in it.", _DATE_OR_INSTANT),
    parameter(
        "by",
        "query",
        "What to group by, with commas: at most one of day, week, month, quarter; and channel, store, brand, entity, guide, "
        "tier, category, cohort where the metric says so.",
        {"type": "string"},
        "month",
    ),
)
_EXPLAINING = (
    parameter(
        "explain",
        "query",
        "Whether the records behind the answer are listed; refused where the metric is not `explained`.",
        {"enum": ["true", "false"], "default": "false"},
    ),
    parameter(
        "cell",
        "query",
        "With explain=true: the records of one row alone. The values of what tells rows apart, as they are shown, with commas (one "
        "that holds a comma in quotation marks), empty = null: `2026-03,SZ-001` with by=month,store.",
        {"type": "string"},
    ),
    parameter(
        "records_after",
        "query",
        "With explain=true: the `next` of the page before.",
        {"type": "integer", "minimum": 0, "maximum": 10**DIGITS_MAX - 1},
    ),
    parameter(
        "records_limit",
        "query",
        "With explain=true: how many records at most.",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
    ),
)

ANSWER: dict[str, Any] = {
    "metric": "repurchase_rate/window@1",
    "sentence": "Repurchase rate of a window (复购率): buyers with at least 2 occasions in the window ÷ buyers in the window.",
    "program": "default",
    "parameters": {"amount": "net", "zero_value": "exclude", "unit": "order"},
    "from": None,
    "to": None,
    "by": ["month"],
    "as_of": "2026-11-21T02:00:01Z",
    "known_at": "2026-11-21T02:00:01Z",
    "position": 5,
    "sealed_through": 0,
    "counts": {"records": 4, "orders": 2, "refunds": 0},
    "rows": [{"period": "2026-11", "repeaters": 1, "buyers": 1, "value": 1.0, "incomplete": True}],
}

LISTING: dict[str, Any] = {
    "program": "default",
    "metrics": [
        {
            "metric": "buyers@1",
            "sentence": "Buyers: identified customers with at least one counted order in the window.",
            "formula": "…",
            "by": ["day", "week", "month", "quarter", "channel"],
            "explained": True,
            "parameters": [
                {
                    "name": "zero_value",
                    "says": "Whether orders of 0 count.",
                    "kind": "choice",
                    "default": "exclude",
                    "choices": ["exclude", "include"],
                }
            ],
        }
    ],
}


def metric_operations(program: Schema, cut_offs: tuple[Schema, ...]) -> tuple[Operation, ...]:
    """The routes of metrics; the parameters that other routes have too are handed in."""
    metric = parameter("metric", "path", "Its name, with a version or without.", {"type": "string"}, "customers")
    sense = parameter("sense", "path", "Which sense: " + ", ".join(_SENSES) + ".", {"type": "string"}, "window")
    asked = (*cut_offs, *_WINDOW, *_EXPLAINING, *_parameters())
    answered = good("The rows, and what says which number they are.", ref("MetricAnswer"), ANSWER)
    return (
        Operation(
            "GET",
            "/v1/programs/{program}/metrics",
            list_metrics,
            "metrics",
            {200: good("The definitions.", ref("Metrics"), LISTING)},
            problems=(400, 404),
            parameters=(program,),
        ),
        Operation(
            "GET",
            "/v1/programs/{program}/metrics/{metric}",
            read_metric,
            "metrics",
            {200: answered},
            problems=(400, 404, 409),
            parameters=(program, metric, *asked),
            description="One of: " + ", ".join(_NAMES) + ". A parameter the metric does not take is refused.",
        ),
        Operation(
            "GET",
            "/v1/programs/{program}/metrics/{metric}/{sense}",
            read_metric_in_a_sense,
            "metrics",
            {200: answered},
            problems=(400, 404, 409),
            parameters=(program, metric, sense, *asked),
            description="Money is in minor units of `currency`. A ratio whose denominator is 0 is null. A period that had not "
            "ended at `as_of`, or that the window cuts, is `incomplete`.",
        ),
    )


def _parameters() -> list[Schema]:
    """Every parameter some metric takes, once."""
    named = {one.name: one for definition in DEFINITIONS for one in definition.parameters}
    return [parameter(one.name, "query", one.says, _schema(one)) for one in named.values()]


def _schema(one: Parameter) -> Schema:
    match one.kind:
        case "choice":
            return {"enum": list(one.choices)}
        case "whole":
            return {"type": "integer", "minimum": one.least, "maximum": one.most}
        case _:
            return {"type": "string"}
