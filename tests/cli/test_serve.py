"""`ledger serve` as a process: up by itself, down when told, several workers on one database, nothing left behind."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

import psutil
import psycopg
import pytest

from tests.cli.conftest import COMMAND, environment
from tests.postgres import Database

pytestmark = pytest.mark.slow

SECONDS_MAX = 120
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/till",
    "type": "purchase.recorded",
    "subject": "c-1",
    "time": "2026-01-01T00:00:00Z",
    "data": {"order_id": "SO-1", "currency": "CNY", "total": 8588},
}


@dataclass
class Server:
    """A running `ledger serve`: its process, its address, and what it said when it was ready."""

    process: subprocess.Popen[str]
    address: str
    said: str

    def get(self, path: str, key: str | None = None) -> dict[str, object]:
        return self._ask(urllib.request.Request(self.address + path), key)  # noqa: S310 - our own server

    def post(self, event: dict[str, object], key: str) -> dict[str, object]:
        path = f"{self.address}/v1/programs/default/events"
        headers = {"Content-Type": "application/cloudevents+json"}
        request = urllib.request.Request(path, json.dumps(event).encode(), headers)  # noqa: S310 - our own server
        return self._ask(request, key)

    def _ask(self, request: urllib.request.Request, key: str | None) -> dict[str, object]:
        if key is not None:
            request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:  # noqa: S310 - our own server
            return json.load(answer)


@contextmanager
def serving(*arguments: str, **settings: object) -> Iterator[Server]:
    """A server on a free port; killed at the end if it was not ended."""
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", *arguments],
            env=environment(port=0, log_level="warning", **settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        too_long = threading.Timer(SECONDS_MAX, process.kill)
        too_long.start()
        try:
            server = _when_ready(process, log)
            too_long.cancel()
            yield server
        finally:
            too_long.cancel()
            process.kill()
            process.communicate()


def _when_ready(process: subprocess.Popen[str], log: TextIO) -> Server:
    said = ""
    while "API " not in said:
        line = process.stdout.readline()
        if not line:
            log.seek(0)
            pytest.fail(f"it ended with {process.wait()}: {log.read()}")
        said += line
    return Server(process, re.search(r"http://[\d.]+:\d+", said)[0], said)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


def test_on_bare_ground_it_makes_everything_says_where_and_leaves_nothing_running(data_dir: Path):
    with serving(data_dir=data_dir) as server:
        assert f"admin key  {data_dir / 'admin.key'}" in server.said
        assert "The ledger is ready at" in server.said
        assert "embedded PostgreSQL" in server.said
        key = (data_dir / "admin.key").read_text().strip()
        assert server.get("/readyz")["status"] == "ready"
        assert server.post(EVENT, key)["balances"] == {"points": 85}
        beside = subprocess.run(
            [*COMMAND, "check"], env=environment(data_dir=data_dir), capture_output=True, text=True, check=True
        )
        assert "default: 2 records in 2 streams" in beside.stdout
        children = psutil.Process(server.process.pid).children(recursive=True)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS_MAX) == 0
    wait_until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))

    with serving(data_dir=data_dir) as again:
        assert again.get("/v1/programs/default/customers/c-1", key)["balances"] == {"points": 85}
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(SECONDS_MAX) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_on_a_database_of_another_the_owner_serves_as_the_service(database: Database, tmp_path: Path, workers: int):
    with serving("--workers", str(workers), database_url=database.owner_url, data_dir=tmp_path) as server:
        key = (tmp_path / "admin.key").read_text().strip()
        assert server.post(EVENT, key)["status"] == "recorded"
        assert server.post(EVENT, key)["status"] == "replayed"
        assert "NOT READY: durable" in server.said, "the tests' own clusters do not flush"
        wait_until(lambda: _connections(database) >= 2 * workers)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS_MAX) == 0
    wait_until(lambda: _connections(database) == 0)


def test_with_the_services_own_url_nothing_is_migrated_and_no_key_is_made(
    database: Database, migrated_database: Database, tmp_path: Path
):
    with serving(database_url=migrated_database.service_url, data_dir=tmp_path) as server:
        assert "ledger keys list" in server.said
        assert not (tmp_path / "admin.key").exists()
    given = environment(port=0, database_url=database.service_url, data_dir=tmp_path)
    refused = subprocess.run([*COMMAND, "serve"], env=given, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "run `ledger migrate` as its owner" in refused.stderr


def test_workers_end_with_a_parent_that_was_killed(database: Database, tmp_path: Path):
    with serving("--workers", "2", database_url=database.owner_url, data_dir=tmp_path) as server:
        port = int(server.address.rpartition(":")[2])
        server.process.kill()
    wait_until(lambda: _is_free(port))


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = environment(port=port, data_dir=tmp_path / "none")
        done = subprocess.run([*COMMAND, "serve"], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr == f"ledger: cannot listen on 127.0.0.1:{port}: Address already in use; LEDGER_PORT names another\n"
    )
    assert not (tmp_path / "none").exists()


def test_two_that_start_at_once_on_an_empty_database_make_one_program_and_one_key(database: Database, tmp_path: Path):
    given = {"database_url": database.owner_url, "data_dir": tmp_path}
    with serving(**given) as one, serving(**given) as other:
        key = (tmp_path / "admin.key").read_text().strip()
        assert (
            one.get("/v1/programs/default/rules", key)["version"]
            == other.get("/v1/programs/default/rules", key)["version"]
            == 1
        )
    with psycopg.connect(database.superuser_url) as connection:
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (1,)


def _connections(database: Database) -> int:
    with psycopg.connect(database.superuser_url) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ledger%'"
        ).fetchone()
    return counted[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
