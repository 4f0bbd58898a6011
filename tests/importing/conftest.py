"""A ledger to import into, and small files to import."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.importing.mapping import parse_mapping
from api.importing.readers import Fault
from api.importing.runner import Import
from api.importing.sources import EventLines, Source, Table
from api.importing.summary import Summary
from api.intake import Sender
from ledger import store
from ledger.codes_key import CodesKey
from ledger.leasing import lent
from ledger.records import Record
from ledger.service import Ledger, wall_clock
from ledger.settings import Settings
from tests.postgres import Database

PROGRAM = "shop"
RULES = {
    "program": {"time_zone": "Europe/London", "currencies": ["GBP"]},
    "earning": [{"id": "base", "on": "purchase.recorded", "points_per_unit": "1"}],
    "expiry": {"kind": "end_of_month", "n": 12},
    "refunds": "within_balance",
}
MAPPING = """
source: /import/shop
currency: GBP
time_zone: Europe/London
columns: {customer: customer, order: order, time: time, sku: sku, quantity: quantity, unit_price: price}
cancellation: {column: order, starts_with: C}
leave_out: [{column: customer, empty: true, reason: no customer}]
"""
HEADER = "order,customer,time,sku,quantity,price"


def csv_of(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


@dataclass
class Imported:
    """A ledger that files can be imported into."""

    ledger: Ledger
    directory: Path
    faults: list[Fault] = field(default_factory=list)

    def table(self, content: str, mapping: str = MAPPING) -> Table:
        path = self.directory / "orders.csv"
        path.write_text(content)
        return Table(path, parse_mapping(mapping.encode(), "map"), "me")

    def events(self, *lines: str) -> EventLines:
        path = self.directory / "events.ndjson"
        path.write_text("".join(line + "\n" for line in lines))
        key = CodesKey(None, path.parent / "codes.key")
        sender = Sender(PROGRAM, wall_clock(), "me", None, may_backdate=True, is_admin=True, codes_key=key)
        return EventLines(path, sender)

    async def run(self, source: Source, program_name: str = PROGRAM) -> Summary:
        """Import a source; what was not imported is in `faults`."""
        self.faults = []
        source.scan(lambda _: None)
        program = self.ledger.program(program_name)
        return await Import(self.ledger, program, source, named=self.faults.append).run(lambda _: None)

    async def records(self, program: str = PROGRAM) -> list[Record]:
        """Every record of the program's customers, in order of position."""
        async with lent(self.ledger.pool) as conn:
            stored = await store.read_log(conn, self.ledger.program(program).log_id, after=1, limit=100_000)
        return [Record.from_bytes(one.record) for one in stored]


@pytest.fixture
async def importing(migrated_database: Database, tmp_path: Path) -> AsyncIterator[Imported]:
    settings = Settings.model_validate({})
    async with Ledger.opened(settings, service_url=migrated_database.service_url, works=False) as ledger:
        await ledger.publish(PROGRAM, RULES, actor="me")
        yield Imported(ledger, tmp_path)


def content_of(records: Iterable[Record]) -> list[tuple[object, ...]]:
    """What records say, apart from when they were written and of which program they are."""
    return [
        (record.type, record.subject, record.version, record.time, record.data, record.postings, record.balances)
        for record in records
    ]
