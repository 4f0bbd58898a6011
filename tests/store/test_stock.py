"""The stock, synchronous eventsourcing library reads the ledger: an account, the whole log in order, and live."""

import asyncio
import itertools
from collections.abc import Iterator
from uuid import UUID

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import MapperDeserialisationError, ProgrammingError, StoredEvent
from eventsourcing.projection import ApplicationSubscription
from sqlalchemy import make_url

from ledger import store
from ledger.account import fold, to_bytes
from ledger.records import (
    PROGRAM_TYPES,
    Record,
    customer_stream_id,
    leaf_hash,
    program_stream_id,
    reference_key,
    source_key,
)
from ledger.stock import CustomerLedger, RecordMapper, ledger_of, project
from tests import builders
from tests.builders import CUSTOMER, MemoryLedger, purchase, redeemed, refunded, rules, signed_up
from tests.postgres import on_every_version
from tests.store.batches import now
from tests.store.conftest import Ledger


@pytest.fixture(params=["default", "shop"])
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(builders, "PROGRAM", request.param)
    return str(request.param)


@pytest.fixture
def stock(ledger: Ledger, program: str) -> Iterator[Application[UUID]]:
    """An application as an auditor's notebook makes it: the library's own class, configured by the environment alone."""

    class OfTheLibrary(Application[UUID]):
        name = ledger_of(program).name

    url = make_url(ledger.database.server.url("ledger_stock", ledger.database.name))
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "CREATE_TABLE": "no",
        "MAPPER_TOPIC": "ledger.stock:RecordMapper",
        "POSTGRES_DBNAME": str(url.database),
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": "",
        "POSTGRES_HOST": str(url.query["host"]),
        "POSTGRES_PORT": str(url.query["port"]),
    }
    application = OfTheLibrary(env=environment)
    yield application
    application.close()


def history(orders: int) -> MemoryLedger:
    """A customer with lots, a redemption over several of them, a refund and what expired."""
    memory = MemoryLedger(rules())
    memory.post(signed_up("2026-01-05"))
    for number in range(orders):
        memory.post(purchase(f"SO-{number}", 100_00 + number, f"2026-02-{number % 27 + 1:02}T10:00"))
    memory.post(redeemed("R-1", 150, "2026-03-05"))
    memory.post(refunded("SO-1", 50_00, "2026-03-06"))
    memory.run_clock(memory.now)
    return memory


async def append(ledger: Ledger, log_id: int, records: list[Record]) -> list[bytes]:
    """Put records into the log, unit by unit, and answer their bytes."""
    mapper = RecordMapper(None)  # type: ignore[arg-type]
    async with ledger.pool.acquire() as conn:
        program_stream = program_stream_id(builders.PROGRAM)
        for _, unit in itertools.groupby(
            records, key=lambda record: (record.version - record.unit[0], record.type in PROGRAM_TYPES)
        ):
            to_append = [
                store.RecordToAppend(
                    stored.originator_id,  # type: ignore[arg-type]
                    record.version,
                    source_key(record.source, record.id),
                    reference_key(record.reference) if record.reference else None,
                    record.type,
                    now(),
                    stored.state,
                )
                for record in unit
                for stored in [mapper.to_stored_event(record)]
            ]
            last = to_append[-1]
            heads = await store.read_heads(conn, log_id, [program_stream, last.stream_id])
            reads = {
                stream_id: store.HeadRead(stream_id, heads[stream_id].version, heads[stream_id].head_hash)
                if stream_id in heads
                else store.HeadRead(stream_id, 0, None)
                for stream_id in (program_stream, last.stream_id)
            }
            head = store.HeadToWrite(
                last.stream_id, CUSTOMER, last.version, leaf_hash(last.record), 1, b"{}", None, unit=0
            )
            to_write = store.UnitToAppend([reads[last.stream_id]], to_append, last.source_key)
            result = await store.append(conn, log_id, now(), reads[program_stream], [to_write], [head])
            assert isinstance(result.outcomes[0], store.Appended)
        return [record.record for record in await store.read_log(conn, log_id, after=0, limit=10_000)]


async def log_of(ledger: Ledger, program: str) -> int:
    async with ledger.pool.acquire() as conn:
        return await store.create_log(conn, program)


