"""Every metric over a synthetic shop, beside the same answer written by hand in SQL."""

from collections.abc import Iterator

from benchmarks.apart import MIB_MAX, apart
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.read_side import Asked, ask_metrics

TITLE = "Metrics"
HOW = """\
Every metric with its default parameters over a synthetic shop, its twin warm, in one process: medians of three after one that does
not count. Six of them beside the same answer written by hand in DuckDB's SQL (benchmarks/hand_sql.py) on the same connection,
with equal results, or the row fails. An answer carries more than the hand-written one: cut-offs, and counts of what it was drawn
from."""

SECONDS_MAX, OF_HAND_MAX = 2.0, 3.0


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds of each metric, and the most memory their process held."""
    database = bench.fleet(bench.records)
    found = apart(ask_metrics, database.url(), bench.twin(bench.records), ())
    figures = [figure for asked in found.result for figure in _figures(asked)]
    slowest = max(found.result, key=lambda asked: asked.seconds)
    failed = [asked for asked in found.result if asked.failed is not None]
    return [
        Figure(
            f"{bench.records:,} records, the slowest of {len(found.result)}: {slowest.name}",
            1000 * slowest.seconds,
            "ms",
            at_least=f"at most {1000 * SECONDS_MAX:,.0f} ms",
            met=slowest.seconds <= SECONDS_MAX and not failed,
        ),
        *figures,
        Figure(
            "most memory", found.peak_mib, "MiB", at_least=f"at most {MIB_MAX:,} MiB", met=found.peak_mib <= MIB_MAX
        ),
    ]


def _figures(asked: Asked) -> Iterator[Figure]:
    if asked.failed is not None:
        yield Figure(f"{asked.name} FAILED: {asked.failed}", 0, "ms", at_least="an answer", met=False)
    elif asked.by_hand is None:
        yield Figure(asked.name, 1000 * asked.seconds, "ms")
    else:
        yield Figure(
            asked.name,
            1000 * asked.seconds,
            "ms",
            "by hand",
            1000 * asked.by_hand,
            f"at most {OF_HAND_MAX:.0f} × by hand",
            asked.seconds <= OF_HAND_MAX * asked.by_hand,
        )
