"""The servers that are measured: `ledger serve` as a user starts it, one or several, and the empty endpoint."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.cluster import OWNER, Cluster, Database

READY_SECONDS_MAX = 120


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process: psutil.Process

    def memory_mib(self) -> float:
        """Memory of the serving process (RSS, its children's too)."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family) / 2**20

    def cpu_seconds(self) -> float:
        """What it has used of a core."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def ledger_servers(cluster: Cluster, database: Database, count: int = 1) -> Iterator[list[Server]]:
    """So many `ledger serve` on one database."""
    with ExitStack() as stack:
        yield [stack.enter_context(ledger_server(cluster, database)) for _ in range(count)]


@contextmanager
def ledger_server(cluster: Cluster, database: Database) -> Iterator[Server]:
    """One `ledger serve`, ready."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")},
        "LEDGER_DATABASE_URL": database.url(OWNER),
        "LEDGER_DATA_DIR": str(cluster.directory / f"data-{port}"),
        "LEDGER_PORT": str(port),
        "LEDGER_LOG_LEVEL": "warning",
        # Else a process beside each server would seal the tables that were filled a moment ago, and that would be measured.
        "LEDGER_TWIN_SEAL": "false",
    }
    command = [str(Path(sys.executable).with_name("ledger")), "serve"]
    with _running(command, environment, cluster.directory / f"server-{port}.log") as process:
        _wait_until_ready(process, port, "/readyz")
        yield Server(port, psutil.Process(process.pid))


@contextmanager
def empty_endpoint(directory: Path) -> Iterator[Server]:
    """The same server with nothing behind it."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.empty_endpoint", str(port)]
    with _running(command, dict(os.environ), directory / f"empty-{port}.log") as process:
        _wait_until_ready(process, port, "/v1/programs/x/customers/y")
        yield Server(port, psutil.Process(process.pid))


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {process.args}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:  # noqa: PLR2004
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server did not become ready")
