"""The contract of the append: what each unit is answered, and what is then in the database."""

import dataclasses
import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from ledger import store
from ledger.records import leaf_hash, reference_key
from ledger.store import Appended, Exists, LimitReached, Stale
from tests.postgres import on_every_version
from tests.store.batches import Batch, key_of, known_heads, now, stream_of

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


# --- Refusals ---------------------------------------------------------------------------------------------------------


async def test_a_final_refusal_spends_its_key_for_ever(conn: store.Connection, log_id: int) -> None:
    assert await Batch().refuse("c-1", key="a").outcomes(conn, log_id) == [Appended(None)]
    again = Batch().post("c-1", key="a").refuse("c-1", key="a", code="another")
    assert await again.outcomes(conn, log_id) == [Exists(None, refused=True), Exists(None, refused=True)]
    kept = await store.refusals_by_key(conn, log_id, [key_of("a")])
    assert kept[key_of("a")].code == "no"


async def test_a_refusal_is_decided_on_heads_like_anything_else(conn: store.Connection, log_id: int) -> None:
    before = Batch().refuse("c-1", key="a")
    await Batch().post("c-1").append(conn, log_id)
    assert await before.outcomes(conn, log_id) == [Stale()]
    assert await store.refusals_by_key(conn, log_id, [key_of("a")]) == {}


async def test_a_waiting_refusal_is_awakened_and_settled(conn: store.Connection, log_id: int) -> None:
    first = await Batch().refuse("c-1", key="refund", status="waiting", waits_for="purchase:1").append(conn, log_id)
    assert (first.outcomes, first.awakened) == ([Appended(None)], False)
    assert (await Batch().post("c-2", reference="purchase:2").append(conn, log_id)).awakened is False

    arrived = Batch().post("c-1", reference="purchase:1")
    assert (await arrived.append(conn, log_id)).awakened is True
    waiting = await store.refusals_waiting_for(conn, log_id, [reference_key("purchase:1")])
    assert [refusal.source_key for refusal in waiting] == [key_of("refund")]
    assert await store.refusals_awaiting_what_came(conn, log_id, limit=9) == waiting

    assert await Batch(known=arrived.known).post("c-1", key="refund").outcomes(conn, log_id) == [Appended(3)]
    kept = await store.refusals_by_key(conn, log_id, [key_of("refund")])
    assert kept[key_of("refund")].status == "settled"
    assert await store.refusals_awaiting_what_came(conn, log_id, limit=9) == []
    assert await Batch().post("c-1", key="refund").outcomes(conn, log_id) == [Exists(3, refused=False)]


async def test_a_refusal_and_what_it_waits_for_in_one_batch_are_noticed(conn: store.Connection, log_id: int) -> None:
    batch = (
        Batch()
        .refuse("c-1", key="refund", status="waiting", waits_for="purchase:1")
        .post("c-1", reference="purchase:1")
    )
    assert (await batch.append(conn, log_id)).awakened is True


async def test_a_waiting_refusal_may_become_final(conn: store.Connection, log_id: int) -> None:
    await Batch().refuse("c-1", key="a", status="waiting", waits_for="purchase:1").append(conn, log_id)
    assert await Batch().refuse("c-1", key="a", code="final_no").outcomes(conn, log_id) == [Appended(None)]
    kept = (await store.refusals_by_key(conn, log_id, [key_of("a")]))[key_of("a")]
    assert (kept.status, kept.code, kept.waits_for) == ("final", "final_no", None)
    assert await Batch().post("c-1", key="a").outcomes(conn, log_id) == [Exists(None, refused=True)]


async def test_a_waiting_refusal_is_closed_once(conn: store.Connection, log_id: int) -> None:
    batch = Batch()
    for key in ("a", "b"):
        batch.refuse("c-1", key=key, status="waiting", waits_for="purchase:1")
    await batch.append(conn, log_id)

    assert await store.waive_refusal(conn, log_id, key_of("a")) is True
    assert await store.waive_refusal(conn, log_id, key_of("a")) is False
    assert await store.settle_refusal(conn, log_id, key_of("b")) is True
    assert await store.settle_refusal(conn, log_id, key_of("nobody's")) is False

    # A waived one stays spent; one that was settled by a record under another key does not stand in the way.
    later = Batch().post("c-1", key="a").post("c-1", key="b")
    assert await Batch().post("c-1", key="a").outcomes(conn, log_id) == [Exists(None, refused=True)]
    assert (await later.outcomes(conn, log_id))[0] == Exists(None, refused=True)
    assert await Batch().post("c-1", key="b").outcomes(conn, log_id) == [Appended(1)]


