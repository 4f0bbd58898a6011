"""Points owed, the plain report: what is outstanding at a pair of cut-offs, how it came to be, and what it is worth.

`points@1`, effective basis: what had happened by `as_of`, as far as it was written at `known_at`. Outstanding points are the
remainders of lots, pending ones included and shown apart; debts and held points stand beside them and are never netted.
The roll-forward: opening + opened + granted + reinstated ± adjusted ± transferred − redeemed − expired − clawed back − debts
covered = closing, to the last point, in total and for every value of every dimension.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ledger.instants import NEVER, show
from ledger.money import Rounding, exponent, rounded, split
from ledger.rules.valuation import Valuation
from projections.reports.movements import Page
from projections.reports.points_book import ACCOUNT, DEBT, HELD, ORDER, Book, Line, Slice, Trace
from projections.reports.tally import Figures, Owed, Tally

DEFINITION = "points@1"
DIMENSIONS = ("entity", "grant_month", "expiry_month", "reason")

_EVER = -NEVER


@dataclass(frozen=True, slots=True)
class Header:
    """What was asked, resolved: it stands in the answer, and asked again it gives the same bytes.

    Attributes:
        opens_at: the last microsecond before the period; None: the period is all time until `as_of`.
        valuations: those of the rules that count at `as_of`.
    """

    program: str
    zone: ZoneInfo
    scale: int
    as_of: int
    known_at: int
    position: int
    opens_at: int | None
    valuations: tuple[Valuation, ...] = ()


async def filled_book(header: Header, pages: AsyncIterator[Page], *, keeps_traces: bool = False) -> tuple[Book, int]:
    """Read all movements into a book; the book, and how many records were read.

    Raises:
        InvariantBroken, StreamUnreadable, DatabaseUnavailable: the report cannot be answered exactly, so it is not answered.
    """
    book = Book(header.zone, _EVER if header.opens_at is None else header.opens_at, header.as_of, keeps_traces)
    records = 0
    async for page in pages:
        records += page.records
        for movement in page.movements:
            book.add(movement)
    book.close()
    return book, records


def points_report(header: Header, tally: Tally, records: int) -> dict[str, Any]:
    """The report as JSON: totals, roll-forward, dimensions, slices, money, checks. A function of the log and of what was asked."""
    slices = {slice_: tally.slices[slice_] for slice_ in sorted(tally.slices, key=_slice_order)}
    total = Figures()
    for figures in slices.values():
        total.add(figures)
    order = sorted(total.flows, key=_place)
    money = [_worth(valuation, total.closing, header.scale) for valuation in header.valuations]
    by = {name: _dimension(slices, name, order, money) for name in DIMENSIONS}
    return {
        "report": DEFINITION,
        "basis": "effective",
        "program": header.program,
        "time_zone": header.zone.key,
        "points_scale": header.scale,
        "as_of": show(header.as_of),
        "known_at": show(header.known_at),
        "position": header.position,
        "from": None if header.opens_at is None else show(header.opens_at + 1),
        "totals": _totals(tally, total),
        "money": money,
        "roll_forward": _roll_forward(tally, total, order),
        "by": by,
        "slices": _rows(slices, money),
        "checks": _checks(tally, slices, total, by, money),
        "counts": {"records": records, "movements": tally.movements, "lots": tally.lots, "debts": tally.debts},
    }


def traced(book: Book, line: str, detail: str | None, chosen: dict[str, str | None]) -> list[Trace]:
    """The records behind a line, in the order of positions; what they count adds up to the line.

    Args:
        book: filled with `keeps_traces`.
        chosen: dimension → the value wanted.
    """
    found = [
        trace
        for trace in book.traces
        if trace.line.line == line
        and (detail is None or trace.line.detail == detail)
        and all(getattr(trace.slice, name) == value for name, value in chosen.items())
    ]
    return sorted(found, key=lambda trace: (trace.position, trace.lot, trace.line))


def _totals(tally: Tally, total: Figures) -> dict[str, int]:
    return {
        "outstanding": total.closing,
        "available": total.closing - total.pending,
        "pending": total.pending,
        "held": tally.held_closing,
        "lapsed_not_written": tally.unwritten,
        "debt": tally.debt,
        "lots": total.lots,
        "customers": tally.customers,
        "customers_in_debt": tally.customers_in_debt,
    }


def _roll_forward(tally: Tally, total: Figures, order: Sequence[Line]) -> dict[str, Any]:
    lines = [{"line": line.line, "detail": line.detail or None, "points": total.flows[line]} for line in order]
    return {
        "lines": [
            {"line": "opening", "detail": None, "points": total.opening},
            *lines,
            {"line": "closing", "detail": None, "points": total.closing},
        ],
        "debt": [_debt_row(entity, tally.owed[entity]) for entity in sorted(tally.owed, key=_none_last)],
        "held": [
            {"line": "opening", "points": tally.held_opening},
            *({"line": line.line, "points": points} for line, points in sorted(tally.held_flows.items()) if points),
            {"line": "closing", "points": tally.held_closing},
        ],
    }


def _debt_row(entity: str | None, owed: Owed) -> dict[str, Any]:
    return {
        "entity": entity,
        "opening": owed.opening,
        "opened": owed.opened,
        "covered": owed.covered,
        "closing": owed.closing,
    }


def _dimension(
    slices: dict[Slice, Figures], name: str, order: Sequence[Line], money: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    values: dict[str | None, Figures] = {}
    for slice_, figures in slices.items():
        values.setdefault(getattr(slice_, name), Figures()).add(figures)
    ordered = sorted(values, key=_none_last)
    rows = []
    for value in ordered:
        its = values[value]
        flows = [
            {"line": line.line, "detail": line.detail or None, "points": its.flows[line]}
            for line in order
            if its.flows[line]
        ]
        rows.append(
            {
                name: value,
                "opening": its.opening,
                "flows": flows,
                "closing": its.closing,
                "available": its.closing - its.pending,
                "pending": its.pending,
                "held": its.held,
                "lots": its.lots,
            }
        )
    return _with_shares(rows, money)


def _rows(slices: dict[Slice, Figures], money: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is outstanding, one row for each slice that holds anything."""
    rows = [
        {
            **slice_._asdict(),
            "closing": figures.closing,
            "available": figures.closing - figures.pending,
            "pending": figures.pending,
            "held": figures.held,
            "lots": figures.lots,
        }
        for slice_, figures in slices.items()
        if figures.closing or figures.held
    ]
    return _with_shares(rows, money)


