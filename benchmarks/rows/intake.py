"""Batch and NDJSON intake over HTTP, against the bare append."""

import asyncio
import json
from collections.abc import Callable
from itertools import islice

from benchmarks import purchases, units, wrk
from benchmarks.bench import Bench, median, position
from benchmarks.client import connected
from benchmarks.cluster import Database
from benchmarks.figures import Figure
from benchmarks.servers import Server, ledger_server, ledger_servers

TITLE = "Batch and NDJSON intake"
HOW = """\
Purchases of two lines (430 bytes), posted as `application/cloudevents-batch+json` and acknowledged after commit, and as one long
NDJSON body. Customers are drawn from those of the filled tables (five purchases each, over the past 300 days) and a quarter as
many new ones, so most heads have to be read and folded state to be written. The bare append is `store.append` with ready-made
units of the same kind of events, decided beforehand, in batches of 1,000, one after the other, on the same tables, in turn with
the loads; medians of three. One server process unless said otherwise: one has one core, and `ledger serve --workers 2` both.
Every event is counted in the log afterwards."""

BARE_RECORDS = 20_000
FASTEST = 30_000
"""Events made ready for each second."""
BARE = "bare append"
AT_LEAST, OF_BARE = 10_000, 0.4
WORKERS = 2


def measure(bench: Bench) -> list[Figure]:
    """Figures for empty tables and for filled ones."""
    return [*_figures(bench, bench.empty, "empty tables", of_filled=False), *_figures_on_filled(bench)]


def _figures_on_filled(bench: Bench) -> list[Figure]:
    bench.filled()
    return _figures(bench, bench.filled, f"{bench.records:,} records", of_filled=True)


def _figures(bench: Bench, database: Callable[[], Database], name: str, *, of_filled: bool) -> list[Figure]:
    """Bare append, batches and lines in turn, each on the database it is given."""
    loads = {"4 × 1,000": (4, 1_000), "8 × 500": (8, 500), "1 × 1,000": (1, 1_000)}
    bare, lines, together = [], [], []
    batches = {load: [] for load in loads}
    for _ in range(bench.repetitions if of_filled else 1):
        bare.append(bare_append(bench, database()))
        for load, (connections, size) in loads.items():
            batches[load].append(batch_intake(bench, database(), connections=connections, size=size))
        if of_filled:
            together.append(batch_intake(bench, database(), connections=4 * WORKERS, size=1_000, processes=WORKERS))
        lines.append(line_intake(bench, database()))
        bare.append(bare_append(bench, database()))
    ceiling = median(bare)
    figures = [
        _figure(
            f"{name}: batches, {load} events in flight",
            median(speeds),
            ceiling,
            budget=of_filled and load == "4 × 1,000",
        )
        for load, speeds in batches.items()
    ]
    if together:
        in_flight = f"{4 * WORKERS} × 1,000 events in flight, {WORKERS} processes"
        figures.append(_figure(f"{name}: batches, {in_flight}", median(together), ceiling, budget=True))
    return [*figures, _figure(f"{name}: NDJSON, one body", median(lines), ceiling, budget=False)]


def bare_append(bench: Bench, database: Database) -> float:
    """Records per second of the append alone."""
    return asyncio.run(units.bare_append(database, list(bench.purchases().commands(BARE_RECORDS))))


def batch_intake(bench: Bench, database: Database, *, connections: int, size: int, processes: int = 1) -> float:
    """Events per second that fresh server processes take in batches."""
    with ledger_servers(bench.cluster, database, processes) as servers:
        return post_batches(bench, database, servers, connections=connections, size=size)


def post_batches(bench: Bench, database: Database, servers: list[Server], *, connections: int, size: int) -> float:
    """Events per second that servers take in batches.

    Raises:
        RuntimeError: not every event that was answered is in the log.
    """
    texts = bench.purchases().texts(int(FASTEST * bench.seconds))
    requests = (
        purchases.post(body, key=database.key, content_type=purchases.BATCH) for body in purchases.batches(texts, size)
    )
    place = wrk.put_requests(bench.place("batches"), requests, generators=len(servers))
    before = position(database)
    load = wrk.run([server.port for server in servers], place, connections=connections, seconds=bench.seconds)
    written = position(database) - before
    if written < load.requests * size:
        raise RuntimeError(f"{load.requests} batches of {size} were answered, {written} records written")
    return load.per_second * size


def line_intake(bench: Bench, database: Database) -> float:
    """Events per second of one NDJSON body, to its summary.

    Raises:
        RuntimeError: not every line was recorded.
    """
    count = int(bench.seconds) * 10_000
    place = bench.place("lines")
    with place.open("w") as file:
        file.writelines(f"{text}\n" for text in islice(bench.purchases().texts(count), count))
    with ledger_server(bench.cluster, database) as server, connected(server.port, database.key) as client:
        took, answer = client.timed(lambda: client.post_lines(place))
    summary = json.loads(answer.splitlines()[-1])["summary"]
    if summary["recorded"] != count:
        raise RuntimeError(f"not every line was recorded: {summary}")
    return count / took


def _figure(what: str, value: float, ceiling: float, *, budget: bool) -> Figure:
    if not budget:
        return Figure(what, value, "/s", BARE, ceiling)
    met = value >= AT_LEAST and value >= OF_BARE * ceiling
    return Figure(what, value, "/s", BARE, ceiling, f"{AT_LEAST:,} /s and {OF_BARE}", met)
