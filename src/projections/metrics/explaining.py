"""`explain=true`: the records behind an answer, or behind one row of it, counted and a page at a time."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.instants import from_datetime, show
from projections.errors import bad_parameter
from projections.metrics.definition import Asked, Definition, Row
from projections.metrics.periods import named
from projections.twin.fleet import Expression, Fleet

NAMES = ("explain", "cell", "records_after", "records_limit")
"""What is asked with, besides the question itself."""

LIMIT = 100
LIMIT_MAX = 1_000
DIGITS_MAX = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: those of one row (its keys' values as they are shown, "" = null) or of all; after a position, so many."""

    cell: tuple[str, ...] | None
    after: int
    limit: int


def wanted(definition: Definition, asked: Asked, given: Mapping[str, str]) -> Wanted | None:
    """Which records are asked for, if any.

    Raises:
        FormError: the metric explains nothing, or what is given does not say which records.
    """
    explain = given.get("explain", "false")
    if explain not in ("true", "false"):
        raise bad_parameter("explain", "true or false")
    if explain == "false":
        for name in NAMES:
            if name in given and name != "explain":
                raise bad_parameter(name, "only with explain=true")
        return None
    if isinstance(definition.explain, str):
        raise bad_parameter("explain", f"{definition.name} cannot be explained: {definition.explain}")
    after = _whole(given, "records_after", 0, least=0, most=10**DIGITS_MAX - 1)
    limit = _whole(given, "records_limit", LIMIT, least=1, most=LIMIT_MAX)
    return Wanted(_cell(definition, asked, given.get("cell")), after, limit)


def keys_of(definition: Definition, asked: Asked) -> tuple[str, ...]:
    """What tells the rows of an answer apart."""
    return (*(("period",) if asked.unit else ()), *asked.dimensions, *definition.keys)


def only(rows: list[Row], keys: tuple[str, ...], cell: tuple[str, ...]) -> list[Row]:
    """The row of a cell.

    Raises:
        FormError: there is none.
    """
    found = [row for row in rows if all(_is(row[key], value) for key, value in zip(keys, cell, strict=True))]
    if not found:
        raise bad_parameter("cell", "no row of the answer has this " + ", ".join(keys))
    return found


def records_behind(
    fleet: Fleet, definition: Definition, asked: Asked, which: Wanted, rows: list[Row]
) -> dict[str, Any]:
    """A page of the records behind these rows, in order of position, and how many they are in all."""
    assert not isinstance(definition.explain, str)  # noqa: S101 - `wanted` has refused it
    behind = definition.explain(fleet, asked)
    if which.cell is not None:
        for key, value in zip(keys_of(definition, asked), which.cell, strict=True):
            behind = behind.filter(_has(behind[key], key, value, asked))
    elif "limit" in asked.parameters:
        behind = behind.semi_join(_listed(rows, definition.keys), definition.keys)
    positions = behind.select("position").distinct()
    (counted,) = fleet.rows(positions.agg(n=positions.count()))
    records = fleet.backend.table("records")
    page = records.semi_join(positions, "position").filter(records.position > which.after)
    page = page.order_by("position").limit(which.limit + 1)
    found = sorted(fleet.rows(page.select("position", "customer", "version", "type", "at")), key=_position)
    shown = found[: which.limit]
    return {
        "cell": None if which.cell is None else dict(zip(keys_of(definition, asked), which.cell, strict=True)),
        "count": counted["n"],
        "records": [{**row, "at": _shown(row["at"])} for row in shown],
        "next": shown[-1]["position"] if len(found) > which.limit else None,
    }


def _listed(rows: list[Row], keys: tuple[str, ...]) -> Expression:
    """What tells the rows apart that were within the limit; it is text."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415

    return ibis.memtable(pa.table({key: pa.array([row[key] for row in rows], pa.string()) for key in keys}))


def _cell(definition: Definition, asked: Asked, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    keys = keys_of(definition, asked)
    cell = tuple(next(csv.reader([text]), [""])) if len(keys) != 1 else (text,)
    if not keys or len(cell) != len(keys):
        what = f"the {', '.join(keys)} of a row, with commas" if keys else "left out: the answer is one row"
        raise bad_parameter("cell", f"must be {what}")
    if asked.unit:
        try:
            named(cell[0], asked.unit)
        except ValueError as error:
            raise bad_parameter("cell", f"{cell[0][:64]!r} is no {asked.unit}") from error
    return cell


def _whole(given: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX and least <= int(text) <= most):
        raise bad_parameter(name, f"a whole number from {least} to {most}")
    return int(text)


def _is(shown: Any, value: str) -> bool:
    if isinstance(shown, int | float):
        return _number(value) == shown
    return (shown or "") == value


def _has(column: Expression, key: str, value: str, asked: Asked) -> Expression:
    """Whether a row of the records' table is of the cell."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    if key == "period" and asked.unit:
        return column == ibis.date(named(value, asked.unit).isoformat())
    if column.type().is_numeric():
        return column.cast("float64") == _number(value)
    return column.isnull() if value == "" else column == value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _position(row: Row) -> int:
    position: int = row["position"]
    return position


def _shown(moment: datetime) -> str:
    return show(from_datetime(moment.replace(tzinfo=UTC)))
