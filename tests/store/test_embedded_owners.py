"""Owners of the embedded PostgreSQL, and their ends: processes and servers are killed, frozen, and their ids reused.

Owners that must die are processes of their own (`Owner`), since pytest cannot kill itself and look on.
"""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from ledger import embedded_home
from ledger.embedded import EmbeddedError, EmbeddedPostgres, OwnedElsewhere
from tests.postgres import on_every_version, query, scalar, wait_until

pytestmark = pytest.mark.slow

OWNER = """
import sys, threading
from pathlib import Path
from ledger.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]), announce=lambda news: print(news, file=sys.stderr))
print("up", flush=True)
sys.stdin.readline()
if sys.argv[2:] == ["stop"]:
    server.stop()
"""


class Owner:
    """A process that owns the server of `data_dir` until it is killed or told to go."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        command = [sys.executable, "-c", OWNER, str(data_dir), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n"

    def end(self, how: signal.Signals | None) -> None:
        if how is None:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        else:
            self.process.send_signal(how)
        self.process.wait(60)
        self.process.stdin.close()
        self.process.stdout.close()


# --- one owner, and others


def test_a_second_owner_is_refused_by_name_and_attaches(data_dir):
    owner = Owner(data_dir)
    with pytest.raises(OwnedElsewhere, match=f"process {owner.process.pid} owns the embedded database"):
        EmbeddedPostgres.start(data_dir)
    with EmbeddedPostgres.start_or_attach(data_dir) as attached:
        assert not attached.owned
        assert scalar(attached.owner_url, "SELECT 1") == 1
    assert attached.answers(), "leaving an attached server must not stop it"
    owner.end(None)
    wait_until(lambda: not attached.answers())


def test_nothing_to_attach_to_is_said_in_one_line(data_dir):
    with pytest.raises(EmbeddedError, match=r"no embedded database in .*: start one with `ledger serve`"):
        EmbeddedPostgres.attach(data_dir)
    with EmbeddedPostgres.start(data_dir):
        pass
    with pytest.raises(EmbeddedError, match=r"no embedded database is running in .*: start one with `ledger serve`"):
        EmbeddedPostgres.attach(data_dir)


@pytest.mark.parametrize("how", [None, signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
def test_the_server_ends_with_its_owner_however_that_ends(data_dir, how):
    """Planted once: a keeper that did not share the lock let the next owner start into the old server's shutdown."""
    owner = Owner(data_dir)
    server = EmbeddedPostgres.attach(data_dir)
    query(server.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster = psutil.Process(server.pid)
    owner.end(how)
    with EmbeddedPostgres.start(data_dir) as successor:
        assert successor.pid != postmaster.pid
        assert scalar(successor.owner_url, "SELECT answer FROM kept") == 42
    assert "shut down at" in server.home.log.read_text(), "the server was stopped cleanly"


def test_the_server_of_an_owner_that_was_killed_with_its_keeper_is_taken_over(data_dir):
    owner = Owner(data_dir)
    server = EmbeddedPostgres.attach(data_dir)
    (keeper,) = [child for child in psutil.Process(owner.process.pid).children() if "ledger-keeper" in child.cmdline()]
    keeper.kill()
    owner.end(signal.SIGKILL)
    assert server.answers()
    left = server.pid
    news: list[str] = []
    with EmbeddedPostgres.start(data_dir, announce=news.append) as successor:
        assert successor.pid == left
        assert news == ["took over the running server of an owner that is gone"]
    assert not server.answers()


def test_a_server_left_behind_that_is_stopping_is_waited_for(data_dir):
    """Its last client keeps it from ending; the next owner neither takes it over nor fails, it waits and starts anew."""
    owner = Owner(data_dir)
    server = EmbeddedPostgres.attach(data_dir)
    (keeper,) = [child for child in psutil.Process(owner.process.pid).children() if "ledger-keeper" in child.cmdline()]
    keeper.kill()
    owner.end(signal.SIGKILL)
    news: list[str] = []

    with psycopg.connect(server.superuser_url) as client, ThreadPoolExecutor(1) as pool:
        server.home.run("pg_ctl", "stop", f"--pgdata={server.home.cluster}", "--mode=smart", "--no-wait")
        wait_until(lambda: not server.answers())
        starting = pool.submit(EmbeddedPostgres.start, data_dir, announce=news.append)
        wait_until(lambda: news)
        assert not starting.done()
        client.close()
        with starting.result() as successor:
            assert successor.answers()
    assert news == ["waiting for a server that is there but does not answer: it recovers, or is stopping"]


def test_everything_killed_at_once_loses_nothing_that_was_committed(data_dir):
    owner = Owner(data_dir)
    server = EmbeddedPostgres.attach(data_dir)
    query(server.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    (keeper,) = [child for child in psutil.Process(owner.process.pid).children() if "ledger-keeper" in child.cmdline()]
    keeper.kill()
    os.kill(server.pid, signal.SIGKILL)
    owner.end(signal.SIGKILL)
    with EmbeddedPostgres.start(data_dir) as successor:
        assert scalar(successor.owner_url, "SELECT answer FROM kept") == 42


# --- the server dies


@on_every_version
def test_a_killed_server_is_started_again_and_has_everything(own_postgres):
    query(own_postgres.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    killed = {None}
    for _ in range(3):
        killed.add(own_postgres.pid)
        os.kill(own_postgres.pid, signal.SIGKILL)
        wait_until(lambda: own_postgres.pid not in killed and own_postgres.answers())
    assert scalar(own_postgres.owner_url, "SELECT answer FROM kept") == 42


def test_a_server_without_supervision_stays_down_until_it_is_started(data_dir):
    with EmbeddedPostgres.start(data_dir, supervised=False) as server:
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: server.pid is None)
        assert not server.answers()
        server.restart()
        assert server.answers()


def test_a_process_id_that_was_reused_does_not_keep_the_server_down(data_dir):
    """Planted once: without the id of a process of the same user being disowned, PostgreSQL refuses to start."""
    server = EmbeddedPostgres.start(data_dir, supervised=False)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: server.pid is None)
    server.stop()
    stranger = subprocess.Popen(["sleep", "600"], **embedded_home.identity(server.home.user))
    for lock_file in (server.home.cluster / "postmaster.pid", server.home.sockets / ".s.PGSQL.5432.lock"):
        lines = lock_file.read_text().splitlines(keepends=True)
        lock_file.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
    try:
        with EmbeddedPostgres.start(data_dir) as again:
            assert again.answers()
        assert stranger.poll() is None, "the stranger must be left alone"
    finally:
        stranger.kill()
        stranger.wait()


def test_children_that_outlive_the_server_are_waited_for(data_dir):
    """A backend frozen while its postmaster is killed holds the shared memory; no second server may start beside it."""
    with EmbeddedPostgres.start(data_dir, supervised=False) as server:
        with psycopg.connect(server.owner_url) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            backend.suspend()
            os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda: server.pid is None)
            thaw = subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {backend.pid}"])
            server.restart()
            thaw.wait()
        assert server.answers()
        assert "shared memory block" in server.home.log.read_text()


