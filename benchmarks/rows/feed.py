"""Catching up through the feed."""

import time

from benchmarks.bench import Bench, median, position
from benchmarks.client import Client, connected
from benchmarks.figures import Figure
from benchmarks.purchases import PROGRAM
from benchmarks.servers import ledger_server

TITLE = "Feed, catching up"
HOW = """\
One reader takes the whole log of the filled tables, page after page of 10,000 records as NDJSON, going on after the last position;
a plain Python client that reads the bytes and looks at the last line of each page alone. One core is the server's, the other
PostgreSQL's and the reader's."""

PAGE = 10_000
AT_LEAST = 100_000


def measure(bench: Bench) -> list[Figure]:
    """Records per second from the first to the last."""
    database = bench.filled()
    last = min(position(database), bench.records) // PAGE * PAGE
    with ledger_server(bench.cluster, database) as server, connected(server.port, database.key) as client:
        speeds = [_read_all(client, last) for _ in range(bench.repetitions)]
        speed = median(speeds)
        return [
            Figure(f"{last:,} records", speed, "/s", at_least=f"{AT_LEAST:,} /s", met=speed >= AT_LEAST),
            Figure("memory of the server afterwards", server.memory_mib(), "MiB"),
        ]


def _read_all(client: Client, last: int) -> float:
    began, after = time.perf_counter(), 0
    while after < last:
        page = client.get(f"/v1/programs/{PROGRAM}/feed?after={after}&limit={PAGE}")
        after += page.count(b"\n")
    return after / (time.perf_counter() - began)
