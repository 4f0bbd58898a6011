"""What a sender is answered: receipts, replays, conflicts, refusals, in the documented order of checks."""

import orjson
import pytest

from ledger.answers import command_of, kept_event, kept_problem, refused
from ledger.errors import InsufficientPoints, KeyReused, NotPermitted, PurchaseUnknown, RecordTooLarge, VersionConflict
from ledger.heads import stream_ids
from ledger.instants import DAY, SECOND, show
from ledger.records import customer_stream_id, program_stream_id
from tests.builders import Event, purchase, refunded, registered, signed_up
from tests.writer.shop import NOW, PROGRAM, Shop, codes, command, grant, receipt_of, redeem, soon


def _bytes(receipt):
    return orjson.dumps({**receipt, "status": ""})


async def test_a_receipt_says_what_the_event_did(shop: Shop):
    writer = await shop.writer()
    (answer,) = await writer.post([command(purchase("SO-1", 8588, "2026-03-01"))])
    receipt = receipt_of(answer)
    assert receipt["status"] == "recorded"
    assert receipt["records"] == [{"type": "purchase.recorded", "subject": "c-1", "version": 1, "position": 2}]
    assert (receipt["version"], receipt["position"]) == (1, 2)
    assert receipt["recorded_at"] == show(NOW)
    assert [posting["amount"] for posting in receipt["postings"]] == [85]
    assert receipt["balances"] == {"points": 85}
    assert receipt["notes"] == []


async def test_the_same_event_again_gets_the_first_receipt_byte_for_byte(shop: Shop):
    """Also long after, from another process, and however its JSON was laid out.

    Planted bug: the receipt of a replay showing the head's balances instead of the record's.
    """
    writer = await shop.writer()
    first = command(purchase("SO-1", 8588, "2026-03-01", place={"store": "S-1", "channel": "shop"}))
    (recorded,) = await writer.post([first])
    await writer.post([command(grant(1))])
    (again,) = await writer.post([first])
    shop.clock.shows += 400 * DAY
    other = await shop.writer()
    shuffled = command(Event(first.type, first.time, dict(reversed(first.data.items())), first.id))
    (replayed,) = await other.post([shuffled])
    assert (again.replayed, replayed.replayed) == (True, True)
    assert _bytes(receipt_of(again)) == _bytes(receipt_of(replayed)) == _bytes(receipt_of(recorded))
    assert receipt_of(replayed)["status"] == "replayed"
    assert len(await shop.records()) == 2


async def test_the_receipt_of_a_unit_of_several_records_is_replayed_whole(shop: Shop):
    """Planted bug: reading back only the event's own record."""
    writer = await shop.writer()
    await writer.post([command(grant(10, expires_at=show(NOW + SECOND)))])
    shop.clock.shows += DAY
    second = command(grant(5, time=shop.clock()))
    (recorded,) = await writer.post([second])
    (replayed,) = await writer.post([second])
    assert [record["type"] for record in receipt_of(recorded)["records"]] == ["points.expired", "points.granted"]
    assert _bytes(receipt_of(replayed)) == _bytes(receipt_of(recorded))


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"data": {"order_id": "SO-1", "currency": "CNY", "total": 1}}, ["/data/total"]),
        ({"data": {"order_id": "SO-1", "currency": "CNY", "total": 100, "covers": 2}}, ["/data/covers"]),
        ({"time": NOW - SECOND}, ["/time"]),
    ],
)
async def test_other_content_under_a_key_is_refused_and_names_the_fields(shop: Shop, change, fields):
    """Planted bug: comparing only types."""
    writer = await shop.writer()
    first = Event("purchase.recorded", NOW, {"order_id": "SO-1", "currency": "CNY", "total": 100}, "e")
    await writer.post([command(first)])
    other = Event(first.type, change.get("time", first.time), change.get("data", first.data), "e")
    (answer,) = await writer.post([command(other)])
    assert isinstance(answer.error, KeyReused)
    assert answer.error.facts["fields"] == fields


async def test_a_key_of_another_customer_is_refused(shop: Shop):
    writer = await shop.writer()
    posted = purchase("SO-1", 100, "2026-03-01")
    await writer.post([command(Event(posted.type, posted.time, posted.data, "e"), "c-1")])
    (answer,) = await writer.post([command(Event(posted.type, posted.time, posted.data, "e"), "c-2")])
    assert isinstance(answer.error, KeyReused)
    assert answer.error.facts["fields"] == ["/subject"]


