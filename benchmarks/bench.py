"""What a row is given: the cluster, how much to do, and filled databases, each made once a run."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import units
from benchmarks.cluster import Cluster, Database
from benchmarks.purchases import Purchases, now
from ledger import store
from ledger.deciding import Command
from ledger.instants import DAY

PURCHASES_A_CUSTOMER = 5
HISTORY = 300 * DAY
"""The purchases of the filled tables lie that far back; the last of them a day ago."""


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
            speed = asyncio.run(units.fill(self._filled, past_purchases(self.records)))
            print(f"  filled with {self.records:,} records at {speed:,.0f}/s", flush=True)
            self.cluster.settle()
        return self._filled


def past_purchases(records: int) -> Iterator[Command]:
    """Purchases over the past year, in cohorts of customers."""
    for first in range(0, records, units.COHORT):
        count = min(units.COHORT, records - first)
        customers = max(1, count // PURCHASES_A_CUSTOMER)
        made = Purchases(
            customers,
            time=now() - HISTORY - DAY,
            first=first // PURCHASES_A_CUSTOMER,
            step=HISTORY // count,
            in_turn=True,
        )
        yield from made.commands(count)


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


async def _position(database: Database) -> int:
    async with units.opened(database) as log:
        return (await store.read_logs(log.conn, [log.log_id]))[log.log_id].next_position - 1
