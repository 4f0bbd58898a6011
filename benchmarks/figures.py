"""Figures: measured, compared with a ceiling of the same run, kept, and shown as tables."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

KEPT = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        value, unit: such as 12,300 and `/s`.
        against, ceiling: what it is compared with, measured in the same run, and its value.
        at_least: the budget in words; met: whether it is kept, None where there is none.
    """

    what: str
    value: float
    unit: str
    against: str = ""
    ceiling: float | None = None
    at_least: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Of the ceiling."""
        return None if self.ceiling is None else self.value / self.ceiling


@dataclass(frozen=True)
class Result:
    """What one row gave when it was last measured."""

    measured_on: str
    took_minutes: float
    busy_cores: float
    ran_on: dict[str, str]
    figures: list[Figure]


def read_results() -> dict[str, Result]:
    """The results kept, by row."""
    if not KEPT.exists():
        return {}
    kept = json.loads(KEPT.read_text())
    return {
        row: Result(**{**result, "figures": [Figure(**figure) for figure in result["figures"]]})
        for row, result in kept.items()
    }


def keep(row: str, result: Result) -> None:
    """Keep the result of a row in place of its last one."""
    results = {**read_results(), row: result}
    shown = {name: asdict(results[name]) for name in sorted(results)}
    KEPT.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")


def table(figures: Sequence[Figure]) -> list[str]:
    """The figures as a Markdown table, line by line."""
    lines = ["| what | figure | against | ratio | at least | kept |", "|---|--:|---|--:|---|---|"]
    lines.extend(
        f"| {figure.what} | {number(figure.value)} {figure.unit} | {_against(figure)} | {_ratio(figure)} "
        f"| {figure.at_least} | {_met(figure)} |"
        for figure in figures
    )
    return lines


def number(value: float) -> str:
    """A number with as many digits as mean something."""
    if value >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _against(figure: Figure) -> str:
    return "" if figure.ceiling is None else f"{figure.against}: {number(figure.ceiling)} {figure.unit}"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f}"


def _met(figure: Figure) -> str:
    return "" if figure.met is None else ("yes" if figure.met else "**no**")
