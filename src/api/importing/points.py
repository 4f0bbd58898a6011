"""A table of points under a mapping of kind `points`: what customers had at the cut-over, earned, and redeemed, in order of time.

The whole table is read before anything is given on: what a customer had at the cut-over follows from all its rows, and a file in
another order than that of time would be decided late. A row is some 200 bytes of memory meanwhile.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from api.importing.orders import Tally
from api.importing.points_mapping import Month, PointsMapping
from api.importing.readers import Fault, Row, csv_rows, parquet_rows
from api.importing.sources import Advanced, Horizon, Item
from api.importing.values import instant, is_empty, scaled, text
from ledger import events
from ledger.deciding.command import Command
from ledger.errors import LedgerError
from ledger.instants import NEVER, SECOND, midnight, show
from ledger.money import exponent

NOTHING = "nothing earned or redeemed"
SAID_AGAIN = "said again"

DECEMBER = 12


class Movement(NamedTuple):
    """What a row says was earned (`spends` = 0) or redeemed (1); sorts by time, earned first, in the file's order."""

    time: int
    spends: int
    row: int
    customer: str
    points: int
    value: int
    name: str
    rows: int


class Member(NamedTuple):
    """What the second file says of a customer; `signed_up_at` is None where it lies after the cut-over."""

    tier: str | None
    signed_up_at: int | None


@dataclass(slots=True)
class PointsTable:
    """A CSV or Parquet file of points under its mapping."""

    path: Path
    mapping: PointsMapping
    actor: str
    horizon: Horizon = field(default_factory=Horizon)
    tally: Tally = field(default_factory=Tally)
    money_decimals: int = 0
    lines_drawn_together: int = 0
    repeated: dict[str, int] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _rows_read: int = 0
    _left_out: Counter[str] = field(default_factory=Counter)
    _times: tuple[int, int] = (0, 0)
    _next: int = -NEVER

    def scan(self, advanced: Advanced) -> None:
        """Read the file, and the one of members.

        Raises:
            FileError
        """
        reader = _Reader(self.mapping)
        for row in self._rows(self.path, self.mapping.columns_read):
            advanced(1)
            self._rows_read += 1
            if isinstance(row, Fault):
                self._faults.append(row)
                continue
            try:
                found = reader.read(row)
            except ValueError as error:
                self._faults.append(Fault(f"row {row.number}", str(error)))
                continue
            if isinstance(found, str):
                self._left_out[found] += 1
            self.movements += [] if isinstance(found, str) else found
        self.movements.sort()
        self.horizon.rows = self._rows_read
        treated = "counted again" if self.mapping.duplicates.treat == "keep" else "left out"
        self.repeated = {
            f"rows that are there already ({treated})": reader.said_again,
            "rows for a customer and time that have one": reader.more_of_a_time,
        }

    def items(self, advanced: Advanced) -> Iterator[Item | Fault]:
        """The openings, then what was earned and redeemed in order of time.

        Raises:
            FileError: the file of members cannot be read.
        """
        self.tally = Tally(self._rows_read, self._left_out.copy(), len(self._faults))
        self._next = self.mapping.cutover
        advanced(len(self._faults) + self._left_out.total())
        yield from self._faults
        yield from self._openings()
        for movement in self.movements:
            self._next = movement.time
            advanced(movement.rows)
            yield self._item(movement)
        self._next = NEVER

    def oldest_left(self) -> int:
        """No event that `items` has yet to give is older; NEVER at the end."""
        return self._next

    def _openings(self) -> Iterator[Item | Fault]:
        members = self._members()
        had = lowest(self.movements) if self.mapping.opening == "derived" else {}
        for customer in sorted(members.keys() | had.keys()):
            member = members.get(customer, Member(None, None))
            data = _opening(self.mapping, had.get(customer, 0), member)
            if data is not None:
                where = f"opening of {customer}"
                name = f"opening:{customer}"
                command = self._command(name, "account.opened_from", customer, self.mapping.cutover, data)
                yield Item(where, 0, self.mapping.cutover, command)

    def _item(self, movement: Movement) -> Item:
        data: dict[str, Any] = {"points": movement.points}
        if movement.spends:
            data["redemption_id"] = movement.name
            if movement.value:
                data["value"] = {"amount": movement.value, "currency": self.mapping.currency}
            name, kind = f"redeemed:{movement.name}", "points.redeemed"
        else:
            data["reason"] = self.mapping.reason
            name, kind = f"earned:{movement.name}", "points.granted"
        command = self._command(name, kind, movement.customer, movement.time, data)
        return Item(f"row {movement.row}", movement.rows, movement.time, command)

    def _command(self, name: str, kind: str, customer: str, time: int, data: dict[str, Any]) -> Command | LedgerError:
        try:
            events.check_customer(customer)
            data = events.validated(kind, data, time)
        except LedgerError as error:
            return error
        return Command(self.mapping.source, name, kind, customer, time, data, self.actor)

    def _members(self) -> dict[str, Member]:
        """What is known of each customer, from the file beside this one."""
        said = self.mapping.members
        if said is None:
            return {}
        columns = [said.customer, *([said.tier] if said.tier else [])]
        columns += [said.signed_up.year, said.signed_up.month] if said.signed_up else []
        found = {}
        for row in self._rows(self.path.with_name(said.file), tuple(columns)):
            if isinstance(row, Fault):
                continue
            cells = dict(zip(columns, row.cells, strict=True))
            found[text(cells[said.customer])] = _member(self.mapping, cells)
        return found

    def _rows(self, path: Path, columns: tuple[str, ...]) -> Iterator[Row | Fault]:
        if path.suffix.lower() == ".parquet":
            return parquet_rows(path, columns)
        return csv_rows(path, columns, self.mapping.csv)


