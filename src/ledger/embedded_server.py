"""One PostgreSQL server in its home: made, configured, started, stopped, asked whether it answers.

Knows nothing of owners; two processes must not use these on one home at once (see embedded.py).
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from ledger.embedded_home import PORT, Announce, EmbeddedError, Home, environment, identity

DATABASE = "ledger"
SUPERUSER = "postgres"
OWNER = "ledger_owner"

# Durable, and sized for two cores and a few GiB; who wants more has a server and a LEDGER_DATABASE_URL.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_compression": "off",  # pglz, all this build has: after a checkpoint it took two thirds of the speed of the append
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_startup_progress_interval": "5s",
    # No statement, and no DETAIL, which quotes rows: the log carries no customer's data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
# Only the server's user and root reach the socket (its directory and itself are 0700) and there is no other way in:
# the socket is the authentication. Roles separate what a connection may do, not who may connect.
HBA = f"local all all trust\nlocal replication {SUPERUSER} trust\n"
# The owner is no superuser: what migrations can do here, they can do on a managed server. CREATEROLE is for the
# service's role.
FIRST_STATEMENTS = f"CREATE ROLE {OWNER} LOGIN CREATEROLE;\nCREATE DATABASE {DATABASE} OWNER {OWNER};\n"

SECONDS_MAX = 365 * 86_400  # pg_ctl wants a limit; none is meant
NEWS_SECONDS = 5.0
ORPHANS_SECONDS_MAX = 30.0
RETRY_SECONDS = 0.2
LOG_BYTES_MAX = 16 * 2**20


def make_cluster(home: Home) -> None:
    """Make the cluster with its owner and database, or nothing: it gets its name when it is complete."""
    unfinished = home.cluster.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    options = [
        "--data-checksums",
        "--locale=C.UTF-8",
        "--encoding=UTF8",
        "--auth=trust",
        f"--username={SUPERUSER}",
    ]
    _must(home, "initdb", f"--pgdata={unfinished}", "--no-instructions", *options)
    _write(home, unfinished / "pg_hba.conf", HBA)
    _write(home, unfinished / "ledger.conf", "")
    _append_include(home, unfinished / "postgresql.conf")
    _must(home, "postgres", "--single", "-D", str(unfinished), "postgres", given=FIRST_STATEMENTS)
    unfinished.rename(home.cluster)
    _flush_directory(home.cluster.parent)  # a name lost with the power would have the whole cluster made again


def check_version(home: Home) -> None:
    """Refuse a cluster that another major version of PostgreSQL has made.

    Raises:
        EmbeddedError: names both versions.
    """
    made_by = (home.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    said = home.run("postgres", "--version").stdout
    ours = re.search(r"\d+", said)
    if ours is None or ours.group() != made_by:
        raise EmbeddedError(
            f"the cluster in {home.cluster} is of PostgreSQL {made_by}, the programs are {said.strip()}"
        )


def configure(home: Home, settings: Mapping[str, str]) -> None:
    """Write our settings, then `settings`; what ALTER SYSTEM has set wins over both."""
    everything = {**SETTINGS, "unix_socket_directories": str(home.sockets), "port": str(PORT), **settings}
    lines = ["{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in everything.items()]
    _write(home, home.cluster / "ledger.conf", "".join(lines))


def start(home: Home, announce: Announce) -> None:
    """Start the server and wait until a connection answers, however long it recovers.

    After a SIGKILL the server's children live on for a moment and hold its shared memory; a new server refuses to start
    beside them, rightly. That one refusal is waited out.

    Raises:
        EmbeddedError: it ended instead; carries its last lines.
    """
    deadline = time.monotonic() + ORPHANS_SECONDS_MAX
    while True:
        _disown_reused_ids(home)
        mark = _turn_log(home)
        if _run_start(home, announce) == 0 and answers(home):
            return
        said = _log_from(home, mark)
        if "shared memory block" not in said or time.monotonic() > deadline:
            raise EmbeddedError(f"PostgreSQL did not start: {_last_words(said)} (all of it in {home.log})")
        time.sleep(RETRY_SECONDS)


def await_running(home: Home, announce: Announce) -> bool:
    """Whether a server is running already; waits for one that is still recovering, or not yet quite stopped."""
    waiting = False
    while postmaster(home):
        if answers(home):
            return True
        if not waiting:
            announce("waiting for a server that is there but does not answer: it recovers, or is stopping")
            waiting = True
        time.sleep(RETRY_SECONDS)
    return False


def stop(home: Home) -> None:
    """Stop the server, if there is one, after what it has acknowledged is on disk; waits for its end."""
    while postmaster(home):
        home.run("pg_ctl", *stop_arguments(home))
    if not home.sockets.is_relative_to(home.base):
        with contextlib.suppress(OSError):  # somebody else's by now, or not empty
            home.sockets.rmdir()


def stop_arguments(home: Home) -> list[str]:
    """What to tell pg_ctl to stop the server as soon as running statements are cancelled."""
    return ["stop", f"--pgdata={home.cluster}", "--mode=fast", "--silent", f"--timeout={SECONDS_MAX}"]


def answers(home: Home) -> bool:
    """Whether a connection answers, which is the only meaning of "running"."""
    where = [f"--host={home.sockets}", f"--port={PORT}", f"--username={SUPERUSER}", f"--dbname={DATABASE}"]
    return home.run("psql", "--no-psqlrc", "--quiet", "--command=SELECT 1", *where).returncode == 0


def postmaster(home: Home) -> psutil.Process | None:
    """The server's main process; None where the recorded id is of nobody or of another program."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        recorded = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
        process = psutil.Process(abs(int(recorded)))
        if Path(process.cwd()) == home.cluster.resolve() and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _run_start(home: Home, announce: Announce) -> int:
    command = [
        str(home.bin_dir / "pg_ctl"),
        "start",
        f"--pgdata={home.cluster}",
        f"--log={home.log}",
        "--silent",
    ]
    with subprocess.Popen(  # noqa: S603 - our own words, no shell
        [*command, "--wait", f"--timeout={SECONDS_MAX}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        umask=0o077,
        env=environment(),
        **identity(home.user),
    ) as starting:
        while True:
            try:
                return starting.wait(NEWS_SECONDS)
            except subprocess.TimeoutExpired:
                announce(f"PostgreSQL is starting: {_last_words(_log_from(home, 0))}")


def _disown_reused_ids(home: Home) -> None:
    """Let a start pass lock files whose process id has gone, after a crash, to some other program of the same user.

    PostgreSQL takes that program for a server and refuses. It ignores the id of the process that runs pg_ctl, ours, so
    that is put in its place; removing the file would also remove the check for children that hold shared memory.
    """
    if postmaster(home):
        return
    for lock_file in (home.cluster / "postmaster.pid", home.sockets / f".s.PGSQL.{PORT}.lock"):
        with contextlib.suppress(FileNotFoundError):
            _, newline, rest = lock_file.read_text(encoding="utf-8").partition("\n")
            _write(home, lock_file, f"{os.getpid()}{newline}{rest}")


def _turn_log(home: Home) -> int:
    """Put a long log aside; the size of what is left."""
    with contextlib.suppress(FileNotFoundError):
        size = home.log.stat().st_size
        if size <= LOG_BYTES_MAX:
            return size
        home.log.replace(home.log.with_suffix(".log.old"))
    return 0


def _log_from(home: Home, mark: int) -> str:
    with contextlib.suppress(FileNotFoundError), home.log.open("rb") as lines:
        lines.seek(max(mark, home.log.stat().st_size - 64 * 2**10))
        return lines.read().decode(errors="replace")
    return ""


def _last_words(said: str) -> str:
    """The line that says why it ended with the one before it, which often says more, both without their time stamps."""
    lines = [re.sub(r"^\S+ \S+ UTC \[\d+\] ", "", line) for line in said.strip().splitlines()]
    fatal = [number for number, line in enumerate(lines) if re.match(r"FATAL|PANIC|postgres: ", line)]
    last = fatal[-1] if fatal else len(lines) - 1
    return " ".join(lines[max(0, last - 1) : last + 1]) or "it has said nothing yet"


def _must(home: Home, program: str, *arguments: str, given: str | None = None) -> None:
    done = home.run(program, *arguments, given=given)
    if done.returncode != 0 or re.search(r"\b(ERROR|FATAL|PANIC):", done.stdout):
        raise EmbeddedError(f"{program} failed: {_last_words(done.stdout)}")


def _append_include(home: Home, configuration: Path) -> None:
    text = configuration.read_text(encoding="utf-8")
    _write(home, configuration, f"{text}\ninclude = 'ledger.conf'\n")


def _write(home: Home, path: Path, text: str) -> None:
    """Write as the server's user: root writing into another user's directory could be led elsewhere by a link."""
    command = 'cat >"$1.new" && { sync "$1.new" 2>/dev/null || sync; } && mv -f "$1.new" "$1"'
    done = home.run_as_user(["/bin/sh", "-c", command, "sh", str(path)], given=text)
    if done.returncode != 0:
        raise EmbeddedError(f"{path} cannot be written: {done.stdout.strip()}")


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
