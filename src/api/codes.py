"""Codes of coupons, handed out: derived one by one as the answer is read, since none of them is stored."""

from collections.abc import Iterator

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from api.answers import NDJSON, ReaderGoneError, Stream
from api.auth import Scope
from api.books import find_program, ledger_of
from api.openapi import Operation, lines, parameter
from api.queries import AnyText, read_query, read_whole
from api.routing import open_to
from api.schemas import PROGRAM_PATTERN
from ledger import codes
from ledger.errors import CodesUnknown
from ledger.program import Codes

CSV = "text/csv"
FORMATS = ("ndjson", "csv")
AT_ONCE = 1_000
"""Codes of one part of the answer: some 30 KB, made in a few milliseconds."""


@open_to(Scope.ADMIN)
async def read_codes(request: Request) -> ASGIApp:
    """Every code of a batch, in order of its number: with the key they were made with, always the same."""
    query = read_query(request, format=FORMATS, after=AnyText)
    program = await find_program(request)
    batch = program.state.codes_of(request.path_params["batch"])
    if batch is None:
        raise CodesUnknown(batch=request.path_params["batch"])
    form, after = query.get("format", "ndjson"), read_whole(query, "after", default=0)
    key = ledger_of(request).codes_key.made()

    async def answer(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
        stream = Stream(send, CSV if form == "csv" else NDJSON)
        try:
            for part in written(key, program.name, batch, form, after):
                await stream.write(part)
            await stream.end()
        except ReaderGoneError:
            return

    return answer


def written(key: bytes, program: str, batch: Codes, form: str, after: int = 0) -> Iterator[bytes]:
    """The codes of a batch after a number, a line each, in parts; CSV has a line of names first."""
    if form == "csv":
        yield b"number,code\n"
    last = batch.data["count"]
    for start in range(after + 1, last + 1, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, last + 1))
        yield b"".join(_line(number, codes.make(key, program, batch.number, number).text, form) for number in numbers)


def _line(number: int, code: str, form: str) -> bytes:
    return f"{number},{code}\n".encode() if form == "csv" else orjson.dumps({"number": number, "code": code}) + b"\n"


_ANSWER = lines("A code a line, in order of number.", [{"number": 1, "code": "00G000-01A3F7-QKXP5Z"}])
_ANSWER["content"][CSV] = {"schema": {"type": "string"}, "example": "number,code\n1,00G000-01A3F7-QKXP5Z\n"}

OPERATION = Operation(
    "GET",
    "/v1/programs/{program}/codes/{batch}",
    read_codes,
    "coupons",
    {200: _ANSWER},
    problems=(400, 404),
    parameters=(
        parameter("program", "path", "The program's name.", {"type": "string", "pattern": PROGRAM_PATTERN}, "default"),
        parameter("batch", "path", "The batch, as `codes.made` names it.", {"type": "string"}, "spring-2026"),
        parameter("format", "query", "How it is written.", {"enum": list(FORMATS), "default": "ndjson"}),
        parameter(
            "after", "query", "Go on after this number.", {"type": "integer", "minimum": 0, "maximum": 10**16 - 1}
        ),
    ),
    description="Codes are not stored: they are made from the key of the installation, the program, the batch and the number.",
)
