"""How far the read models are behind while events come in."""

import asyncio
import time

from benchmarks import purchases, wrk
from benchmarks.bench import Bench, position
from benchmarks.cluster import Database
from benchmarks.figures import Figure
from benchmarks.servers import ledger_server
from benchmarks.steady import Generator
from ledger import store
from projections.models import MODELS
from projections.models.standing import read_standings

TITLE = "Lag of the read models"
HOW = """\
Batches of 20 purchases at random instants, 2,000 events a second, to one `ledger serve` on empty tables; meanwhile, five times a
second, how long the first record that a read model has not folded has been waiting."""

RATE, SIZE = 2_000, 20
LOOKS_A_SECOND = 5
SECONDS_MAX = 1.0
READY_SECONDS_MAX = 60


def measure(bench: Bench) -> list[Figure]:
    """The longest wait seen and the median, in seconds, and how many events a second it was."""
    database = bench.empty()
    seconds = 2 * bench.seconds
    with ledger_server(bench.cluster, database) as server:
        texts = bench.purchases(customers=20_000).texts(int(1.5 * RATE * seconds))
        requests = (
            purchases.post(body, key=database.key, content_type=purchases.BATCH)
            for body in purchases.batches(texts, SIZE)
        )
        place = wrk.put_requests(bench.place("lagging"), requests)
        asyncio.run(_wait_until_folded(database))
        before = position(database)
        generator = Generator(place, server.port, rate=RATE / SIZE, seconds=seconds)
        lags = asyncio.run(_watch(database, generator))
        written = position(database) - before
    bench.cluster.drop(database)
    highest, ordered = max(lags), sorted(lags)
    return [
        Figure("longest wait", highest, "s", at_least=f"below {SECONDS_MAX:.0f} s", met=highest < SECONDS_MAX),
        Figure("median wait", ordered[len(ordered) // 2], "s"),
        Figure("events", written / seconds, "/s"),
    ]


async def _wait_until_folded(database: Database) -> None:
    """Wait until every read model answers.

    Raises:
        RuntimeError: they do not.
    """
    async with await store.open_pool(database.url(), size_min=1, size_max=1) as pool, pool.acquire() as conn:
        until = time.perf_counter() + READY_SECONDS_MAX
        while time.perf_counter() < until:
            if {one.model for one in await read_standings(conn) if one.is_live} == MODELS.keys():
                return
            await asyncio.sleep(1 / LOOKS_A_SECOND)
    raise RuntimeError("the read models do not answer")


async def _watch(database: Database, generator: Generator) -> list[float]:
    """The greatest lag of any read model, time after time, until the load is over."""
    lags = []
    async with await store.open_pool(database.url(), size_min=1, size_max=1) as pool, pool.acquire() as conn:
        load = asyncio.create_task(asyncio.to_thread(generator.result))
        while not load.done():
            lags.append(max((one.lag_seconds for one in await read_standings(conn)), default=0.0))
            await asyncio.sleep(1 / LOOKS_A_SECOND)
        await load
    return lags
