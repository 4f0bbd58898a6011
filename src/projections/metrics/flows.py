"""What came to customers and went from them in an asset, by the program's account on the other side."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ledger.instants import midnight, to_datetime
from projections.errors import bad_parameter
from projections.metrics.definition import Asked, Parameter, Row
from projections.metrics.lots import entries_by_lot, has_lapsed
from projections.metrics.orders import in_window, with_keys
from projections.metrics.periods import first_day, local_day, next_period, period_of, periods_between
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

ASSET = Parameter("asset", "Which asset.", "choice", "points", ("points", "growth"))

FLOWS = ("granted", "redeemed", "expired", "reversed", "adjusted", "other")
"""Signs as in: outstanding = before + granted − redeemed − expired − reversed + adjusted + other."""

_OUT = frozenset({"redeemed", "expired", "reversed"})
_BY_ACCOUNT = {"issued": "granted", "opening": "granted", **{name: name for name in FLOWS[1:-1]}}

Flow = tuple[date, str, int]
"""Day, flow, and what came to customers by it (a minus went)."""


def flows(fleet: Fleet, asked: Asked) -> list[Row]:
    """Rows with every flow of the window and `outstanding` at the end of each period.

    Raises:
        FormError: a window that does not begin or end with a day.
    """
    start, end = (_day(fleet, name, instant) for name, instant in (("from", asked.start), ("to", asked.end)))
    before = 0
    periods: dict[date | None, dict[str, int]] = {}
    for day, flow, amount in sorted([*_written(fleet, asked), *_unwritten(fleet, asked)]):
        if start is not None and day < start:
            before += amount
        elif end is None or day < end:
            period = None if asked.unit is None else first_day(day, asked.unit)
            found = periods.setdefault(period, dict.fromkeys(FLOWS, 0))
            found[flow] += -amount if flow in _OUT else amount
    return list(_running(periods, before, asked))


def explain_flows(fleet: Fleet, asked: Asked) -> Expression:
    """Records with movements of the window; of what lapsed in it and is not written yet, the one that opened the lot."""
    postings, keys = with_keys(in_window(_moves(fleet, asked), asked), asked)
    lots = entries_by_lot(fleet)
    gone = lots.filter(lots.asset == asked["asset"], lots.left != 0, lots.kind == "lot", has_lapsed(fleet, lots))
    held_longer = gone.held_until.notnull() & (gone.held_until > gone.expires_at)
    lapsed = in_window(gone.mutate(at=held_longer.ifelse(gone.held_until, gone.expires_at)), asked)
    if asked.unit is not None:
        lapsed = _with_period(fleet, asked.unit, lapsed)
    return stacked(postings.select("position", *keys), lapsed)


def _with_period(fleet: Fleet, unit: str, lapsed: Expression) -> Expression:
    """What lapsed, with its `period`; the twin has only its instant in UTC."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here
    import pyarrow as pa  # noqa: PLC0415

    zone = fleet.book.zone
    (seen,) = fleet.rows(lapsed.agg(first=lapsed["at"].min(), last=lapsed["at"].max()))
    ends = [] if seen["first"] is None else [seen["first"], seen["last"]]
    days = [first_day(one.replace(tzinfo=UTC).astimezone(zone).date(), unit) for one in ends]
    periods = periods_between(days[0], days[-1], unit) if days else []
    bounds = [to_datetime(midnight(day, zone)).replace(tzinfo=None) for day in periods]
    nexts = [to_datetime(midnight(next_period(day, unit), zone)).replace(tzinfo=None) for day in periods]
    instant = pa.timestamp("us")
    table = ibis.memtable(
        pa.table(
            {
                "period": pa.array(periods, pa.date32()),
                "begins": pa.array(bounds, instant),
                "ends": pa.array(nexts, instant),
            }
        )
    )
    return lapsed.inner_join(table, [lapsed["at"] >= table.begins, lapsed["at"] < table.ends])


def _running(periods: dict[date | None, dict[str, int]], before: int, asked: Asked) -> Iterator[Row]:
    if asked.unit is None and not periods:
        periods = {None: dict.fromkeys(FLOWS, 0)}
    for period, found in periods.items():
        opening = before
        before += sum(-amount if flow in _OUT else amount for flow, amount in found.items())
        dated = {} if period is None else {"period": period}
        yield {**dated, "before": opening, **found, "outstanding": before}


def _written(fleet: Fleet, asked: Asked) -> list[Flow]:
    """Net amounts that came to customers, by day and flow."""
    postings = _moves(fleet, asked)
    comes = postings.target.startswith("customer:")
    moved = postings.select(
        day=period_of(postings.local_at, "day"),
        account=comes.ifelse(postings.source, postings.target),
        signed=comes.ifelse(postings.amount, -postings.amount),
    )
    by_day = moved.group_by(["day", "account"]).agg(amount=moved.signed.sum())
    return [(row["day"], _flow(row["account"]), int(row["amount"])) for row in fleet.rows(by_day)]


def _moves(fleet: Fleet, asked: Asked) -> Expression:
    """Postings between customers and the program."""
    postings = fleet.table("postings")
    return postings.filter(
        postings.asset == asked["asset"],
        postings.target.startswith("customer:") != postings.source.startswith("customer:"),
    )


def _unwritten(fleet: Fleet, asked: Asked) -> list[Flow]:
    """Lots past their expiry that the clock has not written yet, at their expiry."""
    lots = entries_by_lot(fleet)
    gone = lots.filter(lots.asset == asked["asset"], lots.left != 0, lots.kind == "lot", has_lapsed(fleet, lots))
    by_expiry = gone.group_by(["expires_at", "held_until"]).agg(amount=gone.left.sum())
    zone = fleet.book.zone
    return [(_expiry_day(row, zone), "expired", -int(row["amount"])) for row in fleet.rows(by_expiry)]


def _expiry_day(row: Row, zone: ZoneInfo) -> date:
    """The day on which a lot was gone: what a hold kept, when the hold ended."""
    gone_at: datetime = max(row["expires_at"], row["held_until"] or row["expires_at"])
    return gone_at.replace(tzinfo=UTC).astimezone(zone).date()


def _flow(account: str) -> str:
    """The flow of a program account, such as program:issued:purchase."""
    return _BY_ACCOUNT.get(account.split(":")[1], "other")


def _day(fleet: Fleet, name: str, instant: int | None) -> date | None:
    if instant is None:
        return None
    day = local_day(instant, fleet.book.zone)
    if midnight(day, fleet.book.zone) != instant:
        raise bad_parameter(name, "a date: points are counted by whole days of the program's zone")
    return day
