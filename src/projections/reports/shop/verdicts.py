"""The answers at the top of the report: a yes or a no, the numbers behind it, and what it was compared with.

A number that changed by less than STEADY of itself is called unchanged. Where the records reach back a year, the last three whole
months are compared with the same months a year earlier, so that the season says nothing; else with the three before them.
"""

from dataclasses import dataclass
from datetime import date, timedelta
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


LEAVING_VERDICTS: dict[Verdict, Text] = {
    "up": Text("A larger share than before", "占比上升"),
    "down": Text("A smaller share than before", "占比下降"),
}

NAMED = 3
"""Customers named in the answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A question with its answer.

    Attributes:
        figure: the number itself, as large as the page can show it.
        word: the verdict in other words than VERDICTS has. is_bad: whether what the verdict says should worry.
    """

    key: str
    question: Text
    verdict: Verdict
    figure: str
    said: Text
    word: Text | None = None
    is_bad: bool = False


def findings(report: Report) -> list[Finding]:
    """Every answer, in the order of the questions."""
    return [pool(report), repurchase(report), average_order(report), leaving(report)]


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


def leaving(report: Report) -> Finding:
    """How many are on their way out, whether that is a larger share than three whole months ago, and the first of them."""
    question = Text("Who is leaving?", "谁在流失？")
    answer = report.answers["stage"]
    going, bought, lost = _going(answer["rows"])
    if not bought:
        said = Text("No customer has ordered yet.", "尚无客户下单。")
        return Finding("leaving", question, "unknown", "0", said)
    asked = answer["parameters"]
    first = report.answers["leaving"]["rows"][:NAMED]
    named = [f"{row['customer']} ({row['last_on']}, {money(row['amount'], report.currency)})" for row in first]
    english = (
        f"{number(going)} of {number(bought)} customers who ever ordered ({percent(going / bought)}) have placed no "
        f"order for {asked['silent']} to {asked['churned'] - 1} days; {number(lost)} more are lost. "
    )
    chinese = (
        f"下过单的 {number(bought)} 位客户中 {number(going)} 位（{percent(going / bought)}）已 {asked['silent']} 至 "
        f"{asked['churned'] - 1} 天未下单；另有 {number(lost)} 位已流失。"
    )
    worth = Text(
        f"Worth most, with last order: {', '.join(named)}." if named else "",
        f"其中累计消费最高（末单日期、金额）：{'、'.join(named)}。" if named else "",
    )
    earlier = next((end for end in report.month_ends if end["period"] == _month_before(report.now.start)), None)
    then_going, then_bought, _ = _going(earlier["rows"]) if earlier is not None else (0, 0, 0)
    if not then_bought:
        return Finding("leaving", question, "unknown", number(going), Text(english + worth.en, chinese + worth.zh))
    verdict = _direction(going / bought, then_going / then_bought)
    was = Text(
        f"When {report.now.start} began it was {percent(then_going / then_bought)}. ",
        f"{report.now.start} 开始时为 {percent(then_going / then_bought)}。",
    )
    said = Text(english + was.en + worth.en, chinese + was.zh + worth.zh)
    return Finding(
        "leaving", question, verdict, number(going), said, LEAVING_VERDICTS.get(verdict), is_bad=verdict == "up"
    )


def customers_before(rows: list[dict[str, Any]], month: str) -> int:
    """Customers at the beginning of a month. A month in which nobody came or left has no row."""
    earlier = [row["customers"] for row in rows if row["period"] < month]
    return earlier[-1] if earlier else 0


def _going(rows: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Customers who are silent or dormant, all who have bought, and those who are lost."""
    counts = {row["stage"]: row["customers"] for row in rows}
    bought = sum(counts.values()) - counts["prospect"]
    return counts["silent"] + counts["dormant"], bought, counts["churned"]


def _month_before(first: date) -> str:
    return f"{first - timedelta(days=1):%Y-%m}"


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
