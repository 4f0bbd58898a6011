"""Load as fast as it is answered: wrk, a generator in C that takes a small part of a core. Its requests are made beforehand."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.purchases import write_requests

SCRIPT = Path(__file__).parent / "requests.lua"


class WrkMissing(RuntimeError):
    """There is no wrk: `apt-get install wrk`."""


@dataclass(frozen=True)
class Load:
    """What was answered: requests in all, seconds, and milliseconds from sending to the end of the answer."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def put_requests(place: Path, requests: Iterable[bytes], *, generators: int = 1) -> Path:
    """Write the requests for `run`, for so many of its ports."""
    if generators == 1:
        write_requests(place.with_name(f"{place.name}.0"), requests)
        return place
    everything = list(requests)
    for number in range(generators):
        write_requests(place.with_name(f"{place.name}-{number}.0"), everything[number::generators])
    return place


def run(ports: Sequence[int], place: Path, *, connections: int, seconds: float, again: bool = False) -> Load:
    """Send the requests of a file over so many connections in all, to one server or spread over several.

    Raises:
        RuntimeError: a request failed, was not answered 2xx, or there were too few requests for the time.
    """
    places = [place] if len(ports) == 1 else [place.with_name(f"{place.name}-{n}") for n in range(len(ports))]
    share = connections // len(ports)
    running = [
        subprocess.Popen(_command(port, part, share, seconds, again), stdout=subprocess.PIPE, text=True)
        for port, part in zip(ports, places, strict=True)
    ]
    loads = [_read(process.communicate()[0]) for process in running]
    return Load(
        sum(load.requests for load in loads),
        max(load.seconds for load in loads),
        max(load.p50 for load in loads),
        max(load.p99 for load in loads),
    )


def version() -> str:
    """Which wrk it is.

    Raises:
        WrkMissing: there is none.
    """
    said = subprocess.run([_program(), "-v"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])


def _command(port: int, place: Path, connections: int, seconds: float, again: bool) -> list[str]:  # noqa: FBT001
    return [
        _program(),
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds:.0f}s",
        "--timeout=60s",
        f"--script={SCRIPT}",
        f"http://127.0.0.1:{port}/",
        "--",
        str(place),
        *(["again"] if again else []),
    ]


def _read(said: str) -> Load:
    result = next((line for line in said.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        raise RuntimeError(f"wrk said: {said}")
    found = json.loads(result.removeprefix("RESULT "))
    if found["failed"] or found["ran_out"]:
        raise RuntimeError(f"{found['failed']} requests failed, {found['ran_out']} generators ran out: {said}")
    return Load(found["requests"], found["microseconds"] / 1e6, found["p50"] / 1000, found["p99"] / 1000)


def _program() -> str:
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissing("wrk is missing: apt-get install wrk")
    return program
