"""Replaying one customer."""

from benchmarks import accounts
from benchmarks.bench import Bench, fill
from benchmarks.client import connected, customer_path
from benchmarks.figures import Figure
from benchmarks.servers import ledger_server

TITLE = "Replaying a customer"
HOW = """\
`GET …/customers/{customer}/replay`: every record with the account after it, read to the last line over one connection; medians.
Four purchases, then a redemption of what they earned, and so on: up to four lots are open at a time."""

LENGTHS = {10: 200, 1_000: 30, 10_000: 5}
"""Records, and how often they are replayed."""
LENGTH, MILLISECONDS_MAX = 1_000, 20


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds for a customer of 10, 1,000 and 10,000 records."""
    database = bench.empty()
    for length in LENGTHS:
        fill(database, accounts.with_purchases(f"r-{length}", length))
    figures = []
    with ledger_server(bench.cluster, database) as server, connected(server.port, database.key) as client:
        for length, times in LENGTHS.items():
            took = client.milliseconds_of(customer_path(f"r-{length}", "/replay"), times)
            budget, met = (
                (f"at most {MILLISECONDS_MAX} ms", took <= MILLISECONDS_MAX) if length == LENGTH else ("", None)
            )
            figures.append(Figure(f"{length:,} records", took, "ms", at_least=budget, met=met))
    bench.cluster.drop(database)
    return figures
