"""The tally of points from the twin: what opened each lot, and the few entries that changed lots since.

Most lots are opened and never touched but by time, so openings are summed up as they are, by slice and by what time does to them;
what changed lots is the small side of one join. What time does, it does to a sum as to each lot in it; `points_book` has the
rules, and a property test holds the two together. The expressions run on every engine.
"""

from dataclasses import dataclass
from typing import Any

from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.instants import to_datetime
from ledger.records import TYPES
from projections.reports.points_book import (
    ACCOUNT,
    EXPIRED,
    HELD,
    NO_EXPIRY,
    Line,
    Slice,
    held_line,
    line_in,
    line_out,
)
from projections.reports.tally import Figures, Owed, Tally
from projections.twin.fleet import Expression, Fleet

Row = dict[str, Any]

_SLICE = ("entity", "grant_month", "expiry_month", "reason")
_GROUP = (*_SLICE, "source", "time")
_LOT = ("customer", "lot")


def tally_of_fleet(fleet: Fleet, *, opens_at: int | None) -> Tally:
    """The tally of the points of a program.

    Args:
        fleet: cut at `as_of`, the closing cut-off.
        opens_at: the last microsecond before the period; None: all time.

    Raises:
        StreamUnreadable: a record of a type this version does not know.
        InvariantBroken: a lot or debt is named that nothing opened, or holds less than nothing or more than its amount.
    """
    _check_types(fleet)
    entries = fleet.table("lot_entries")
    entries = entries.filter(entries.asset == "points")
    entries = entries.mutate(is_late=_later(entries["at"], opens_at))
    tally = Tally()
    _count_accounts(fleet, tally)
    _count_debts(fleet, entries.filter(entries.kind == "debt"), tally)
    _count_lots(fleet, entries.filter(entries.kind == "lot"), tally, opens_at)
    return tally


def _check_types(fleet: Fleet) -> None:
    records = fleet.whole("records")
    kinds = records.filter(records.position <= fleet.cut.position).select("type").distinct()
    unknown = sorted(row["type"] for row in fleet.rows(kinds) if row["type"] not in TYPES)
    if unknown:
        raise StreamUnreadable(type=unknown[0])


def _count_accounts(fleet: Fleet, tally: Tally) -> None:
    postings = fleet.table("postings")
    postings = postings.filter(postings.asset == "points")
    for row in fleet.rows(
        postings.group_by(["source", "target"]).agg(amount=postings.amount.sum(), n=postings.count())
    ):
        amount = int(row["amount"])
        tally.movements += row["n"]
        tally.accounts[row["source"]] -= amount
        tally.accounts[row["target"]] += amount
        ways = {(ACCOUNT, EXPIRED): amount, (EXPIRED, ACCOUNT): -amount}
        tally.written_lapses += ways.get((row["source"], row["target"]), 0)


def _count_debts(fleet: Fleet, entries: Expression, tally: Tally) -> None:
    late = entries.is_late
    each = entries.group_by(list(_LOT)).agg(
        entity=entries.entity.max(),
        opens=entries.opens.sum(),
        opening=entries.amount.sum(where=~late).fill_null(0),
        opened=entries.amount.sum(where=late & entries.opens).fill_null(0),
        covered=entries.amount.sum(where=late & ~entries.opens).fill_null(0),
        closing=entries.amount.sum(),
    )
    found = each.group_by("entity").agg(
        **{name: each[name].sum() for name in ("opening", "opened", "covered", "closing")},
        debts=each.count(),
        unopened=(each.opens == 0).sum(),
    )
    for row in fleet.rows(found):
        if row["unopened"]:
            raise InvariantBroken(f"{row['unopened']} debts are covered that nothing opened")
        sums = (int(row[name]) for name in ("opening", "opened", "covered", "closing"))
        tally.owed[row["entity"]] = Owed(*sums)
        tally.debts += row["debts"]
    if tally.debts:
        owing = each.filter(each.closing != 0)
        tally.customers_in_debt = fleet.rows(owing.agg(n=owing.customer.nunique()))[0]["n"]


def _count_lots(fleet: Fleet, entries: Expression, tally: Tally, opens_at: int | None) -> None:
    """Every lot as if nothing had touched it but time, and then what touched some of them."""
    openings = _with_entities(fleet, entries.filter(entries.opens, entries.source != EXPIRED))
    lots = _with_courses(fleet, openings, opens_at)
    groups = {_key(row): _Lots.of(row) for row in fleet.rows(_summed(lots))}
    changes = entries.filter(~entries.opens, ~_is_lapse(entries))
    changes = _taken(fleet, changes.select(*_LOT, "source", "target", "type", "amount", "is_late"))
    late = changes.is_late
    by_lot = changes.group_by(list(_LOT)).agg(
        early_change=changes.amount.sum(where=~late).fill_null(0), change=changes.amount.sum()
    )
    touched = _taken(fleet, lots.inner_join(by_lot, list(_LOT)))
    _check_opened(fleet, by_lot, touched)
    for row in fleet.rows(_changed(touched)):
        groups[_key(row)].change(row)
    for row in fleet.rows(_flows(touched, changes)):
        line = line_out(row["type"], row["target"]) if row["out"] else line_in(row["source"])
        _add_flow(tally, row, line, int(row["amount"]), is_held=row["is_held"])
    tally.customers = _customers(fleet, lots, touched)
    for lots_alike in groups.values():
        tally.lots += lots_alike.count
        lots_alike.enter(tally)


