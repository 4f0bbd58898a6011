"""Rebuilding the read models in PostgreSQL."""

from benchmarks.apart import MIB_MAX, apart
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.read_side import rebuild_models

TITLE = "Rebuilding read models"
HOW = """\
`ledger rebuild all` over a synthetic shop of at most a million records, in a process of its own: customers, then orders, each from
the first record to the last, rows and checkpoint committed together. Per core: records of each model by the process's own
processor time, PostgreSQL's not among it."""

RECORDS_MAX = 1_000_000
AT_LEAST = 20_000


def measure(bench: Bench) -> list[Figure]:
    """Records per second of each model and of all, and the most memory the process held."""
    database = bench.fleet(min(bench.records, RECORDS_MAX))
    found = apart(rebuild_models, database.url())
    figures = []
    for name, (records, seconds, cpu) in found.result.items():
        figures.append(Figure(f"{name}: {records:,} records, per core", records / cpu, "/s"))
        figures.append(Figure(f"{name}, by the clock", records / seconds, "/s"))
    folded = sum(records for records, _, _ in found.result.values())
    per_core = folded / sum(cpu for _, _, cpu in found.result.values())
    return [
        Figure("all, per core", per_core, "/s", at_least=f"{AT_LEAST:,} /s", met=per_core >= AT_LEAST),
        Figure("all, by the clock", folded / sum(seconds for _, seconds, _ in found.result.values()), "/s"),
        *figures,
        Figure(
            "most memory", found.peak_mib, "MiB", at_least=f"at most {MIB_MAX:,} MiB", met=found.peak_mib <= MIB_MAX
        ),
    ]