FREEZER = """
import os, signal, sys, time
while True:
    try:
        pid = int(open(sys.argv[1]).readline())
    except (OSError, ValueError):
        continue
    if pid not in map(int, sys.argv[2:]):
        break
os.kill(pid, signal.SIGSTOP)
time.sleep(1)
os.kill(pid, signal.SIGCONT)
"""


def test_a_long_recovery_is_waited_for_and_told(data_dir, monkeypatch):
    """The recovering server is frozen for five times the interval of news. It may be too quick to be caught: again, then.

    The id of the process that starts it stands in its file for a moment (embedded_server.py), and is not to be frozen.
    """
    monkeypatch.setattr("ledger.embedded_server.NEWS_SECONDS", 0.2)
    news: list[str] = []
    with EmbeddedPostgres.start(data_dir, supervised=False, announce=news.append) as server:
        for _ in range(20):
            ids = [str(server.pid), str(os.getpid())]
            os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda: server.pid is None)
            freezer = subprocess.Popen(
                [sys.executable, "-c", FREEZER, str(server.home.cluster / "postmaster.pid"), *ids]
            )
            server.restart()
            assert freezer.wait() == 0
            assert server.answers()
            if news_of_starting(news):
                break
    assert news_of_starting(news)


def news_of_starting(news: list[str]) -> list[str]:
    return [line for line in news if line.startswith("PostgreSQL is starting: ")]
