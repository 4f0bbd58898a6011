"""The migrated database is what the MetaData and the files of src/ledger/sql say, and the service can write none of it."""

import asyncio
import re
import sys
from collections.abc import Iterator
from importlib import resources

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from ledger import store
from ledger.migrating import driver_url, functions, head_revision, migrate
from ledger.schema import METADATA
from tests.postgres import Clusters, Database, on_every_version
from tests.store.batches import Batch
from tests.store.conftest import Ledger

pytestmark = on_every_version

TABLES = sorted(table.name for table in METADATA.sorted_tables)

# What Alembic's comparison does not see as well: checks, the conditions of indexes, storage, comments.
CATALOGUE = """
SELECT
    c.relname AS table_name,
    'column' AS kind,
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attidentity::text
        || ' ' || a.attstorage::text
        || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS definition
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'
UNION ALL
SELECT
    conrelid::regclass::text,
    'constraint',
    conname,
    pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
UNION ALL
SELECT
    tablename,
    'index',
    indexname,
    indexdef
FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL
SELECT
    relname,
    'table',
    relname,
    coalesce(array_to_string(reloptions, ','), '') || ' ' || coalesce(obj_description(oid), '')
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
ORDER BY
    1,
    2,
    3
"""


async def test_the_migrated_tables_are_those_the_metadata_describes(
    clusters: Clusters, postgres_version: int, ledger_database: Database
) -> None:
    """Planted: a check left out of the migration, an index without its condition; each was named by this test."""
    migrated = await catalogue(ledger_database.owner_url)
    with clusters.database(postgres_version) as described:
        engine = create_async_engine(driver_url(described.owner_url))
        async with engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
            await connection.run_sync(METADATA.create_all)
        await engine.dispose()
        assert migrated == await catalogue(described.owner_url)

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    engine = create_async_engine(driver_url(ledger_database.owner_url))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


MIGRATE = "import sys; from ledger.migrating import migrate; migrate(sys.argv[1])"


async def test_migrating_again_changes_nothing_and_two_at_once_wait_for_each_other(
    clusters: Clusters, postgres_version: int
) -> None:
    with clusters.database(postgres_version) as database:
        both = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, database.owner_url) for _ in range(2)
        ]
        assert [await process.wait() for process in both] == [0, 0]
        first = await catalogue(database.owner_url)
        await asyncio.to_thread(migrate, database.owner_url)
        assert await catalogue(database.owner_url) == first
        assert await fetch(database.service_url, "SELECT version_num FROM alembic_version") == [(head_revision(),)]


async def test_the_functions_are_those_of_the_files(ledger_database: Database) -> None:
    """Planted: a function made by a migration that has no file."""
    rows = await fetch(
        ledger_database.owner_url,
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    )
    installed = {str(name): source for name, source in rows}
    files = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in resources.files("ledger").joinpath("sql").iterdir()
        if file.name.endswith(".sql")
    }
    assert sorted(installed) == sorted(files)
    assert sorted(functions()) == sorted(files.values())
    for name, source in installed.items():
        assert files[name].split("$$")[1] == source, name
        assert files[name].startswith("-- "), f"{name} does not say what it promises"
        assert re.findall(r"CREATE OR REPLACE (\w+) (\w+)", files[name]) == [("FUNCTION", name)]


async def test_functions_that_act_as_their_owner_have_a_fixed_search_path_and_no_public_caller(
    ledger_database: Database,
) -> None:
    """Planted: lock_log without its search path, and without its REVOKE."""
    rows = await fetch(
        ledger_database.owner_url,
        """
        SELECT
            proname,
            prosecdef,
            proconfig::text[],
            proacl::text
        FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        """,
    )
    for name, _, settings, granted in rows:
        assert "search_path=pg_catalog, public, pg_temp" in settings, name
        assert "{=X/" not in granted, name
        assert ",=X/" not in granted, name


CALLED_BY = {
    "ledger_service": {
        "append_units",
        "close_refusal",
        "create_log",
        "lock_log",
        "mark_policy",
        "position_known_at",
        "rebuild_heads",
        "set_due_through",
    },
    "ledger_keys": {"add_key", "revoke_key"},
    "ledger_projections": {"position_known_at"},
    "ledger_stock": set[str](),
}


@pytest.mark.parametrize("role", CALLED_BY)
async def test_each_role_calls_the_functions_meant_for_it_and_no_other(ledger_database: Database, role: str) -> None:
    """The parts of the append, which trust that the log's row is held, are called by nobody but the append."""
    rows = await fetch(
        ledger_database.owner_url,
        f"""
        SELECT proname
        FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('{role}', oid, 'EXECUTE')
        """,
    )
    assert {name for (name,) in rows} == CALLED_BY[role]


