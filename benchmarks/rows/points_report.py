"""The points report over a synthetic shop."""

from benchmarks.apart import MIB_MAX, apart
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.read_side import report_points

TITLE = "Points owed"
HOW = """\
The points report with the roll-forward of the last month over a synthetic shop, its twin warm, in a process of its own: the median
of three after one that does not count. All checks of the report hold, or the row fails."""

SECONDS_MAX = 2.0


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds, and the most memory its process held."""
    database = bench.fleet(bench.records)
    found = apart(report_points, database.url(), bench.twin(bench.records))
    seconds, outstanding = found.result
    return [
        Figure(
            f"{bench.records:,} records, {outstanding:,} points outstanding",
            1000 * seconds,
            "ms",
            at_least=f"at most {1000 * SECONDS_MAX:,.0f} ms",
            met=seconds <= SECONDS_MAX,
        ),
        Figure(
            "most memory", found.peak_mib, "MiB", at_least=f"at most {MIB_MAX:,} MiB", met=found.peak_mib <= MIB_MAX
        ),
    ]
