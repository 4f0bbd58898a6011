"""The contract of the append: what each unit is answered, and what is then in the database."""

import dataclasses
import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from ledger import store
from ledger.records import leaf_hash
from ledger.store import Appended, Exists, Stale
from tests.postgres import on_every_version
from tests.store.batches import Batch, known_heads, now, stream_of

pytestmark = on_every_version


async def log_bytes(conn: store.Connection, log_id: int) -> list[bytes]:
    return [record.record for record in await store.read_log(conn, log_id, after=0, limit=10_000)]


async def test_records_are_stored_once_as_the_bytes_they_came_as(conn: store.Connection, log_id: int) -> None:
    odd = '{"b":1,  "a":"姓名 \\u00e9 é\\ud83d\\ude00" ,"b":2,"n":1.50}'.encode()
    batch = Batch().post("c-1")
    batch.units[0].records[0].record = odd
    batch.heads[stream_of("c-1")].head_hash = leaf_hash(odd)

    assert await batch.outcomes(conn, log_id) == [Appended(1)]

    assert await log_bytes(conn, log_id) == [odd]
    assert (
        hashlib.sha256(b"\x00" + odd).digest() == (await known_heads(conn, log_id, ["c-1"]))[stream_of("c-1")].head_hash
    )


async def test_positions_are_gapless_in_the_order_of_the_units(conn: store.Connection, log_id: int) -> None:
    first = Batch().post("c-1", "c-1").post("c-2").refuse("c-3", key="no").post("c-1")
    assert await first.outcomes(conn, log_id) == [Appended(1), Appended(3), Appended(None), Appended(4)]
    second = Batch(known=first.known).post("c-2").post("c-4")
    assert await second.outcomes(conn, log_id) == [Appended(5), Appended(6)]

    records = await store.read_log(conn, log_id, after=0, limit=100)
    assert [(record.position, record.version) for record in records] == [(1, 1), (2, 2), (3, 1), (4, 3), (5, 2), (6, 1)]
    log = await store.read_log_of(conn, "default")
    assert log is not None
    assert log.next_position == 7


async def test_a_unit_on_a_head_that_moved_is_stale_and_the_others_are_appended(
    conn: store.Connection, log_id: int
) -> None:
    """Planted: heads not compared at all; this and seven more saw it."""
    await Batch().post("c-1").append(conn, log_id)

    batch = Batch().post("c-1").post("c-2").post("c-3", also_reads=["c-1"]).post("c-4")

    assert await batch.outcomes(conn, log_id) == [Stale(), Appended(2), Stale(), Appended(3)]
    assert await store.read_heads(conn, log_id, [stream_of("c-3")]) == {}


async def test_an_equal_version_with_another_hash_is_stale(conn: store.Connection, log_id: int) -> None:
    """A decision built on records in flight that were lost, while others took their versions (ABA).

    Planted: `IS DISTINCT FROM r.head_hash` removed from append_units; this test alone saw it.
    """
    await Batch().post("c-1", filling="what is in the log").append(conn, log_id)

    lost = Batch().post("c-1", filling="what was lost")
    batch = Batch(known=lost.known).post("c-1")

    assert await batch.outcomes(conn, log_id) == [Stale()]


async def test_a_unit_on_a_later_version_than_the_log_has_is_stale(conn: store.Connection, log_id: int) -> None:
    assert await Batch(known=Batch().post("c-1").known).post("c-1").outcomes(conn, log_id) == [Stale()]


async def test_what_builds_on_a_stale_unit_is_stale_through_any_number_of_steps(
    conn: store.Connection, log_id: int
) -> None:
    """Planted: dependencies closed over one step only; the fourth unit was appended on a version that was not there."""
    await Batch().post("c-1").append(conn, log_id)

    batch = Batch().post("c-1").post("c-1", "c-2").post("c-2", "c-3").post("c-3").post("c-4")

    assert await batch.outcomes(conn, log_id) == [Stale(), Stale(), Stale(), Stale(), Appended(2)]


async def test_a_unit_that_read_what_an_earlier_one_of_its_batch_did_not_leave_is_stale(
    conn: store.Connection, log_id: int
) -> None:
    batch = Batch().post("c-1").post("c-1")
    batch.units[1].reads[0].head_hash = bytes(32)
    assert await batch.outcomes(conn, log_id) == [Appended(1), Stale()]


async def test_a_head_whose_last_writer_failed_is_to_be_folded_again(conn: store.Connection, log_id: int) -> None:
    """Planted: the heads of failed units left out altogether; the head stayed a version behind its stream."""
    later = now() + timedelta(days=300)
    await Batch().post("c-9").append(conn, log_id)
    batch = Batch().post("c-1", due_at=later).post("c-1", due_at=later, also_reads=["c-9"]).post("c-2", due_at=later)

    assert await batch.outcomes(conn, log_id) == [Appended(2), Stale(), Appended(3)]

    heads = await store.read_heads(conn, log_id, [stream_of("c-1"), stream_of("c-2")])
    torn, whole = heads[stream_of("c-1")], heads[stream_of("c-2")]
    assert (torn.version, torn.head_hash) == (1, leaf_hash(batch.units[0].records[0].record))
    assert (torn.state, torn.state_schema) == (None, 0)
    assert torn.due_at is not None
    assert torn.due_at <= now()
    assert (whole.state, whole.state_schema, whole.due_at) == (b'{"version":1}', 1, later)
    assert [
        head.stream_id for head in await store.heads_of_other_schema(conn, log_id, state_schema=1, after=None, limit=9)
    ] == [stream_of("c-1")]


