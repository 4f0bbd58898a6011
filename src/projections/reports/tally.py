"""What the points report is written from: every figure by slice, debts by entity, and plain sums beside them.

It comes from the movements of a log one by one (`tally_of` a `Book`), or from the twin in a few passes (`points_twin`): two roads
to one report, which a property test holds together.
"""

from collections import Counter
from dataclasses import dataclass, field

from projections.reports.points_book import Book, Line, Slice


@dataclass(slots=True)
class Figures:
    """Points of one slice, or of several together."""

    opening: int = 0
    closing: int = 0
    pending: int = 0
    held: int = 0
    lots: int = 0
    flows: Counter[Line] = field(default_factory=Counter)

    def add(self, other: "Figures") -> None:
        """Take in another's points."""
        self.opening += other.opening
        self.closing += other.closing
        self.pending += other.pending
        self.held += other.held
        self.lots += other.lots
        self.flows.update(other.flows)


@dataclass(slots=True)
class Owed:
    """Debts of one entity: at both cut-offs, and what was opened and (with a minus) covered between them."""

    opening: int = 0
    opened: int = 0
    covered: int = 0
    closing: int = 0


@dataclass(slots=True)
class Tally:
    """Figures of a period, after time has done what it does; see `points_book.Book` for what is not said here.

    Attributes:
        slices: figures by slice; some may hold nothing. owed: debts by entity.
        customers, customers_in_debt: with points outstanding, with a debt. lots, debts: ever opened by the closing cut-off.
    """

    slices: dict[Slice, Figures] = field(default_factory=dict)
    owed: dict[str | None, Owed] = field(default_factory=dict)
    accounts: Counter[str] = field(default_factory=Counter)
    held_flows: Counter[Line] = field(default_factory=Counter)
    held_opening: int = 0
    held_closing: int = 0
    written_lapses: int = 0
    released_unwritten: int = 0
    expired_held_unwritten: int = 0
    lapsed_before: int = 0
    movements: int = 0
    lots: int = 0
    debts: int = 0
    customers: int = 0
    customers_in_debt: int = 0

    @property
    def debt(self) -> int:
        """Debts at the closing cut-off."""
        return sum(owed.closing for owed in self.owed.values())

    @property
    def unwritten(self) -> int:
        """What lapsed by the closing cut-off, since ever, less what the clock has written of it."""
        lapsed = sum(
            points
            for figures in self.slices.values()
            for line, points in figures.flows.items()
            if line.line == "expired"
        )
        return self.lapsed_before - lapsed - self.written_lapses


def tally_of(book: Book) -> Tally:
    """The tally of a book that is closed."""
    return Tally(
        _slices(book),
        _owed(book),
        book.accounts,
        book.held_flows,
        book.held_opening,
        book.held_closing,
        book.written_lapses,
        book.released_unwritten,
        book.expired_held_unwritten,
        book.lapsed_before,
        book.movements,
        len(book.lots),
        len(book.debts),
        len({lot.customer for lot in book.lots.values() if lot.closing}),
        len({debt.customer for debt in book.debts.values() if debt.closing}),
    )


def _slices(book: Book) -> dict[Slice, Figures]:
    slices: dict[Slice, Figures] = {}
    for lot in book.lots.values():
        if lot.held_until is not None:
            slices.setdefault(lot.slice, Figures()).held += lot.closing
        elif lot.opening or lot.closing:
            figures = slices.setdefault(lot.slice, Figures())
            figures.opening += lot.opening
            figures.closing += lot.closing
            figures.lots += bool(lot.closing)
            if lot.available_at > book.closes_at:
                figures.pending += lot.closing
    for (line, slice_), points in book.flows.items():
        slices.setdefault(slice_, Figures()).flows[line] += points
    return slices


def _owed(book: Book) -> dict[str | None, Owed]:
    found: dict[str | None, Owed] = {}
    for debt in book.debts.values():
        owed = found.setdefault(debt.entity, Owed())
        owed.opening += debt.opening
        owed.closing += debt.closing
    for (line, entity), points in book.debt_flows.items():
        owed = found.setdefault(entity, Owed())
        if line == "opened":
            owed.opened += points
        else:
            owed.covered += points
    return found
