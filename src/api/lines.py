"""Posting a stream of lines: NDJSON of any length in constant memory.

What has arrived is posted together, and a few such groups are on their way at once, in order. Common clients send
everything before they read anything, so by default nothing is answered before the last line has been read: refused items
wait in a temporary file. `receipts=all` answers as it goes and needs a client that reads while it writes; where nothing
is read for 30 s the answer ends with an error line. An answer without its summary is a cut one: send it all again, what
is recorded is only replayed.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api import telemetry
from api.answers import NDJSON, ReaderGoneError, Stream, json_line
from api.auth import Keys
from api.bodies import Line, LineBody
from api.documents import read_json
from api.intake import EVENT_BYTES_MAX, Sender, read_event
from api.posting import refused_item
from api.problems import BodyTooSlow, EventTooLarge, code_of, problem, problem_answer
from ledger.answers import Answer
from ledger.deciding.command import Command
from ledger.errors import DatabaseUnavailable, LedgerError, QueueFull
from ledger.service import Ledger

GROUPS_MAX = 4
"""Groups of lines that may wait for their answers; a group is what one read of the socket gave, some 64 KiB."""

GROUP_LINES_MAX = 1_000
"""Of the shortest lines a read gives tens of thousands: their answers would fill the memory."""

PATIENCE_SECONDS = 30.0
"""How long a stream of lines waits by itself for a full queue or a database that is away."""

_PAUSE_SECONDS = 0.1
_SPOOLED_BYTES_MAX = 1024 * 1024
_BLOCK_BYTES = 64 * 1024
_TRANSIENT = (QueueFull, DatabaseUnavailable)


@dataclass(slots=True)
class Tally:
    """What became of the lines so far; `position` is the highest among their receipts."""

    read: int = 0
    recorded: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    position: int | None = None

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        self.read += 1
        if answer.error is not None:
            self.refused[code_of(answer.error)] += 1
            return
        if answer.replayed:
            self.replayed += 1
        else:
            self.recorded += 1
        if answer.receipt is not None:
            self.position = max(self.position or 0, answer.receipt["position"])

    def summary(self) -> dict[str, Any]:
        """The last line of a whole answer."""
        shown = {"read": self.read, "recorded": self.recorded, "replayed": self.replayed}
        return {"summary": {**shown, "refused": dict(sorted(self.refused.items())), "position": self.position}}


@dataclass(slots=True)
class Group:
    """Lines posted together: their numbers, their events as far as they are JSON, their answers on the way."""

    numbers: list[int]
    events: list[Any]
    answers: asyncio.Task[list[Answer]]


class CutShortError(Exception):
    """The stream cannot go on from `line`."""

    def __init__(self, error: LedgerError, line: int) -> None:
        self.error = error
        self.line = line
        super().__init__(error.message)


class LinesAnswer:
    """The answer to a posted stream of lines, which it reads itself."""

    def __init__(self, ledger: Ledger, keys: Keys, program: str, sender: Sender, *, every_receipt: bool) -> None:
        self._ledger = ledger
        self._keys = keys
        self._program = program
        self._sender = sender
        self._every_receipt = every_receipt
        self._tally = Tally()
        self._last_line = 0
        self._groups: asyncio.Queue[Group | Exception | None] = asyncio.Queue(GROUPS_MAX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, post, answer; as every response of Starlette is called."""
        body, stream = LineBody(receive, EVENT_BYTES_MAX), Stream(send, NDJSON)
        reading = asyncio.create_task(self._read(body, scope))
        with SpooledTemporaryFile(_SPOOLED_BYTES_MAX) as spool, suppress(ClientDisconnect, ReaderGoneError):
            try:
                await self._answer(stream, spool)
                last = self._tally.summary()
            except (CutShortError, ReaderGoneError) as cut:
                await _stopped(reading)
                if isinstance(cut, ReaderGoneError) or not stream.started:
                    await body.drop()  # who sends everything first must come to its end before it reads
                if isinstance(cut, CutShortError) and not (self._tally.read or stream.started):
                    await problem_answer(cut.error)(scope, receive, send)
                    return
                last = _why(cut)
            finally:
                await _stopped(reading)
            await _send_spooled(stream, spool)
            await stream.end(json_line(last))

    async def _read(self, body: LineBody, scope: Scope) -> None:
        """Put what arrives on its way, group by group while the key lives, and then how the body ended."""
        try:
            async for lines in body:
                await self._keys.caller(scope)
                for start in range(0, len(lines), GROUP_LINES_MAX):
                    await self._groups.put(self._posted(lines[start : start + GROUP_LINES_MAX]))
        except Exception as error:  # noqa: BLE001 - the answering side says what it means
            await self._groups.put(error)
        else:
            await self._groups.put(None)

    def _posted(self, lines: list[Line]) -> Group:
        events: list[Any] = []
        commands: list[Command | LedgerError] = []
        for line in lines:
            event, command = _read_line(line, self._sender)
            events.append(event)
            commands.append(command)
        answers = asyncio.create_task(_post_patiently(self._ledger, self._program, commands))
        return Group([line.number for line in lines], events, answers)

    async def _answer(self, stream: Stream, spool: "SpooledTemporaryFile[bytes]") -> None:
        while (group := await self._groups.get()) is not None:
            if isinstance(group, LedgerError):
                raise CutShortError(group, self._last_line + 1)
            if isinstance(group, Exception):
                raise group
            lines, cut = self._shown(group, await group.answers)
            if self._every_receipt:
                await stream.write(lines)
            else:
                spool.write(lines)
            if cut is not None:
                raise cut

    def _shown(self, group: Group, answers: list[Answer]) -> tuple[bytes, CutShortError | None]:
        """The lines to answer for a group, as far as the ledger took it."""
        lines: list[bytes] = []
        for number, event, answer in zip(group.numbers, group.events, answers, strict=True):
            if isinstance(answer.error, _TRANSIENT):
                return b"".join(lines), CutShortError(answer.error, number)
            self._last_line = number
            self._tally.add(answer)
            telemetry.count_event(answer)
            if answer.error is not None:
                lines.append(json_line({"line": number, **refused_item(answer.error, event)}))
            elif self._every_receipt and answer.receipt is not None:
                lines.append(json_line({"line": number, **answer.receipt}))
        return b"".join(lines), None


