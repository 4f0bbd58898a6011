"""Every question the report asks of the metrics, all at one pair of cut-offs."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from ledger.instants import midnight, show
from projections.metrics.answering import answer
from projections.metrics.periods import first_day, local_day
from projections.twin.fleet import Fleet

Answer = dict[str, Any]
"""An answer of `projections.metrics`."""

REPORT = "shop@1"

MONTHS = 24
"""Months a chart looks back."""

SPAN = 3
"""Whole months that are compared with as many before them, or with the same ones a year earlier."""

STAGE_MONTHS = 12
"""Ends of months at which the stages of all customers are asked for."""

AWAY = 500
"""Customers who are leaving, whom the report is given by name."""

YEAR = 12

SECOND_ORDER = timedelta(days=90)
"""What `repurchase_rate/cohort` waits for: a month is asked for when it is over for all its customers."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole calendar months in the program's zone, from the first day of one to the first day of another, not in it."""

    start: date
    end: date

    @property
    def window(self) -> dict[str, str]:
        """As a metric is asked for it."""
        return {"from": self.start.isoformat(), "to": self.end.isoformat()}


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked and answered.

    Attributes:
        currency: of every amount; None: there is no order.
        now, before, year_ago: the spans that are compared; None: the program's history does not reach that far.
        answers: by the name the report has for a question.
        month_ends: the stages at the end of each month, with `period`.
    """

    program: str
    zone: str
    as_of: str
    known_at: str
    position: int
    currency: str | None
    now: Span
    before: Span | None
    year_ago: Span | None
    answers: dict[str, Answer]
    month_ends: list[Answer] = field(default_factory=list)

    @property
    def against(self) -> Span | None:
        """What the last span is compared with: the same months a year earlier, else those before it."""
        return self.year_ago or self.before


def ask(fleet: Fleet, *, currency: str | None = None) -> Report:
    """Ask everything.

    Raises:
        FormError: `currencies_mixed`: the program sells in several currencies and none was chosen.
    """
    money = {} if currency is None else {"currency": currency}
    today = first_day(local_day(fleet.cut.as_of + 1, fleet.book.zone), "month")
    now = Span(_months_before(today, SPAN), today)
    ripe = first_day(local_day(fleet.cut.as_of, fleet.book.zone) - SECOND_ORDER, "month")
    recent = {"from": _months_before(today, MONTHS).isoformat()}
    answers = {
        "pool": answer(fleet, "customers", {"by": "month"}),
        "repurchase": answer(fleet, "repurchase_rate/window", {"by": "month", **recent}),
        "buy_back": answer(fleet, "repurchase_rate/period", {"by": "month", **recent}),
        "repurchase_90": answer(fleet, "repurchase_rate/cohort", {"by": "month", **recent, "to": ripe.isoformat()}),
        "aov": answer(fleet, "aov/order", {"by": "month", **recent, **money}),
        "spend": answer(fleet, "spend_per_buyer", {"by": "month", **recent, **money}),
        "revenue": answer(fleet, "revenue/new_returning", {"by": "month", **recent, **money}),
        "cohort": answer(fleet, "cohort", {**recent, **money}),
        "stage": answer(fleet, "stage", {}),
        "flows": answer(fleet, "stage/flows", {"from": now.start.isoformat()}),
        "leaving": answer(fleet, "leaving", {"limit": str(AWAY), **money}),
        "concentration": answer(fleet, "concentration", money),
        "points": answer(fleet, "points", {"by": "month", **recent}),
        "outstanding": answer(fleet, "points/outstanding", {"month": "expiry"}),
    }
    first = _first_month(answers["pool"])
    before = _within(_moved(now, SPAN), first)
    year_ago = _within(_moved(now, YEAR), first)
    for name, span in (("now", now), ("before", before), ("year_ago", year_ago)):
        if span is not None:
            answers[f"repurchase_{name}"] = answer(fleet, "repurchase_rate/window", span.window)
            answers[f"aov_{name}"] = answer(fleet, "aov/order", {**span.window, **money})
    return Report(
        program=fleet.book.program,
        zone=str(fleet.book.zone),
        as_of=show(fleet.cut.as_of),
        known_at=show(fleet.cut.known_at),
        position=fleet.cut.position,
        currency=answers["aov"]["currency"],
        now=now,
        before=before,
        year_ago=year_ago,
        answers=answers,
        month_ends=_month_ends(fleet, today, first),
    )


def _month_ends(fleet: Fleet, today: date, first: date | None) -> list[Answer]:
    """The stages at the end of each whole month since the first one, and at `as_of`, as the same records are known now."""
    ends = [_months_before(today, months) for months in range(STAGE_MONTHS, -1, -1)]
    answers = []
    for end in ends:
        if first is not None and end > first:
            cut = replace(fleet.cut, as_of=midnight(end, fleet.book.zone) - 1)
            answers.append(
                {**answer(replace(fleet, cut=cut), "stage", {}), "period": f"{_months_before(end, 1):%Y-%m}"}
            )
    return answers


def _first_month(pool: Answer) -> date | None:
    return date.fromisoformat(f"{pool['rows'][0]['period']}-01") if pool["rows"] else None


def _within(span: Span, first: date | None) -> Span | None:
    """A span, if the program's records reach back to its first month."""
    return span if first is not None and first <= span.start else None


def _moved(span: Span, months: int) -> Span:
    return Span(_months_before(span.start, months), _months_before(span.end, months))


def _months_before(first: date, months: int) -> date:
    index = first.year * YEAR + first.month - 1 - months
    return date(index // YEAR, index % YEAR + 1, 1)
