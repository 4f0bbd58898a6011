"""Builds of read models: made, advanced, switched to, dropped. Everything here runs as the role `ledger_projections`.

A build is a table of rows with a checkpoint for each log; rows and checkpoint commit together. Which build answers for a log is
one row of `read_models.live`, so a switch is one update, and nobody ever sees a build that has not caught up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from ledger import store
from ledger.errors import DatabaseUnavailable, LedgerError
from ledger.instants import to_datetime
from ledger.records import Record
from ledger.store import Connection, StoredRecord
from ledger.store_connecting import translated
from projections.models.model import Model

RECORDS_AT_ONCE = 2_000
"""Records folded in one transaction."""

log = structlog.get_logger("projections")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a build has come in a log; `stopped_at` is the position of the record it could not fold."""

    position: int
    stopped_at: int | None = None
    reason: str | None = None


@dataclass(slots=True)
class Advanced:
    """What one step did: records folded, and where the build stands."""

    records: int
    checkpoint: Checkpoint


@dataclass(slots=True)
class Switched:
    """A build that has taken another's place; `differing` rows are those it holds otherwise, None where none were compared."""

    rows: int
    differing: int | None


async def make(conn: Connection, model: Model, *, asked_for: bool) -> int:
    """Make an empty build; its number."""
    with translated(DatabaseUnavailable):
        async with conn.transaction():
            build: int = await conn.fetchval(
                "INSERT INTO read_models.builds (model, version, asked_for) VALUES ($1, $2, $3) RETURNING build",
                model.name,
                model.version,
                asked_for,
            )
            for statement in model.ddl(build):
                await conn.execute(statement)
    return build


async def find(conn: Connection, model: Model, *, asked_for: bool) -> int | None:
    """The newest build of the model's version, of those asked for or of the others."""
    with translated(DatabaseUnavailable):
        build: int | None = await conn.fetchval(
            "SELECT max(build) FROM read_models.builds WHERE model = $1 AND version = $2 AND asked_for = $3",
            model.name,
            model.version,
            asked_for,
        )
    return build


async def live_build(conn: Connection, model: Model, log_id: int) -> tuple[int, str] | None:
    """The build that answers for a log, and its version."""
    with translated(DatabaseUnavailable):
        row = await conn.fetchrow(
            "SELECT build, version FROM read_models.live JOIN read_models.builds USING (build, model) "
            "WHERE log_id = $1 AND model = $2",
            log_id,
            model.name,
        )
    return None if row is None else (row["build"], row["version"])


async def advance(
    conn: Connection, model: Model, build: int, log_id: int, *, up_to: int | None = None, limit: int = RECORDS_AT_ONCE
) -> Advanced:
    """Fold the next records of a log into a build, and move its checkpoint, in one transaction.

    A record that cannot be folded stops the build there: what comes before it is kept, nothing is skipped.

    Raises:
        DatabaseUnavailable: nothing was done.
    """
    with translated(DatabaseUnavailable):
        async with conn.transaction():
            checkpoint = await _locked_checkpoint(conn, build, log_id)
            if checkpoint.stopped_at is not None:
                return Advanced(0, checkpoint)
            page = await store.read_log(conn, log_id, after=checkpoint.position, limit=limit, up_to=up_to)
            if not page:
                return Advanced(0, checkpoint)
            folded = await _fold_page(conn, model, build, log_id, page)
            await _write(conn, model, build, log_id, folded.memories)
            after = Checkpoint(checkpoint.position + folded.records, folded.stopped_at, folded.reason)
            await _move(conn, build, log_id, after, folded.recorded_at)
    if after.stopped_at is not None:
        log.error("projection_stopped", model=model.name, log=log_id, position=after.stopped_at, reason=after.reason)
    return Advanced(folded.records, after)


async def switch(conn: Connection, model: Model, build: int, log_id: int) -> Switched:
    """Let a build that has caught up answer for a log, at one and the same position as the build before it.

    The other's checkpoint is held meanwhile, so neither moves but by this transaction. Rows of the same version are compared.

    Raises:
        DatabaseUnavailable
    """
    with translated(DatabaseUnavailable):
        async with conn.transaction():
            before = await live_build(conn, model, log_id)
            differing = None
            if before is not None and before[0] != build:
                differing = await _brought_level(conn, model, build, before, log_id)
            await conn.execute(_POINT, log_id, model.name, build)
            rows = await conn.fetchval(f"SELECT count(*) FROM {model.table(build)} WHERE log_id = $1", log_id)
    return Switched(rows, differing)


_POINT = """
INSERT INTO read_models.live (log_id, model, build)
VALUES ($1, $2, $3)
ON CONFLICT (log_id, model) DO UPDATE SET build = excluded.build
"""


async def drop_unused(conn: Connection, models: Sequence[Model]) -> None:
    """Drop the tables of builds that answer for no log and that nobody is building.

    A reader that had just looked up which build answers looks again when its table is gone.
    """
    for model in models:
        newest = await find(conn, model, asked_for=False)
        with translated(DatabaseUnavailable):
            unused = await conn.fetch(_UNUSED, model.name, newest or 0)
            for row in unused:
                async with conn.transaction():
                    await conn.execute(f"DROP TABLE IF EXISTS {model.table(row['build'])}")
                    await conn.execute("DELETE FROM read_models.checkpoints WHERE build = $1", row["build"])
                    await conn.execute("DELETE FROM read_models.builds WHERE build = $1", row["build"])


_UNUSED = """
SELECT b.build
FROM read_models.builds AS b
WHERE
    b.model = $1
    AND NOT b.asked_for
    AND b.build <> $2
    AND NOT EXISTS (SELECT FROM read_models.live AS l WHERE l.build = b.build)
ORDER BY b.build
"""


