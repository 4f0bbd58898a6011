"""The embedded PostgreSQL, for real: what a user gets, and where it lives. Its owners: test_embedded_owners.py."""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from ledger import embedded_home
from ledger.embedded import EmbeddedError, EmbeddedPostgres
from tests.postgres import OLDEST, bin_dir_of, on_every_version, query, reachable_directory, scalar

pytestmark = pytest.mark.slow

RUN_ONCE = """
import sys
from pathlib import Path
sys.path += sys.argv[2:]
from ledger.embedded import EmbeddedPostgres
with EmbeddedPostgres.start(Path(sys.argv[1]), announce=lambda news: None):
    print("up", flush=True)
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")

# --- what a user gets


@on_every_version
def test_the_database_is_durable_utf8_checksummed_and_deaf_to_the_network(own_postgres):
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "",
        "jit": "off",
        "TimeZone": "UTC",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
    }
    assert {name: scalar(own_postgres.owner_url, f"SHOW {name}") for name in expected} == expected
    assert query(own_postgres.owner_url, "SELECT datcollate, datctype FROM pg_database WHERE datname = 'ledger'") == [
        ("C.UTF-8", "C.UTF-8")
    ]


@on_every_version
def test_the_owner_may_make_roles_and_is_no_superuser(own_postgres):
    query(own_postgres.owner_url, "CREATE ROLE ledger_service LOGIN")
    query(own_postgres.owner_url, "CREATE TABLE t (x int)")
    assert scalar(own_postgres.service_url, "SELECT current_user") == "ledger_service"
    assert query(own_postgres.superuser_url, "SELECT rolname FROM pg_roles WHERE rolsuper") == [("postgres",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(own_postgres.service_url, "SELECT * FROM t")


def test_asyncpg_psycopg_and_sqlalchemy_read_the_same_url(postgres):
    async def by_asyncpg() -> object:
        connection = await asyncpg.connect(postgres.owner_url)
        try:
            return await connection.fetchval("SELECT current_user")
        finally:
            await connection.close()

    async def by_sqlalchemy() -> object:
        engine = create_async_engine(postgres.owner_url.replace("postgresql:", "postgresql+asyncpg:", 1))
        async with engine.connect() as connection:
            found = (await connection.execute(text("SELECT current_user"))).scalar_one()
        await engine.dispose()
        return found

    assert asyncio.run(by_asyncpg()) == "ledger_owner"
    assert asyncio.run(by_sqlalchemy()) == "ledger_owner"
    assert scalar(postgres.owner_url, "SELECT current_user") == "ledger_owner"


def test_nobody_but_the_servers_user_reaches_the_socket(own_postgres):
    sockets = own_postgres.home.sockets
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert (sockets / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    assert own_postgres.home.cluster.stat().st_mode & 0o077 == 0


def test_what_was_written_is_there_after_a_stop_and_a_start(data_dir):
    with EmbeddedPostgres.start(data_dir) as server:
        query(server.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert not server.answers()
    with EmbeddedPostgres.start(data_dir) as server:
        assert scalar(server.owner_url, "SELECT answer FROM kept") == 42


def test_stopping_twice_is_stopping_once(data_dir):
    server = EmbeddedPostgres.start(data_dir)
    server.stop()
    server.stop()
    assert server.pid is None


def test_a_deep_data_directory_has_its_socket_elsewhere(data_dir):
    deep = data_dir / ("d" * 100) / "ledger"
    with EmbeddedPostgres.start(deep) as server, EmbeddedPostgres.attach(deep) as attached:
        assert not server.home.sockets.is_relative_to(data_dir)
        assert scalar(attached.owner_url, "SELECT 1") == 1
        sockets = server.home.sockets
    assert not sockets.exists()


def test_a_directory_name_that_the_servers_configuration_cannot_say_is_no_hindrance(data_dir):
    odd = data_dir / "it's, odd ü"
    with EmbeddedPostgres.start(odd) as server:
        assert scalar(server.owner_url, "SELECT 1") == 1
        sockets = server.home.sockets
    assert not sockets.exists()


def test_a_directory_name_that_a_shell_would_read_is_refused(data_dir):
    with pytest.raises(EmbeddedError, match="a character that pg_ctl cannot take"):
        EmbeddedPostgres.start(data_dir / "$(touch planted)")


def test_a_socket_directory_laid_out_by_somebody_else_is_refused(data_dir):
    deep = data_dir / ("d" * 100) / "ledger"
    with EmbeddedPostgres.start(deep) as server:
        sockets = server.home.sockets
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    try:
        with pytest.raises(EmbeddedError, match="must be a directory of"):
            EmbeddedPostgres.start(deep)
    finally:
        sockets.rmdir()


def test_a_cluster_of_another_version_is_refused_and_left_alone(data_dir):
    with EmbeddedPostgres.start(data_dir, bin_dir=bin_dir_of(OLDEST)):
        pass
    with pytest.raises(EmbeddedError, match=r"is of PostgreSQL 15, the programs are postgres \(PostgreSQL\) 18"):
        EmbeddedPostgres.start(data_dir)
    with EmbeddedPostgres.start(data_dir, bin_dir=bin_dir_of(OLDEST)) as server:
        assert server.answers()


def test_a_server_that_cannot_start_says_why_in_one_line(data_dir):
    with pytest.raises(EmbeddedError, match=r"PostgreSQL did not start: .*shared_buffers.*server\.log") as refusal:
        EmbeddedPostgres.start(data_dir, settings={"shared_buffers": "1kB"})
    assert "\n" not in str(refusal.value)
    with EmbeddedPostgres.start(data_dir) as server:
        assert server.answers()


def test_a_half_made_cluster_is_made_again(data_dir):
    with EmbeddedPostgres.start(data_dir) as server:
        cluster = server.home.cluster
    cluster.rename(cluster.with_name("data.unfinished"))
    with EmbeddedPostgres.start(data_dir) as server:
        assert server.answers()


# --- root


@as_root
def test_root_runs_the_server_as_a_user_of_its_own(own_postgres):
    process = psutil.Process(own_postgres.pid)
    assert process.username() == "ledger-pg"
    assert own_postgres.home.cluster.owner() == "ledger-pg"
    assert pwd.getpwnam("ledger-pg").pw_shell.endswith("nologin")


@as_root
def test_a_closed_home_stays_closed_and_the_start_says_where_the_data_is(tmp_path, monkeypatch):
    """pytest's tmp_path is 0700 as a home is."""
    with reachable_directory() as elsewhere:
        monkeypatch.setattr(embedded_home, "SHARED_BASE", elsewhere / "shared")
        closed = tmp_path / "home"
        closed.mkdir(mode=0o700)
        modes = {path: path.stat().st_mode for path in [closed, *closed.parents]}
        news: list[str] = []
        with EmbeddedPostgres.start(closed / "ledger", announce=news.append) as server:
            assert server.home.base.is_relative_to(elsewhere / "shared")
            assert any("cannot reach" in line and str(server.home.base) in line for line in news)
            with EmbeddedPostgres.attach(closed / "ledger") as attached:
                assert attached.pid == server.pid
        assert {path: path.stat().st_mode for path in modes} == modes
        closed.chmod(0o755)  # as a later start finds it: the data must not seem to be gone
        with EmbeddedPostgres.start(closed / "ledger", announce=news.append) as again:
            assert again.home.base == server.home.base


