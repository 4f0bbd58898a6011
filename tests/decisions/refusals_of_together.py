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
    "account.authorised": (
        event("account.authorised", FAR_AHEAD, spender="13800138000", asset="stored_value", until=TOO_OLD + ":00Z"),
        [
            ("malformed", {"limit": 5}),
            ("personal_identifier", {"spender": "c-1"}),
            ("malformed", {"asset": "points"}),
            ("ends_before_it_begins", {"until": "2027-01-01T00:00:00Z"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("not_authorised", {"spender": "c-2"}),
            ("spender_unknown", {}),
        ],
    ),
    "account.authorisation_ended": (
        event("account.authorisation_ended", FAR_AHEAD, spender="13800138000", asset="growth"),
        [
            ("malformed", {"asset": "points"}),
            ("personal_identifier", {"spender": "c-1"}),
            ("time_in_future", {"time": TOO_OLD}),
            ("forbidden", {"time": "2026-05-01"}),
            ("not_authorised", {"spender": "c-2"}),
            ("not_authorised", {}),
        ],
    ),
}
