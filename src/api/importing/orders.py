"""Rows gathered into orders, as the mapping reads them.

The rows of an order need not stand together: an order stays open until so many others (`open_orders`) have had rows after
its last one. An order with a row that cannot be read is held back whole, since half an order could never be put right in a
log that is not edited. Quantities are in thousandths, money in units of 10^-`money_decimals`, both without their sign.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from api.importing.mapping import Condition, Mapping
from api.importing.readers import Fault, Row
from api.importing.values import instant, is_empty, scaled, text

QUANTITY_DECIMALS = 3
"""The ledger takes quantities of up to three decimals."""

Kind = Literal["purchase", "return"]
Test = Callable[[Sequence[Any]], bool]


class Line(NamedTuple):
    """One row of an order. `number` is None where no column numbers the lines."""

    number: int | None
    sku: str
    category: str | None
    quantity: int
    money: int


@dataclass(slots=True)
class Order:
    """The rows of one order; `time` in microseconds is that of its earliest row."""

    kind: Kind
    number: str
    customer: str
    time: int
    first_row: int
    last_row: int
    place: tuple[str, str] | None
    attributes: dict[str, str]
    lines: list[Line] = field(default_factory=list)
    rows: int = 0
    fault: str | None = None

    @property
    def where(self) -> str:
        """How a message names it."""
        rows = f"row {self.first_row}" if self.rows == 1 else f"rows {self.first_row} to {self.last_row}"
        return f"order {self.number} ({rows})"

    @property
    def money(self) -> int:
        """The exact sum of its lines."""
        return sum(line.money for line in self.lines)


@dataclass(slots=True)
class Tally:
    """What became of the rows so far: `read` = those in orders given on + `left_out` + `faulty`."""

    read: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    faulty: int = 0


class Gatherer:
    """Gathers rows into orders."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.tally = Tally()
        self.money_decimals = mapping.decimals + (QUANTITY_DECIMALS if mapping.columns.unit_price else 0)
        self._open: OrderedDict[tuple[Kind, str], Order] = OrderedDict()
        self._reader = _RowReader(mapping)

    def gather(self, rows: Iterable[Row | Fault]) -> Iterator[Order | Fault]:
        """Orders as soon as they are complete, and what cannot be imported."""
        for row in rows:
            self.tally.read += 1
            if isinstance(row, Fault):
                self.tally.faulty += 1
                yield row
            else:
                yield from self._add(row)
        while self._open:
            yield from self._close()

    def oldest_open(self) -> int | None:
        """The earliest time of the orders that are still gathered."""
        return min((order.time for order in self._open.values()), default=None)

    def _add(self, row: Row) -> Iterator[Order | Fault]:
        kind = self._reader.kind(row.cells)
        reason = self._reader.left_out(row.cells, kind)
        if reason is not None:
            self.tally.left_out[reason] += 1
            return
        try:
            number = self._reader.order_number(row.cells)
        except ValueError as error:
            self.tally.faulty += 1
            yield Fault(f"row {row.number}", str(error))
            return
        order = self._open.get((kind, number))
        if order is None:
            if len(self._open) >= self.mapping.open_orders:
                yield from self._close()
            order = self._open[(kind, number)] = self._reader.opened(row, kind, number)
        self._open.move_to_end((kind, number))
        self._reader.read_into(order, row)

    def _close(self) -> Iterator[Order | Fault]:
        """Give on the order whose last row lies furthest back."""
        _, order = self._open.popitem(last=False)
        if order.fault is None:
            yield order
        else:
            self.tally.faulty += order.rows
            yield Fault(order.where, order.fault)


