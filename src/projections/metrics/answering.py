"""From a question to an answer: the rows, and everything that says which number it is.

An answer carries the definition's id, its parameters, both cut-offs, the position, and how many records stand behind it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ledger.instants import show
from projections.metrics.asking import ask, find
from projections.metrics.definition import Asked, Definition, Row
from projections.metrics.definitions import DEFINITIONS
from projections.metrics.explaining import keys_of, only, records_behind, wanted
from projections.metrics.orders import currency_of
from projections.metrics.periods import first_day, is_incomplete, local_day, name_of, periods_between
from projections.twin.fleet import Fleet

PERIODS_MAX = 10_000
"""Periods without anything in them are shown only where there are no more than this in all."""


def answer(fleet: Fleet, name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The answer to a question.

    Raises:
        MetricUnknown, FormError: nothing was computed.
    """
    definition = find(name)
    asked = ask(definition, given, fleet.book.zone)
    which = wanted(definition, asked, given)
    currency = currency_of(fleet, asked, definition.money) if "currency" in asked.parameters else None
    rows = definition.compute(fleet, asked)
    cut = fleet.cut
    shown: dict[str, Any] = {
        "metric": definition.id,
        "sentence": definition.sentence,
        "program": fleet.book.program,
        "parameters": dict(asked.parameters),
        "from": None if asked.start is None else show(asked.start),
        "to": None if asked.end is None else show(asked.end),
        "by": list(asked.by),
        "as_of": show(cut.as_of),
        "known_at": show(cut.known_at),
        "position": cut.position,
        "sealed_through": fleet.sealed_through,
        "counts": counts(fleet),
    }
    if "currency" in asked.parameters:
        shown["currency"] = currency
    rows = finished(fleet, definition, asked, rows)
    if which is None:
        return {**shown, "rows": rows}
    if which.cell is not None:
        rows = only(rows, keys_of(definition, asked), which.cell)
    return {**shown, "rows": rows, "explained": records_behind(fleet, definition, asked, which, rows)}


def listing() -> list[dict[str, Any]]:
    """Every definition with its sentence, formula, parameters, and what it can be asked by."""
    return [
        {
            "metric": one.id,
            "sentence": one.sentence,
            "formula": one.formula,
            "by": list(one.by),
            "explained": not isinstance(one.explain, str),
            "parameters": [
                {
                    "name": parameter.name,
                    "says": parameter.says,
                    "kind": parameter.kind,
                    "default": parameter.default,
                    "choices": list(parameter.choices),
                }
                for parameter in one.parameters
            ],
        }
        for one in DEFINITIONS
    ]


def counts(fleet: Fleet) -> dict[str, int]:
    """How many records, orders, and refunds and returns the answer was drawn from."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    tables = {name: fleet.table(name) for name in ("records", "orders", "refunds")}
    each = [table.agg(of=ibis.literal(name), n=table.count()) for name, table in tables.items()]
    found = {row["of"]: row["n"] for row in fleet.rows(ibis.union(*each))}
    return {name: found[name] for name in tables}


def finished(fleet: Fleet, definition: Definition, asked: Asked, rows: list[Row]) -> list[Row]:
    """Rows in order, with the names of their periods, those in which nothing happened, and what is incomplete."""
    unit = asked.unit
    if unit is None:
        return sorted(rows, key=lambda row: [str(row.get(name) or "") for name in asked.by])
    if definition.empty is not None and not asked.dimensions:
        rows = _filled(fleet, asked, unit, rows, definition.empty)
    rows = sorted(rows, key=lambda row: (row["period"], *(str(row.get(name) or "") for name in asked.dimensions)))
    return [_named(fleet, asked, unit, row) for row in rows]


def _filled(fleet: Fleet, asked: Asked, unit: str, rows: list[Row], empty: Row) -> list[Row]:
    zone, there = fleet.book.zone, {row["period"]: row for row in rows}
    days = [*there]
    if asked.start is not None:
        days.append(first_day(local_day(asked.start, zone), unit))
    if asked.end is not None:
        days.append(first_day(local_day(min(asked.end - 1, fleet.cut.as_of), zone), unit))
    if not days:
        return rows
    between = periods_between(min(days), max(days), unit)
    if len(between) > PERIODS_MAX:
        return rows
    return [there.get(day, {"period": day, **empty}) for day in between]


def _named(fleet: Fleet, asked: Asked, unit: str, row: Row) -> Row:
    first: date = row["period"]
    incomplete = is_incomplete(first, unit, fleet.book.zone, start=asked.start, end=asked.end, as_of=fleet.cut.as_of)
    return {**row, "period": name_of(first, unit), "incomplete": bool(row.get("incomplete")) or incomplete}
