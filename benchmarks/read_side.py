"""The read side on a filled program, each function called in a process of its own: build, ask, report, rebuild."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import median
from benchmarks.hand_sql import BY_HAND, differs
from benchmarks.purchases import PROGRAM
from ledger import reading, store
from ledger.instants import from_datetime
from ledger.program import fold
from ledger.reading import Book
from ledger.records import Record, program_stream_id

TIMES = 3


@dataclass(frozen=True)
class Asked:
    """How long an answer took, warm: the median in seconds; the same by hand, where there is such SQL."""

    name: str
    seconds: float
    by_hand: float | None = None
    failed: str | None = None


def build_twin(url: str, twin: Path) -> int:
    """Build the twin of the program; how many records are sealed."""
    return asyncio.run(_build(url, twin))


def ask_metrics(url: str, twin: Path, names: tuple[str, ...]) -> list[Asked]:
    """Ask every metric, or these, with its default parameters."""
    return asyncio.run(_ask(url, twin, names))


def report_points(url: str, twin: Path) -> tuple[float, int]:
    """The points report of the last month: seconds, warm, and the points it says are outstanding."""
    return asyncio.run(_report(url, twin))


def rebuild_models(url: str) -> dict[str, tuple[int, float, float]]:
    """Rebuild every read model: records, seconds and seconds of this process's processor, by model."""
    return asyncio.run(_rebuild(url))


async def _build(url: str, twin: Path) -> int:
    from projections.twin.building import build  # noqa: PLC0415 - heavy, and not every process needs it

    async with _opened(url) as (conn, book, last):
        return (await build(conn, book, twin, last=last)).sealed_through


async def _ask(url: str, twin: Path, names: tuple[str, ...]) -> list[Asked]:
    from projections.metrics.answering import answer  # noqa: PLC0415 - heavy, and not every process needs it
    from projections.metrics.definitions import DEFINITIONS  # noqa: PLC0415
    from projections.twin.fleet import Fleets  # noqa: PLC0415

    found = []
    async with _opened(url) as (conn, book, _):
        cut = await reading.cut_off(conn, book, now=await _now(conn), as_of=None, known_at=None)
        async with Fleets(twin).at(conn, book, cut) as fleet:
            for name in names or tuple(one.name for one in DEFINITIONS):
                try:
                    seconds, rows = _timed(lambda name=name: answer(fleet, name, {})["rows"])
                    found.append(_beside_hand(fleet.backend.con, name, seconds, rows))
                except Exception as error:  # noqa: BLE001 - one that fails is a row of the table, not the end of it
                    found.append(Asked(name, 0.0, failed=f"{type(error).__name__}: {error}"[:200]))
    return found


def _beside_hand(con: Any, name: str, seconds: float, rows: list[dict[str, Any]]) -> Asked:
    if name not in BY_HAND:
        return Asked(name, seconds)
    statement = BY_HAND[name][0]
    by_hand, answered = _timed(lambda: con.sql(statement).to_arrow_table().to_pylist())
    return Asked(name, seconds, by_hand, differs(name, answered[0], rows[0]))


async def _report(url: str, twin: Path) -> tuple[float, int]:
    from projections.reports.asking import Question, points  # noqa: PLC0415 - heavy, and not every process needs it
    from projections.twin.fleet import Fleets  # noqa: PLC0415

    async with _opened(url) as (conn, book, _):
        fleets, now, took, outstanding = Fleets(twin), await _now(conn), [], 0
        for _ in range(TIMES + 1):
            began = time.perf_counter()
            found = await points(conn, book, fleets, Question(since=_month_ago(now)), now=now)
            took.append(time.perf_counter() - began)
            outstanding = found["totals"]["outstanding"]
            broken = [check["check"] for check in found["checks"] if not check["holds"]]
            if broken:
                raise RuntimeError(f"does not hold: {broken}")
    return median(took[1:]), outstanding


async def _rebuild(url: str) -> dict[str, tuple[int, float, float]]:
    from projections.models import MODELS  # noqa: PLC0415 - heavy, and not every process needs it
    from projections.models.runner import projecting_pool, rebuild  # noqa: PLC0415

    found = {}
    async with await store.open_pool(url, size_min=1, size_max=1) as pool, pool.acquire() as conn:
        logs = [log for log in await store.list_logs(conn) if log.program == PROGRAM]
    async with projecting_pool(url) as pool:
        for model in MODELS.values():
            began, cpu = time.perf_counter(), time.process_time()
            records = 0
            async for one in rebuild(pool, model, logs=logs, progress=lambda _: None):
                if one.stopped is not None:
                    raise RuntimeError(f"{model.name} stopped at {one.stopped.stopped_at}: {one.stopped.reason}")
                records += one.records
            found[model.name] = records, time.perf_counter() - began, time.process_time() - cpu
    return found


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Any, Book, int]]:
    async with await store.open_pool(url, size_min=1, size_max=1) as pool, pool.acquire() as conn:
        log_id = await store.create_log(conn, PROGRAM)
        stored = await store.read_stream(conn, log_id, program_stream_id(PROGRAM))
        state = fold([Record.from_bytes(one.record) for one in stored])
        last = (await store.read_logs(conn, [log_id]))[log_id].next_position - 1
        yield conn, Book(log_id, PROGRAM, state.rules.latest.document.zone, state), last


async def _now(conn: Any) -> int:
    return from_datetime(await conn.fetchval("SELECT statement_timestamp()"))


def _month_ago(now: int) -> str:
    from ledger.instants import DAY, show  # noqa: PLC0415

    return show(now - 30 * DAY)[:10]


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The median of three calls after one that does not count, and what the last gave."""
    took, result = [], call()
    for _ in range(TIMES):
        began = time.perf_counter()
        result = call()
        took.append(time.perf_counter() - began)
    return median(took), result