def lowest(movements: list[Movement]) -> dict[str, int]:
    """How far below nothing each customer's balance would fall from a balance of 0; those it never does are left out.

    Args:
        movements: in order of time.
    """
    balance: Counter[str] = Counter()
    low: dict[str, int] = {}
    for movement in movements:
        customer = movement.customer
        balance[customer] += -movement.points if movement.spends else movement.points
        if balance[customer] < -low.get(customer, 0):
            low[customer] = -balance[customer]
    return low


class _Reader:
    """Reads rows, and counts those that are there already."""

    def __init__(self, mapping: PointsMapping) -> None:
        self.mapping = mapping
        self.said_again = 0
        self.more_of_a_time = 0
        self._place = {column: place for place, column in enumerate(mapping.columns_read)}
        columns = mapping.columns
        self._customer, self._earned, self._redeemed = itemgetter(columns.customer, columns.earned, columns.redeemed)(
            self._place
        )
        self._value = self._place.get(columns.value or "")
        self._digits = exponent(mapping.currency)
        self._seen: set[tuple[Any, ...]] = set()
        self._times: Counter[tuple[str, str]] = Counter()

    def read(self, row: Row) -> list[Movement] | str:
        """What a row says, or why it is left out.

        Raises:
            ValueError: it cannot be read.
        """
        cells = row.cells
        if is_empty(cells[self._customer]):
            raise ValueError(f"column {self.mapping.columns.customer!r} is empty")
        customer = text(cells[self._customer])
        when, begins, ends = self._when(cells)
        if begins < self.mapping.cutover:
            raise ValueError(f"it lies before the cut-over, {show(self.mapping.cutover)}")
        earned = self._number(cells, self._earned, self.mapping.points_scale)
        redeemed = self._number(cells, self._redeemed, self.mapping.points_scale)
        value = 0 if self._value is None else self._number(cells, self._value, self._digits)
        if self._is_said_again(tuple(cells)):
            return SAID_AGAIN
        self._times[customer, when] += 1
        number = self._times[customer, when]
        self.more_of_a_time += number > 1
        name = f"{customer}:{when}:{number}"
        found = []
        if earned:
            found.append(Movement(begins, 0, row.number, customer, earned, 0, name, 1))
        if redeemed:
            found.append(Movement(ends, 1, row.number, customer, redeemed, value, name, int(not earned)))
        return found or NOTHING

    def _is_said_again(self, cells: tuple[Any, ...]) -> bool:
        """Whether a row is to be left out because it is there already."""
        known = cells in self._seen
        self._seen.add(cells)
        self.said_again += known
        return known and self.mapping.duplicates.treat == "drop"

    def _when(self, cells: Any) -> tuple[str, int, int]:
        """What the time is called, when what is earned then counts, and when what is redeemed does."""
        month = self.mapping.columns.month
        if month is None:
            at = instant(
                cells[self._place[self.mapping.columns.time or ""]], self.mapping.zone, self.mapping.time_format
            )
            return show(at), at, at
        year, number = (scaled(cells[self._place[column]], 0) for column in (month.year, month.month))
        begins, ends = _span(self.mapping, year, number)
        return f"{year:04}-{number:02}", begins, ends

    def _number(self, cells: Any, place: int, decimals: int) -> int:
        cell = cells[place]
        if is_empty(cell):
            return 0
        try:
            number = scaled(cell, decimals)
        except ValueError as error:
            raise ValueError(f"column {self.mapping.columns_read[place]!r}: {error}") from None
        if number < 0:
            raise ValueError(f"column {self.mapping.columns_read[place]!r}: {cell} is below 0")
        return number


def _span(mapping: PointsMapping, year: int, month: int) -> tuple[int, int]:
    """The first instant and the last second of a month."""
    following = date(year + month // DECEMBER, month % DECEMBER + 1, 1)
    return midnight(date(year, month, 1), mapping.zone), midnight(following, mapping.zone) - SECOND


def _member(mapping: PointsMapping, cells: dict[str, Any]) -> Member:
    said = mapping.members
    if said is None:
        return Member(None, None)
    tier = None if said.tier is None or is_empty(cells[said.tier]) else text(cells[said.tier])
    begun = None if said.signed_up is None else _begun(mapping, said.signed_up, cells)
    return Member(
        None if tier is None else said.tiers.get(tier, tier),
        begun if begun is not None and begun <= mapping.cutover else None,
    )


def _begun(mapping: PointsMapping, month: Month, cells: dict[str, Any]) -> int | None:
    if is_empty(cells[month.year]) or is_empty(cells[month.month]):
        return None
    return _span(mapping, scaled(cells[month.year], 0), scaled(cells[month.month], 0))[0]


def _opening(mapping: PointsMapping, points: int, member: Member) -> dict[str, Any] | None:
    """What a customer brings; None where that is nothing."""
    cutover = show(mapping.cutover)
    lots = [{"asset": "points", "amount": points, "granted_at": cutover, "reason": "opening"}] if points else []
    data: dict[str, Any] = {"system": mapping.system, "cutover_at": cutover, "lots": lots}
    if member.signed_up_at is not None:
        data["history"] = {"signed_up_at": show(member.signed_up_at)}
    if member.tier is not None:
        data["tier"] = {"tier": member.tier}
    return data if lots or len(data) > len(("system", "cutover_at", "lots")) else None