async def test_another_program_head_makes_every_unit_stale(conn: store.Connection, log_id: int) -> None:
    decided_under_old_rules = Batch().post("c-1").post("c-2")
    published = Batch().post("default")
    assert await published.outcomes(conn, log_id) == [Appended(1)]

    assert await decided_under_old_rules.outcomes(conn, log_id) == [Stale(), Stale()]

    assert await Batch(known=published.known).post("c-1").outcomes(conn, log_id) == [Appended(2)]


async def test_within_a_batch_rules_count_for_the_units_after_them(conn: store.Connection, log_id: int) -> None:
    batch = Batch().post("c-1").post("default").post("c-2").post("c-3", also_reads=["default"])
    assert await batch.outcomes(conn, log_id) == [Appended(1), Appended(2), Stale(), Appended(3)]


async def test_keys_in_the_log_exist_even_where_the_head_moved(conn: store.Connection, log_id: int) -> None:
    """Planted: heads checked before keys; the delivered-again event was answered stale for ever."""
    await Batch().post("c-1", "c-1", key="a", reference="order:1").append(conn, log_id)

    again = Batch().post("c-1", key="a").post("c-2", key="b", reference="order:1").post("c-1", key="a/1").post("c-1")

    assert await again.outcomes(conn, log_id) == [
        Exists(2, refused=False),
        Exists(2, refused=False),
        Exists(1, refused=False),
        Stale(),
    ]


async def test_a_key_twice_in_one_batch_is_appended_once(conn: store.Connection, log_id: int) -> None:
    """Planted: clashes left to the unique constraints; the whole batch failed."""
    batch = (
        Batch()
        .post("c-1", key="a")
        .post("c-2", key="a")
        .post("c-3", key="b", reference="order:1")
        .post("c-4", key="c", reference="order:1")
        .post("c-4", key="d")
        .refuse("c-5", key="a")
    )
    assert await batch.outcomes(conn, log_id) == [Appended(1), Stale(), Appended(2), Stale(), Stale(), Stale()]


async def test_a_key_twice_within_one_unit_is_our_mistake(conn: store.Connection, log_id: int) -> None:
    batch = Batch().post("c-1", "c-1", key="a")
    batch.units[0].records[0].source_key = batch.units[0].records[1].source_key
    with pytest.raises(ValueError, match="twice"):
        await batch.append(conn, log_id)


async def test_two_logs_know_nothing_of_each_other(conn: store.Connection, log_id: int) -> None:
    other = await store.create_log(conn, "gold")
    for log in (log_id, other):
        program = "default" if log == log_id else "gold"
        assert await Batch(program=program).post("c-1", key="a", reference="order:1").outcomes(conn, log) == [
            Appended(1)
        ]


# --- Stamps -----------------------------------------------------------------------------------------------------------


async def test_an_earlier_stamp_than_the_logs_does_nothing(conn: store.Connection, log_id: int) -> None:
    """Planted: the comparison left out; the second record was stamped before the first."""
    stamp = now()
    await Batch().post("c-1").append(conn, log_id, stamp)

    late = Batch().post("c-2")
    result = await late.append(conn, log_id, stamp - timedelta(microseconds=1))
    assert (result.behind, result.log_recorded_at, result.outcomes) == (True, stamp, [])
    assert len(await log_bytes(conn, log_id)) == 1

    result = await late.append(conn, log_id, stamp)
    assert (result.behind, result.log_recorded_at, result.outcomes) == (False, stamp, [Appended(2)])


async def test_an_instant_of_knowledge_is_the_last_position_stamped_by_then(
    conn: store.Connection, log_id: int
) -> None:
    start = now()
    known: dict[UUID, store.HeadRead] = {}
    for second, customers in enumerate(["a", "b", "cd", "e", "fgh", "i"]):
        batch = Batch(known=known)
        for customer in customers:
            batch.post(customer)
        await batch.append(conn, log_id, start + timedelta(seconds=second))
    microsecond = timedelta(microseconds=1)
    for second, last in enumerate([1, 2, 4, 5, 8, 9]):
        instant = start + timedelta(seconds=second)
        assert await store.position_known_at(conn, log_id, instant) == last
        assert await store.position_known_at(conn, log_id, instant + microsecond) == last
    assert await store.position_known_at(conn, log_id, start - microsecond) == 0


# --- What is not written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b'{"not":"json"', id="not JSON"),
        pytest.param(b'{"nul":"\x00"}', id="a NUL byte"),
        pytest.param(b'"' + b"x" * 61_440 + b'"', id="more than 60 KiB"),
    ],
)
async def test_a_batch_with_data_that_cannot_be_written_writes_nothing(
    conn: store.Connection, log_id: int, broken: bytes
) -> None:
    batch = Batch().post("c-1").post("c-2")
    batch.units[1].records[0].record = broken
    with pytest.raises(store.BatchUnwritable):
        await batch.append(conn, log_id)
    assert await log_bytes(conn, log_id) == []


async def test_a_unit_whose_versions_do_not_follow_what_it_read_is_our_mistake(
    conn: store.Connection, log_id: int
) -> None:
    batch = Batch().post("c-1")
    batch.units[0].records[0] = dataclasses.replace(batch.units[0].records[0], version=2)
    with pytest.raises(ValueError, match="version"):
        await batch.append(conn, log_id)