def _why(cut: CutShortError | ReaderGoneError) -> dict[str, Any]:
    """The last line of an answer that is cut."""
    if isinstance(cut, CutShortError):
        return {"line": cut.line, "error": problem(cut.error)}
    return {"error": problem(BodyTooSlow("Nothing of the answer was read for 30 s; the rest was not posted."))}


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _read_line(line: Line, sender: Sender) -> tuple[Any, Command | LedgerError]:
    """The event of a line as far as it is JSON, and its command or why it has none."""
    if line.content is None:
        return None, EventTooLarge(bytes_max=EVENT_BYTES_MAX)
    event = None
    try:
        event = read_json(line.content)
        return event, read_event(event, sender)
    except LedgerError as error:
        return event, error


async def _post_patiently(ledger: Ledger, program: str, commands: list[Command | LedgerError]) -> list[Answer]:
    """Post, and post again what a full queue or an absent database turned away, for a while."""
    answers = await ledger.post_many(program, commands)
    give_up_at = monotonic() + PATIENCE_SECONDS
    while (turned_away := _turned_away(answers)) and monotonic() < give_up_at:
        await asyncio.sleep(_PAUSE_SECONDS)
        again = await ledger.post_many(program, [commands[place] for place in turned_away])
        for place, answer in zip(turned_away, again, strict=True):
            answers[place] = answer
    return answers


def _turned_away(answers: list[Answer]) -> list[int]:
    return [place for place, answer in enumerate(answers) if isinstance(answer.error, _TRANSIENT)]


async def _send_spooled(stream: Stream, spool: "SpooledTemporaryFile[bytes]") -> None:
    spool.seek(0)
    while block := spool.read(_BLOCK_BYTES):
        await stream.write(block)
