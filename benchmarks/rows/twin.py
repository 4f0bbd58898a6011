"""Building the columnar twin from a log."""

from benchmarks.apart import MIB_MAX, apart
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.read_side import build_twin

TITLE = "Twin from the log"
HOW = """\
`ledger twin build` of a synthetic shop (ten records a customer; see `python -m benchmarks generate --help`), in a process of its
own: the log read from PostgreSQL, parsed, written as Parquet, every leaf hashed. Per core: records by the builder's own processor
time, PostgreSQL's not among it. Every record of the shop has some 900 bytes."""

AT_LEAST = 150_000


def measure(bench: Bench) -> list[Figure]:
    """Records per second of the clock and of the builder's processor, and the most memory it held."""
    database = bench.fleet(bench.records)
    found = apart(build_twin, database.url(), bench.twin(bench.records))
    records, per_core = found.result, found.result / found.cpu_seconds
    budget = f"{AT_LEAST:,} /s" if records else ""
    return [
        Figure(f"{records:,} records, per core", per_core, "/s", at_least=budget, met=per_core >= AT_LEAST),
        Figure(f"{records:,} records, by the clock", records / found.seconds, "/s"),
        Figure(
            "most memory", found.peak_mib, "MiB", at_least=f"at most {MIB_MAX:,} MiB", met=found.peak_mib <= MIB_MAX
        ),
    ]
