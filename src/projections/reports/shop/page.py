"""The report as one page of HTML: nothing is fetched, nothing is run, and the same answers give the same bytes."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from projections.reports.shop.asking import REPORT, SPAN, Answer, Report
from projections.reports.shop.contents import sections
from projections.reports.shop.sections import Section
from projections.reports.shop.verdicts import STEADY, VERDICTS, Finding, findings
from projections.reports.shop.words import Text, number

MARKS = {"up": "▲", "down": "▼", "steady": "■", "unknown": "?"}


def html(report: Report) -> str:
    """The whole page."""
    style = files("projections.reports.shop").joinpath("page.css").read_text("utf-8")
    answers = "".join(_finding(one) for one in findings(report))
    charts = "".join(_section(one) for one in sections(report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.program)} · {escape(report.as_of[:10])}</title>\n<style>\n{style}</style>\n</head>\n"
        f'<body>\n<header>\n<h1>{escape(report.program)} <span lang="zh">客户资产报告</span></h1>\n{_cut(report)}</header>\n'
        f'<main>\n<section class="answers" aria-label="Answers 结论">\n{answers}</section>\n{charts}</main>\n'
        f"<footer>\n{_foot()}</footer>\n</body>\n</html>\n"
    )


def _cut(report: Report) -> str:
    return (
        f"<p>As of {escape(report.as_of)} ({escape(report.zone)}); known at position {number(report.position)}. "
        f'<span lang="zh">截至 {escape(report.as_of)}（{escape(report.zone)}），账本位置 {number(report.position)}。</span></p>\n'
    )


def _finding(one: Finding) -> str:
    verdict = one.word or VERDICTS[one.verdict]
    is_bad = one.is_bad or (one.word is None and one.verdict == "down")
    mood = "bad" if is_bad else "good" if one.verdict in ("up", "down") else "open"
    return (
        f'<article class="{mood}" id="answer-{one.key}">\n<h2>{_both(one.question, "br")}</h2>\n'
        f'<p class="verdict"><span aria-hidden="true">{MARKS[one.verdict]}</span> {_both(verdict)}</p>\n'
        f'<p class="figure">{escape(one.figure)}</p>\n{_paragraphs(one.said)}</article>\n'
    )


def _section(one: Section) -> str:
    shown = f'<p class="nothing">{_both(one.nothing, "br")}</p>\n' if one.chart is None else f"{one.chart}\n"
    table = _table(one) if one.rows else ""
    kind = "card whole" if one.chart == "" else "card"
    return (
        f'<section class="{kind}" id="{one.key}">\n<h2>{_both(one.title)}</h2>\n{_paragraphs(one.explained)}'
        f"{shown}{table}{''.join(_source(answer) for answer in one.answers)}</section>\n"
    )


def _table(one: Section) -> str:
    heads = "".join(f'<th scope="col"{_right(head)}>{escape(head.removesuffix("#"))}</th>' for head in one.heads)
    rows = "".join(f"<tr>{_cells(one.heads, row)}</tr>\n" for row in one.rows)
    return (
        f'<details{" open" if one.chart == "" else ""}><summary>The numbers <span lang="zh">数据表</span></summary>\n'
        '<div class="scroll"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</details>\n"
    )


def _cells(heads: Sequence[str], row: Sequence[str]) -> str:
    first = f'<th scope="row">{escape(row[0])}</th>'
    rest = zip(heads[1:], row[1:], strict=True)
    return first + "".join(f"<td{_right(head)}>{escape(cell)}</td>" for head, cell in rest)


def _source(answer: Answer) -> str:
    """Which number it is: the definition's sentence, its parameters and both cut-offs."""
    asked: dict[str, Any] = {"from": answer["from"], "to": answer["to"], **answer["parameters"]}
    said = ", ".join(f"{name}={value}" for name, value in asked.items() if value is not None)
    return (
        f'<p class="source"><b>{escape(answer["metric"])}</b> {escape(answer["sentence"])} '
        f"<span>{escape(said)}{'; ' if said else ''}as of {escape(answer['as_of'])}, known at {escape(answer['known_at'])}, "
        f"position {number(answer['position'])}, from {number(answer['counts']['records'])} records</span></p>\n"
    )


def _foot() -> str:
    english = (
        f"{REPORT}. * and hollow marks: the month is not over. The answers compare the last {SPAN} whole months; "
        f"a change of less than {STEADY:.0%} of the number is called unchanged. The definitions are in docs/METRICS.md."
    )
    chinese = f"* 与空心标记：该月尚未结束。结论比较最近 {SPAN} 个完整月份；变化不足 {STEADY:.0%} 视为持平。"
    return _paragraphs(Text(english, chinese))


def _both(text: Text, between: str = "") -> str:
    break_ = "<br>" if between == "br" else " "
    return f'{escape(text.en)}{break_}<span lang="zh">{escape(text.zh)}</span>'


def _paragraphs(text: Text) -> str:
    return f'<p>{escape(text.en)}</p>\n<p lang="zh">{escape(text.zh)}</p>\n'


def _right(head: str) -> str:
    return ' class="number"' if head.endswith("#") else ""
