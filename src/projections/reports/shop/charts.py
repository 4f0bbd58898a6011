"""Charts as SVG: text in, text out. Colours are told apart by every eye (Okabe and Ito), and by shape and dash besides.

A chart is drawn in units of its view box and scaled by the page; nothing in it is fetched. What is not over yet is drawn hollow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from projections.reports.shop.words import Text

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 30
LABELS_MAX = 5
TICKS = 4

COLOURS = ("#0072b2", "#d55e00", "#007a5a", "#8a4a82", "#6b6b6b", "#b38600")
DASHES = ("", "7 4", "2 3", "10 3 2 3", "", "7 4")

Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a kind of bar. `values`: one a period, None where there is none. `colour`: another than its turn's."""

    name: Text
    values: Sequence[float | None]
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a heat map. `share`: 0 … 1. `label`: what stands in it. `hollow`: its time is not over."""

    share: float
    label: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """What a chart is called and what a reader who cannot see it is told. `key`: unique on the page."""

    key: str
    title: Text
    told: Text


def lines(named: Named, periods: Sequence[str], series: Sequence[Series], show: Show, *, open_end: bool) -> str:
    """A line a series over periods, from zero up. `open_end`: the last period is not over."""
    top = _top([value for one in series for value in one.values if value is not None])
    drawn = [_axes(periods, top, show, _middle)]
    for number, one in enumerate(series):
        drawn.append(_line(one.values, top, number, len(periods), open_end=open_end))
    return _svg(named, "".join(drawn), HEIGHT) + _legend(series, dashed=True)


def bars(named: Named, periods: Sequence[str], series: Sequence[Series], show: Show, *, open_end: bool) -> str:
    """A stacked bar a period."""
    totals = [sum(value or 0 for value in column) for column in zip(*(one.values for one in series), strict=True)]
    top, step = _top(totals), (WIDTH - LEFT - RIGHT) / len(periods)
    drawn = [_axes(periods, top, show, _middle)]
    for index in range(len(periods)):
        below = 0.0
        for number, one in enumerate(series):
            value = max(one.values[index] or 0, 0)
            begin, end = _y(below, top), _y(below + value, top)
            hollow = ' fill-opacity="0.45"' if open_end and index == len(periods) - 1 else ""
            drawn.append(
                f'<rect x="{LEFT + step * index + step * 0.12:.1f}" y="{end:.1f}" width="{step * 0.76:.1f}" '
                f'height="{begin - end:.1f}" fill="{one.colour or COLOURS[number]}"{hollow} stroke="#fff" stroke-width="0.8"/>'
            )
            below += value
    return _svg(named, "".join(drawn), HEIGHT) + _legend(series, dashed=False)


def heat(
    named: Named, heads: Sequence[str], rows: Sequence[tuple[str, str, Sequence[Cell | None]]], *, name: int = 62
) -> str:
    """A heat map: each row with two names before its cells; the darker, the more. `name`: how wide the first one is."""
    size, high, top = 44, 24, 24
    width = (WIDTH - name - size) / max(len(heads), 1)
    most = max((cell.share for _, _, cells in rows for cell in cells if cell is not None), default=0) or 1
    drawn = [
        _word(name + size + width * (index + 0.5), 16, head, "middle", "small") for index, head in enumerate(heads)
    ]
    for line, (first, second, cells) in enumerate(rows):
        y = top + line * high
        drawn.append(_word(0, y + 17, first, "start", "small") + _word(name + size - 8, y + 17, second, "end", "small"))
        for index, cell in enumerate(cells):
            if cell is not None:
                drawn.append(_cell(cell, cell.share / most, name + size + width * index, y, width, high))
    return _svg(named, "".join(drawn), top + len(rows) * high + 4, wide=True)


def curve(named: Named, points: Sequence[tuple[float, float]], show: Show) -> str:
    """A curve from (0, 0) to (1, 1), with the line of equal shares beside it."""
    across = [f"{tick * 20} %" for tick in range(6)]
    path = " ".join(f"{LEFT + x * (WIDTH - LEFT - RIGHT):.1f},{_y(y, 1):.1f}" for x, y in points)
    dots = "".join(_dot(LEFT + x * (WIDTH - LEFT - RIGHT), _y(y, 1), 0, hollow=False) for x, y in points[1:-1])
    equal = f'<line x1="{LEFT}" y1="{_y(0, 1):.1f}" x2="{WIDTH - RIGHT}" y2="{_y(1, 1):.1f}" class="grid" />'
    drawn = _axes(across, 1, show, _edge) + equal + f'<polyline points="{path}" class="line" stroke="{COLOURS[0]}"/>'
    return _svg(named, drawn + dots, HEIGHT)


def short(value: float) -> str:
    """A number on an axis: thousands as k, millions as M."""
    for least, unit, letter in ((1_000_000, 1_000_000, "M"), (10_000, 1_000, "k")):
        if value >= least:
            return f"{value / unit:g}{letter}"
    return f"{value:,.0f}"


def _svg(named: Named, drawn: str, height: int, *, wide: bool = False) -> str:
    title, told = f"{named.key}-title", f"{named.key}-told"
    held = "chart wide" if wide else "chart"
    return (
        f'<div class="{held}"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{title} {told}">'
        f'<title id="{title}">{escape(named.title.en)} · {escape(named.title.zh)}</title>'
        f'<desc id="{told}">{escape(named.told.en)} {escape(named.told.zh)}</desc>{drawn}</svg></div>'
    )


def _legend(series: Sequence[Series], *, dashed: bool) -> str:
    """What is what, with the mark it is drawn with; left out of a chart of one thing."""
    if len(series) == 1:
        return ""
    items = []
    for number, one in enumerate(series):
        mark = (
            f'<line x1="1" y1="6" x2="27" y2="6" class="line" stroke="{COLOURS[number]}" '
            f'stroke-dasharray="{DASHES[number]}"/>{_dot(14, 6, number, hollow=False)}'
            if dashed
            else f'<rect x="8" y="0" width="12" height="12" fill="{one.colour or COLOURS[number]}"/>'
        )
        svg = f'<svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{mark}</svg>'
        items.append(f'<li>{svg} {escape(one.name.en)} <span lang="zh">{escape(one.name.zh)}</span></li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def _axes(labels: Sequence[str], top: float, show: Show, place: Callable[[int, int], float]) -> str:
    drawn = []
    for tick in range(TICKS + 1):
        y = _y(top * tick / TICKS, top)
        drawn.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" class="grid"/>')
        drawn.append(_word(LEFT - 8, y + 5, show(top * tick / TICKS), "end"))
    every = math.ceil(len(labels) / LABELS_MAX)
    for index, label in enumerate(labels):
        if (len(labels) - 1 - index) % every == 0:
            last = index == len(labels) - 1 and len(labels) > 1
            x = WIDTH if last else place(index, len(labels))
            drawn.append(_word(x, HEIGHT - 8, label, "end" if last else "middle"))
    return "".join(drawn)


def _line(values: Sequence[float | None], top: float, number: int, periods: int, *, open_end: bool) -> str:
    places = [
        None if value is None else (_middle(index, periods), _y(value, top)) for index, value in enumerate(values)
    ]
    style = f'class="line" stroke="{COLOURS[number]}"'
    drawn = []
    for index in range(1, len(places)):
        begin, end = places[index - 1], places[index]
        if begin is not None and end is not None:
            unfinished = open_end and index == len(places) - 1
            dash = "1 4" if unfinished else DASHES[number]
            drawn.append(
                f'<line x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" {style} '
                f'stroke-dasharray="{dash}"/>'
            )
    for index, there in enumerate(places):
        if there is not None:
            drawn.append(_dot(*there, number, hollow=open_end and index == len(places) - 1))
    return "".join(drawn)


def _dot(x: float, y: float, number: int, *, hollow: bool) -> str:
    fill = "#fff" if hollow else COLOURS[number]
    style = f'fill="{fill}" stroke="{COLOURS[number]}" stroke-width="1.6"'
    if number == 1:
        return f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4" {style}/>'
    if number == 2:  # noqa: PLR2004 - the third series
        return f'<path d="M{x:.1f} {y - 4.4:.1f}l4.4 7.6h-8.8z" {style}/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" {style}/>'


def _cell(cell: Cell, depth: float, x: float, y: float, width: float, high: float) -> str:
    red, green, blue = (round(247 + (full - 247) * depth) for full in (8, 69, 148))
    light = depth > 0.5  # noqa: PLR2004 - where white is read better than black
    edge = ' stroke="#444" stroke-dasharray="2 2"' if cell.hollow else ' stroke="#fff"'
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{high}" fill="rgb({red},{green},{blue})"{edge}/>'
        + _word(x + width / 2, y + 16, cell.label, "middle", "small light" if light else "small")
    )


def _word(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    held = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{held}>{escape(text)}</text>'


def _middle(index: int, count: int) -> float:
    return LEFT + (index + 0.5) * (WIDTH - LEFT - RIGHT) / count


def _edge(index: int, count: int) -> float:
    return LEFT + index * (WIDTH - LEFT - RIGHT) / max(count - 1, 1)


def _y(value: float, top: float) -> float:
    return TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)


def _top(values: Sequence[float]) -> float:
    """The end of an axis from zero: a round number that TICKS divide well."""
    most = max(values, default=0)
    if most <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(most / TICKS))
    step = next(unit * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if unit * factor * TICKS >= most)
    return step * TICKS
