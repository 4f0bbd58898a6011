"""The tables of events on a customer's standing and of declarations, for test_refusals.py."""

from typing import Any

from ledger.instants import MINUTE, parse
from tests.builders import Event, event
from tests.decisions.refusals_of_together import TOGETHER_TABLES

FAR_AHEAD = parse("2026-06-01T12:00:00Z") + 6 * MINUTE
TOO_OLD = "2026-01-10T00:00"
NOW = "2026-06-01T12:00"
TILL = {"source": "/till", "store": "S", "currency": "CNY"}

STANDING_TABLES: dict[str, tuple[Event, list[tuple[str, dict[str, Any]]]]] = {
    **TOGETHER_TABLES,
    "customer.frozen": (
        event("customer.frozen", FAR_AHEAD, what="nothing", until="2026-05-02T00:00:00Z"),
        [
            ("malformed", {"what": "all"}),
            ("malformed", {"reason": "stolen"}),
            ("malformed", {"until": "2026-09-01T00:00:00Z"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("recorded", {}),
        ],
    ),
    "customer.unfrozen": (
        event("customer.unfrozen", FAR_AHEAD, what="nothing"),
        [
            ("malformed", {"what": "all"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("customer_not_frozen", {}),
        ],
    ),
    "customer.closed": (
        event("customer.closed", FAR_AHEAD),
        [
            ("malformed", {"reason": "asked to leave"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("customer_not_settled", {}),
        ],
    ),
    "source.declared": (
        event(
            "source.declared",
            FAR_AHEAD,
            **TILL,
            business_day="today",
            orders=1,
            gross=9,
            refunds=2,
            net=9,
            order_ids=[],
        ),
        [
            ("malformed", {"business_day": "2026-05-31"}),
            ("malformed", {"net": 7}),
            ("malformed", {"order_ids": ["SO-1"]}),
            ("time_in_future", {"time": NOW}),
            ("recorded", {}),
        ],
    ),
    "declaration.waived": (
        event("declaration.waived", FAR_AHEAD, **TILL, business_day="2026-05-31"),
        [
            ("malformed", {"reason": "the till is gone"}),
            ("time_in_future", {"time": NOW}),
            ("recorded", {}),
        ],
    ),
}
