"""A month end: very many streams due at one instant, worked off by the clock while posts go on."""

import asyncio
import time

import asyncpg

from benchmarks import accounts
from benchmarks.bench import Bench, fill
from benchmarks.cluster import SUPERUSER, Database
from benchmarks.figures import Figure
from benchmarks.rows.single import requests_for
from benchmarks.servers import Server, ledger_server
from benchmarks.steady import Generator, Steady
from ledger.instants import DAY

TITLE = "A month end"
HOW = """\
Each stream holds one lot that expired the day before; a server is started on them and its clock writes the expiries down, while
single posts of other customers arrive at random instants, 500 a second, in parts of five seconds. Beside them the same posts once
nothing is due any more."""

RATE = 500.0
PART_SECONDS = 5.0


def measure(bench: Bench) -> list[Figure]:
    """Streams a second, and what it does to posts."""
    database = bench.empty()
    gone_at = accounts.now() - DAY
    fill(database, (accounts.with_due(f"due-{number}", gone_at) for number in range(bench.due)))
    bench.cluster.settle()
    with ledger_server(bench.cluster, database) as server:
        began = time.perf_counter()
        parts, ended = [], 0.0
        while not ended:
            generator = _generator(bench, database, server)
            ended = asyncio.run(_watch(database, PART_SECONDS))
            parts.append(generator.result())
        after = _generator(bench, database, server).result()
        memory = server.memory_mib()
    bench.cluster.drop(database)
    figures = _figures(bench.due, ended - began, parts, after)
    return [*figures, Figure("memory of the server afterwards", memory, "MiB")]


def _generator(bench: Bench, database: Database, server: Server) -> Generator:
    requests = requests_for(bench, database, 2 * RATE * PART_SECONDS)
    return Generator(requests, server.port, rate=RATE, seconds=PART_SECONDS)


async def _watch(database: Database, seconds: float) -> float:
    """When nothing was due any more; 0 if something still is after so many seconds."""
    conn = await asyncpg.connect(database.url(SUPERUSER))
    try:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            if not await conn.fetchval("SELECT EXISTS (SELECT FROM streams WHERE due_at < statement_timestamp())"):
                return time.perf_counter()
            await asyncio.sleep(0.1)
        return 0.0
    finally:
        await conn.close()


def _figures(due: int, seconds: float, parts: list[Steady], after: Steady) -> list[Figure]:
    worst = max(part.p99 for part in parts)
    return [
        Figure(f"{due:,} streams due, worked off", due / seconds, "/s"),
        Figure("posts' p99 meanwhile, the worst five seconds", worst, "ms", "nothing due", after.p99),
        Figure(
            "posts' median meanwhile, the worst five seconds",
            max(part.p50 for part in parts),
            "ms",
            "nothing due",
            after.p50,
        ),
    ]
