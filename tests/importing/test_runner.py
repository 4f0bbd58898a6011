"""An import posts through the writer, in order, once; and everything in the file is accounted for at its end."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from api.importing import runner
from ledger.answers import Answer
from ledger.checking import check
from ledger.embedded import EmbeddedPostgres
from ledger.errors import DatabaseUnavailable, QueueFull
from ledger.leasing import lent
from ledger.migrating import migrate
from ledger.service import Ledger
from ledger.settings import Settings
from tests.importing.conftest import MAPPING, RULES, Imported, content_of, csv_of

ORDERS = csv_of(
    "1,a,2011-01-04 10:00,A,2,2.55",
    "1,a,2011-01-04 10:00,B,1,10.001",
    "2,b,2011-01-05 10:00,A,10,1.00",
    "3,,2011-01-05 11:00,A,1,1.00",
    "C4,a,2011-01-06 10:00,A,-1,2.55",
    "5,a,2011-02-06 10:00,A,4,25.00",
)


async def test_every_row_and_every_penny_is_accounted_for(importing: Imported):
    summary = await importing.run(importing.table(ORDERS))
    shown = summary.to_json()
    assert shown["rows"] == {"read": 6, "in_events": 5, "left_out": {"no customer": 1}, "faulty": 0, "refused": 0}
    assert shown["events"] == {"recorded": 4, "replayed": 0, "refused": {}, "waiting": 0}
    purchases, returns = shown["money"]
    assert (purchases["exact"], purchases["file"], purchases["ledger"]) == ("125.101", 12_510, 12_510)
    assert (returns["exact"], returns["file"], returns["ledger"]) == ("2.55", 255, 255)
    assert shown["points"] == {"customer:points": 123, "program:issued:purchase": -125, "program:reversed": 2}
    assert (shown["customers"], shown["agrees"]) == (2, True)


async def test_a_file_imported_twice_changes_nothing(importing: Imported):
    first = await importing.run(importing.table(ORDERS))
    records = await importing.records()
    second = await importing.run(importing.table(ORDERS))
    assert [record.to_bytes() for record in await importing.records()] == [record.to_bytes() for record in records]
    assert (second.recorded, second.replayed, second.agrees) == (0, first.recorded, True)
    assert (second.money, second.points) == (first.money, first.points)


@pytest.mark.parametrize("batches", [1, 2, 3])
async def test_an_import_that_was_cut_short_is_run_again_with_the_result_of_one_run(
    importing: Imported, monkeypatch, batches
):
    """Cut after some batches of two events; the second run gives the records a single run gives, in the same order."""
    monkeypatch.setattr(runner, "BATCH", 2)
    many = csv_of(
        *[f"{n},c{n % 3},2011-01-{1 + n // 2:02d} 10:00,A,{n + 1},3.335" for n in range(20)], "C20,c1,2011-02-01,A,-3,3"
    )
    settle, settled = runner.Import._settle, 0

    async def cut(self):
        nonlocal settled
        settled += 1
        if settled > batches:
            raise KeyboardInterrupt
        await settle(self)

    with monkeypatch.context() as patched:
        patched.setattr(runner.Import, "_settle", cut)
        with pytest.raises(KeyboardInterrupt):
            await importing.run(importing.table(many))
    again = await importing.run(importing.table(many))
    assert again.agrees
    assert again.replayed >= 2 * batches
    await importing.ledger.publish("whole", RULES, actor="me")
    await importing.run(importing.table(many), "whole")
    assert content_of(await importing.records()) == content_of(await importing.records("whole"))


async def test_an_order_whose_rows_stand_too_far_apart_is_named_and_not_recorded_twice(importing: Imported):
    rows = csv_of(
        "1,a,2011-01-04,A,1,1.00", "2,a,2011-01-04,A,1,1.00", "3,a,2011-01-04,A,1,1.00", "1,a,2011-01-05,B,1,7.00"
    )
    summary = await importing.run(importing.table(rows, MAPPING + "open_orders: 2"))
    assert (summary.recorded, dict(summary.refused), summary.rows_refused) == (3, {"key_reused": 1}, 1)
    assert importing.faults[0].where == "order 1 (row 5)"
    assert "/data/total" in importing.faults[0].reason
    assert summary.agrees, "what was refused is no difference: it is named"
    assert (await importing.run(importing.table(rows, MAPPING))).refused == {"key_reused": 1}


async def test_a_broken_line_is_named_and_the_rest_is_imported(importing: Imported):
    rows = csv_of("1,a,2011-01-04,A,1,1.00", "2,a,2011-01-04,A,one,1.00", "3,a", "4,a,2011-01-04,A,1,1.00")
    summary = await importing.run(importing.table(rows))
    assert (summary.recorded, summary.rows_faulty, summary.agrees) == (2, 2, True)
    assert [(fault.where, fault.reason) for fault in importing.faults] == [
        ("line 4", "2 cells where the header has 6"),
        ("order 2 (row 3)", "row 3: column 'quantity': 'one' is not a number"),
    ]


async def test_an_order_the_ledger_does_not_take_is_named_with_the_reason(importing: Imported):
    rows = csv_of("1,13912345678,2011-01-04,A,1,1.00", "2,a,2099-01-04,A,1,1.00", "3,a,2011-01-04,A,1,1.00")
    summary = await importing.run(importing.table(rows))
    assert dict(summary.refused) == {"personal_identifier": 1, "time_in_future": 1}
    assert (summary.recorded, summary.rows_refused, summary.agrees) == (1, 2, True)
    assert {fault.where for fault in importing.faults} == {"order 1 (row 2)", "order 2 (row 3)"}


async def test_what_cannot_be_written_for_a_moment_is_sent_again_in_order(importing: Imported, monkeypatch):
    monkeypatch.setattr(runner, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(runner, "BATCH", 2)
    post_many, failures = Ledger.post_many, iter([QueueFull(), None, DatabaseUnavailable(), None, QueueFull()])

    async def failing(self, program, commands):
        error = next(failures, None)
        return [Answer(None, error)] * len(commands) if error else await post_many(self, program, commands)

    monkeypatch.setattr(Ledger, "post_many", failing)
    summary = await importing.run(importing.table(ORDERS))
    assert (summary.recorded, summary.refused, summary.agrees) == (4, {}, True)


async def test_a_database_that_stays_away_ends_the_import_with_an_error(importing: Imported, monkeypatch):
    monkeypatch.setattr(runner, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(runner, "PATIENCE_SECONDS", 0)

    async def away(self, program, commands):
        await asyncio.sleep(0)
        return [Answer(None, DatabaseUnavailable())] * len(commands)

    monkeypatch.setattr(Ledger, "post_many", away)
    with pytest.raises(DatabaseUnavailable):
        await importing.run(importing.table(ORDERS))


def _event(number: int, kind: str, **data: object) -> str:
    shown = {"specversion": "1.0", "id": str(number), "source": "/till", "type": kind, "subject": "a"}
    return json.dumps({**shown, "time": f"2011-01-{number:02d}T10:00:00Z", "data": data})


async def test_lines_of_events_are_posted_as_they_are_and_broken_ones_are_named(importing: Imported):
    summary = await importing.run(
        importing.events(
            _event(1, "purchase.recorded", order_id="1", currency="GBP", total=500),
            "{not json",
            "",
            _event(2, "purchase.recorded", order_id="2", currency="GBP", total=-1),
            _event(3, "points.redeemed", redemption_id="R", points=50),
            _event(4, "points.redeemed", redemption_id="S", points=5),
            json.dumps({"specversion": "1.0", "id": "x" * 60_000}),
        )
    )
    assert dict(summary.refused) == {
        "malformed_json": 1,
        "malformed": 1,
        "insufficient_points": 1,
        "event_too_large": 1,
    }
    assert [fault.where for fault in importing.faults] == ["line 2", "line 4", "line 5", "line 7"]
    assert (summary.rows, summary.rows_in_events, summary.rows_refused, summary.agrees) == (6, 2, 4, True)
    assert summary.points == {"program:issued:purchase": -5, "customer:points": 0, "program:redeemed": 5}


async def test_an_event_that_waits_for_one_further_down_the_file_is_recorded_in_the_end(importing: Imported):
    summary = await importing.run(
        importing.events(
            _event(2, "purchase.refunded", refund_id="R", order_id="1", amount=100),
            _event(3, "purchase.refunded", refund_id="S", order_id="9", amount=100),
            _event(1, "purchase.recorded", order_id="1", currency="GBP", total=500),
        )
    )
    assert (summary.recorded, summary.waiting, dict(summary.refused)) == (2, 1, {"purchase_unknown": 1})
    assert importing.faults[0].where == "line 2"
    assert summary.agrees


async def test_the_clock_is_held_while_history_is_posted(importing: Imported, migrated_database, monkeypatch):
    """A server's clock works beside an import of points long gone: nothing of the import is late.

    Without `held` the clock expires what was just posted, and the events after it are decided as late ones.
    """
    monkeypatch.setattr(runner, "BATCH", 5)
    monkeypatch.setattr("ledger.service.LOOK_SECONDS", 0.01)
    rows = [f"{n},c,{2001 + n // 12}-{1 + n % 12:02d}-10,A,1,100.00" for n in range(60)]
    async with Ledger.opened(Settings.model_validate({}), service_url=migrated_database.service_url):
        summary = await importing.run(importing.table(csv_of(*rows)))
        instants = [record.instant for record in await importing.records()]
    assert summary.agrees
    assert instants == sorted(instants)


@pytest.mark.slow
async def test_a_database_that_dies_meanwhile_is_waited_for(
    own_postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch
):
    """Killed after the second batch; what was on its way is settled or sent again, and all is there once."""
    monkeypatch.setattr(runner, "BATCH", 50)
    await asyncio.to_thread(migrate, own_postgres.owner_url)
    count, settled = runner.Import._count, 0

    async def killing(self, items, answers):
        nonlocal settled
        settled += 1
        if settled == 2:
            os.kill(own_postgres.pid, signal.SIGKILL)
        await count(self, items, answers)

    monkeypatch.setattr(runner.Import, "_count", killing)
    rows = [f"{n},c{n % 7},2011-01-{1 + n // 40:02d} 10:{n % 40:02d},A,1,{n}.00" for n in range(500)]
    async with Ledger.opened(Settings.model_validate({}), service_url=own_postgres.service_url, works=False) as ledger:
        await ledger.publish("shop", RULES, actor="me")
        importing = Imported(ledger, tmp_path)
        summary = await importing.run(importing.table(csv_of(*rows)))
        async with lent(ledger.pool) as conn:
            reports = await check(conn)
    assert (summary.recorded + summary.replayed, summary.refused, summary.agrees) == (500, {}, True)
    assert [report.first for report in reports] == [None, None]
