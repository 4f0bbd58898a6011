"""The command line as users run it: a process of its own, on a database of the test's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.postgres import Database

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]
SECONDS_MAX = 300

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**settings: object) -> dict[str, str]:
    """Ours without any setting of the ledger, and these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return kept | {f"LEDGER_{name.upper()}": str(value) for name, value in settings.items()}


@pytest.fixture
def ledger(database: Database, tmp_path: Path) -> Run:
    """Runs `ledger` with arguments on an empty database, as its owner; `status` is the exit status expected."""

    def run(*arguments: object, status: int = 0, **settings: object) -> subprocess.CompletedProcess[str]:
        given = {"database_url": database.owner_url, "data_dir": tmp_path / "data", **settings}
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=environment(**given),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == status, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    return run
