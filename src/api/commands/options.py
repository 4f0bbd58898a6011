"""Options that several commands share."""

from typing import Annotated

import typer

from ledger.service import DEFAULT_PROGRAM

ProgramOption = Annotated[str, typer.Option("--program", "-p", metavar="NAME", help="The program.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]

PROGRAM = DEFAULT_PROGRAM
