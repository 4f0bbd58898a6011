"""The database a command works on: the one LEDGER_DATABASE_URL names, or the embedded one of LEDGER_DATA_DIR.

An embedded one that runs is attached to; one that does not is started for as long as the command takes. The URL may be the
owner's, who migrates and makes keys, or the service's alone. Whoever owns the tables acts as the role `ledger_service` for
everything else: the service writes none of the tables itself.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from api.commands.console import note
from ledger import store
from ledger.embedded import SERVICE, EmbeddedPostgres
from ledger.embedded_home import find
from ledger.errors import DatabaseUnavailable
from ledger.migrating import head_revision
from ledger.service import Ledger
from ledger.settings import Settings
from ledger.store import Connection


class NotReady(RuntimeError):
    """The database cannot be worked on as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a command connects.

    Attributes:
        url: as LEDGER_DATABASE_URL says, or the owner's of an embedded database.
        embedded_service_url: of an embedded database; None: it is found out, see `service_url`.
    """

    url: str
    embedded_service_url: str | None = None

    async def service_url(self) -> str:
        """`postgresql://…` as the role `ledger_service`.

        Raises:
            NotReady: not migrated, or this role may not act as the service.
            DatabaseUnavailable
        """
        async with connection(self.url) as conn:
            await _must_be_migrated(conn)
            if self.embedded_service_url is not None:
                return self.embedded_service_url
            if await conn.fetchval("SELECT current_user") == SERVICE:
                return self.url
            await _act_as_service(conn)
        return _as_role(self.url, SERVICE)

    async def is_service(self) -> bool:
        """Whether the URL is the service's own, which can neither migrate nor make keys."""
        async with connection(self.url) as conn:
            return bool(await conn.fetchval("SELECT current_user = $1", SERVICE))


@contextmanager
def database(settings: Settings, *, make: bool = False) -> Iterator[Database]:
    """The database, running while the block lasts.

    Args:
        make: make an embedded one where there is none yet.

    Raises:
        EmbeddedError: there is none, or it cannot be started.
    """
    if settings.database_url is not None:
        yield Database(settings.database_url)
        return
    if not make:
        find(settings.data_dir.resolve())
    with EmbeddedPostgres.start_or_attach(settings.data_dir, announce=note) as server:
        yield Database(server.owner_url, server.service_url)


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[Connection]:
    """One connection.

    Raises:
        DatabaseUnavailable
    """
    pool = await store.open_pool(url, size_min=1, size_max=1, application_name="ledger command")
    try:
        async with pool.acquire() as conn:
            yield conn
    finally:
        await pool.close()


@asynccontextmanager
async def opened(settings: Settings, at: Database, *, works: bool = False) -> AsyncIterator[Ledger]:
    """The ledger. `works`: see `Ledger.open`.

    Raises:
        NotReady, DatabaseUnavailable
    """
    async with Ledger.opened(settings, service_url=await at.service_url(), works=works) as ledger:
        yield ledger


def where(settings: Settings) -> str:
    """The database in words, without its password."""
    if settings.database_url is None:
        return f"embedded PostgreSQL in {shown(settings.data_dir)}"
    parts = urlsplit(settings.database_url)
    return f"PostgreSQL at {parts.hostname or 'a socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


async def _must_be_migrated(conn: Connection) -> None:
    try:
        revision = await conn.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        revision = None
    if revision != head_revision():
        raise NotReady("the database is not up to date: run `ledger migrate` as its owner")


async def _act_as_service(conn: Connection) -> None:
    """Let the owner act as the service. Whoever made a role may grant it, also to itself."""
    if await _may_act_as_service(conn):
        return
    try:
        await conn.execute(f"GRANT {SERVICE} TO CURRENT_USER")
    except asyncpg.InsufficientPrivilegeError:
        user = await conn.fetchval("SELECT current_user")
        raise NotReady(f"{user} may not act as {SERVICE}: have a superuser run GRANT {SERVICE} TO {user}") from None


async def _may_act_as_service(conn: Connection) -> bool:
    try:
        async with conn.transaction():
            await conn.execute(f"SET LOCAL ROLE {SERVICE}")
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.InterfaceError as error:
        raise DatabaseUnavailable(reason=str(error)) from error
    return True


def _as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("role", role)]
    return urlunsplit(parts._replace(query=urlencode(query)))
