"""Keys in the database: found by the service; added and revoked by whoever holds the role `ledger_keys` or owns the tables.

The service itself cannot add one. The first key of an empty database is written where only the service's user can read it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from api.auth import EVERY_PROGRAM, KeyRow, Scope, hash_of, new_key
from ledger.errors import DatabaseUnavailable, NotPermitted
from ledger.store import Connection

FIRST_KEY_FILE = "admin.key"
FIRST_PRINCIPAL = "admin"

_NOT_OWNER = (
    "This database user may not make or revoke keys; the service's may not either. "
    "Set LEDGER_DATABASE_URL to the URL of the tables' owner, or of a member of ledger_keys."
)

_FIND = """
SELECT
    principal,
    programs,
    scopes,
    sources
FROM api_keys
WHERE key_hash = $1 AND revoked_at IS NULL
"""

_LIST = """
SELECT
    key_hash,
    principal,
    programs,
    scopes,
    sources,
    label,
    created_at,
    revoked_at
FROM api_keys
ORDER BY
    created_at,
    key_hash
"""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as it may be shown: all but itself. `id` is the first twelve digits of its hash."""

    id: str
    principal: str
    programs: list[str]
    scopes: list[str]
    sources: list[str] | None
    label: str
    created_at: datetime
    revoked_at: datetime | None


async def find(conn: Connection, key_hash: bytes) -> KeyRow | None:
    """The living key of a hash.

    Raises:
        DatabaseUnavailable
    """
    with _translated():
        row: KeyRow | None = await conn.fetchrow(_FIND, key_hash)
    return row


async def add(
    conn: Connection,
    *,
    principal: str,
    programs: Sequence[str] | None,
    scopes: Sequence[Scope],
    sources: Sequence[str] | None = None,
    label: str = "",
) -> str:
    """Make a key.

    Args:
        conn: as owner or `ledger_keys`.
        principal: a person or a service; what the key posts carries it as `actor`.
        programs: None = every program, those yet to come included.
        scopes: what it may do.
        sources: the only sources it may post for; None = any.
        label: what it is for.

    Returns:
        The key, which is stored nowhere.
    """
    key = new_key()
    await _register(conn, key, principal, programs, scopes, sources, label)
    return key


async def revoke(conn: Connection, key_id: str) -> bool:
    """End a key named by its id or by the key itself; false where none such lives. Within seconds nobody is let in by it."""
    with _translated():
        for row in await conn.fetch(_LIST):
            if row["revoked_at"] is None and (_id(row["key_hash"]) == key_id or row["key_hash"] == hash_of(key_id)):
                return bool(await conn.fetchval("SELECT revoke_key($1)", row["key_hash"]))
    return False


async def listed(conn: Connection) -> list[ListedKey]:
    """Every key, revoked ones included, oldest first."""
    with _translated():
        rows = await conn.fetch(_LIST)
    return [
        ListedKey(
            id=_id(row["key_hash"]),
            principal=row["principal"],
            programs=row["programs"],
            scopes=row["scopes"],
            sources=row["sources"],
            label=row["label"],
            created_at=row["created_at"],
            revoked_at=row["revoked_at"],
        )
        for row in rows
    ]


async def make_first(conn: Connection, data_dir: Path) -> Path | None:
    """Write an admin key for every program to `<data dir>/admin.key`, readable by its owner only, if there is no key at all.

    The file is whole before the key lives, so a start that is cut short leaves nothing that a second one does not mend.

    Args:
        conn: as owner or `ledger_keys`.
        data_dir: made if missing.

    Returns:
        The file, or None where there were keys already.
    """
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('api_keys'))")
        if await conn.fetchval("SELECT EXISTS (SELECT FROM api_keys)"):
            return None
        key = new_key()
        file = _write_secret(data_dir / FIRST_KEY_FILE, key)
        await _register(conn, key, FIRST_PRINCIPAL, None, [Scope.ADMIN], None, "made at the first start")
        return file


async def _register(
    conn: Connection,
    key: str,
    principal: str,
    programs: Sequence[str] | None,
    scopes: Sequence[Scope],
    sources: Sequence[str] | None,
    label: str,
) -> None:
    bound = [EVERY_PROGRAM] if programs is None else list(programs)
    with _translated():
        await conn.execute(
            "SELECT add_key($1, $2, $3, $4, $5, $6)",
            hash_of(key),
            principal,
            bound,
            [scope.value for scope in scopes],
            None if sources is None else list(sources),
            label,
        )


def _write_secret(file: Path, secret: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secret + "\n")
        opened.flush()
        os.fsync(descriptor)
    return draft.replace(file)


def _id(key_hash: bytes) -> str:
    return key_hash.hex()[:12]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotPermitted(_NOT_OWNER) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise DatabaseUnavailable(reason=str(error)) from error
