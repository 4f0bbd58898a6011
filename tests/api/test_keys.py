"""Keys in the database: stored hashed, listed without themselves, the first one written where only we can read it."""

import asyncio
import stat

import asyncpg
import pytest

from api import keys
from api.auth import EVERY_PROGRAM, Scope, hash_of


@pytest.fixture
async def conn(migrated_database):
    connection = await asyncpg.connect(migrated_database.owner_url)
    yield connection
    await connection.close()


async def test_a_key_is_found_by_its_hash_and_stored_nowhere(conn, migrated_database):
    """Planted: the key kept as its own label; seen."""
    key = await keys.add(
        conn, principal="pos", programs=["shop"], scopes=[Scope.POST], sources=["/pos"], label="till 1"
    )
    found = await keys.find(conn, hash_of(key))
    assert dict(found) == {"principal": "pos", "programs": ["shop"], "scopes": ["post"], "sources": ["/pos"]}
    whole_table = str(await conn.fetch("SELECT * FROM api_keys"))
    assert key.removeprefix("ledger_") not in whole_table
    assert await keys.find(conn, hash_of(key + "x")) is None


async def test_keys_have_256_bits_and_differ(conn):
    made = {await keys.add(conn, principal="p", programs=None, scopes=[Scope.READ]) for _ in range(20)}
    assert len(made) == 20
    assert all(len(key.removeprefix("ledger_")) == 43 for key in made)


async def test_keys_are_listed_without_themselves_and_revoked_by_id(conn):
    key = await keys.add(conn, principal="ann", programs=None, scopes=[Scope.ADMIN], label="laptop")
    (shown,) = await keys.listed(conn)
    assert (shown.principal, shown.programs, shown.label, shown.revoked_at) == ("ann", [EVERY_PROGRAM], "laptop", None)
    assert await keys.revoke(conn, shown.id)
    assert not await keys.revoke(conn, shown.id)
    assert not await keys.revoke(conn, key)
    assert await keys.find(conn, hash_of(key)) is None
    (shown,) = await keys.listed(conn)
    assert shown.revoked_at is not None


async def test_the_first_key_is_written_once_and_only_for_us(conn, tmp_path):
    data_dir = tmp_path / "data"
    file = await keys.make_first(conn, data_dir)
    assert file == data_dir / "admin.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_text().strip()
    assert list((await keys.find(conn, hash_of(key)))["scopes"]) == ["admin"]
    assert await keys.make_first(conn, data_dir) is None
    assert file.read_text().strip() == key


async def test_two_first_starts_at_once_make_one_key(migrated_database, tmp_path):
    """Planted: the lock left out; seen (two keys, one of them in no file)."""

    async def start(number):
        connection = await asyncpg.connect(migrated_database.owner_url)
        try:
            return await keys.make_first(connection, tmp_path / str(number))
        finally:
            await connection.close()

    files = await asyncio.gather(*(start(number) for number in range(6)))
    assert len([file for file in files if file is not None]) == 1
    connection = await asyncpg.connect(migrated_database.owner_url)
    assert len(await keys.listed(connection)) == 1
    await connection.close()


async def test_a_start_cut_short_before_the_key_lived_is_mended_by_the_next(conn, tmp_path):
    (tmp_path / "admin.key").write_text("ledger_stale\n")
    (tmp_path / "admin.draft").write_text("half")
    file = await keys.make_first(conn, tmp_path)
    assert await keys.find(conn, hash_of(file.read_text().strip())) is not None


async def test_the_service_cannot_make_or_end_a_key(migrated_database):
    connection = await asyncpg.connect(migrated_database.service_url)
    with pytest.raises(Exception, match="may not make or revoke keys"):
        await keys.add(connection, principal="x", programs=None, scopes=[Scope.ADMIN])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("UPDATE api_keys SET revoked_at = NULL")
    await connection.close()
