"""Reading the log: units, streams, keys, what is due, heads."""

from datetime import timedelta

from ledger import store
from ledger.records import reference_key
from tests.postgres import on_every_version
from tests.store.batches import Batch, key_of, now, stream_of

pytestmark = on_every_version


async def test_units_are_read_whole_from_any_of_their_positions(conn: store.Connection, log_id: int) -> None:
    await Batch().post("c-1").post("c-1", "c-2", "c-1").post("c-3").append(conn, log_id)
    for position, unit in {1: [1], 2: [2, 3, 4], 3: [2, 3, 4], 4: [2, 3, 4], 5: [5], 6: []}.items():
        assert [record.position for record in await store.read_unit(conn, log_id, position)] == unit
    units = await store.read_units(conn, log_id, [5, 3, 4, 77])
    assert {position: len(records) for position, records in units.items()} == {5: 1, 3: 3, 4: 3}


async def test_streams_are_read_in_order_up_to_what_was_known(conn: store.Connection, log_id: int) -> None:
    await Batch().post("c-1").post("c-2").post("c-1").post("c-1").append(conn, log_id)
    stream = stream_of("c-1")

    async def versions(**cuts: int) -> list[int]:
        return [record.version for record in await store.read_stream(conn, log_id, stream, **cuts)]

    assert await versions() == [1, 2, 3]
    assert await versions(after=1) == [2, 3]
    assert await versions(limit=2) == [1, 2]
    assert await versions(up_to_position=3) == [1, 2]
    streams = await store.read_streams(conn, log_id, [stream, stream_of("c-2"), stream_of("nobody")])
    assert {stream_id: len(records) for stream_id, records in streams.items()} == {stream: 3, stream_of("c-2"): 1}


async def test_records_are_found_by_their_keys(conn: store.Connection, log_id: int) -> None:
    await Batch().post("c-1", key="a", reference="order:1").post("c-2", key="b").append(conn, log_id)
    found = await store.by_source_key(conn, log_id, [key_of("a"), key_of("b"), key_of("c")])
    assert {key: record.position for key, record in found.items()} == {key_of("a"): 1, key_of("b"): 2}
    found = await store.by_reference(conn, log_id, [reference_key("order:1"), reference_key("order:2")])
    assert {key: record.position for key, record in found.items()} == {reference_key("order:1"): 1}


async def test_due_streams_come_longest_due_first(conn: store.Connection, log_id: int) -> None:
    start = now()
    batch = Batch().post("never")
    for hours in (3, 1, 2, 4):
        batch.post(f"in-{hours}", due_at=start + timedelta(hours=hours))
    await batch.append(conn, log_id)
    due = await store.due_streams(conn, log_id, before=start + timedelta(hours=4), limit=9)
    assert [head.customer_id for head in due] == ["in-1", "in-2", "in-3"]
    assert len(await store.due_streams(conn, log_id, before=start + timedelta(hours=4), limit=2)) == 2


async def test_due_through_is_true_or_not_moved(conn: store.Connection, log_id: int) -> None:
    """Planted: the append left due_through where it was; a record written later was due before it."""
    start = now()

    async def due_through() -> object:
        log = await store.read_log_of(conn, "default")
        assert log is not None
        return log.due_through and log.due_through - start

    hour = timedelta(hours=1)
    batch = Batch().post("c-1", due_at=start + 2 * hour)
    await batch.append(conn, log_id)
    assert await store.set_due_through(conn, log_id, start + 3 * hour) is False
    assert await due_through() is None
    assert await store.set_due_through(conn, log_id, start + 2 * hour) is True
    assert await due_through() == 2 * hour
    await Batch().post("c-2", due_at=start + hour).append(conn, log_id)
    assert await due_through() == hour
    head = batch.heads[stream_of("c-1")]
    earlier = store.HeadToRebuild(head.stream_id, head.version, 1, b"{}", start)
    assert await store.rebuild_head(conn, log_id, earlier) is True
    assert await due_through() == timedelta()


async def test_a_head_is_rebuilt_only_at_the_version_that_was_refolded(conn: store.Connection, log_id: int) -> None:
    batch = Batch().post("c-1").post("c-2")
    await batch.append(conn, log_id)
    refolded = [
        store.HeadToRebuild(head.stream_id, head.version, 2, b'{"refolded":true}', None)
        for head in batch.heads.values()
    ]
    await Batch(known=batch.known).post("c-1").append(conn, log_id)

    assert await store.rebuild_heads(conn, log_id, refolded) == {stream_of("c-2")}

    heads = await store.read_heads(conn, log_id, [stream_of("c-1"), stream_of("c-2")])
    assert [heads[stream_of(customer)].state for customer in ("c-1", "c-2")] == [b'{"version":2}', b'{"refolded":true}']
    assert heads[stream_of("c-2")].head_hash == batch.heads[stream_of("c-2")].head_hash


async def test_heads_are_listed_a_page_at_a_time(conn: store.Connection, log_id: int) -> None:
    batch = Batch()
    for number in range(7):
        batch.post(f"c-{number}")
    await batch.append(conn, log_id)
    first = await store.list_heads(conn, log_id, after=None, limit=4)
    rest = await store.list_heads(conn, log_id, after=first[-1].stream_id, limit=4)
    assert sorted(head.customer_id for head in first + rest) == [f"c-{number}" for number in range(7)]
