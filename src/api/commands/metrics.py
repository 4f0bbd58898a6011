"""`ledger metric`: a metric of a program at any pair of cut-offs, or the list of all metrics."""

from typing import Annotated, Any

import orjson
import typer

from api.commands.connecting import Database, database
from api.commands.console import note, say, show_table
from api.commands.fleets import fleet_of
from api.commands.options import PROGRAM, AsOfOption, JsonOption, KnownAtOption, ProgramOption
from api.commands.running import run
from ledger.settings import Settings
from projections.errors import bad_parameter
from projections.metrics.answering import answer, listing
from projections.metrics.asking import find

Answer = dict[str, Any]


def metric(
    name: Annotated[
        str | None, typer.Argument(help="Such as customers or repurchase_rate/window; none: list all.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="from=, to=, by=, explain=true, and what the metric takes."),
    ] = None,
    program: ProgramOption = PROGRAM,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Answer a metric over all customers of a program, such as: ledger metric repurchase_rate/window by=month."""
    if name is None:
        _list(as_json=as_json)
        return
    parameters = dict(_pair(one) for one in given or ())
    find(name)
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_answer(settings, at, program, name, parameters, as_of, known_at))
    if as_json:
        say(orjson.dumps(found).decode())
    else:
        _show(found)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise bad_parameter(key, "given as KEY=VALUE")
    return key, value


def _list(*, as_json: bool) -> None:
    if as_json:
        say(orjson.dumps(listing()).decode())
        return
    show_table(["metric", "is"], [(one["metric"], one["sentence"]) for one in listing()])


async def _answer(
    settings: Settings,
    at: Database,
    name: str,
    metric_name: str,
    parameters: dict[str, str],
    as_of: str | None,
    known_at: str | None,
) -> Answer:
    async with fleet_of(settings, at, name, as_of=as_of, known_at=known_at) as fleet:
        return answer(fleet, metric_name, parameters)


def _show(found: Answer) -> None:
    note(found["sentence"])
    rows = found["rows"]
    if rows:
        columns = list(rows[0])
        numeric = {name for name in columns if any(isinstance(row[name], int | float) for row in rows)}
        heads = [f"{name}#" if name in numeric else name for name in columns]
        show_table(heads, [[_cell(row[name]) for name in columns] for row in rows])
    said = ", ".join(f"{name}={value}" for name, value in found["parameters"].items() if value is not None)
    if "explained" in found:
        _show_records(found["explained"])
    note(f"{found['metric']} ({said}) as of {found['as_of']}, known at position {found['position']:,}")
    if found.get("currency"):
        note(f"amounts in minor units of {found['currency']}")


def _show_records(explained: Answer) -> None:
    records = explained["records"]
    heads = ["position#", "customer", "version#", "type", "at"]
    show_table(heads, [(one["position"], one["customer"], one["version"], one["type"], one["at"]) for one in records])
    after = f"; the next from records_after={explained['next']} on" if explained["next"] is not None else ""
    note(f"{len(records):,} of {explained['count']:,} records{after}")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "incomplete" if value else ""
    return f"{value:,.4f}" if isinstance(value, float) else value
