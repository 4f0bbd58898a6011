"""The one loop that keeps the read models of a database up to date, and the rebuild that takes their place without a gap.

One runner works at a time, by advisory lock; others wait to take over. It looks a few times a second where the logs stand and
folds what is new. A model that has no build of our version gets one, which answers when it has caught up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog

from ledger import store
from ledger.errors import DatabaseUnavailable
from ledger.leasing import UNREACHABLE, lent
from ledger.store import Connection, Log, Pool
from projections.errors import RebuildRunning
from projections.models import MODELS, Model, builds

ROLE = "ledger_projections"

LOOK_SECONDS = 0.2
"""How often the logs are looked at while nothing is new."""

PAUSE_SECONDS = 1.0
"""After the database could not be reached, and between tries to become the one runner."""

_RUNNER = 0x6C656467_72756E72
_REBUILD = 0x6C656467_72620000
"""Advisory locks: of the one runner, and of the one rebuild of a model."""

log = structlog.get_logger("projections")


@asynccontextmanager
async def projecting_pool(service_url: str, *, size_max: int = 3) -> AsyncIterator[Pool]:
    """Connections as the role that owns the read models.

    Raises:
        DatabaseUnavailable
    """
    pool = await store.open_pool(
        as_role(service_url, ROLE), size_min=1, size_max=size_max, application_name="ledger projections"
    )
    try:
        yield pool
    finally:
        await pool.close()


def as_role(url: str, role: str) -> str:
    """The URL, acting as another role than the one that logs in."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "role"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("role", role)])))


class Runner:
    """Folds what is new into every read model of every log."""

    def __init__(self, pool: Pool, models: Iterable[Model] = MODELS.values()) -> None:
        self._pool = pool
        self._models = tuple(models)

    async def run(self) -> None:
        """Work for ever; where another runner works, wait to take over."""
        while True:
            try:
                async with lent(self._pool) as conn:
                    if await conn.fetchval("SELECT pg_try_advisory_lock($1)", _RUNNER):
                        await self._work_locked(conn)
            except (DatabaseUnavailable, *UNREACHABLE) as error:
                log.warning("database_unavailable", reason=str(error))
            await asyncio.sleep(PAUSE_SECONDS)

    async def catch_up(self) -> None:
        """Fold until nothing is new.

        Raises:
            DatabaseUnavailable
        """
        async with lent(self._pool) as conn:
            while await self.step(conn):
                pass

    async def step(self, conn: Connection) -> int:
        """One page of every log and model that is behind; how many records were folded."""
        done = 0
        for row in await conn.fetch(_STANDS, [model.name for model in self._models]):
            model = MODELS[row["model"]]
            if row["version"] != model.version:
                done += await self._build(conn, model, row["log_id"], row["last"])
            elif row["stopped_at"] is None and row["position"] < row["last"]:
                done += (await builds.advance(conn, model, row["build"], row["log_id"])).records
        return done

    async def _work_locked(self, conn: Connection) -> None:
        """Work while this connection holds the runner's lock."""
        try:
            await builds.try_again(conn)
            await builds.drop_unused(conn, self._models)
            while True:
                if not await self.step(conn):
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            with suppress(*UNREACHABLE):
                await conn.execute("SELECT pg_advisory_unlock($1)", _RUNNER)

    async def _build(self, conn: Connection, model: Model, log_id: int, last: int) -> int:
        """Go on with the build of our version beside the live one; let it answer when it has come as far as the log."""
        build = await builds.find(conn, model, asked_for=False)
        if build is None:
            build = await builds.make(conn, model, asked_for=False)
        advanced = await builds.advance(conn, model, build, log_id)
        if advanced.checkpoint.stopped_at is None and advanced.checkpoint.position >= last:
            await builds.switch(conn, model, build, log_id)
            await builds.drop_unused(conn, [model])
        return advanced.records


@dataclass(slots=True)
class Rebuilt:
    """What became of one log of a rebuild; `differing`: see `builds.Switched`."""

    program: str
    model: str
    records: int
    rows: int = 0
    differing: int | None = None
    stopped: builds.Checkpoint | None = field(default=None)


async def rebuild(
    pool: Pool, model: Model, *, logs: Iterable[Log], progress: Callable[[int], None]
) -> AsyncIterator[Rebuilt]:
    """Build a model anew from the logs beside the live build, and switch to it log by log. Killed, it goes on where it was.

    Raises:
        RebuildRunning, DatabaseUnavailable
    """
    async with _rebuilding(pool, model) as conn:
        build = await builds.find(conn, model, asked_for=True)
        if build is None:
            build = await builds.make(conn, model, asked_for=True)
        for one in logs:
            yield await _rebuild_log(conn, model, build, one, progress)
        if not await conn.fetchval(_STOPPED, build):
            await builds.settle(conn, build)
        await builds.drop_unused(conn, [model])


async def _rebuild_log(
    conn: Connection, model: Model, build: int, one: Log, progress: Callable[[int], None]
) -> Rebuilt:
    done = Rebuilt(one.program, model.name, 0)
    while True:
        advanced = await builds.advance(conn, model, build, one.log_id)
        progress(advanced.records)
        done.records = advanced.checkpoint.position
        if advanced.checkpoint.stopped_at is not None:
            done.stopped = advanced.checkpoint
            return done
        if not advanced.records:
            break
    live = await builds.live_build(conn, model, one.log_id)
    if live is None or live[0] != build:
        switched = await builds.switch(conn, model, build, one.log_id)
        done.rows, done.differing = switched.rows, switched.differing
    return done


@asynccontextmanager
async def _rebuilding(pool: Pool, model: Model) -> AsyncIterator[Any]:
    lock = _REBUILD + sorted(MODELS).index(model.name)
    async with lent(pool) as conn:
        if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", lock):
            raise RebuildRunning(model=model.name)
        try:
            yield conn
        finally:
            with suppress(*UNREACHABLE):
                await conn.execute("SELECT pg_advisory_unlock($1)", lock)


_STANDS = """
SELECT
    l.log_id,
    l.next_position - 1 AS last,
    m.model,
    v.build,
    b.version,
    c.position,
    c.stopped_at
FROM logs AS l
CROSS JOIN unnest($1::text[]) AS m (model)
LEFT JOIN read_models.live AS v ON v.log_id = l.log_id AND v.model = m.model
LEFT JOIN read_models.builds AS b ON b.build = v.build
LEFT JOIN read_models.checkpoints AS c ON c.log_id = l.log_id AND c.build = v.build
ORDER BY
    l.log_id,
    m.model
"""

_STOPPED = "SELECT EXISTS (SELECT FROM read_models.checkpoints WHERE build = $1 AND stopped_at IS NOT NULL)"
