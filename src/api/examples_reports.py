"""Examples of reports, made by the reports themselves from a few movements."""

from typing import Any
from zoneinfo import ZoneInfo

from ledger.instants import NEVER, parse
from ledger.rules.valuation import Valuation
from projections.reports.movements import Movement
from projections.reports.points import Header, points_report
from projections.reports.points_book import Book
from projections.reports.tally import tally_of

_ZONE = ZoneInfo("Asia/Shanghai")
_OPENS_AT = parse("2026-11-01T00:00:00+08:00") - 1
_AS_OF = parse("2026-12-01T00:00:00+08:00") - 1
_EXPIRES_AT = parse("2027-12-01T00:00:00+08:00")


def _movement(position: int, kind: str, at: str, **posting: Any) -> Movement:
    whole: dict[str, Any] = {
        "source": "customer:points",
        "to": "customer:points",
        "lot": None,
        "lots": [],
        "expires_at": NEVER,
        **posting,
    }
    instant = parse(at)
    return Movement(
        position=position,
        customer="c-1001",
        version=position,
        type=kind,
        entity="Xibei Shenzhen Ltd",
        at=instant,
        debts=[],
        granted_at=instant,
        available_at=0,
        reason=whole["source"].rpartition(":")[2],
        **whole,
    )


_MOVEMENTS = (
    _movement(
        2,
        "purchase.recorded",
        "2026-10-21T10:00:00+08:00",
        source="program:issued:purchase",
        amount=85,
        lot="1.1",
        expires_at=_EXPIRES_AT,
    ),
    _movement(3, "points.redeemed", "2026-11-08T12:30:00+08:00", to="program:redeemed", amount=60, lots=[("1.1", 60)]),
)


def _report() -> dict[str, Any]:
    valuation = Valuation.model_validate(
        {
            "effective_from": "2026-01-01T00:00:00+08:00",
            "currency": "CNY",
            "value_per_point": "0.01",
            "redemption_rate": "0.85",
        }
    )
    known_at = parse("2026-12-02T09:00:00+08:00")
    header = Header("default", _ZONE, 0, _AS_OF, known_at, 3, _OPENS_AT, (valuation,))
    book = Book(_ZONE, _OPENS_AT, _AS_OF)
    for movement in _MOVEMENTS:
        book.add(movement)
    book.close()
    return points_report(header, tally_of(book), records=3)


POINTS_REPORT = _report()

POINTS_REPORT_RECORDS = {
    **{name: POINTS_REPORT[name] for name in ("program", "as_of", "known_at", "position", "from")},
    "line": "redeemed",
    "detail": None,
    "points": -60,
    "count": 1,
    "records": [
        {
            "position": 3,
            "customer": "c-1001",
            "version": 3,
            "type": "points.redeemed",
            "at": "2026-11-08T04:30:00Z",
            "lot": "1.1",
            "points": -60,
            "line": "redeemed",
            "detail": None,
            "entity": "Xibei Shenzhen Ltd",
            "grant_month": "2026-10",
            "expiry_month": "2027-11",
            "reason": "purchase",
        }
    ],
    "next": None,
}

TIE_OUT = {
    **{name: POINTS_REPORT[name] for name in ("program", "as_of", "known_at", "position")},
    "sealed_through": 0,
    "holds": False,
    "sides": {"heads": 3, "customers": 3, "orders": 3, "twin": 3},
    "counts": {"customers": 1, "records": 2, "differing": 1, "heads_of_another_fold": 0},
    "differences": [
        {
            "customer": "c-1001",
            "side": "customers",
            "figure": "balance:points",
            "expected": 25,
            "found": 26,
            "detail": None,
        }
    ],
    "sums": [
        {"side": side, "figure": "balance:points", "streams": 25, "found": found, "difference": found - 25}
        for side, found in (("heads", 25), ("customers", 26), ("twin", 25))
    ],
    "next": None,
}

CUSTOMERS = {
    "program": "default",
    "position": 3,
    "as_of": "2026-12-02T01:00:00Z",
    "customers": [
        {
            "customer": "c-1001",
            "version": 2,
            "first_place": {"channel": "mini_program", "store": "SZ-001", "guide": "g-7"},
            "last_place": {"channel": "mini_program", "store": "SZ-001", "guide": "g-7"},
            "tier": None,
            "orders": 1,
            "refunds": 0,
            "currency": "CNY",
            "gross": 8588,
            "net": 8588,
            "average": 8588,
            "other_net": {},
            "first_order_at": "2026-10-21T02:00:00Z",
            "last_order_at": "2026-10-21T02:00:00Z",
            "points": 25,
            "pending": 0,
            "debt": 0,
            "expiring": {"within_days": 30, "points": 0, "next_at": "2027-11-30T16:00:00Z"},
        }
    ],
    "next": None,
}
