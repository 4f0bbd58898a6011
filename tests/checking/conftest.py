"""A ledger filled with events of every type, to be copied and damaged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from time import time_ns

import psycopg
import pytest

from ledger import store
from ledger.checking import LogReport, check
from ledger.deciding import Command
from ledger.events import validated
from ledger.migrating import migrate
from ledger.records import PROGRAM_TYPES, Record
from ledger.waiting import Advance
from ledger.writer import Writer
from tests import builders
from tests.builders import Event, at, line, refunded_line, rules
from tests.postgres import Clusters, Database, create_database, drop_database

PROGRAM = "shop"

STORY = [
    builders.registered("S-1", "Acme", "2026-01-01T00:00:00Z", "2026-01-02"),
    builders.signed_up("2026-01-03"),
    builders.purchase("SO-1", 20_000, "2026-01-04", lines=[line(1, 15_000), line(2, 5_000, sku="B", quantity=2)]),
    builders.purchase("SO-2", 9_900, "2026-02-01", place={"store": "S-1", "channel": "shop"}),
    builders.purchase("SO-4", 30_000, "2026-02-01"),
    builders.redeemed("RD-1", 120, "2026-02-02"),
    builders.given_back("RD-1", "2026-02-03", 20),
    builders.refunded("SO-1", 5_000, "2026-02-05", lines=[refunded_line(2, 5_000, quantity=2)]),
    builders.returned(("A", 1, 7_500), time="2026-02-06"),
    builders.delivered("SO-2", "2026-02-07"),
    builders.granted(50, "2026-02-08", expires_at="2026-03-01T00:00:00Z", grant_id="G-1"),
    builders.adjusted(-30, "2026-03-02"),
    builders.redeemed("RD-2", 10, "2026-02-10"),
    builders.opened(
        "2026-03-03",
        [{"asset": "stored.principal:CNY", "amount": 700, "granted_at": "2025-01-01T00:00:00Z", "reason": "opening"}],
    ),
    builders.loaded("L-1", 1_000, 200, "2026-03-03", currency="JPY"),
    builders.spent("S-1", 300, "2026-03-03", currency="JPY"),
    builders.held("H-1", 100, "2026-03-03", "2026-03-20", currency="JPY"),
    builders.captured("H-1", "2026-03-03T12:00", 60),
    builders.held("H-2", 50, "2026-03-03", "2026-03-03T12:00", currency="JPY"),
    builders.held("H-3", 70, "2026-03-03T13:00", "2026-12-31", currency="JPY"),
    builders.redeemed("RD-3", 1_000_000, "2026-03-04"),
    builders.refunded("SO-9", 100, "2026-03-05", refund="RF-9"),
]
"""One customer's events; the last two are refused, for good and until their purchase arrives."""

DOCUMENT = rules(expiry={"kind": "end_of_month", "n": 12}, backdate_days=1000, refunds="allow_negative")


@pytest.fixture(scope="session")
def filled(clusters: Clusters, postgres_version: int) -> Iterator[str]:
    """A database to copy: one customer with the whole story, another whose points are spent before a refund takes them."""
    server = clusters.of_version(postgres_version)
    name = "checking_template"
    database = create_database(server, name)
    migrate(database.owner_url)
    asyncio.run(_fill(database))
    yield name
    drop_database(server, name)


@pytest.fixture
def ledger_database(clusters: Clusters, postgres_version: int, filled: str) -> Iterator[Database]:
    with clusters.database(postgres_version, template=filled) as database:
        yield database


@pytest.fixture
async def report(ledger_database: Database) -> AsyncIterator["Checker"]:
    pool = await store.open_pool(ledger_database.service_url, size_min=1, size_max=2)
    try:
        yield Checker(pool, ledger_database)
    finally:
        await pool.close()


class Checker:
    """Damages the ledger as nobody may, and checks it."""

    def __init__(self, pool: store.Pool, database: Database) -> None:
        self._pool = pool
        self._database = database

    async def __call__(self) -> LogReport:
        """What the check finds now."""
        async with self._pool.acquire() as conn:
            (report,) = await check(conn)
        return report

    def damage(self, *statements: str) -> "Checker":
        with psycopg.connect(self._database.superuser_url) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount, f"nothing is damaged by {statement}"
        return self

    def records(self) -> list[Record]:
        """Every record in order of position."""
        with psycopg.connect(self._database.superuser_url) as connection:
            found = connection.execute("SELECT record::text FROM events ORDER BY position").fetchall()
        return [Record.from_bytes(text) for (text,) in found]


async def _fill(database: Database) -> None:
    pool = await store.open_pool(database.service_url, size_min=1, size_max=4)
    async with pool:
        async with pool.acquire() as conn:
            log_id = await store.create_log(conn, PROGRAM)
        writer = Writer(pool, log_id, PROGRAM, clock=lambda: time_ns() // 1000)
        await writer.start()
        for number, event in enumerate([builders.published(DOCUMENT, "2026-01-01"), *STORY]):
            await writer.post([_command(replace(event, id=f"e-{number}"), "c-1")])
        for number, event in enumerate(_debtor()):
            await writer.post([_command(replace(event, id=f"d-{number}"), "c-2")])
        await writer.advance([Advance("c-1", at("2026-03-10"))])
        await writer.close()


def _debtor() -> list[Event]:
    return [
        builders.purchase("SO-3", 10_000, "2026-01-04"),
        builders.redeemed("RD-4", 100, "2026-01-05"),
        builders.refunded("SO-3", 6_000, "2026-01-06", refund="RF-3"),
        builders.granted(25, "2026-01-07"),
        builders.granted(5, "2026-01-04T12:00"),
    ]


def _command(event: Event, customer: str) -> Command:
    subject = PROGRAM if event.type in PROGRAM_TYPES else customer
    data = event.data if event.type == "program.published" else validated(event.type, event.data, event.time)
    return Command(event.source, event.id, event.type, subject, event.time, data, actor="till-1")
