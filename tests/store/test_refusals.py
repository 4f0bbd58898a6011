"""Refusals: which spend their key, which wait, how they end."""

from ledger import store
from ledger.records import reference_key
from ledger.store import Appended, Exists, Stale
from tests.postgres import on_every_version
from tests.store.batches import Batch, key_of

pytestmark = on_every_version


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
