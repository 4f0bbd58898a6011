"""How long an engine takes for each metric of a program: `LEDGER_ENGINE=spark python -m benchmarks.engines --program synthetic`.

The database, the twin and the engine are those of the settings. What is not sealed yet is sealed first and timed apart. Each metric
is asked once for its first answer and then three times more, of which the fastest counts; beside it the processor seconds of the
thriftiest of those, on all cores together, which a busy machine changes least. Memory is the peak of this process and of Spark's
JVM where it started one; run once an engine.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from api.commands.connecting import database
from api.commands.fleets import fleet_of
from ledger.settings import Settings
from projections.metrics.answering import answer
from projections.metrics.asking import find
from projections.twin.fleet import Fleet
from projections.twin.ranges import directory_of

AGAIN = 3
METRICS = (
    "customers",
    "revenue",
    "repurchase_rate/window",
    "aov/order",
    "cohort",
    "rfm/quantile",
    "concentration",
    "purchase_interval",
    "stage",
    "points",
    "points/outstanding",
)
MEBIBYTE = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--program", default="synthetic")
    parser.add_argument(
        "metrics", nargs="*", default=METRICS, help="which; left out: those the engines are compared by"
    )
    given = parser.parse_args()
    settings = Settings.from_environment()
    with database(settings) as at:
        asyncio.run(_measure(settings, at, given.program, given.metrics))


async def _measure(settings: Settings, at: Any, program: str, metrics: list[str]) -> None:
    began = time.perf_counter()
    async with fleet_of(settings, at, program, as_of=None, known_at=None) as fleet:
        opened = time.perf_counter() - began
        files, size = _of_twin(directory_of(settings.twin, program))
        print(f"{settings.engine}, {program}: position {fleet.cut.position:,}, sealed through {fleet.sealed_through:,}")
        print(f"opened, and sealed what was not, in {opened:.1f} s; twin: {files:,} files, {size / MEBIBYTE:,.0f} MiB")
        print(f"\n| metric on {settings.engine} | first, s | again, s | processor, s |\n|---|---:|---:|---:|")
        for name in metrics:
            first, again, busy = _timed(fleet, name)
            print(f"| {name} | {first:.2f} | {again:.2f} | {busy:.2f} |", flush=True)
        print(f"\npeak memory: {_memory_peak() / MEBIBYTE:,.0f} MiB")


def _timed(fleet: Fleet, name: str) -> tuple[float, float, float]:
    """Seconds of the first answer and of the fastest of those after it; processor seconds of the thriftiest of those."""
    definition = find(name)
    given = {"by": "month"} if "month" in definition.by else {}
    first, *again = (_seconds(lambda: answer(fleet, name, given)) for _ in range(1 + AGAIN))
    return first[0], min(one[0] for one in again), min(one[1] for one in again)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    began, busy = time.perf_counter(), _busy()
    work()
    return time.perf_counter() - began, _busy() - busy


def _busy() -> float:
    """Processor seconds of this process and of its JVM."""
    return sum(one.cpu_times().user + one.cpu_times().system for one in (psutil.Process(), *_java()))


def _java() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]


def _of_twin(directory: Path) -> tuple[int, int]:
    sizes = [file.stat().st_size for file in directory.rglob("*") if file.is_file()]
    return len(sizes), sum(sizes)


def _memory_peak() -> int:
    """Bytes: the peak of this process and of its JVM."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return own + sum(_peak(child) for child in _java())


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)


if __name__ == "__main__":
    main()
