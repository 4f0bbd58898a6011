"""Runs the migrations on the asyncpg dialect, and then puts the functions of src/ledger/sql in place.

Functions have no history of their own: the files are what the database must have, so every run replaces them all. A
change of a function's arguments is a new function beside the old one until no process of yesterday calls that any more.
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ledger.migrating import LOCK_TIMEOUT, STATEMENT_TIMEOUT, driver_url, functions
from ledger.schema import METADATA

TURN = 5_260_814_207_733_361
"""Advisory lock under which migrations of one database wait for each other: two servers that start at once."""


def run() -> None:
    """Bring a database up to date: the caller's, `alembic -x url=…`, or that of LEDGER_DATABASE_URL."""
    if context.is_offline_mode():
        raise SystemExit("There is no SQL to print: what is missing is found out in the database itself.")
    url = (
        context.config.attributes.get("url")
        or context.get_x_argument(as_dictionary=True).get("url")
        or os.environ.get("LEDGER_DATABASE_URL")
    )
    if not url:
        raise SystemExit("No database is named: run `ledger migrate`, or give `-x url=postgresql://…`.")
    asyncio.run(_connect_and_migrate(url))


async def _connect_and_migrate(url: str) -> None:
    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
        context.run_migrations()
        for function in functions():
            _execute_script(connection, function)


def _execute_script(connection: Connection, script: str) -> None:
    """Send several statements as one text, which the dialect's prepared statements cannot."""
    driver = connection.connection.dbapi_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    driver.run_async(lambda asyncpg_connection: asyncpg_connection.execute(script))


run()
