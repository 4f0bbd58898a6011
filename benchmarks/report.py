"""docs/BENCHMARKS.md, made of the results kept and of benchmarks/WHERE_THE_TIME_GOES.md, which is written by hand."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Result, number, read_results, table
from benchmarks.rows import ROWS

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "BENCHMARKS.md"
PROFILE = HERE / "WHERE_THE_TIME_GOES.md"

INTRODUCTION = """\
# Benchmarks

Written by `make bench`, which measures everything below in some {minutes:.0f} minutes; one row of it, quickly:
`.venv/bin/python -m benchmarks intake --quick`. The load generator is `wrk` (`apt-get install wrk`).

Every figure stands beside a ceiling measured in the same run, since machines differ and are shared: **compare the ratios**. Load
generator, server and PostgreSQL share one machine's cores, so a server that has a machine for itself does better than this. The
database is the embedded one as `ledger serve` starts it: durable, every answer after its commit. The generators take little (wrk
some 5 to 15 % of a core), and what they send is made beforehand.
"""


def write() -> None:
    """Write the document from what is kept."""
    results = read_results()
    minutes = sum(result.took_minutes for name, result in results.items() if name in ROWS)
    parts = [INTRODUCTION.format(minutes=minutes), *_machines(results), *_budgets(results), *_rows(results)]
    DOCUMENT.write_text("\n".join([*parts, PROFILE.read_text()]))


def _machines(results: dict[str, Result]) -> Iterator[str]:
    """What the rows ran on, told once where it was the same."""
    shown: dict[str, list[str]] = {}
    for name, result in results.items():
        described = "\n".join(f"- {what}: {said}" for what, said in result.ran_on.items())
        shown.setdefault(described, []).append(name)
    for described, names in shown.items():
        yield f"## Measured on{'' if len(shown) == 1 else ' (' + ', '.join(names) + ')'}\n\n{described}\n"


def _budgets(results: dict[str, Result]) -> Iterator[str]:
    """The figures that have a budget."""
    yield "## Budgets\n\n| row | what | figure | ratio | at least | kept |\n|---|---|--:|--:|---|---|"
    for name, result in _in_order(results):
        for figure in result.figures:
            if figure.met is not None:
                yield _budget(ROWS[_row_of(name)].TITLE, figure)
    yield ""


def _budget(title: str, figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    kept = "yes" if figure.met else "**no**"
    return f"| {title} | {figure.what} | {number(figure.value)} {figure.unit} | {ratio} | {figure.at_least} | {kept} |"


def _rows(results: dict[str, Result]) -> Iterator[str]:
    told = set()
    for name, result in _in_order(results):
        row = ROWS[_row_of(name)]
        if row.TITLE not in told:
            told.add(row.TITLE)
            yield f"## {row.TITLE}\n\n{row.HOW}\n"
        also = "" if name in ROWS else f" with{name.partition(',')[2]}"
        busy = f"{result.busy_cores} cores were busy with other things when it began"
        yield f"Measured on {result.measured_on}{also}; {busy}.\n"
        yield "\n".join(table(result.figures)) + "\n"


def _in_order(results: dict[str, Result]) -> list[tuple[str, Result]]:
    places = list(ROWS)
    return sorted(results.items(), key=lambda item: (places.index(_row_of(item[0])), item[0]))


def _row_of(name: str) -> str:
    return name.partition(",")[0]
