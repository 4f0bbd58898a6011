"""Memory of the serving process after a million events."""

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.rows.intake import post_batches
from benchmarks.servers import ledger_server

TITLE = "Memory of a serving process"
HOW = """\
One fresh server on the filled tables takes batches of 1,000 over 4 connections until it has taken a million events; its resident
memory before and after (children included; PostgreSQL is not)."""

EVENTS = 1_000_000
MIB_MAX = 400


def measure(bench: Bench) -> list[Figure]:
    """Resident memory before, and after every part of the million."""
    database = bench.filled()
    wanted = EVENTS // 20 if bench.quick else EVENTS
    with ledger_server(bench.cluster, database) as server:
        figures = [Figure("before the first event", server.memory_mib(), "MiB")]
        taken, highest = 0.0, 0.0
        while taken < wanted:
            taken += bench.seconds * post_batches(bench, database, [server], connections=4, size=1_000)
            highest = max(highest, server.memory_mib())
        after = server.memory_mib()
    name = f"after {taken:,.0f} events"
    figures.append(Figure(name, after, "MiB", at_least=f"at most {MIB_MAX} MiB", met=highest <= MIB_MAX))
    figures.append(Figure("the most seen between loads", highest, "MiB"))
    return figures
