"""What a request works on: the ledger, the program it names, and what to read it with."""

from typing import cast

from starlette.requests import Request

from ledger.errors import ProgramUnknown
from ledger.reading import Book
from ledger.service import Ledger, Program
from ledger.store import Connection


def ledger_of(request: Request) -> Ledger:
    """The ledger of this process."""
    ledger: Ledger = request.scope["app"].state.ledger
    return ledger


async def find_program(request: Request) -> Program:
    """The program a request names, also one that another process made a moment ago.

    Raises:
        ProgramUnknown, DatabaseUnavailable
    """
    ledger, name = ledger_of(request), request.scope["path_params"]["program"]
    try:
        return ledger.program(name)
    except ProgramUnknown:
        return await ledger.find(name)


async def open_book(request: Request) -> tuple[Connection, Book]:
    """The book of the program a request names, and what to read it with.

    The pool stands in for a connection: each statement takes one and gives it back, so that a client which reads slowly holds
    none.

    Raises:
        ProgramUnknown, DatabaseUnavailable
    """
    program = await find_program(request)
    book = Book(program.log_id, program.name, program.state.rules.latest.document.zone, program.state, program.heads)
    return cast("Connection", ledger_of(request).pool), book
