"""`ledger replay`: a customer's records in order, each with what it moved and the balances it left."""

from typing import Annotated, Any

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import say, show_table
from api.commands.options import PROGRAM, AsOfOption, JsonOption, KnownAtOption, ProgramOption
from api.commands.running import run
from api.importing.summary import shown
from ledger import reading
from ledger.leasing import lent
from ledger.reading import Book
from ledger.settings import Settings

Line = dict[str, Any]


def replay(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    program: ProgramOption = PROGRAM,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Replay a customer's history: every record, what it moved, the balances after it, and what they came to.

    With --json every record carries the whole state after it at --as-of, as over HTTP.
    """
    with database(Settings.from_environment()) as at:
        run(_replay(at, program, customer, as_of, known_at, as_json=as_json))


async def _replay(
    at: Database, name: str, customer: str, as_of: str | None, known_at: str | None, *, as_json: bool
) -> None:
    async with opened(Settings.from_environment(), at) as ledger:
        program = await ledger.find(name)
        book = Book(program.log_id, program.name, program.state.rules.latest.document.zone, program.state)
        rows: list[tuple[object, ...]] = []
        last: Line = {}
        async with lent(ledger.pool) as conn:
            lines = reading.replay(conn, book, customer, now=ledger.now(), as_of=as_of, known_at=known_at)
            async for line in lines:
                if as_json:
                    say(orjson.dumps(line).decode())
                elif "summary" in line:
                    _show(rows, last, line["summary"])
                else:
                    rows += _rows(line)
                    last = line["state"]


def _rows(line: Line) -> list[tuple[object, ...]]:
    """A record with the balances it recorded, then its postings below it."""
    record = orjson.loads(orjson.dumps(line["record"]))
    balances = _balances(record["balances"])
    first = (record["version"], line["position"], record["time"], record["type"], _named(record), balances)
    moved = [("", "", "", "", _moved(posting), "") for posting in record["postings"]]
    return [first, *moved, *(("", "", "", "", f"note: {note['code']}", "") for note in record.get("notes", ()))]


_NAMES = ("order_id", "return_id", "refund_id", "redemption_id", "grant_id", "system", "reason")


def _named(record: Line) -> str:
    """What the record says of itself, in short."""
    data = record["data"]
    named = next((str(data[name]) for name in _NAMES if name in data), "")
    amount, currency = (
        data.get("total", data.get("amount")),
        data.get("currency") or record.get("derived", {}).get("currency"),
    )
    return named if amount is None or currency is None else f"{named}: {shown(amount, currency)} {currency}"


def _balances(balances: Line) -> str:
    return ", ".join(f"{asset} {amount:,}" for asset, amount in balances.items())


def _moved(posting: Line) -> str:
    lots = ", ".join(
        f"{lot} −{amount:,}" if posting["from"].startswith("customer:") else f"{lot} +{amount:,}"
        for lot, amount in posting.get("lots", ())
    )
    opened_lot = f"lot {posting['lot']}" if "lot" in posting else ""
    until = f" until {posting['expires_at']}" if "expires_at" in posting else ""
    named = "; ".join(part for part in (opened_lot, lots) if part)
    return f"{posting['amount']:,} {posting['asset']}  {posting['from']} → {posting['to']}  ({named}{until})"


def _show(rows: list[tuple[object, ...]], state: Line, summary: Line) -> None:
    show_table(["version#", "position#", "time", "type", "what", "balances"], rows)
    say()
    say(f"{summary['records']:,} records, known at position {summary['position']:,}")
    say(f"as of {state['as_of']}: {_balances(state['balances'])}")
    totals = state["totals"]
    say(f"{totals['orders']:,} orders, {totals['refunds']:,} refunds and returns")
    for currency, gross in totals["gross"].items():
        say(f"gross {shown(gross, currency)}, net {shown(totals['net'].get(currency, 0), currency)} {currency}")
