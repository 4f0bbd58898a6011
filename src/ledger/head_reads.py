"""Heads read for readers of one customer each: what is asked for at once is read in one statement.

A statement costs more than the row it reads, here and in the database. So whoever asks while one is under way waits for the
next one, which reads everything that was asked for by then: a lone reader waits for nobody, sixty-four share a statement. An
answer is never older than its question.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from ledger.store import Connection, Pool


@dataclass(slots=True, frozen=True)
class HeadRow:
    """A head, and the last position of its log at that moment: one snapshot, so the position reproduces an answer from it."""

    position: int
    version: int
    state_schema: int
    state: str | None


class HeadReads:
    """The heads of one log, read in groups."""

    def __init__(self, pool: Pool, log_id: int) -> None:
        self._conn = cast("Connection", pool)  # each statement takes a connection and gives it back
        self._log_id = log_id
        self._asked: dict[UUID, list[asyncio.Future[HeadRow | None]]] = {}
        self._work: asyncio.Task[None] | None = None

    async def read(self, stream_id: UUID) -> HeadRow | None:
        """The head of a stream; None where there is none. Raises what the driver raises."""
        answer: asyncio.Future[HeadRow | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(stream_id, []).append(answer)
        if self._work is None:
            self._work = asyncio.create_task(self._read_asked())
        return await answer

    async def _read_asked(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                await self._answer(asked)
        finally:
            self._work = None

    async def _answer(self, asked: dict[UUID, list[asyncio.Future[HeadRow | None]]]) -> None:
        waiting = [(stream_id, answer) for stream_id, answers in asked.items() for answer in answers]
        try:
            found = await read_head_rows(self._conn, self._log_id, asked)
        except Exception as error:  # noqa: BLE001 - whoever asked says what it means
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for stream_id, answer in waiting:
            if not answer.done():
                answer.set_result(found.get(stream_id))


async def read_head_rows(conn: Connection, log_id: int, stream_ids: Iterable[UUID]) -> dict[UUID, HeadRow]:
    """The heads of these streams in one snapshot; a stream that is not there has no entry."""
    rows = await conn.fetch(_HEADS_AND_POSITION, log_id, list(stream_ids))
    return {
        stream_id: HeadRow(position, version, state_schema, state)
        for stream_id, position, version, state_schema, state in rows
    }


_HEADS_AND_POSITION: Final = """
SELECT
    streams.stream_id,
    logs.next_position - 1 AS position,
    streams.version,
    streams.state_schema,
    streams.state::text
FROM logs
JOIN streams ON streams.log_id = logs.log_id
WHERE logs.log_id = $1 AND streams.stream_id = ANY ($2)
"""
