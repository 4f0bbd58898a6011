"""Examples of events that concern two customers, and rules under which they are recorded."""

from typing import Any


def _event(number: int, event_type: str, data: dict[str, Any], subject: str = "c-1001") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"5f0c44{number:02d}",
        "source": "/pos/sz-001",
        "type": event_type,
        "subject": subject,
        "time": f"2026-11-21T13:{number:02d}:00+08:00",
        "data": data,
    }


RULES: dict[str, Any] = {"transfers": {"points_max": 1000, "per_day_max": 5000}}

EVENTS: dict[str, dict[str, Any]] = {
    "transfer": _event(1, "points.transferred", {"transfer_id": "T-1", "points": 20, "to": "c-1002"}),
    "authorisation": _event(
        2,
        "account.authorised",
        {"spender": "c-1002", "asset": "points", "limit": 50, "until": "2026-12-31T00:00:00+08:00"},
    ),
    "redemption_for_another": _event(
        3, "points.redeemed", {"redemption_id": "R-9", "points": 30, "on_behalf_of": "c-1001"}, subject="c-1002"
    ),
    "reversal_for_another": _event(4, "points.redemption_reversed", {"redemption_id": "R-9"}, subject="c-1002"),
    "authorisation_ended": _event(
        5, "account.authorisation_ended", {"spender": "c-1002", "asset": "points", "reason": "card given back"}
    ),
}
"""In this order they are all recorded, where both customers have points."""
