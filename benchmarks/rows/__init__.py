"""The rows of the benchmark: each a module with TITLE, HOW and `measure(bench)`."""

from types import ModuleType

from benchmarks.rows import (
    append,
    feed,
    intake,
    lag,
    memory,
    metrics,
    month_end,
    points_report,
    processes,
    read,
    rebuild,
    replay,
    single,
    sizes,
    streams,
    twin,
)

ROWS: dict[str, ModuleType] = {
    "append": append,
    "intake": intake,
    "single": single,
    "processes": processes,
    "read": read,
    "replay": replay,
    "streams": streams,
    "feed": feed,
    "month_end": month_end,
    "memory": memory,
    "lag": lag,
    "twin": twin,
    "metrics": metrics,
    "points_report": points_report,
    "rebuild": rebuild,
    "sizes": sizes,
}
"""By name, in the order in which they run: what comes later finds the filled tables a little longer."""
