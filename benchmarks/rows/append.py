"""The bare append, and filling tables through it: what needs no server."""

from benchmarks.bench import Bench, median
from benchmarks.figures import Figure
from benchmarks.rows.intake import bare_append

TITLE = "The bare append"
HOW = """\
`store.append` with ready-made units in batches of 1,000, one after the other: the SQL call with its durable commit and the encoding
of its arguments, nothing decided, no HTTP. On empty tables and on the filled ones; the median, and the best."""


def measure(bench: Bench) -> list[Figure]:
    """Records per second on empty and on filled tables."""
    empty = [bare_append(bench, bench.empty()) for _ in range(bench.repetitions)]
    filled = [bare_append(bench, bench.filled()) for _ in range(bench.repetitions)]
    return [
        Figure("empty tables", median(empty), "/s"),
        Figure("empty tables, best", max(empty), "/s"),
        Figure(f"{bench.records:,} records", median(filled), "/s", "empty tables", median(empty)),
        Figure(f"{bench.records:,} records, best", max(filled), "/s", "empty tables, best", max(empty)),
    ]
