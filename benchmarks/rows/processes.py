"""One, two and four server processes on one database."""

from collections.abc import Iterator

from benchmarks import purchases, wrk
from benchmarks.bench import Bench, median
from benchmarks.figures import Figure
from benchmarks.rows.intake import post_batches
from benchmarks.rows.single import FASTEST
from benchmarks.servers import ledger_servers

TITLE = "Several server processes on one database"
HOW = """\
1, 2 and 4 `ledger serve` on the same filled database, each under the load that one gets: batches of 1,000 over 4 connections, and
single posts over 64. Any server may post for any customer. On two cores more processes than one share what one had."""

COUNTS = (1, 2, 4)


def measure(bench: Bench) -> list[Figure]:
    """Both loads at every number of processes, against one process."""
    batches: dict[int, list[float]] = {count: [] for count in COUNTS}
    singles: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(bench.repetitions):
        for count in COUNTS:
            batches[count].append(_batches(bench, count))
            singles[count].append(_singles(bench, count))
    return [*_figures("batches", batches), *_figures("single posts", singles)]


def _batches(bench: Bench, count: int) -> float:
    with ledger_servers(bench.cluster, bench.filled(), count) as servers:
        return post_batches(bench, bench.filled(), servers, connections=4 * count, size=1_000)


def _singles(bench: Bench, count: int) -> float:
    requests = wrk.put_requests(bench.place("spread"), _requests(bench), generators=count)
    with ledger_servers(bench.cluster, bench.filled(), count) as servers:
        ports = [server.port for server in servers]
        return wrk.run(ports, requests, connections=64 * count, seconds=bench.seconds).per_second


def _requests(bench: Bench) -> Iterator[bytes]:
    texts = bench.purchases().texts(int(FASTEST * bench.seconds))
    return (purchases.post(text.encode(), key=bench.filled().key) for text in texts)


def _figures(name: str, speeds: dict[int, list[float]]) -> list[Figure]:
    one = median(speeds[1])
    figures = [Figure(f"{name}, 1 process", one, "/s")]
    for count in COUNTS[1:]:
        speed = median(speeds[count])
        figures.append(
            Figure(f"{name}, {count} processes", speed, "/s", "one process", one, "not slower", speed >= 0.95 * one)
        )
    return figures
