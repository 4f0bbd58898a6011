"""Connections as the store needs them, and what a driver's errors mean, told in this one place."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from ledger.errors import DatabaseUnavailable

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"


CONNECT_SECONDS_MAX = 5.0
"""How long a new connection may take; a server that hangs accepts one and says nothing."""


class OutcomeUnknown(DatabaseUnavailable):
    """The connection ended before the database said what became of the append; `settle_unknown` tells."""


class BatchUnwritable(Exception):
    """The database refuses the data of this batch; nothing was written. Halved until the bad unit is alone."""


async def open_pool(
    url: str,
    *,
    size_min: int,
    size_max: int,
    application_name: str = "ledger",
    statement_seconds_max: float | None = None,
) -> Pool:
    """A pool whose connections are set up as the store needs them.

    Args:
        statement_seconds_max: how long a statement is waited for; None: whoever asks bounds it.

    Raises:
        DatabaseUnavailable: no connection could be made.
    """
    with translated(DatabaseUnavailable):
        return await asyncpg.create_pool(
            url,
            min_size=size_min,
            max_size=size_max,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=statement_seconds_max,
            server_settings={"application_name": application_name, **_SETTINGS},
        )


_SETTINGS: Final = {
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


@asynccontextmanager
async def hold_log(conn: Connection, log_id: int) -> AsyncIterator[None]:
    """A transaction that has the log's row: nothing is appended meanwhile but by this connection."""
    with translated(OutcomeUnknown):
        async with conn.transaction():
            await conn.execute("SELECT lock_log($1)", log_id)
            yield


@contextmanager
def translated(lost: type[DatabaseUnavailable]) -> Iterator[None]:
    """Say what a driver's error means.

    Nothing was done (`DatabaseUnavailable`), the data cannot be written (`BatchUnwritable`), or, where the connection
    ended under the statement, what `lost` says. Anything else is our mistake and goes through as it is.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        kind = (error.sqlstate or _CONNECTION_LOST)[:2]
        if kind == _CONNECTION_LOST or _ends_the_session(error):
            raise lost(reason=str(error)) from error
        if kind in _DATA_REFUSED:
            raise BatchUnwritable(str(error)) from error
        if kind in _UNAVAILABLE:
            raise DatabaseUnavailable(reason=str(error)) from error
        raise
    except asyncpg.exceptions.DataError as error:
        # Raised by the driver before anything is sent: a value it cannot encode.
        raise BatchUnwritable(str(error)) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise lost(reason=str(error)) from error


_CONNECTION_LOST: Final = "08"
_DATA_REFUSED: Final = frozenset({"22", "23", "54"})
_UNAVAILABLE: Final = frozenset({"25", "28", "3D", "40", "53", "55", "57", "58", "XX"})


def _ends_the_session(error: asyncpg.PostgresError) -> bool:
    return getattr(error, "severity_en", None) in {"FATAL", "PANIC"}
