"""Options that several commands share."""

from typing import Annotated

import typer

from ledger.service import DEFAULT_PROGRAM

ProgramOption = Annotated[str, typer.Option("--program", "-p", metavar="NAME", help="The program.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        metavar="INSTANT", help="What had happened by then: an instant with offset, or a date. Left out: now."
    ),
]
KnownAtOption = Annotated[
    str | None,
    typer.Option(metavar="INSTANT", help="What was written by then: an instant, or a position. Left out: now."),
]

PROGRAM = DEFAULT_PROGRAM
