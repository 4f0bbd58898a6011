"""Whoever owns the tables acts as the service for everything else."""

import asyncpg
import psycopg
import pytest

from api.commands import connecting
from api.commands.connecting import NotReady, where
from ledger.settings import Settings
from tests.postgres import Database, on_every_version


@on_every_version
async def test_the_owner_acts_as_the_service_and_cannot_write_the_tables(migrated_database: Database):
    at = connecting.Database(migrated_database.owner_url)
    async with connecting.connection(await at.service_url()) as conn:
        assert await conn.fetchval("SELECT current_user") == "ledger_service"
        await conn.reset()
        assert await conn.fetchval("SELECT current_user") == "ledger_service"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DELETE FROM events")
    assert not await at.is_service()


async def test_the_services_own_url_is_taken_as_it_is(migrated_database: Database):
    at = connecting.Database(migrated_database.service_url)
    assert await at.service_url() == migrated_database.service_url
    assert await at.is_service()


async def test_a_stranger_may_not_act_as_the_service_and_is_told_what_would_help(migrated_database: Database):
    name = f"stranger_{migrated_database.name}"
    with psycopg.connect(migrated_database.superuser_url) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        connection.execute(f"GRANT SELECT ON alembic_version TO {name}")
    try:
        with pytest.raises(NotReady, match=f"GRANT ledger_service TO {name}"):
            await connecting.Database(migrated_database.server.url(name, migrated_database.name)).service_url()
    finally:
        with psycopg.connect(migrated_database.superuser_url) as connection:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


async def test_a_database_that_is_not_migrated_is_not_ready(database: Database):
    with pytest.raises(NotReady, match="run `ledger migrate` as its owner"):
        await connecting.Database(database.owner_url).service_url()


def test_a_database_is_named_without_its_password():
    settings = Settings(database_url="postgresql://me:secret@db.example:5433/ledger")
    assert where(settings) == "PostgreSQL at db.example:5433/ledger"