def _taken(fleet: Fleet, expression: Expression) -> Expression:
    """The rows of an expression, read once: few beside the lots."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    return ibis.memtable(fleet.backend.to_pyarrow(expression))


def _is_lapse(entries: Expression) -> Expression:
    """Whether the clock wrote it of lots that lapsed: they lapse without it."""
    lapsed = (entries.source == ACCOUNT) & (entries.target == EXPIRED)
    return lapsed | ((entries.source == EXPIRED) & (entries.target == ACCOUNT))


def _with_entities(fleet: Fleet, openings: Expression) -> Expression:
    """Openings, those of joined lots with the entity of the eldest lot they were made of.

    A joined lot may be made of joined ones; such chains are followed here, since engines differ in how they recurse.
    """
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415 - the same

    joined = openings.filter(openings.joins.notnull())
    eldest = {(row["customer"], row["lot"]): row["joins"] for row in fleet.rows(joined.select(*_LOT, "joins"))}
    if not eldest:
        return openings
    named = joined.select(customer="customer", lot="joins").distinct()
    known = fleet.rows(openings.semi_join(named, list(_LOT)).select(*_LOT, "entity"))
    entities = {(row["customer"], row["lot"]): row["entity"] for row in known}
    roots = [entities.get((customer, _root(eldest, customer, lot))) for customer, lot in eldest]
    columns = {"customer": [key[0] for key in eldest], "lot": [key[1] for key in eldest], "inherited": roots}
    types = pa.schema([(name, pa.string()) for name in columns])
    inherited = ibis.memtable(pa.table(columns, schema=types))
    both = openings.left_join(inherited, list(_LOT), rname="{name}_inherited")
    return both.mutate(entity=both.joins.notnull().ifelse(both.inherited, both.entity)).select(*openings.columns)


def _root(eldest: dict[tuple[str, str], str], customer: str, lot: str) -> str:
    while (before := eldest.get((customer, lot))) is not None:
        lot = before
    return lot


def _with_courses(fleet: Fleet, openings: Expression, opens_at: int | None) -> Expression:
    """Openings with `time`: what time does to each lot, as the bits of `_TIME`."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    closes = ibis.timestamp(to_datetime(fleet.cut.as_of).replace(tzinfo=None))
    held, lapses = openings.held_until.notnull(), openings.expires_at.notnull()
    lapses_at = ibis.greatest(openings.expires_at, openings["at"])
    bits = {
        "is_pending": openings.waits | (openings.available_at.notnull() & (openings.available_at > closes)),
        "is_held": held,
        "holds": held & (openings.held_until > closes),
        "timed_out_late": held & _later(openings.held_until, opens_at),
        "lapsed_in_hold": held & lapses & (lapses_at <= openings.held_until),
        "lapsed_before": lapses & ~_later(lapses_at, opens_at),
        "lapsed": lapses & (lapses_at <= closes),
    }
    time = sum((bits[name].ifelse(1 << place, 0) for place, name in enumerate(_TIME)), ibis.literal(0))
    gone = bits["lapsed"] | bits["lapsed_in_hold"]
    return openings.select(
        *_LOT, *_SLICE, "source", "amount", "is_late", is_held=held, time=time, is_alive=bits["holds"] | ~gone
    )


_TIME = ("is_pending", "is_held", "holds", "timed_out_late", "lapsed_in_hold", "lapsed_before", "lapsed")


def _summed(lots: Expression) -> Expression:
    early = lots.amount.sum(where=~lots.is_late).fill_null(0)
    return lots.group_by(list(_GROUP)).agg(opening=early, closing=lots.amount.sum(), count=lots.count())


def _changed(touched: Expression) -> Expression:
    """What the changes of lots add to the sums of their group, and how many lots hold what cannot be."""
    closing = touched.amount + touched.change
    opening = touched.is_late.ifelse(0, touched.amount) + touched.early_change
    outside = (closing < 0) | (closing > touched.amount) | (opening < 0) | (opening > touched.amount)
    return touched.group_by(list(_GROUP)).agg(
        opening=touched.early_change.sum(),
        closing=touched.change.sum(),
        emptied=(closing == 0).sum(),
        broken=outside.sum(),
    )