async def test_true_is_not_one(shop: Shop):
    """Planted bug: comparing data with Python's ==."""
    writer = await shop.writer()
    data = {"order_id": "SO-1", "currency": "CNY", "total": 100, "attributes": {"member": True}}
    await writer.post([command(Event("purchase.recorded", NOW, data, "e"))])
    (answer,) = await writer.post(
        [command(Event("purchase.recorded", NOW, {**data, "attributes": {"member": 1}}, "e"))]
    )
    assert codes([answer]) == ["key_reused"]


async def test_another_senders_copy_of_a_purchase_is_replayed_naming_the_first(shop: Shop):
    """Two systems seldom agree on the time, so it may differ. Planted bug: comparing it."""
    writer = await shop.writer()
    first = command(purchase("SO-1", 100, "2026-03-01"))
    other = command(Event(first.type, first.time - SECOND, first.data, "from-the-shop", "/shop"))
    (recorded, replayed) = [await writer.post([one]) for one in (first, other)]
    assert codes(replayed) == ["replayed"]
    assert _bytes(receipt_of(replayed[0])) == _bytes(receipt_of(recorded[0]))
    assert receipt_of(replayed[0])["source"] == "/till"


async def test_a_business_key_with_other_content_is_refused(shop: Shop):
    writer = await shop.writer()
    first = command(purchase("SO-1", 100, "2026-03-01"))
    other = command(purchase("SO-1", 200, "2026-03-01"))
    await writer.post([first])
    (answer,) = await writer.post([other])
    assert isinstance(answer.error, KeyReused)
    assert answer.error.facts == {"source": "/till", "id": first.id, "fields": ["/data/total"]}


async def test_another_senders_copy_of_a_redemption_is_replayed_though_the_points_are_gone(shop: Shop):
    """Planted bug: keeping the refusal before looking for its business key."""
    writer = await shop.writer()
    first = command(redeem("RD-1", 100))
    other = command(Event(first.type, first.time, first.data, "copy", "/shop"))
    await writer.post([command(grant(100)), first])
    (answer,) = await writer.post([other])
    assert codes([answer]) == ["replayed"]
    assert receipt_of(answer)["id"] == first.id
    assert await shop.refusal(other) is None


async def test_a_final_refusal_is_kept_and_answered_the_same_for_ever(shop: Shop):
    """Planted bug: deciding a re-posted redemption again when points have come."""
    writer = await shop.writer()
    redemption = command(redeem("RD-1", 100))
    (first,) = await writer.post([redemption])
    await writer.post([command(grant(500))])
    (again,) = await soon((await shop.writer()).post([redemption]))
    for answer, replayed in ((first, False), (again, True)):
        assert isinstance(answer.error, InsufficientPoints)
        assert answer.replayed is replayed
        assert answer.error.facts == {"available": 0, "requested": 100}
        assert answer.error.message == InsufficientPoints().message
    assert await shop.points() == 500


async def test_other_content_under_a_refused_key_is_a_key_reused(shop: Shop):
    writer = await shop.writer()
    first = command(redeem("RD-1", 100))
    await writer.post([first])
    (answer,) = await writer.post([command(Event(first.type, first.time, {**first.data, "points": 5}, first.id))])
    assert isinstance(answer.error, KeyReused)
    assert answer.error.facts["fields"] == ["/data/points"]


async def test_a_version_that_is_expected_is_compared_after_the_key_and_before_the_decision(shop: Shop):
    """Planted bugs: the version looked at before the key; the decision taken before the version."""
    writer = await shop.writer()
    first = command(grant(10), expected_version=0)
    (recorded,) = await writer.post([first])
    (replayed,) = await writer.post([first])
    (conflict,) = await writer.post([command(redeem("RD-1", 10_000), expected_version=0)])
    (on_top,) = await writer.post([command(grant(1), expected_version=1)])
    assert codes([recorded, replayed, conflict, on_top]) == ["recorded", "replayed", "version_conflict", "recorded"]
    assert isinstance(conflict.error, VersionConflict)
    assert conflict.error.facts == {"expected": 0, "actual": 1}
    assert len(await shop.records()) == 2


async def test_an_expected_version_is_compared_with_the_log_and_not_with_what_is_remembered(shop: Shop):
    """Planted bug: comparing with the remembered head, which another process has moved on."""
    ours, theirs = await shop.writer(), await shop.writer()
    await ours.post([command(grant(1))])
    await theirs.post([command(grant(1))])
    (answer,) = await ours.post([command(grant(1), expected_version=2)])
    assert codes([answer]) == ["recorded"]


