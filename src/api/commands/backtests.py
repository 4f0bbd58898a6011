"""`ledger rules backtest`: the whole base under a proposed document, beside what the rules in force came to."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import bar, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.rulebooks import read_file
from api.commands.running import collect_rarely, run
from ledger import store
from ledger.errors import ProgramUnknown
from ledger.leasing import lent
from ledger.rules import RulesDocument
from ledger.settings import Settings
from projections.backtest import SEGMENTS, WITH_MORE, Backtest, backtest

Row = tuple[object, ...]

_ACCOUNTS = {
    "opening": "taken over",
    "issued": "issued",
    "redeemed": "redeemed",
    "expired": "expired",
    "reversed": "taken back",
    "adjusted": "adjusted",
}


def run_backtest(
    file: Annotated[Path, typer.Argument(help="The proposed rules document, in YAML or JSON.")],
    program: ProgramOption = PROGRAM,
    *,
    as_json: JsonOption = False,
) -> None:
    """Decide every event of the log again under a proposed document and compare. Nothing is written.

    Issued, redeemed, expired and outstanding points, members per tier, upgrades and downgrades, by segment.
    """
    collect_rarely()
    document, _ = read_file(file)
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_run(settings, at, program, document))
    if as_json:
        say(orjson.dumps(found.to_json()).decode())
    else:
        _show(found)


async def _run(settings: Settings, at: Database, name: str, document: RulesDocument) -> Backtest:
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        async with lent(ledger.pool) as conn:
            row = await store.read_log_of(conn, name)
            if row is None:
                raise ProgramUnknown(program=name)
            with bar(f"{name} under {document.effective_from or 'the proposed rules'}", row.next_position - 1) as done:
                return await backtest(
                    conn, program.log_id, name, program.state, document, now=ledger.now(), on_progress=done
                )


def _show(found: Backtest) -> None:
    now, then = found.now, found.then
    others = sorted((now.accounts.keys() | then.accounts.keys()) - _ACCOUNTS.keys())
    names = {**_ACCOUNTS, **{name: name for name in others}}
    rows = [(shown, now.accounts[name], then.accounts[name]) for name, shown in names.items()]
    rows = [row for row in rows if row[1] or row[2]]
    rows.append(("outstanding", now.outstanding.total(), then.outstanding.total()))
    _table("points", rows)
    _table("outstanding, by segment", _by_segment(found))
    tiers = sorted(now.tiers.keys() | then.tiers.keys())
    _table("members per tier", [(tier, now.tiers[tier], then.tiers[tier]) for tier in tiers])
    kinds = sorted(now.moved.keys() | then.moved.keys())
    _table("changes of tier", [(kind, now.moved[kind], then.moved[kind]) for kind in kinds])
    _table("events refused", [(code, 0, count) for code, count in then.refused.most_common()])
    say(f"{found.customers:,} customers: {found.gain:,} would have more points, {found.lose:,} fewer")
    speed = f"{found.records_per_second:,} records/s on one core"
    say(f"{found.records:,} records, {found.events:,} events decided again in {found.seconds:.1f} s: {speed}")


def _by_segment(found: Backtest) -> list[tuple[str, int, int]]:
    names = [*(name for name, _ in SEGMENTS), WITH_MORE]
    return [
        (f"{name} ({found.segments[name]:,})", found.now.outstanding[name], found.then.outstanding[name])
        for name in names
        if found.segments[name]
    ]


def _table(title: str, rows: Iterable[tuple[str, int, int]]) -> None:
    shown: list[Row] = [(name, old, new, _signed(new - old), _percent(old, new)) for name, old, new in rows]
    if shown:
        show_table([title, "as it is#", "proposed#", "difference#", "%#"], shown)
        say()


def _signed(amount: int) -> str:
    return f"{amount:+,}" if amount else "0"


def _percent(old: int, new: int) -> str:
    return f"{100 * (new - old) / abs(old):+.1f}" if old else ""
