"""What commands print: results on standard output, everything about them on standard error."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

WIDTH = 200
"""Columns where the output is no terminal: nothing is cut off in a file or a pipe."""

ERR = Console(stderr=True, highlight=False)


def say(text: str = "") -> None:
    """A line of the result."""
    _out().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """A line about what is going on."""
    ERR.print(text, markup=False, soft_wrap=True, style="dim")


def fail(text: str) -> None:
    """The one line a command ends with when it could not do what was asked."""
    ERR.print(f"ledger: {' '.join(text.split())}", markup=False, soft_wrap=True, style="red")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table; a column whose name ends in `#` is of numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    _out().print(table)


@contextmanager
def bar(what: str, total: int | None = None) -> Iterator["Bar"]:
    """A progress bar on a terminal; nothing elsewhere."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
        yield Bar(progress, what, total)


class Bar:
    """One line of progress."""

    EVERY = 1_000

    def __init__(self, progress: Progress, what: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)
        self._unseen = 0

    def __call__(self, done: int) -> None:
        """So many more are done; drawn now and then."""
        self._unseen += done
        if self._unseen >= self.EVERY:
            self._progress.advance(self._task, self._unseen)
            self._unseen = 0


def _out() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
