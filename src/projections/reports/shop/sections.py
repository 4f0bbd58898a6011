"""What each chart of the report shows: its numbers, its table, and which definition they follow. Here: pool and trade."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.money import exponent
from projections.reports.shop import charts
from projections.reports.shop.asking import MONTHS, Answer, Report
from projections.reports.shop.charts import Cell, Named, Series
from projections.reports.shop.words import Text, money, number, percent

COHORT_MONTHS = 12
"""Months after the first order that the heat map shows."""

NO_DATA = Text("No data: no order is recorded up to this date.", "暂无数据：截至该日期没有订单记录。")


@dataclass(frozen=True, slots=True)
class Section:
    """One chart with everything that says what it is.

    Attributes:
        chart: SVG; empty: the table is all there is; None: there is no data, and `nothing` says so.
        heads, rows: the same numbers as a table; heads that end in `#` are of numbers.
        answers: those of the metrics it was drawn from.
    """

    key: str
    title: Text
    explained: Text
    chart: str | None
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    answers: Sequence[Answer]
    nothing: Text = NO_DATA


def pool(report: Report) -> Section:
    """Customers at the end of each month."""
    title = Text("Customers", "客户池")
    answer = report.answers["pool"]
    rows = answer["rows"][-MONTHS:]
    chart = None
    if rows:
        told = in_words(rows, "customers", number)
        series = [Series(Text("customers", "客户数"), [row["customers"] for row in rows])]
        chart = charts.lines(Named("pool", title, told), periods(rows), series, number, open_end=is_unfinished(rows))
    return Section(
        "pool",
        title,
        Text("How many customers there are at the end of each month.", "每月末的客户总数。"),
        chart,
        ("month 月份", "joined 新增#", "left 流失#", "customers 客户数#"),
        [(month(row), number(row["opened"]), number(row["left"]), number(row["customers"])) for row in rows],
        [answer],
    )


def repurchase(report: Report) -> Section:
    """Three rates that are all called repurchase, each by its own name."""
    title = Text("Repurchase", "复购")
    window, buy_back, ninety = (report.answers[name] for name in ("repurchase", "buy_back", "repurchase_90"))
    rows = _trimmed(window["rows"], "buyers")
    months = [row["period"] for row in rows]
    again, within = (_bymonth(answer, months) for answer in (buy_back, ninety))
    chart = None
    if rows:
        series = [
            Series(Text("bought twice in the month", "当月复购率"), [row["value"] for row in rows]),
            Series(Text("bought again the next month", "次月回购率"), again),
            Series(Text("new, second order within 90 days", "新客 90 日复购率"), within),
        ]
        told = in_words(rows, "value", percent)
        chart = charts.lines(
            Named("repurchase", title, told), months, series, _whole_percent, open_end=is_unfinished(rows)
        )
    return Section(
        "repurchase",
        title,
        Text(
            "Of a month's buyers: the share that bought at least twice in it, and the share that bought again the month after. "
            "Of those who bought for the first time: the share that ordered again within 90 days.",
            "当月购买者中购买两次及以上的占比；其中次月再次购买的占比；首次购买的客户在 90 天内再次下单的占比。",
        ),
        chart,
        ("month 月份", "buyers 购买者#", "twice 复购率#", "next month 回购率#", "90 days 90 日#"),
        [
            (month(row), number(row["buyers"]), percent(row["value"]), percent(one), percent(two))
            for row, one, two in zip(rows, again, within, strict=True)
        ],
        [window, buy_back, ninety],
    )


def average_order(report: Report) -> Section:
    """What an order and what a buyer was worth in each month."""
    title = Text("Average order value", "笔单价与客单价")
    answer, spend = report.answers["aov"], report.answers["spend"]
    rows = _trimmed(answer["rows"], "orders")
    months = [row["period"] for row in rows]
    per_buyer = _bymonth(spend, months)
    chart = None
    if rows:
        series = [
            Series(Text("per order", "笔单价"), [row["value"] for row in rows]),
            Series(Text("per buyer", "客单价"), per_buyer),
        ]
        told = in_words(rows, "value", lambda value: money(value, report.currency))
        chart = charts.lines(
            Named("aov", title, told), months, series, lambda value: axis(value, report), open_end=is_unfinished(rows)
        )
    return Section(
        "aov",
        title,
        Text(
            f"What an order brought on average, and what a buyer spent in the month, in {report.currency or 'money'}.",
            f"每笔订单的平均金额，以及每位购买者当月的平均消费{f'（{report.currency}）' if report.currency else ''}。",
        ),
        chart,
        ("month 月份", "orders 订单数#", "per order 笔单价#", "per buyer 客单价#"),
        [
            (month(row), number(row["orders"]), money(row["value"], report.currency), money(one, report.currency))
            for row, one in zip(rows, per_buyer, strict=True)
        ],
        [answer, spend],
    )


def revenue(report: Report) -> Section:
    """Who the money of each month came from."""
    title = Text("Money from new and returning customers", "新客与老客的销售额")
    answer = report.answers["revenue"]
    rows = _trimmed(answer["rows"], "new_buyers")
    chart = None
    if rows:
        series = [
            Series(Text("returning customers", "老客"), [row["returning_amount"] for row in rows]),
            Series(Text("new customers", "新客"), [row["new_amount"] for row in rows]),
        ]
        told = in_words(rows, "returning_amount_share", percent)
        chart = charts.bars(
            Named("revenue", title, told),
            periods(rows),
            series,
            lambda value: axis(value, report),
            open_end=is_unfinished(rows),
        )
    return Section(
        "revenue",
        title,
        Text(
            "Orders less their refunds: of customers who first bought in that month, and of those who had bought before.",
            "订单净额（扣除退款）：当月首次购买的客户与此前已购买过的客户。",
        ),
        chart,
        ("month 月份", "returning 老客#", "new 新客#", "share of returning 老客占比#"),
        [
            (
                month(row),
                money(row["returning_amount"], report.currency, whole=True),
                money(row["new_amount"], report.currency, whole=True),
                percent(row["returning_amount_share"]),
            )
            for row in rows
        ],
        [answer],
    )


def cohorts(report: Report) -> Section:
    """Which share of those who began in a month comes back k months later."""
    title = Text("Do customers come back?", "客户留存")
    answer = report.answers["cohort"]
    found = {(row["cohort"], row["k"]): row for row in answer["rows"]}
    names = sorted({cohort for cohort, _ in found})[-COHORT_MONTHS - 1 :]
    most = min(max((k for cohort, k in found if cohort in names), default=0), COHORT_MONTHS)
    ages = range(1, most + 1)
    rows = [(name, number(found[name, 0]["size"]), [_cell(found.get((name, k))) for k in ages]) for name in names]
    chart = None
    if names and most:
        told = Text(
            f"Rows: month of the first order, {names[0]} to {names[-1]}. Columns: months later. The table has the numbers.",
            f"行为首单月份（{names[0]} 至 {names[-1]}），列为之后第几个月，数字见表格。",
        )
        chart = charts.heat(Named("cohort", title, told), [f"+{k}" for k in ages], rows)
    return Section(
        "cohort",
        title,
        Text(
            "Each row: the customers whose first order fell in that month, and how many. Each cell: per cent of them who "
            "ordered again so many months later. Dashed: the month is not over.",
            "每行为首单在该月的客户及人数；每格为之后第几个月再次下单的百分比。虚线框表示该月尚未结束。",
        ),
        chart,
        ("first order 首单月", "customers 人数#", *(f"+{k}#" for k in ages)),
        [(name, size, *("" if cell is None else f"{cell.label} %" for cell in cells)) for name, size, cells in rows],
        [answer],
        Text("No data: no month has followed a first order yet.", "暂无数据：首单之后尚未经过一个月。"),
    )


def _cell(row: dict[str, Any] | None) -> Cell | None:
    if row is None:
        return None
    share = row["retention"]
    return Cell(share, f"{share * 100:.0f}", row["incomplete"])


def _trimmed(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Rows from the first period on in which something happened."""
    first = next((index for index, row in enumerate(rows) if row[name]), len(rows))
    return rows[first:]