def _flows(touched: Expression, changes: Expression) -> Expression:
    """What changed lots in the period, by the slice of the lot."""
    late = changes.filter(changes.is_late).select(*_LOT, "type", "target", moved="amount", moved_from="source")
    both = touched.select(*_LOT, *_SLICE, "is_held").inner_join(late, list(_LOT))
    both = both.mutate(out=both.moved < 0, source=both.moved_from)
    return both.group_by([*_SLICE, "source", "target", "type", "is_held", "out"]).agg(amount=both.moved.sum())


def _check_opened(fleet: Fleet, by_lot: Expression, touched: Expression) -> None:
    (named,), (known,) = fleet.rows(by_lot.agg(n=by_lot.count())), fleet.rows(touched.agg(n=touched.count()))
    if named["n"] != known["n"]:
        raise InvariantBroken(f"{named['n'] - known['n']} lots are named that nothing opened")


def _customers(fleet: Fleet, lots: Expression, touched: Expression) -> int:
    """Customers who hold points, set aside or not: with more lots alive than such of them as are used up."""
    alive = lots.filter(lots.is_alive)
    by_customer = alive.group_by("customer").agg(alive=alive.count())
    used_up = touched.filter(touched.is_alive, touched.amount + touched.change == 0)
    gone = used_up.group_by("customer").agg(gone=used_up.count())
    both = by_customer.left_join(gone, "customer")
    found: int = fleet.rows(both.agg(n=(both.alive > both.gone.fill_null(0)).sum().fill_null(0)))[0]["n"]
    return found


@dataclass(slots=True)
class _Lots:
    """Lots of one slice to which time does the same, added up: what `points_book.Book.close` does to each it does to the sum.

    `holding`: how many of them hold anything by their records alone. `row`: what they have in common.
    """

    row: Row
    opening: int
    closing: int
    holding: int
    count: int
    flow: int

    @classmethod
    def of(cls, row: Row) -> "_Lots":
        """Lots that nothing but time has touched."""
        opening, closing = int(row["opening"]), int(row["closing"])
        common = row | {name: bool(row["time"] >> place & 1) for place, name in enumerate(_TIME)}
        return cls(common, opening, closing, row["count"], row["count"], closing - opening)

    def change(self, row: Row) -> None:
        """Add what has touched them.

        Raises:
            InvariantBroken
        """
        if row["broken"]:
            raise InvariantBroken(f"{row['broken']} lots would hold less than nothing or more than their amount")
        self.opening += int(row["opening"])
        self.closing += int(row["closing"])
        self.holding -= row["emptied"]

    def enter(self, tally: Tally) -> None:
        """What they are in the report."""
        row = self.row
        if self.flow:
            target = HELD if row["is_held"] else ACCOUNT
            _add_flow(tally, row | {"target": target}, line_in(row["source"]), self.flow, is_held=row["is_held"])
        if row["holds"]:
            tally.held_opening += self.opening
            tally.held_closing += self.closing
            _figures(tally, row).held += self.closing
            return
        if row["is_held"]:
            self._time_out(tally)
        self._lapse(tally)

    def _time_out(self, tally: Tally) -> None:
        late = self.row["timed_out_late"]
        if late:
            tally.held_opening += self.opening
            self.opening = 0
        if self.row["lapsed_in_hold"]:
            tally.expired_held_unwritten += self.closing
            if late:
                tally.held_flows[Line("expired")] -= self.closing
            self.opening = self.closing = 0
            return
        tally.released_unwritten += self.closing
        if late and self.closing:
            tally.held_flows[Line("released")] -= self.closing
            _figures(tally, self.row).flows[Line("held", "released")] += self.closing

    def _lapse(self, tally: Tally) -> None:
        if self.row["lapsed_before"]:
            tally.lapsed_before += self.closing
            return
        if not (self.opening or self.closing):
            return
        figures = _figures(tally, self.row)
        figures.opening += self.opening
        if not self.row["lapsed"]:
            figures.closing += self.closing
            figures.lots += self.holding
            figures.pending += self.closing if self.row["is_pending"] else 0
        elif self.closing:
            figures.flows[Line("expired")] -= self.closing


def _add_flow(tally: Tally, row: Row, line: Line, amount: int, *, is_held: bool) -> None:
    if is_held:
        tally.held_flows[held_line(row["source"], row["target"])] += amount
    else:
        _figures(tally, row).flows[line] += amount


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _GROUP)


def _figures(tally: Tally, row: Row) -> Figures:
    return tally.slices.setdefault(_slice(row), Figures())


def _slice(row: Row) -> Slice:
    granted, alive = row["grant_month"], row["expiry_month"]
    return Slice(row["entity"], _month(granted), NO_EXPIRY if alive is None else _month(alive), row["reason"])


def _month(number: int) -> str:
    return f"{number // 100:04d}-{number % 100:02d}"


def _later(instant: Expression, opens_at: int | None) -> Expression:
    """Whether an instant lies after the opening cut-off."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    if opens_at is None:
        return ibis.literal(value=True)
    return instant > ibis.timestamp(to_datetime(opens_at).replace(tzinfo=None))
