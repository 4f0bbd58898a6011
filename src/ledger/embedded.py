"""A PostgreSQL of our own for those who have none: started, watched over, and stopped when its owner ends.

One process owns it, by a lock on a file. The lock is shared with the *keeper*, a shell of one megabyte that waits for
the owner's end and then stops the server: so it stops however its owner ended, SIGKILL included, and the next owner
gets the lock when the server is really down. (A parent-death signal was rejected: it fires at the end of the thread
that started the server. Should the keeper be killed too, the next owner takes the running server over.)
Other processes attach. A server that dies under its owner is started again.
"""

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
import structlog

from ledger import embedded_server as server
from ledger.embedded_home import PORT, Announce, EmbeddedError, Home, environment, find, identity, settle

__all__ = ["EmbeddedError", "EmbeddedPostgres", "OwnedElsewhere"]

SERVICE = "ledger_service"
LOCK_SECONDS_MAX = 600.0  # a dying owner's server writes its last checkpoint
RETRY_SECONDS = 0.1
REVIVAL_SECONDS = 1.0
KEEPER = 'cat >/dev/null; exec "$@" >/dev/null 2>&1'

log = structlog.get_logger(__name__)


class OwnedElsewhere(EmbeddedError):
    """Another process owns this embedded database: attach to it, or stop that process."""


class EmbeddedPostgres:
    """A running embedded PostgreSQL, owned (`start`) or used (`attach`).

    A context manager: leaving it stops an owned server, and does nothing to another's.
    """

    def __init__(self, home: Home, announce: Announce) -> None:
        self.home = home
        self._announce = announce
        self._lock: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._watch: threading.Thread | None = None
        self._ending = threading.Event()

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        announce: Announce | None = None,
        supervised: bool = True,
    ) -> Self:
        """Own the server of `data_dir`: make it, start it, or take over one left running. Blocks until it answers.

        Args:
            data_dir: LEDGER_DATA_DIR; made if missing.
            bin_dir: PostgreSQL's programs, 15 to 18; None = those of the wheel (18).
            settings: server settings over ours, by name.
            announce: told, in one sentence each, what a user should know; None = the log.
            supervised: start the server again when it dies.

        Raises:
            OwnedElsewhere: another living process owns it.
            EmbeddedError: it cannot be made or started.
        """
        tell = announce or log.info
        self = cls(settle(data_dir.resolve(), bin_dir=bin_dir, announce=tell), tell)
        try:
            self._own(settings or {})
        except BaseException:
            self.stop()
            raise
        if supervised:
            self._watch = threading.Thread(target=self._supervise, name="embedded-postgres", daemon=True)
            self._watch.start()
        return self

    @classmethod
    def attach(cls, data_dir: Path) -> Self:
        """Use the server that another process owns.

        Raises:
            EmbeddedError: none was ever made in `data_dir`, or it does not answer.
        """
        self = cls(find(data_dir.resolve()), log.info)
        if not self.answers():
            raise EmbeddedError(f"no embedded database is running in {data_dir}: start one with `ledger serve`")
        return self

    @classmethod
    def start_or_attach(cls, data_dir: Path, *, announce: Announce | None = None) -> Self:
        """For commands beside `ledger serve`: use the running server, or own one for as long as the command takes."""
        try:
            return cls.start(data_dir, announce=announce)
        except OwnedElsewhere:
            return cls.attach(data_dir)

    @property
    def owner_url(self) -> str:
        """For migrations: who owns the database and its objects and may make roles; no superuser."""
        return self.url(server.OWNER)

    @property
    def service_url(self) -> str:
        """For everything else; the role itself is made by the migrations."""
        return self.url(SERVICE)

    @property
    def superuser_url(self) -> str:
        """For tests and emergencies; the service never uses it."""
        return self.url(server.SUPERUSER)

    @property
    def owned(self) -> bool:
        """Whether this process owns the server, and stops it."""
        return self._lock is not None

    @property
    def pid(self) -> int | None:
        """The server's main process; None while there is none."""
        process = server.postmaster(self.home)
        return process.pid if process else None

    def url(self, role: str, database: str = server.DATABASE) -> str:
        """`postgresql://…` over the socket, as asyncpg, psycopg and (with its driver named) SQLAlchemy read it."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.home.sockets))}&port={PORT}"

    def answers(self) -> bool:
        """Whether a connection answers, which is the only meaning of "running"."""
        return server.answers(self.home)

    def restart(self) -> None:
        """Start an owned server that is down; for owners without supervision.

        Raises:
            EmbeddedError: it does not start.
        """
        server.start(self.home, self._announce)

    def stop(self) -> None:
        """Stop an owned server and give it up; twice is once. Nothing to a server of another owner."""
        self._ending.set()
        if self._keeper:
            server.stop(self.home)
            if self._watch:
                self._watch.join()  # it may have been starting the server again
                server.stop(self.home)
            _dismiss(self._keeper)
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # closing would not do: forked children hold it too
            os.close(self._lock)
        self._keeper = self._watch = self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _own(self, settings: Mapping[str, str]) -> None:
        self._lock = _take_lock(self.home.lock, self._announce)
        if not self.home.cluster.exists():
            self._announce(f"making a PostgreSQL cluster in {self.home.cluster}")
            server.make_cluster(self.home)
        server.check_version(self.home)
        self._keeper = _hire_keeper(self.home, self._lock)
        if server.await_running(self.home, self._announce):
            self._announce("took over the running server of an owner that is gone")
        else:
            server.configure(self.home, settings)
            server.start(self.home, self._announce)

    def _supervise(self) -> None:
        while self._outlived():
            self._announce("PostgreSQL has died; starting it again")
            while not self._ending.is_set():
                try:
                    server.start(self.home, self._announce)
                    break
                except EmbeddedError as error:  # a full disk, say: it may be emptied, so never given up
                    if not self._ending.wait(REVIVAL_SECONDS):
                        self._announce(str(error))

    def _outlived(self) -> bool:
        """Wait for the server's death or our own end; whether it was the server's.

        Asked for again and again, since waiting for the process would wait until init has buried it: a second more.
        """
        while server.postmaster(self.home) and not self._ending.wait(RETRY_SECONDS):
            pass
        return not self._ending.is_set()


def _take_lock(path: Path, announce: Announce) -> int:
    """Lock `path` for this process, waiting for the keeper of an owner that has died.

    Raises:
        OwnedElsewhere: the owner lives.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    waiting = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode().strip()
            if not _is_gone(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                raise OwnedElsewhere(
                    f"process {owner or 'unknown'} owns the embedded database in {path.parent}"
                ) from None
            if not waiting:
                announce(f"waiting for the server of process {owner}, which has ended, to stop")
                waiting = True
            time.sleep(RETRY_SECONDS)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor


def _is_gone(owner: str) -> bool:
    """Whether the recorded owner has died; false while a new owner has not written itself down yet."""
    return owner.isdecimal() and not psutil.pid_exists(int(owner))


def _hire_keeper(home: Home, lock: int) -> subprocess.Popen[bytes]:
    """Start the keeper on a pipe whose other end only we hold; in a session of its own, lest Ctrl-C end it first."""
    stop = [str(home.bin_dir / "pg_ctl"), *server.stop_arguments(home)]
    return subprocess.Popen(  # noqa: S603 - our own words only
        ["/bin/sh", "-c", KEEPER, "ledger-keeper", *stop],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
        cwd="/",
        env=environment(),
        **identity(home.user),
    )


def _dismiss(keeper: subprocess.Popen[bytes]) -> None:
    keeper.kill()
    keeper.wait()
    if keeper.stdin:
        keeper.stdin.close()