async def settle(conn: Connection, build: int) -> None:
    """A build that was asked for is done: from now on it is one like any other."""
    with translated(DatabaseUnavailable):
        await conn.execute("UPDATE read_models.builds SET asked_for = FALSE WHERE build = $1", build)


async def try_again(conn: Connection, log_id: int | None = None) -> None:
    """Let builds go on that stopped: the code, or the reason, may be another by now."""
    with translated(DatabaseUnavailable):
        await conn.execute(
            "UPDATE read_models.checkpoints SET stopped_at = NULL, reason = NULL "
            "WHERE stopped_at IS NOT NULL AND ($1::integer IS NULL OR log_id = $1)",
            log_id,
        )


@dataclass(slots=True)
class _Folded:
    memories: dict[str, Any]
    records: int
    recorded_at: datetime | None
    stopped_at: int | None = None
    reason: str | None = None


class _PoisonError(Exception):
    """The record at this place of the page cannot be folded."""

    def __init__(self, place: int, cause: Exception) -> None:
        self.place = place
        self.reason = _said(cause)
        super().__init__(self.reason)


async def _fold_page(conn: Connection, model: Model, build: int, log_id: int, page: Sequence[StoredRecord]) -> _Folded:
    """Fold a page, as far as it can be folded. What a poison record may have half changed is folded again without it."""
    try:
        records = _parsed(page)
        memories = await _memories(conn, model, build, log_id, records)
        _fold(model, memories, page, records)
    except _PoisonError as poison:
        kept = await _fold_page(conn, model, build, log_id, page[: poison.place])
        return _Folded(kept.memories, kept.records, kept.recorded_at, page[poison.place].position, poison.reason)
    recorded_at = to_datetime(records[-1].recorded_at) if records else None
    return _Folded(memories, len(page), recorded_at)


def _parsed(page: Sequence[StoredRecord]) -> list[Record]:
    records = []
    for place, stored in enumerate(page):
        try:
            records.append(Record.from_bytes(stored.record))
        except Exception as error:
            raise _PoisonError(place, error) from error
    return records


def _fold(model: Model, memories: dict[str, Any], page: Sequence[StoredRecord], records: Sequence[Record]) -> None:
    for place, (stored, record) in enumerate(zip(page, records, strict=True)):
        try:
            for key in model.keys(record):
                memories[key] = model.fold(memories.get(key), key, stored.position, record)
        except Exception as error:  # whatever it is, it stops this projection and no other, and is said
            raise _PoisonError(place, error) from error


def _said(error: Exception) -> str:
    """Why, without what the record holds: this is shown to whoever asks whether the service is ready."""
    return error.code if isinstance(error, LedgerError) else type(error).__name__


async def _memories(
    conn: Connection, model: Model, build: int, log_id: int, records: Sequence[Record]
) -> dict[str, Any]:
    keys: dict[str, None] = {}
    for place, record in enumerate(records):
        try:
            keys.update(dict.fromkeys(model.keys(record)))
        except Exception as error:
            raise _PoisonError(place, error) from error
    statement = (
        f"SELECT {model.key} AS key, memory FROM {model.table(build)} WHERE log_id = $1 AND {model.key} = ANY ($2)"
    )
    rows = await conn.fetch(statement, log_id, list(keys))
    return {row["key"]: model.read(row["memory"]) for row in rows}


async def _write(conn: Connection, model: Model, build: int, log_id: int, memories: dict[str, Any]) -> None:
    if not memories:
        return
    rows = [(key, model.write(memory), *model.row(memory)) for key, memory in memories.items()]
    await conn.execute(model.upsert(build), log_id, *map(list, zip(*rows, strict=True)))


async def _locked_checkpoint(conn: Connection, build: int, log_id: int) -> Checkpoint:
    await conn.execute(
        "INSERT INTO read_models.checkpoints (log_id, build, position) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
        log_id,
        build,
    )
    row = await conn.fetchrow(
        "SELECT position, stopped_at, reason FROM read_models.checkpoints WHERE log_id = $1 AND build = $2 FOR UPDATE",
        log_id,
        build,
    )
    return Checkpoint(**dict(row or {}))


async def _move(
    conn: Connection, build: int, log_id: int, checkpoint: Checkpoint, recorded_at: datetime | None
) -> None:
    await conn.execute(
        "UPDATE read_models.checkpoints SET position = $3, recorded_at = coalesce($4, recorded_at), stopped_at = $5, "
        "reason = $6 WHERE log_id = $1 AND build = $2",
        log_id,
        build,
        checkpoint.position,
        recorded_at,
        checkpoint.stopped_at,
        checkpoint.reason,
    )


async def _brought_level(
    conn: Connection, model: Model, build: int, before: tuple[int, str], log_id: int
) -> int | None:
    """Bring both builds to one position; how many rows differ, None where they cannot be compared."""
    other, version = before
    old, new = await _locked_checkpoint(conn, other, log_id), await _locked_checkpoint(conn, build, log_id)
    while new.stopped_at is None and new.position < old.position:
        new = (await advance(conn, model, build, log_id, up_to=old.position)).checkpoint
    if version != model.version:
        return None
    while old.stopped_at is None and old.position < new.position:
        old = (await advance(conn, model, other, log_id, up_to=new.position)).checkpoint
    if old.position != new.position:
        return None
    a, b = (f"(SELECT * FROM {model.table(one)} WHERE log_id = {log_id:d})" for one in (other, build))
    differing: int = await conn.fetchval(
        f"SELECT count(DISTINCT {model.key}) FROM (({a} EXCEPT {b}) UNION ALL ({b} EXCEPT {a})) AS other"
    )
    return differing
