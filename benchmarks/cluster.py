"""The PostgreSQL that is measured on: the embedded one as the product starts it, durable, in a directory of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from api.auth import hash_of, new_key
from ledger.embedded import EmbeddedPostgres
from ledger.migrating import migrate

SERVICE = "ledger_service"
OWNER = "ledger_owner"
KEYS = "ledger_keys"
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Database:
    """A migrated database of the cluster, and a key with scope admin."""

    server: EmbeddedPostgres
    name: str
    key: str

    def url(self, role: str = SERVICE) -> str:
        """`postgresql://…` for one of the roles."""
        return self.server.url(role, self.name)


class Cluster:
    """The running cluster and its databases."""

    def __init__(self, server: EmbeddedPostgres, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self._made = 0

    def database(self, *, template: Database | None = None) -> Database:
        """A fresh database: migrated, with a key; or a copy of another, to which nobody may be connected."""
        self._made += 1
        name = f"bench_{self._made}"
        asyncio.run(
            self._execute(f'CREATE DATABASE {name} OWNER {OWNER} TEMPLATE "{_name_of(template)}" STRATEGY file_copy')
        )
        if template is not None:
            return Database(self.server, name, template.key)
        made = Database(self.server, name, new_key())
        migrate(made.url(OWNER))
        asyncio.run(_add_key(made))
        return made

    def drop(self, database: Database) -> None:
        """Give back the room of a database."""
        asyncio.run(self._execute(f"DROP DATABASE {database.name} WITH (FORCE)"))

    def settings(self, *names: str) -> dict[str, str]:
        """What the server says of its settings."""
        return asyncio.run(self._settings(names))

    def settle(self) -> None:
        """Write out what is dirty, so that no row pays for the one before it."""
        asyncio.run(self._execute("CHECKPOINT"))

    async def _execute(self, statement: str) -> None:
        conn = await asyncpg.connect(self.server.url(SUPERUSER, "postgres"))
        try:
            await conn.execute(statement)
        finally:
            await conn.close()

    async def _settings(self, names: tuple[str, ...]) -> dict[str, str]:
        conn = await asyncpg.connect(self.server.url(SUPERUSER, "postgres"))
        try:
            return {name: await conn.fetchval("SELECT current_setting($1)", name) for name in names}
        finally:
            await conn.close()


@contextmanager
def running_cluster(parent: Path | None) -> Iterator[Cluster]:
    """The cluster, gone with all its data at the end.

    Args:
        parent: where its directory is made; None = the machine's place for temporary files.
    """
    directory = Path(tempfile.mkdtemp(prefix="ledger-bench-", dir=parent))
    directory.chmod(0o711)  # the server's own user passes through
    try:
        with EmbeddedPostgres.start(directory / "ledger", announce=lambda _: None) as server:
            yield Cluster(server, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _add_key(database: Database) -> None:
    conn = await asyncpg.connect(database.url(SUPERUSER))
    try:
        await conn.execute(
            "SELECT add_key($1, 'service:bench', ARRAY['*'], ARRAY['admin'], NULL, 'benchmarks')", hash_of(database.key)
        )
    finally:
        await conn.close()


def _name_of(template: Database | None) -> str:
    return "template0" if template is None else template.name
