"""Single posts, against an empty endpoint and against the stock library."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import purchases, steady, wrk
from benchmarks.bench import Bench, median
from benchmarks.cluster import Database
from benchmarks.figures import Figure
from benchmarks.servers import empty_endpoint, ledger_server
from benchmarks.wrk import Load

TITLE = "Single posts"
HOW = """\
One purchase a request, on the filled tables, acknowledged after commit, over 1, 16 and 64 connections; against an empty endpoint of
the same server, which reads the body and answers 201, under the same requests, in turn; and against stock `eventsourcing` (get and
save of an aggregate, PostgreSQL recorder, 1, 16 and 64 threads, no HTTP). Half load: requests at random instants at half the rate
of 64 connections, each timed from the instant it was due."""

CONNECTIONS = (1, 16, 64)
FASTEST = 9_000
"""Events made ready for each second."""
EMPTY = "empty endpoint"
STOCK = "stock get + save"
OF_EMPTY, OF_STOCK, P99_MAX = 0.4, 5, 25


def measure(bench: Bench) -> list[Figure]:
    """Speed at every number of connections, against both yardsticks, then the times at half load."""
    database = bench.filled()
    posted: dict[int, list[Load]] = {connections: [] for connections in CONNECTIONS}
    empty: dict[int, list[Load]] = {connections: [] for connections in CONNECTIONS}
    for _ in range(bench.repetitions):
        for connections in CONNECTIONS:
            requests = requests_for(bench, database, FASTEST * bench.seconds)
            empty[connections].append(_post_to_nothing(bench, requests, connections))
            posted[connections].append(_post(bench, database, requests, connections))
    figures = []
    for connections in CONNECTIONS:
        figures += _figures(connections, posted[connections], empty[connections])
    best = median(load.per_second for load in posted[max(CONNECTIONS)])
    return [*figures, *_against_stock(bench, best), *_half_load(bench, database, best)]


def requests_for(bench: Bench, database: Database, count: float) -> Path:
    """So many single posts, made beforehand."""
    return wrk.put_requests(bench.place("singles"), _requests(bench, database, int(count)))


def _requests(bench: Bench, database: Database, count: int) -> Iterator[bytes]:
    return (purchases.post(text.encode(), key=database.key) for text in bench.purchases().texts(count))


def _post_to_nothing(bench: Bench, requests: Path, connections: int) -> Load:
    with empty_endpoint(bench.cluster.directory) as server:
        return wrk.run([server.port], requests, connections=connections, seconds=bench.seconds, again=True)


def _post(bench: Bench, database: Database, requests: Path, connections: int) -> Load:
    with ledger_server(bench.cluster, database) as server:
        return wrk.run([server.port], requests, connections=connections, seconds=bench.seconds)


def _figures(connections: int, posted: list[Load], empty: list[Load]) -> list[Figure]:
    speed = median(load.per_second for load in posted)
    ceiling = median(load.per_second for load in empty)
    budget, met = (str(OF_EMPTY), speed >= OF_EMPTY * ceiling) if connections == max(CONNECTIONS) else ("", None)
    name = "1 connection" if connections == 1 else f"{connections} connections"
    return [
        Figure(name, speed, "/s", EMPTY, ceiling, budget, met),
        Figure(f"{name}, median", median(load.p50 for load in posted), "ms"),
        Figure(f"{name}, p99", median(load.p99 for load in posted), "ms"),
    ]


def _against_stock(bench: Bench, speed: float) -> list[Figure]:
    from benchmarks import stock  # noqa: PLC0415 - needs psycopg_pool, which nothing else does

    database = bench.cluster.database()
    speeds = {threads: stock.measure(database, threads=threads, seconds=bench.seconds) for threads in CONNECTIONS}
    bench.cluster.drop(database)
    best = max(speeds.values())
    shown = ", ".join(f"{speed:,.0f}" for speed in speeds.values())
    name = f"64 connections, against the best of the stock library ({shown} with 1, 16, 64 threads)"
    return [Figure(name, speed, "/s", STOCK, best, str(OF_STOCK), speed >= OF_STOCK * best)]


def _half_load(bench: Bench, database: Database, best: float) -> list[Figure]:
    requests = requests_for(bench, database, best * bench.seconds)
    with ledger_server(bench.cluster, database) as server:
        found = steady.run(requests, server.port, rate=best / 2, seconds=bench.seconds)
    name = f"half load, {found.per_second:,.0f} /s"
    return [
        Figure(f"{name}: p99", found.p99, "ms", at_least=f"at most {P99_MAX} ms", met=found.p99 <= P99_MAX),
        Figure(f"{name}: median", found.p50, "ms"),
        Figure(f"{name}: slowest", found.slowest, "ms"),
    ]