def _bymonth(answer: Answer, months: list[str]) -> list[float | None]:
    found = {row["period"]: row["value"] for row in answer["rows"]}
    return [found.get(month) for month in months]


def in_words(rows: list[dict[str, Any]], name: str, show: Any) -> Text:
    """First, last, least and most, for who hears the chart."""
    there = [(row[name], row["period"]) for row in rows if row[name] is not None]
    if not there:
        return Text("No values.", "没有数值。")
    (first, begin), (last, end) = there[0], there[-1]
    least, most = min(there), max(there)
    return Text(
        f"{begin}: {show(first)}; {end}: {show(last)}; lowest {show(least[0])} in {least[1]}, "
        f"highest {show(most[0])} in {most[1]}. The table has every number.",
        f"{begin}：{show(first)}；{end}：{show(last)}；最低 {least[1]} {show(least[0])}，最高 {most[1]} {show(most[0])}。",
    )


def periods(rows: list[dict[str, Any]]) -> list[str]:
    """Their names, for an axis."""
    return [row["period"] for row in rows]


def month(row: dict[str, Any]) -> str:
    """A month in a table; with a star while it is not over."""
    return f"{row['period']} *" if row["incomplete"] else str(row["period"])


def is_unfinished(rows: list[dict[str, Any]]) -> bool:
    """Whether the last period is not over."""
    return bool(rows and rows[-1]["incomplete"])


def _whole_percent(value: float) -> str:
    return f"{value * 100:.0f} %"


def axis(minor: float, report: Report) -> str:
    """Money on an axis: no currency, no digits behind the point."""
    return charts.short(minor / 10 ** exponent(report.currency or "XXX"))
