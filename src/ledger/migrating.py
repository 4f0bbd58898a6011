"""Bringing a database up to date: the tables by Alembic migrations, the functions from src/ledger/sql.

Runs as the owner of the tables, never as the service. Safe to run by every process at every start: migrations wait for
each other, and a database that is up to date is left as it is.
"""

from importlib import resources
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, make_url

LOCK_TIMEOUT = "5s"
"""Longest wait for a table under traffic: what queues behind a waiting migration waits as long."""

STATEMENT_TIMEOUT = "10min"

_ONE_AT_A_TIME = Lock()
"""Alembic keeps what it is doing in the process; two databases cannot be migrated at once by one."""


def migrate(owner_url: str) -> None:
    """Bring the database to the newest revision. Blocks; from a running event loop call it in a thread.

    Args:
        owner_url: `postgresql://…` of the role that owns the tables and may create roles.

    Raises:
        sqlalchemy.exc.DBAPIError: a lock was not had in time, or the database said no. Nothing is changed then.
    """
    config = _config()
    config.attributes["url"] = owner_url
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def head_revision() -> str:
    """The newest revision we know: what `alembic_version` holds in a database that is ready to serve."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise LookupError("there are no migrations")
    return revision


def functions() -> list[str]:
    """The text of every file of src/ledger/sql, each one object with its grants, in the order of their names."""
    files = resources.files("ledger").joinpath("sql").iterdir()
    return [
        file.read_text(encoding="utf-8")
        for file in sorted(files, key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]


def driver_url(url: str) -> URL:
    """The URL with the asyncpg driver, whichever of PostgreSQL's schemes it came with."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_location()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _location() -> Path:
    """The migrations: beside the sources, or, where the project is installed from a wheel, inside the package."""
    here = Path(__file__).resolve().parent
    for place in (here / "migrations", here.parent.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise FileNotFoundError("the project's migrations are neither beside its sources nor inside its package")
