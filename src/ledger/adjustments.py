"""The register of adjustments: who changed points by hand or by an order, when, by how much, why, and who approved it."""

from typing import Any

import orjson

from ledger.changes import SOURCE as BY_CHANGE
from ledger.correcting import Outcome, outcome_of
from ledger.corrections import Correction
from ledger.program import ProgramState
from ledger.records import Record, customer_stream_id, upcast
from ledger.store import Connection, StoredRecord
from ledger.store_corrections import read_adjustments

READ_AT_ONCE = 1_000


async def register(  # noqa: PLR0913 - what a page is asked by
    conn: Connection,
    log_id: int,
    program: str,
    state: ProgramState,
    *,
    after: int,
    up_to: int,
    limit: int,
    customer: str | None = None,
    correction: str | None = None,
) -> list[dict[str, Any]]:
    """Adjustments at positions after … up to, oldest first: of one customer, of one order to correct, or all.

    Raises:
        DatabaseUnavailable
    """
    stream_id = None if customer is None else customer_stream_id(program, customer)
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        page = await read_adjustments(conn, log_id, after=after, up_to=up_to, limit=READ_AT_ONCE, stream_id=stream_id)
        entries = [entry_of(stored, state) for stored in page]
        found += [entry for entry in entries if correction in (None, entry["correction"])]
        if len(page) < READ_AT_ONCE:
            break
        after = page[-1].position
    return found[:limit]


async def outcomes(conn: Connection, log_id: int, order: Correction, *, up_to: int) -> list[Outcome]:
    """What an order came to, by the adjustments it has brought about.

    Raises:
        DatabaseUnavailable
    """
    found: list[Outcome] = []
    after = 0
    while page := await read_adjustments(conn, log_id, after=after, up_to=up_to, limit=READ_AT_ONCE):
        records = [Record.from_bytes(stored.record) for stored in page]
        mine = [record for record in records if record.data.get("correction") == order.id]
        found += [outcome_of(record.subject, (record.derived or {})["corrected"]) for record in mine]
        after = page[-1].position
    return found


def entry_of(stored: StoredRecord, state: ProgramState) -> dict[str, Any]:
    """An adjustment as the register shows it; `points` is what it changed the balance by."""
    shown = upcast(orjson.loads(stored.record))
    record = Record.from_json(shown)
    order = state.corrections.get(record.data.get("correction", ""))
    number = order.change if order is not None else _change_of(record)
    change = None if number is None else state.changes.get(number)
    return {
        "position": stored.position,
        "customer": record.subject,
        "time": shown["time"],
        "recorded_at": shown["recorded_at"],
        "points": _points(record),
        "reason": record.data["reason"],
        "ticket": record.data.get("ticket"),
        "actor": record.actor,
        "proposed_by": None if change is None else change.proposed_by,
        "approved_by": None if change is None else change.approved_by,
        "change": number,
        "correction": record.data.get("correction"),
    }


def _change_of(record: Record) -> str | None:
    return record.id if record.source == BY_CHANGE else None


def _points(record: Record) -> int:
    """What came from the program's accounts less what went to them; covering a debt moves nothing between the two."""
    given = sum(one.amount for one in record.postings if one.asset == "points" and one.source.startswith("program:"))
    taken = sum(one.amount for one in record.postings if one.asset == "points" and one.to.startswith("program:"))
    return given - taken