async def test_refusals_are_listed_oldest_first_a_page_at_a_time(conn: store.Connection, log_id: int) -> None:
    for number in range(5):
        await Batch().refuse(f"c-{number}", key=f"k-{number}").append(conn, log_id)
    page = await store.list_refusals(conn, log_id, after=None, limit=3)
    rest = await store.list_refusals(conn, log_id, after=(page[-1].recorded_at, page[-1].source_key), limit=3)
    assert [refusal.customer_id for refusal in page + rest] == [f"c-{number}" for number in range(5)]
    assert await store.list_refusals(conn, log_id, after=None, limit=9, statuses=["waiting"]) == []
    assert len(await store.list_refusals(conn, log_id, after=None, limit=9, customer_id="c-3")) == 1


# --- Counters ---------------------------------------------------------------------------------------------------------


async def test_a_counter_is_raised_up_to_its_limit_and_not_beyond(conn: store.Connection, log_id: int) -> None:
    batch = Batch()
    for number in range(4):
        batch.post(f"c-{number}", counters=[("budget", 40, 100)])
    assert await batch.outcomes(conn, log_id) == [
        Appended(1),
        Appended(2),
        LimitReached("budget", 80, 100),
        LimitReached("budget", 80, 100),
    ]
    assert await store.read_counters(conn, log_id) == {"budget": store.Counter(80, 100)}
    smaller = Batch().post("c-7", counters=[("budget", 21, 100)]).post("c-8", counters=[("budget", 20, 100)])
    assert await smaller.outcomes(conn, log_id) == [LimitReached("budget", 80, 100), Appended(3)]


async def test_a_unit_raises_all_its_counters_or_none(conn: store.Connection, log_id: int) -> None:
    """Planted: amounts added while the unit's later counters were still unchecked."""
    batch = Batch().post("c-1", counters=[("a", 5, None), ("b", 11, 10)]).post("c-2", counters=[("a", 1, 1)])
    assert await batch.outcomes(conn, log_id) == [LimitReached("b", 0, 10), Appended(1)]
    assert await store.read_counters(conn, log_id) == {"a": store.Counter(1, 1)}


async def test_a_unit_at_its_limit_takes_along_what_builds_on_it_and_leaves_its_room_to_others(
    conn: store.Connection, log_id: int
) -> None:
    batch = (
        Batch()
        .post("c-1", counters=[("a", 11, 10)])
        .post("c-1", counters=[("a", 10, 10)])
        .post("c-2", counters=[("a", 9, 10)])
        .post("c-2")
    )
    assert await batch.outcomes(conn, log_id) == [LimitReached("a", 0, 10), Stale(), Appended(1), Appended(2)]
    assert await store.read_counters(conn, log_id, ["a"]) == {"a": store.Counter(9, 10)}


async def test_a_stale_unit_raises_nothing_and_meets_no_limit(conn: store.Connection, log_id: int) -> None:
    await Batch().post("c-1").append(conn, log_id)
    batch = Batch().post("c-1", counters=[("a", 99, 10)]).post("c-2", counters=[("a", 10, 10)])
    assert await batch.outcomes(conn, log_id) == [Stale(), Appended(2)]


async def test_a_counter_is_lowered_even_above_a_limit_that_was_lowered(conn: store.Connection, log_id: int) -> None:
    await Batch().post("c-1", counters=[("a", 50, 100)]).append(conn, log_id)
    lowered = Batch().post("c-2", counters=[("a", 1, 10)]).post("c-3", counters=[("a", -5, 10)])
    assert await lowered.outcomes(conn, log_id) == [LimitReached("a", 50, 10), Appended(2)]
    assert await store.read_counters(conn, log_id) == {"a": store.Counter(45, 10)}


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


# --- Reads ------------------------------------------------------------------------------------------------------------


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
