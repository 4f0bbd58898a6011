"""Appending to and reading long streams, and streams with many open lots."""

from collections.abc import Callable, Iterator

from benchmarks import accounts, purchases, wrk
from benchmarks.bench import Bench, fill, median
from benchmarks.client import customer_path
from benchmarks.figures import Figure
from benchmarks.servers import Server, ledger_server
from ledger.deciding import Command

TITLE = "Long streams, and many open lots"
HOW = """\
Twenty customers of each kind, asked over 16 connections: single posts that redeem one point each (a lot changes, none is opened),
and reads of the customer. What differs in the first pair is the number of records, with one open lot; in the second the number of
open lots, each shown by the read."""

CUSTOMERS = 20
FASTEST_POSTS, FASTEST_READS = 9_000, 9_000
KINDS: dict[str, Callable[[str], Iterator[Command]]] = {
    "10 records": lambda customer: accounts.with_records(customer, 10),
    "10,000 records": lambda customer: accounts.with_records(customer, 10_000),
    "10 open lots": lambda customer: accounts.with_lots(customer, 10),
    "1,000 open lots": lambda customer: accounts.with_lots(customer, 1_000),
}
PAIRS = (("10 records", "10,000 records"), ("10 open lots", "1,000 open lots"))


def measure(bench: Bench) -> list[Figure]:
    """Posts and reads per second of each kind, the greater against the smaller."""
    database = bench.empty()
    for kind, commands in KINDS.items():
        for number in range(CUSTOMERS):
            fill(database, commands(_name(kind, number)))
    posts: dict[str, list[float]] = {kind: [] for kind in KINDS}
    reads: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(bench.repetitions):
        for kind in KINDS:
            with ledger_server(bench.cluster, database) as server:
                posts[kind].append(_posts(bench, server, kind, turn, database.key))
                reads[kind].append(_reads(bench, server, kind, database.key))
    bench.cluster.drop(database)
    return [*_figures("posts", posts), *_figures("reads", reads)]


def _posts(bench: Bench, server: Server, kind: str, turn: int, key: str) -> float:
    count = int(FASTEST_POSTS * bench.seconds)
    numbers = range(turn * count, (turn + 1) * count)
    requests = (accounts.redemption(_name(kind, number % CUSTOMERS), number, key=key) for number in numbers)
    place = wrk.put_requests(bench.place("redemptions"), requests)
    return wrk.run([server.port], place, connections=16, seconds=bench.seconds).per_second


def _reads(bench: Bench, server: Server, kind: str, key: str) -> float:
    requests = (purchases.get(customer_path(_name(kind, number)), key=key) for number in range(CUSTOMERS))
    place = wrk.put_requests(bench.place("reads"), requests)
    return wrk.run([server.port], place, connections=16, seconds=bench.seconds, again=True).per_second


def _figures(what: str, speeds: dict[str, list[float]]) -> list[Figure]:
    figures = []
    for small, great in PAIRS:
        ceiling = median(speeds[small])
        figures.append(Figure(f"{what}, {small}", ceiling, "/s"))
        figures.append(Figure(f"{what}, {great}", median(speeds[great]), "/s", small, ceiling))
    return figures


def _name(kind: str, number: int) -> str:
    return f"{kind.replace(',', '').replace(' ', '-')}-{number}"
