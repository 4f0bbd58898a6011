"""The part of the table of routes that answers for a whole program: reports."""

from api import examples_reports as examples
from api.openapi import Operation, good, parameter
from api.parameters import AS_OF, INSTANT, KNOWN_AT, PROGRAM, limit
from api.reports import LIMIT, LIMIT_MAX, TEXT_MAX, UNKNOWN, read_points_report, read_points_report_records
from api.schemas import Schema, ref
from api.searches import LIMIT as CUSTOMERS_LIMIT
from api.searches import LIMIT_MAX as CUSTOMERS_LIMIT_MAX
from api.searches import SOON_DAYS, SOON_DAYS_MAX, SORT_VALUES, read_customers
from api.tieouts import LIMIT as TIED
from api.tieouts import LIMIT_MAX as TIED_MAX
from api.tieouts import STREAM_PATTERN, read_tie_out
from projections.models.searching import EQUALS, INSTANTS, NUMBERS
from projections.reports.formats import FORMATS, TABLES
from projections.reports.points import DIMENSIONS

_FROM = parameter(
    "from",
    "query",
    "Where the period begins: an instant with offset, or a date, whose first instant is meant. Left out: all time.",
    {"anyOf": [INSTANT, {"type": "string", "format": "date"}]},
    "2025-12-01",
)
_MONEY = parameter(
    "money",
    "query",
    "Only this currency, or none. Left out: every currency in which the rules value points.",
    {"type": "string", "pattern": "^([A-Z]{3}|none)$"},
)


_SHORT: Schema = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "pattern": r"^[^\u0000]+$"}


def _value(name: str) -> Schema:
    return parameter(
        name,
        "query",
        f"Only this {name.replace('_', ' ')}; {UNKNOWN}: where it is not known.",
        _SHORT,
    )


def _named(name: str) -> Schema:
    last = name in ("channel", "store", "guide")
    return parameter(
        name, "query", f"Only this {name.replace('_', ' ')}{' of the last place' if last else ''}.", _SHORT
    )


def _bound(name: str, end: str) -> Schema:
    words = "at least" if end == "min" else "at most"
    schema = {"type": "integer", "minimum": -(10**15) + 1, "maximum": 10**15 - 1}
    return parameter(f"{name}_{end}", "query", f"{name.capitalize()} {words}; money in minor units.", schema)


def _time(name: str, end: str) -> Schema:
    words = "not before" if end == "from" else "before"
    schema: Schema = {"anyOf": [INSTANT, {"type": "string", "format": "date"}]}
    return parameter(
        f"{name}_{end}",
        "query",
        f"{name.replace('_', ' ').capitalize()} {words} this instant, or the start of this day.",
        schema,
    )


_SEARCH = Operation(
    "GET",
    "/v1/programs/{program}/customers",
    read_customers,
    "customers",
    {
        200: good(
            "A page of customers; `next` goes on as `after`, null = the end.", ref("Customers"), examples.CUSTOMERS
        )
    },
    problems=(400, 404),
    parameters=(
        PROGRAM,
        parameter("prefix", "query", "Only customers whose id begins so.", _SHORT),
        *(_named(name) for name in EQUALS),
        *(_bound(name, end) for name in NUMBERS for end in ("min", "max")),
        *(_time(name, end) for name in INSTANTS for end in ("from", "before")),
        parameter(
            "expiring_days",
            "query",
            "What expires within so many days is shown.",
            {"type": "integer", "minimum": 0, "maximum": SOON_DAYS_MAX, "default": SOON_DAYS},
        ),
        parameter(
            "sort",
            "query",
            "By what; with a minus the greatest first.",
            {"enum": list(SORT_VALUES), "default": "customer"},
        ),
        parameter(
            "after", "query", "The `next` of the page before.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,1000}$"}
        ),
        limit(CUSTOMERS_LIMIT, CUSTOMERS_LIMIT_MAX),
    ),
    description="From the read model, which follows the log within a second; `position` says how far. `spend` is net. Money is "
    "compared in the currency of a customer's first order: with several in the program, `currency` is needed (400 "
    "`currencies_mixed`). While the model is first built: 503 `read_model_building`, never a part of the customers.",
)

_TIE_OUT = Operation(
    "GET",
    "/v1/programs/{program}/tie-out",
    read_tie_out,
    "reports",
    {200: good("What was compared, and every difference with its customer.", ref("TieOut"), examples.TIE_OUT)},
    problems=(400, 404),
    parameters=(
        PROGRAM,
        AS_OF,
        KNOWN_AT,
        parameter("after", "query", "The `next` of the page before.", {"type": "string", "pattern": STREAM_PATTERN}),
        limit(TIED, TIED_MAX),
    ),
    description="The streams are folded from their records, and each side is held against the fold at the position where it "
    "stands: heads at their last record, read models at their checkpoint, the twin at `as_of` and `known_at`. A side that is "
    "null in `sides` is not there and was not compared. `limit` is of customers; `next` goes on after the last of them.",
)

REPORTS: tuple[Operation, ...] = (
    _SEARCH,
    _TIE_OUT,
    Operation(
        "GET",
        "/v1/programs/{program}/reports/points",
        read_points_report,
        "reports",
        {
            200: {
                "description": "Points owed; asked again with its `as_of` and `position`, the same bytes.",
                "content": {
                    **good("", ref("PointsReport"), examples.POINTS_REPORT)["content"],
                    **{
                        media_type.partition(";")[0]: {"schema": {"type": "string"}, "example": "a file"}
                        for media_type, _ in FORMATS.values()
                    },
                },
            }
        },
        problems=(400, 404, 409),
        parameters=(
            PROGRAM,
            _FROM,
            AS_OF,
            KNOWN_AT,
            _MONEY,
            parameter("format", "query", "How it is written.", {"enum": ["json", *FORMATS], "default": "json"}),
            parameter(
                "table", "query", "Which table, of CSV and Parquet.", {"enum": list(TABLES), "default": TABLES[0]}
            ),
        ),
        description="Opening + opened + granted + reinstated ± adjusted ± transferred − redeemed − expired − clawed back − debts "
        "covered = closing, to the last point. Debts, pending and held points stand apart and are never netted. Money that the "
        "rules cannot say is 409 `valuation_missing`; a report that cannot be answered exactly is not answered.",
    ),
    Operation(
        "GET",
        "/v1/programs/{program}/reports/points/records",
        read_points_report_records,
        "reports",
        {200: good("A page of records.", ref("PointsReportRecords"), examples.POINTS_REPORT_RECORDS)},
        problems=(400, 404),
        parameters=(
            PROGRAM,
            _FROM,
            AS_OF,
            KNOWN_AT,
            {
                **parameter(
                    "line",
                    "query",
                    "A line of the roll-forward, such as granted; debt for those of debts.",
                    {"type": "string", "pattern": "^[a-z_]{1,64}$"},
                    "redeemed",
                ),
                "required": True,
            },
            parameter("detail", "query", "The line's detail, such as purchase.", _SHORT),
            *(_value(name) for name in DIMENSIONS),
            parameter(
                "after",
                "query",
                "The `next` of the page before.",
                {"type": "integer", "minimum": 0, "maximum": 10**16 - 1},
            ),
            limit(LIMIT, LIMIT_MAX),
        ),
    ),
)
