"""Reading a customer, against an empty endpoint."""

import random

from benchmarks import purchases, wrk
from benchmarks.bench import PURCHASES_A_CUSTOMER, Bench, median
from benchmarks.figures import Figure
from benchmarks.servers import empty_endpoint, ledger_server

TITLE = "Reading a customer"
HOW = """\
`GET …/customers/{customer}` of random customers of the filled tables (five purchases, five open lots on average), over 64 and 1
connections, against an empty endpoint of the same server that answers 200 with a small JSON."""

REQUESTS = 100_000


def measure(bench: Bench) -> list[Figure]:
    """Speed against the empty endpoint."""
    database = bench.filled()
    customers = random.choices(range(bench.records // PURCHASES_A_CUSTOMER), k=REQUESTS)
    requests = purchases.read_customers(customers, key=database.key)
    place = wrk.put_requests(bench.place("reads"), requests)
    figures = []
    for connections in (64, 1):
        empty, read = [], []
        for _ in range(bench.repetitions):
            with empty_endpoint(bench.cluster.directory) as server:
                empty.append(wrk.run([server.port], place, connections=connections, seconds=bench.seconds, again=True))
            with ledger_server(bench.cluster, database) as server:
                read.append(wrk.run([server.port], place, connections=connections, seconds=bench.seconds, again=True))
        speed, ceiling = median(load.per_second for load in read), median(load.per_second for load in empty)
        budget, met = ("0.6", speed >= 0.6 * ceiling) if connections > 1 else ("", None)
        name = f"{connections} connections" if connections > 1 else "1 connection"
        figures.append(Figure(name, speed, "/s", "empty endpoint", ceiling, budget, met))
        figures.append(Figure(f"{name}, p99", median(load.p99 for load in read), "ms"))
    return figures