async def test_all_keys_begin_with_the_log(ledger_database: Database) -> None:
    rows = await fetch(
        ledger_database.owner_url,
        """
        SELECT
            indexrelid::regclass::text,
            (SELECT attname FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0])
        FROM pg_index
        WHERE indrelid::regclass::text IN ('events', 'streams', 'counters', 'refusals', 'policies')
        """,
    )
    assert {first for _, first in rows} == {"log_id"}
    assert len(rows) == 11


@pytest.mark.parametrize("role", ["ledger_service", "ledger_stock", "ledger_projections", "ledger_keys"])
async def test_no_role_but_the_owner_writes_a_table(ledger: Ledger, role: str) -> None:
    """Planted: GRANT INSERT ON refusals TO ledger_service."""
    async with ledger.pool.acquire() as conn:
        await Batch().post("c-1", counters=[("a", 1, None)]).refuse("c-2", key="x").append(conn, ledger.log_id)
    relations = await fetch(
        ledger.database.owner_url,
        """
        SELECT
            c.relname,
            c.relkind = 'v',
            quote_ident(a.attname)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = c.relnatts
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'm', 'f')
        """,
    )
    assert {*TABLES, "customerledger_events", "alembic_version"} == {name for name, *_ in relations}
    connection = await asyncpg.connect(ledger.database.server.url(role, ledger.database.name))
    try:
        for name, is_view, column in relations:
            for statement in writes(str(name), str(column), is_view=bool(is_view)):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        for statement in (
            "CREATE TABLE public.mine (a int)",
            "CREATE FUNCTION public.append_units() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "SET session_replication_role = replica",
            "SET ROLE ledger_owner",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_service_reads_keys_and_only_their_role_adds_and_revokes_them(ledger_database: Database) -> None:
    keys = await asyncpg.connect(ledger_database.server.url("ledger_keys", ledger_database.name))
    service = await asyncpg.connect(ledger_database.service_url)
    hashed = bytes(32)
    key = (hashed, "service:pos", ["default"], ["post"], None, "tills")
    add = "SELECT add_key($1, $2, $3, $4, $5, $6)"
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(add, *key)
        await keys.execute(add, *key)
        with pytest.raises(asyncpg.UniqueViolationError):
            await keys.execute(add, *key)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.fetchval("SELECT revoke_key($1)", hashed)
        assert await service.fetchval("SELECT revoked_at IS NULL FROM api_keys") is True
        assert await keys.fetchval("SELECT revoke_key($1)", hashed) is True
        assert await keys.fetchval("SELECT revoke_key($1)", hashed) is False
        assert await service.fetchval("SELECT revoked_at IS NULL FROM api_keys") is False
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await keys.fetchval("SELECT create_log('mine')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await keys.fetchval("SELECT record FROM events")
    finally:
        await keys.close()
        await service.close()


@pytest.mark.parametrize("program", ["", "Gold", "a b", "é", "x" * 41, '"; DROP TABLE logs; --', "-gold"])
async def test_a_program_has_a_short_lower_case_name(ledger: Ledger, program: str) -> None:
    async with ledger.pool.acquire() as conn:
        with pytest.raises(store.BatchUnwritable):
            await store.create_log(conn, program)
        assert len(await store.list_logs(conn)) == 1


async def catalogue(url: str) -> list[tuple[object, ...]]:
    return await fetch(url, CATALOGUE)


def writes(relation: str, column: str, *, is_view: bool) -> Iterator[str]:
    yield f"UPDATE {relation} SET {column} = {column}"
    yield f"UPDATE {relation} SET {column} = NULL"
    yield f"DELETE FROM {relation}"
    yield f"SELECT {column} FROM {relation} FOR UPDATE"
    yield f"DO $$ BEGIN LOCK TABLE {relation} IN EXCLUSIVE MODE; END $$"
    if is_view:
        yield f"DROP VIEW {relation}"
        yield f"INSERT INTO {relation} ({column}) SELECT {column} FROM {relation}"
        return
    yield f"INSERT INTO {relation} ({column}) SELECT {column} FROM {relation}"
    yield f"INSERT INTO {relation} DEFAULT VALUES"
    yield f"TRUNCATE {relation}"
    yield f"ALTER TABLE {relation} RENAME TO other"
    yield f"DROP TABLE {relation}"
    yield f"CREATE TRIGGER t BEFORE INSERT ON {relation} EXECUTE FUNCTION suppress_redundant_updates_trigger()"


async def fetch(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