@on_every_version
async def test_its_repository_folds_the_same_account(ledger: Ledger, program: str, stock: Application[UUID]) -> None:
    memory = history(orders=40)
    await append(ledger, await log_of(ledger, program), memory.program_records + memory.records)
    stream = customer_stream_id(program, CUSTOMER)

    account = await asyncio.to_thread(stock.repository.get, stream, projector_func=project)

    assert account == memory.account
    assert to_bytes(account) == to_bytes(memory.account)
    earlier = await asyncio.to_thread(stock.repository.get, stream, version=7, projector_func=project)
    assert earlier == fold(memory.records[:7])
    with pytest.raises(AggregateNotFoundError):
        stock.repository.get(customer_stream_id(program, "nobody"), projector_func=project)


@on_every_version
async def test_its_notification_log_pages_every_record_in_order(
    ledger: Ledger, program: str, stock: Application[UUID]
) -> None:
    log_id = await log_of(ledger, program)
    if program != "default":  # another program's log in the same tables
        other = MemoryLedger(rules())
        await append(ledger, await log_of(ledger, "default"), other.program_records)
    memory = history(orders=40)
    written = await append(ledger, log_id, memory.program_records + memory.records)

    def page_through() -> list[StoredEvent]:
        seen: list[StoredEvent] = []
        while page := stock.notification_log.select(start=len(seen) + 1, limit=10):
            assert [notification.id for notification in page] == [len(seen) + n for n in range(1, len(page) + 1)]
            seen += page
        return seen

    notifications = await asyncio.to_thread(page_through)
    assert [notification.state for notification in notifications] == written
    assert [notification.topic for notification in notifications] == [
        record.type for record in memory.program_records + memory.records
    ]
    assert stock.recorder.max_notification_id() == len(written)
    records = [stock.mapper.to_domain_event(notification) for notification in notifications]
    assert records == [Record.from_bytes(stored) for stored in written]


@on_every_version
async def test_its_subscription_follows_live(ledger: Ledger, program: str, stock: Application[UUID]) -> None:
    """Planted: `notify_stock_readers` on another channel; the subscription waited for ever."""
    log_id = await log_of(ledger, program)
    memory = history(orders=10)
    records = memory.program_records + memory.records
    await append(ledger, log_id, records[:5])

    with ApplicationSubscription(stock, gt=2) as subscription:

        async def following() -> tuple[Record, int]:
            record, tracking = await asyncio.to_thread(next, subscription)
            return record, tracking.notification_id  # type: ignore[return-value]

        try:
            async with asyncio.timeout(30):
                assert [(await following())[1] for _ in range(3)] == [3, 4, 5]
                waiting = asyncio.create_task(following())
                await append(ledger, log_id, records[5:])
                async with ledger.pool.acquire() as conn:
                    # Again until it arrives: the library's thread may not have got as far as LISTEN.
                    while not waiting.done():
                        await store.notify_stock_readers(conn, program)
                        await asyncio.wait([waiting], timeout=0.05)
                seen = [await waiting] + [await following() for _ in records[6:]]
        finally:
            subscription.stop()
    assert [position for _, position in seen] == list(range(6, len(records) + 1))
    assert [record.version for record, _ in seen] == [record.version for record in records[5:]]


@on_every_version
async def test_it_writes_nothing(ledger: Ledger, program: str, stock: Application[UUID]) -> None:
    await log_of(ledger, program)
    memory = history(orders=2)
    stored = stock.mapper.to_stored_event(memory.records[0])  # type: ignore[arg-type]
    with pytest.raises(ProgrammingError, match="permission denied"):
        await asyncio.to_thread(stock.recorder.insert_events, [stored])


def test_a_record_survives_the_mapper_both_ways(program: str) -> None:
    mapper = RecordMapper(None)  # type: ignore[arg-type]
    memory = history(orders=3)
    for record in memory.program_records + memory.records:
        stored = mapper.to_stored_event(record)
        assert stored.state == record.to_bytes()
        assert mapper.to_domain_event(stored) == record
    unknown = StoredEvent(
        program_stream_id(program), 1, "points.minted", b'{"schema":2,"type":"points.minted","version":1}'
    )
    with pytest.raises(MapperDeserialisationError, match=r"points\.minted"):
        mapper.to_domain_event(unknown)


def test_names_of_views_are_those_the_library_makes_of_the_class() -> None:
    for program in ("default", "gold-club", "x" * 40):
        name = f"{ledger_of(program).name.lower()}_events"
        assert name == store.stock_view(program)
        assert len(name) <= 63
    assert ledger_of("default") is CustomerLedger