@as_root
def test_binaries_out_of_reach_are_copied_whole_and_once(tmp_path, data_dir, monkeypatch):
    """A virtual environment in a closed home, imitated by a copy of the wheel's package in pytest's own directory."""
    package = embedded_home.bundled_bin_dir().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    closed = tmp_path / package.name / "pginstall18" / "bin"
    with reachable_directory() as elsewhere:
        monkeypatch.setattr(embedded_home, "SHARED_BASE", elsewhere / "shared")
        monkeypatch.setattr(embedded_home, "bundled_bin_dir", lambda: closed)
        news: list[str] = []
        for _ in range(2):
            with EmbeddedPostgres.start(data_dir, announce=news.append) as server:
                assert server.home.bin_dir.is_relative_to(elsewhere / "shared")
                assert scalar(server.owner_url, "SELECT 1") == 1
        assert len([line for line in news if "were copied to" in line]) == 1


@as_root
def test_root_runs_an_existing_cluster_as_the_user_who_owns_it(data_dir):
    with EmbeddedPostgres.start(data_dir) as server:
        postgres_dir = server.home.cluster.parent
    nobody = pwd.getpwnam("nobody")
    subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", postgres_dir], check=True)
    with EmbeddedPostgres.start(data_dir) as server:
        assert psutil.Process(server.pid).username() == "nobody"


@as_root
def test_an_ordinary_user_needs_no_other(data_dir):
    """The same start as `nobody`, in a process of its own: no user is asked for, no directory but the given touched."""
    nobody = embedded_home.ServerUser("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, nobody.uid, nobody.gid)
    done = embedded_home.run_as(nobody, [python_for(nobody), "-c", RUN_ONCE, str(data_dir), *sys.path])
    assert (done.returncode, done.stdout) == (0, "up\n")
    assert (data_dir / "postgres").owner() == "nobody"


def python_for(user: embedded_home.ServerUser) -> str:
    """An interpreter like ours that `user` can start; ours may be in a closed home."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            done = embedded_home.run_as(user, [python, "-c", "import sys; print(sys.implementation.cache_tag)"])
            if done.stdout.strip() == sys.implementation.cache_tag:
                return python
    pytest.skip(f"no Python like ours that {user.name} can start")


def test_the_url_names_no_host_but_the_socket(postgres):
    url = urlsplit(postgres.service_url)
    assert (url.scheme, url.username, url.password, url.hostname, url.path) == (
        "postgresql",
        "ledger_service",
        None,
        None,
        "/ledger",
    )
    assert parse_qs(url.query) == {"host": [str(postgres.home.sockets)], "port": ["5432"]}


def test_a_migrated_database_is_the_tests_own(migrated_database, clusters, postgres_version):
    query(migrated_database.owner_url, "CREATE TABLE mine (x int)")
    assert query(migrated_database.service_url, "SELECT count(*) FROM logs") == [(0,)]
    with clusters.database(postgres_version, template=clusters.migrated(postgres_version).name) as other:
        assert scalar(other.owner_url, "SELECT to_regclass('mine')") is None