class _RowReader:
    """Reads the cells of a row; built once, so that a row costs no look-ups."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._place = {column: place for place, column in enumerate(mapping.columns_read)}
        columns = mapping.columns
        self._order, self._customer, self._time = self._places(columns.order, columns.customer, columns.time)
        self._sku, self._quantity = self._places(columns.sku, columns.quantity)
        self._money = self._place[columns.unit_price or columns.amount or ""]
        self._line = self._place.get(columns.line or "")
        self._category = self._place.get(columns.category or "")
        self._cancelled = self._test(mapping.cancellation) if mapping.cancellation else None
        self._left_out: dict[Kind, list[tuple[Test, str]]] = {
            "purchase": [(self._test(out), out.reason) for out in mapping.leave_out if out.of != "cancellations"],
            "return": [(self._test(out), out.reason) for out in mapping.leave_out if out.of != "purchases"],
        }

    def kind(self, cells: Sequence[Any]) -> Kind:
        """Whether a row is of a purchase or of its cancellation."""
        return "return" if self._cancelled is not None and self._cancelled(cells) else "purchase"

    def left_out(self, cells: Sequence[Any], kind: Kind) -> str | None:
        """The first reason for which the row is not imported; None if it is."""
        for test, reason in self._left_out[kind]:
            if test(cells):
                return reason
        return None

    def order_number(self, cells: Sequence[Any]) -> str:
        """The order a row belongs to.

        Raises:
            ValueError: it names none.
        """
        return self._filled(cells, self._order)

    def opened(self, row: Row, kind: Kind, number: str) -> Order:
        """A new order with what its first row says of the whole."""
        cells, columns = row.cells, self.mapping.columns
        place = None
        if columns.store and columns.channel:
            store, channel = cells[self._place[columns.store]], cells[self._place[columns.channel]]
            place = None if is_empty(store) or is_empty(channel) else (text(store), text(channel))
        attributes = {
            name: text(cells[self._place[column]])
            for name, column in self.mapping.attributes.items()
            if not is_empty(cells[self._place[column]])
        }
        return Order(kind, number, "", 0, row.number, row.number, place, attributes)

    def read_into(self, order: Order, row: Row) -> None:
        """Add a row to its order. The first row that cannot be read is remembered as the order's fault."""
        order.rows += 1
        order.last_row = row.number
        if order.fault is not None:
            return
        try:
            self._read_into(order, row.cells)
        except ValueError as error:
            order.fault = f"row {row.number}: {error}"

    def _read_into(self, order: Order, cells: Sequence[Any]) -> None:
        customer = self._filled(cells, self._customer)
        if not order.customer:
            order.customer = customer
        elif order.customer != customer:
            raise ValueError(f"the order names two customers, {order.customer} and {customer}")
        time = self._read(cells, self._time, self._instant)
        order.time = min(order.time, time) if order.lines else time
        order.lines.append(self._read_line(order, cells))

    def _read_line(self, order: Order, cells: Sequence[Any]) -> Line:
        quantity = self._read(cells, self._quantity, self._thousandths)
        money = self._read(cells, self._money, self._exact)
        if order.kind == "return":
            quantity, money = abs(quantity), abs(money)
        if quantity <= 0:
            raise ValueError(f"column {self.mapping.columns.quantity!r}: a quantity must be above 0")
        if money < 0:
            raise ValueError(f"column {self._name(self._money)!r}: money must not be below 0")
        category = None if self._category is None or is_empty(cells[self._category]) else text(cells[self._category])
        return Line(
            None if self._line is None else self._read(cells, self._line, _whole),
            self._filled(cells, self._sku),
            category,
            quantity,
            money * quantity if self.mapping.columns.unit_price else money,
        )

    def _instant(self, cell: Any) -> int:
        return instant(cell, self.mapping.zone, self.mapping.time_format)

    def _exact(self, cell: Any) -> int:
        return scaled(cell, self.mapping.decimals)

    def _thousandths(self, cell: Any) -> int:
        return scaled(cell, QUANTITY_DECIMALS)

    def _filled(self, cells: Sequence[Any], place: int) -> str:
        cell = cells[place]
        if is_empty(cell):
            raise ValueError(f"column {self._name(place)!r} is empty")
        return text(cell)

    def _read(self, cells: Sequence[Any], place: int, read: Callable[[Any], int]) -> int:
        cell = cells[place]
        if is_empty(cell):
            raise ValueError(f"column {self._name(place)!r} is empty")
        try:
            return read(cell)
        except ValueError as error:
            raise ValueError(f"column {self._name(place)!r}: {error}") from None

    def _name(self, place: int) -> str:
        return self.mapping.columns_read[place]

    def _places(self, *columns: str) -> list[int]:
        return [self._place[column] for column in columns]

    def _test(self, condition: Condition) -> Test:
        place = self._place[condition.column]
        name, wanted = condition.test
        if name == "empty":
            return lambda cells: is_empty(cells[place]) is wanted
        passes = _comparison(name, wanted, self.mapping.decimals)
        return lambda cells: not is_empty(cells[place]) and passes(cells[place])


def _whole(cell: Any) -> int:
    return scaled(cell, 0)


def _comparison(name: str, wanted: Any, decimals: int) -> Callable[[Any], bool]:
    if name == "equals":
        return lambda cell: text(cell) == str(wanted)
    if name == "one_of":
        among = frozenset(map(str, wanted))
        return lambda cell: text(cell) in among
    if name == "starts_with":
        return lambda cell: text(cell).startswith(wanted)
    if name == "matches":
        pattern = re.compile(wanted)
        return lambda cell: pattern.search(text(cell)) is not None
    return _numeric(name, wanted * 10**decimals, decimals)


def _numeric(name: str, bound: Any, decimals: int) -> Callable[[Any], bool]:
    """Compare a number; a cell that is none passes no test, and is found faulty where it is read."""
    holds: dict[str, Callable[[int], bool]] = {
        "below": lambda number: number < bound,
        "at_most": lambda number: number <= bound,
        "above": lambda number: number > bound,
        "at_least": lambda number: number >= bound,
    }

    def passes(cell: Any) -> bool:
        try:
            return holds[name](scaled(cell, decimals))
        except ValueError:
            return False

    return passes
