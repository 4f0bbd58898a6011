"""What the read side costs for a log of a tenth, three tenths and all of the records."""

from benchmarks.apart import apart
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.read_side import ask_metrics, build_twin, report_points

TITLE = "Cost against size"
HOW = """\
The twin built anew, some metrics and the points report over synthetic shops of three sizes, as in the rows of their own. Against:
the smallest size multiplied by how much larger the log is; a ratio of 1 is linear, below it better."""

PARTS = (0.1, 0.3, 1.0)
METRICS = ("revenue", "repurchase_rate/window", "cohort", "stage", "points")
SLACK = 1.3
"""A ratio up to this counts as linear: each size is measured once."""


def measure(bench: Bench) -> list[Figure]:
    """Seconds by size, each against the smallest one's share."""
    sizes = [int(part * bench.records) for part in PARTS]
    took = {size: _costs(bench, size) for size in sizes}
    figures = []
    for what in took[sizes[0]]:
        smallest = took[sizes[0]][what]
        figures.append(Figure(f"{what}: {sizes[0]:,} records", smallest, "s"))
        for size in sizes[1:]:
            linear = smallest * size / sizes[0]
            seconds = took[size][what]
            figures.append(
                Figure(
                    f"{what}: {size:,} records",
                    seconds,
                    "s",
                    "linear",
                    linear,
                    f"at most {SLACK}",
                    seconds <= SLACK * linear,
                )
            )
    return figures


def _costs(bench: Bench, size: int) -> dict[str, float]:
    url = bench.fleet(size).url()
    built = apart(build_twin, url, bench.twin(size, anew=True))
    asked = apart(ask_metrics, url, bench.twin(size), METRICS).result
    seconds, _ = apart(report_points, url, bench.twin(size)).result
    return {
        "twin, processor": built.cpu_seconds,
        **{one.name: one.seconds for one in asked if one.failed is None},
        "points report": seconds,
    }
