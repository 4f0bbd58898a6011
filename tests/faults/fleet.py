"""Server processes on one database, to be killed and started again; their logs are read for what nobody foresaw."""

import asyncio
import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from api.auth import hash_of, new_key
from tests.faults.client import Client, Lost
from tests.faults.nursery import Nursery
from tests.postgres import Database, wait_until

STARTED_SECONDS_MAX = STOPPED_SECONDS_MAX = 20.0

COMPLAINT = re.compile(r'^Traceback|"level":"(error|critical)"|child_ended|never awaited|never retrieved', re.MULTILINE)
"""What no fault excuses: errors are logged for what nobody foresaw, the rest are warnings."""


class Server:
    """One server process, or the place where one was."""

    def __init__(self, nursery: Nursery, order: dict[str, Any], key: str) -> None:
        self._nursery = nursery
        self._order = order
        self._key = key
        self.pid = 0
        self.deaths = 0

    @property
    def socket(self) -> str:
        return self._order["socket"]

    @property
    def log(self) -> str:
        """What its processes have said."""
        with suppress(FileNotFoundError):
            return Path(self._order["log"]).read_text(encoding="utf-8", errors="replace")
        return ""

    def fork(self, **faults: Any) -> None:
        """Start a process, which does not listen yet."""
        self.pid = self._nursery.fork({**self._order, "faults": faults})

    async def start(self, **faults: Any) -> "Server":
        """Start a process and wait until it answers."""
        self.fork(**faults)
        async with asyncio.timeout(STARTED_SECONDS_MAX):
            while not await self.answers():
                assert self.alive, self.log
                await asyncio.sleep(0.01)
        return self

    async def answers(self) -> bool:
        client = self.client()
        try:
            return (await client.get("/healthz")).status == 200
        except Lost:
            return False
        finally:
            client.close()

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        with suppress(psutil.Error):
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    @property
    def memory(self) -> int:
        """Resident bytes of its own, without what it shares with the process it was forked from."""
        return psutil.Process(self.pid).memory_full_info().uss

    def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.buried()
        self.deaths += 1

    def stop(self) -> None:
        """Let it end well."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.buried()

    def buried(self) -> None:
        """Wait for its end; of one that does not come to it, the log says what its tasks wait for."""
        try:
            wait_until(lambda: not self.alive, seconds=STOPPED_SECONDS_MAX)
        except AssertionError:
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(1)
            os.kill(self.pid, signal.SIGKILL)
            raise AssertionError(f"it does not end:\n{self.log}") from None

    def client(self) -> Client:
        return Client(self.socket, self._key)


@dataclass
class Fleet:
    """The servers of one test. `url`: where they find the database, if not at its own."""

    nursery: Nursery
    directory: Path
    database: Database
    key: str
    servers: list[Server]

    @classmethod
    def on(cls, nursery: Nursery, directory: Path, database: Database) -> "Fleet":
        return cls(nursery, directory, database, _admin_key(database), [])

    async def server(
        self, *, url: str | None = None, works: bool = True, settings: dict[str, Any] | None = None, **faults: Any
    ) -> Server:
        """One more server, answering."""
        server = self.place(url=url, works=works, settings=settings)
        return await server.start(**faults)

    def place(self, *, url: str | None = None, works: bool = True, settings: dict[str, Any] | None = None) -> Server:
        """The place of one more server, which is not started."""
        number = len(self.servers)
        order = {
            "socket": str(self.directory / f"s{number}"),
            "log": str(self.directory / f"s{number}.log"),
            "url": url or self.database.service_url,
            "settings": settings or {},
            "works": works,
        }
        self.servers.append(Server(self.nursery, order, self.key))
        return self.servers[-1]

    def stop(self) -> None:
        """End all servers, well."""
        for server in self.servers:
            server.stop()

    def complaints(self) -> str:
        """What the servers have said of errors that nobody foresaw."""
        return "\n".join(
            f"{Path(server.socket).name}: {line}"
            for server in self.servers
            for line in server.log.splitlines()
            if COMPLAINT.search(line)
        )


def _admin_key(database: Database) -> str:
    key = new_key()
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT add_key(%s, 'tester', %s, %s, NULL, '')", [hash_of(key), ["*"], ["admin"]])
    return key
