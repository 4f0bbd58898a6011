"""The tables of events that concern two customers, for test_refusals.py: there is no other customer in them."""

from typing import Any

from ledger.instants import MINUTE, parse
from tests.builders import Event, event

FAR_AHEAD = parse("2026-06-01T12:00:00Z") + 6 * MINUTE
TOO_OLD = "2026-01-10T00:00"

TOGETHER_TABLES: dict[str, tuple[Event, list[tuple[str, dict[str, Any]]]]] = {
    "points.transferred": (
        event("points.transferred", FAR_AHEAD, transfer_id="T-1", points=0, to="13800138000"),
        [
            ("malformed", {"points": 36}),
            ("personal_identifier", {"to": "c-1"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("transfer_to_self", {"to": "c-2"}),
            ("receiver_unknown", {}),
        ],
    ),
}
