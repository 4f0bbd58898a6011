"""The answers at the top of the report: a yes or a no, the numbers behind it, and what it was compared with.

A number that changed by less than STEADY of itself is called unchanged. Where the records reach back a year, the last three whole
months are compared with the same months a year earlier, so that the season says nothing; else with the three before them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from projections.reports.shop.asking import SPAN, Report, Span
from projections.reports.shop.words import Text, change, money, months, number, percent, points, signed

STEADY = 0.01

Verdict = Literal["up", "down", "steady", "unknown"]

VERDICTS: dict[Verdict, Text] = {
    "up": Text("Yes", "是"),
    "down": Text("No, falling", "否，在下降"),
    "steady": Text("Unchanged", "基本持平"),
    "unknown": Text("Not known yet", "尚无法判断"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A question with its answer.

    Attributes:
        figure: the number itself, as large as the page can show it.
    """

    key: str
    question: Text
    verdict: Verdict
    figure: str
    said: Text


def findings(report: Report) -> list[Finding]:
    """Every answer, in the order of the questions."""
    return [pool(report), repurchase(report), average_order(report)]


def pool(report: Report) -> Finding:
    """Whether there are more customers than three whole months ago."""
    question = Text("Is the pool of customers growing?", "客户池在增长吗？")
    rows = report.answers["pool"]["rows"]
    if not rows:
        return Finding("pool", question, "unknown", "0", Text("No customer is recorded yet.", "尚无客户记录。"))
    there = rows[-1]["customers"]
    then = customers_before(rows, f"{report.now.start:%Y-%m}")
    now = customers_before(rows, f"{report.now.end:%Y-%m}")
    earlier = None if report.against is None else _gained(rows, report.against)
    said = Text(
        f"{signed(now - then)} in {months(report.now)}: {number(then)} customers before, {number(now)} after."
        + ("" if earlier is None else f" In {months(report.against or report.now)} it was {signed(earlier)}."),
        f"{months(report.now)} 净增 {signed(now - then)}：从 {number(then)} 位客户到 {number(now)} 位。"
        + ("" if earlier is None else f"{months(report.against or report.now)} 为 {signed(earlier)}。"),
    )
    return Finding("pool", question, _direction(now, then), number(there), said)


def repurchase(report: Report) -> Finding:
    """Whether a larger share of the buyers bought at least twice."""
    question = Text("Is repurchase rising?", "复购率在上升吗？")
    now, then = _compared(report, "repurchase")
    if now is None or now["value"] is None:
        said = Text(f"No orders in {months(report.now)}.", f"{months(report.now)} 没有订单。")
        return Finding("repurchase", question, "unknown", "–", said)
    english = (
        f"{number(now['repeaters'])} of {number(now['buyers'])} buyers bought at least twice in {months(report.now)}"
    )
    chinese = f"{months(report.now)} 的 {number(now['buyers'])} 位购买者中 {number(now['repeaters'])} 位购买两次及以上"
    if then is None or then["value"] is None or report.against is None:
        return Finding("repurchase", question, "unknown", percent(now["value"]), _nothing_before(english, chinese))
    by = points(now["value"] - then["value"])
    said = Text(
        f"{english}; {percent(then['value'])} in {months(report.against)} ({by} percentage points).{_season(report).en}",
        f"{chinese}；{months(report.against)} 为 {percent(then['value'])}（{by} 个百分点）。{_season(report).zh}",
    )
    return Finding("repurchase", question, _direction(now["value"], then["value"]), percent(now["value"]), said)


def average_order(report: Report) -> Finding:
    """Whether an order is worth more than it was."""
    question = Text("Is the average order value rising?", "笔单价在上升吗？")
    now, then = _compared(report, "aov")
    if now is None or now["value"] is None:
        said = Text(f"No orders in {months(report.now)}.", f"{months(report.now)} 没有订单。")
        return Finding("aov", question, "unknown", "–", said)
    figure = money(now["value"], report.currency)
    english = f"{number(now['orders'])} orders in {months(report.now)}"
    chinese = f"{months(report.now)} 共 {number(now['orders'])} 笔订单"
    if then is None or not then["value"] or report.against is None:
        return Finding("aov", question, "unknown", figure, _nothing_before(english, chinese))
    by = change(now["value"], then["value"])
    was = money(then["value"], report.currency)
    said = Text(
        f"{english}, on average {figure}; {was} in {months(report.against)} ({by}).{_season(report).en}",
        f"{chinese}，平均 {figure}；{months(report.against)} 为 {was}（{by}）。{_season(report).zh}",
    )
    return Finding("aov", question, _direction(now["value"], then["value"]), figure, said)


def customers_before(rows: list[dict[str, Any]], month: str) -> int:
    """Customers at the beginning of a month. A month in which nobody came or left has no row."""
    earlier = [row["customers"] for row in rows if row["period"] < month]
    return earlier[-1] if earlier else 0


def _gained(rows: list[dict[str, Any]], span: Span) -> int:
    return customers_before(rows, f"{span.end:%Y-%m}") - customers_before(rows, f"{span.start:%Y-%m}")


def _compared(report: Report, name: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    against = "year_ago" if report.year_ago is not None else "before"
    return _only(report, f"{name}_now"), _only(report, f"{name}_{against}")


def _only(report: Report, name: str) -> dict[str, Any] | None:
    rows = report.answers.get(name, {"rows": []})["rows"]
    return rows[0] if rows else None


def _direction(now: float, then: float) -> Verdict:
    if now == then or (then and abs(now - then) < STEADY * abs(then)):
        return "steady"
    return "up" if now > then else "down"


def _nothing_before(english: str, chinese: str) -> Text:
    return Text(
        f"{english}. The records do not reach back far enough to compare.",
        f"{chinese}。历史记录不足，无法比较。",
    )


def _season(report: Report) -> Text:
    """What to bear in mind where there is no year to compare with."""
    if report.year_ago is not None:
        return Text("", "")
    return Text(
        f" Compared with the {SPAN} months before: part of it may be the season.",
        f"与之前 {SPAN} 个月相比，可能含季节因素。",
    )
