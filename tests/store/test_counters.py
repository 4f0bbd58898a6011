"""Counters: sums across customers, raised by the append and never beyond their limit."""

from ledger import store
from ledger.store import Appended, LimitReached, Stale
from tests.postgres import on_every_version
from tests.store.batches import Batch

pytestmark = on_every_version


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