async def test_an_expected_version_within_a_batch_counts_what_comes_before_it(shop: Shop):
    writer = await shop.writer()
    answers = await writer.post([command(grant(1), expected_version=version) for version in (0, 1, 1, 2)])
    assert codes(answers) == ["recorded", "recorded", "version_conflict", "recorded"]


async def test_an_old_event_needs_the_right_to_backdate_unless_it_is_a_replay(shop: Shop):
    """Planted bug: the right asked for before the key."""
    writer = await shop.writer()
    posted = grant(10)
    first = command(Event(posted.type, posted.time, posted.data, "e", may_backdate=False))
    await writer.post([first])
    shop.clock.shows += 60 * DAY
    late = command(Event(posted.type, posted.time, posted.data, "f", may_backdate=False))
    answers = await writer.post([first, late])
    assert codes(answers) == ["replayed", "forbidden"]
    assert isinstance(answers[1].error, NotPermitted)


async def test_a_record_beyond_60_kib_is_refused_alone_and_keeps_nothing(shop: Shop):
    """Planted bug: the later commands of the stream kept on a version that was never written."""
    writer = await shop.writer()
    big = purchase("SO-BIG", 0, "2026-03-01", attributes={f"k{n}": "x" * 256 for n in range(32)})
    lines = [{"line": n, "sku": "s" * 256, "quantity": 1, "amount": 0, "category": "c" * 256} for n in range(1, 100)]
    big.data["lines"] = lines
    answers = await writer.post([command(grant(1)), command(big), command(grant(2)), command(grant(3), "c-2")])
    assert codes(answers) == ["recorded", "record_too_large", "recorded", "recorded"]
    assert isinstance(answers[1].error, RecordTooLarge)
    assert [record.version for record in await shop.records()] == [1, 2]
    assert await shop.points() == 3


async def test_a_batch_may_mix_the_programs_own_events_with_customers(shop: Shop):
    """What is posted after a place is registered sees it."""
    writer = await shop.writer()
    place = {"store": "S-1", "channel": "shop"}
    answers = await writer.post(
        [
            command(purchase("SO-1", 100, "2026-02-01", place=place)),
            command(registered("S-1", "Acme", "2026-01-01T00:00:00Z", "2026-02-01")),
            command(registered("S-2", "Beta", "2026-01-01T00:00:00Z", "2026-02-01")),
            command(purchase("SO-2", 100, "2026-02-01", place=place)),
        ]
    )
    assert codes(answers) == ["recorded"] * 4
    first, second = await shop.records()
    assert "brand" not in (first.derived or {})
    assert (second.derived or {})["brand"] == "Acme"
    assert receipt_of(answers[1])["subject"] == PROGRAM


async def test_a_kept_event_and_its_refusal_read_back_as_they_were():
    posted = command(refunded("SO-1", 100, "2026-03-01"))
    assert command_of(kept_event(posted)) == posted
    problem = refused(kept_problem(PurchaseUnknown(waits_for="purchase:default:SO-1", order_id="SO-1")))
    assert isinstance(problem, PurchaseUnknown)
    assert (problem.waits_for, problem.facts) == ("purchase:default:SO-1", {"order_id": "SO-1"})
    assert problem.retryable


async def test_the_refusal_of_a_code_no_longer_raised_is_answered_all_the_same():
    kept = orjson.dumps({"code": "gone", "detail": "Was refused once.", "facts": {"n": 1}, "retryable": False})
    problem = refused(kept)
    assert (problem.code, problem.message, problem.facts) == ("gone", "Was refused once.", {"n": 1})


async def test_a_customer_signs_up_once_whatever_the_key(shop: Shop):
    writer = await shop.writer()
    answers = [await writer.post([command(signed_up("2026-03-01"))]) for _ in range(2)]
    assert [codes(answer) for answer in answers] == [["recorded"], ["replayed"]]


@pytest.mark.parametrize("customer", ["c-1", "x" * 128, "a:b@c.d"])
def test_the_quick_stream_id_is_the_stream_id(customer: str):
    quick = stream_ids(program_stream_id(PROGRAM))(customer)
    slow = customer_stream_id(PROGRAM, customer)
    assert quick == slow
    assert hash(quick) == hash(slow)