def _with_shares(rows: list[dict[str, Any]], money: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their shares of the whole amount: rounded once and split, so that every dimension foots to it."""
    weights = [row["closing"] for row in rows]
    shares = {worth["currency"]: split(worth["amount"], weights) if rows else [] for worth in money}
    return [
        {**row, "money": {currency: parts[number] for currency, parts in shares.items()}}
        for number, row in enumerate(rows)
    ]


def _worth(valuation: Valuation, points: int, scale: int) -> dict[str, Any]:
    """Outstanding points × value per point × expected redemption rate, in minor units, rounded half up once."""
    currency = valuation.currency
    full = valuation.value * points * 10 ** exponent(currency) / 10**scale
    expected = full * valuation.rate
    return {
        "currency": currency,
        "effective_from": show(valuation.since),
        "value_per_point": valuation.value_per_point,
        "redemption_rate": valuation.redemption_rate,
        "amount": rounded(expected.numerator, expected.denominator, Rounding.HALF_UP),
        "amount_if_all_redeemed": rounded(full.numerator, full.denominator, Rounding.HALF_UP),
    }


def _checks(
    tally: Tally,
    slices: dict[Slice, Figures],
    total: Figures,
    by: dict[str, list[dict[str, Any]]],
    money: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """What must hold of the figures; each is added up in another way than the figure itself."""
    footed = total.opening + sum(total.flows.values())
    checks = [
        _check("opening + flows = closing", total.closing, footed),
        _check("every slice rolls forward", 0, sum(_gap(figures) != 0 for figures in slices.values())),
        _check(
            "customers' accounts = outstanding + lapsed and not yet written by the clock",
            total.closing + tally.unwritten - tally.released_unwritten,
            tally.accounts[ACCOUNT],
        ),
        _check(
            "held account = held + timed out and not yet written by the clock",
            tally.held_closing + tally.released_unwritten + tally.expired_held_unwritten,
            tally.accounts[HELD],
        ),
        _check("held rolls forward", tally.held_closing, tally.held_opening + sum(tally.held_flows.values())),
        _check("held by slice = held", tally.held_closing, total.held),
        _check("debt account = debts", -tally.debt, tally.accounts[DEBT]),
        _check(
            "debts roll forward",
            tally.debt,
            sum(owed.opening + owed.opened + owed.covered for owed in tally.owed.values()),
        ),
        _check("all accounts sum to zero", 0, sum(tally.accounts.values())),
    ]
    for name, rows in by.items():
        checks.append(_check(f"closing by {name} = closing", total.closing, sum(row["closing"] for row in rows)))
        for worth in money:
            currency = worth["currency"]
            shares = sum(row["money"][currency] for row in rows)
            checks.append(_check(f"{currency} by {name} = {currency}", worth["amount"], shares))
    return checks


def _gap(figures: Figures) -> int:
    return figures.opening + sum(figures.flows.values()) - figures.closing


def _check(name: str, expected: int, actual: int) -> dict[str, Any]:
    return {
        "check": name,
        "expected": expected,
        "actual": actual,
        "difference": actual - expected,
        "holds": actual == expected,
    }


def _place(line: Line) -> tuple[int, str, str]:
    return ORDER.index(line.line) if line.line in ORDER else len(ORDER), line.line, line.detail


def _slice_order(slice_: Slice) -> tuple[tuple[bool, str], ...]:
    return tuple(_none_last(value) for value in slice_)


def _none_last(value: str | None) -> tuple[bool, str]:
    return value is None, value or ""


def holds(checks: Iterable[dict[str, Any]]) -> bool:
    """Whether every check holds."""
    return all(check["holds"] for check in checks)
