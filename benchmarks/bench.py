"""What a row is given: the cluster, how much to do, and filled databases, each made once a run."""

import asyncio
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks import units
from benchmarks.cluster import OWNER, Cluster, Database
from benchmarks.generate import fill_purchases, fill_shop
from benchmarks.purchases import PROGRAM, Purchases, now
from ledger import store
from ledger.deciding import Command
from ledger.rules import DEFAULT_DOCUMENT

PURCHASES_A_CUSTOMER = 5


@dataclass
class Bench:
    """How much is measured, and on what.

    Attributes:
        records: in the filled tables.
        due: streams with something due, for the month end.
        quick: a look at whether it works: everything is smaller, nothing is kept.
    """

    cluster: Cluster
    records: int
    due: int
    quick: bool
    _filled: Database | None = field(default=None)
    _fleets: dict[int, Database] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long a load lasts."""
        return 3 if self.quick else 10

    @property
    def repetitions(self) -> int:
        """How often what is compared is measured in turn; the medians count."""
        return 1 if self.quick else 3

    @property
    def customers(self) -> int:
        """Customers that purchases are drawn from: those of the filled tables, and a quarter as many new ones."""
        return self.records // PURCHASES_A_CUSTOMER * 5 // 4

    def purchases(self, *, customers: int | None = None) -> Purchases:
        """Purchases of now, of the customers of the filled tables unless others are given."""
        return Purchases(self.customers if customers is None else customers, time=now(), seed=random.randrange(2**32))

    def place(self, name: str) -> Path:
        """Where requests made beforehand are written."""
        return self.cluster.directory / name

    def empty(self) -> Database:
        """A database whose log has the rules and nothing else."""
        database = self.cluster.database()
        asyncio.run(units.fill(database, ()))
        return database

    def filled(self) -> Database:
        """The database of so many records, which rows go on appending to."""
        if self._filled is None:
            self._filled = self.cluster.database()
            url = self._filled.url(OWNER)
            made = asyncio.run(fill_purchases(url, PROGRAM, DEFAULT_DOCUMENT, records=self.records, until=_today()))
            print(f"  filled with {made.records:,} records in {made.seconds:,.0f} s", flush=True)
            self.cluster.settle()
        return self._filled

    def fleet(self, records: int) -> Database:
        """The database of a synthetic shop of so many records, ten a customer; it is only read, so rows share it."""
        if records not in self._fleets:
            database = self._fleets[records] = self.cluster.database()
            made = asyncio.run(
                fill_shop(
                    database.url(OWNER), PROGRAM, customers=records // 10, records=records, until=_today(), seed=1
                )
            )
            print(f"  filled with {made.records:,} records in {made.seconds:,.0f} s", flush=True)
            self.cluster.settle()
        return self._fleets[records]

    def twin(self, records: int, *, anew: bool = False) -> Path:
        """Where the twin of such a shop is; `anew`: empty."""
        place = self.cluster.directory / f"twin-{records}"
        if anew:
            shutil.rmtree(place, ignore_errors=True)
        return place


def position(database: Database) -> int:
    """The last position of the log."""
    return asyncio.run(_position(database))


def fill(database: Database, commands: Iterable[Command]) -> None:
    """Append commands of customers the log does not know yet."""
    asyncio.run(units.fill(database, commands, cohort=2**62))


def median(values: Iterable[float]) -> float:
    """The middle one."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _today() -> date:
    return datetime.now(UTC).date()


async def _position(database: Database) -> int:
    async with units.opened(database) as log:
        return (await store.read_logs(log.conn, [log.log_id]))[log.log_id].next_position - 1
