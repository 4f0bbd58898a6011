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
}
"""In this order they are all recorded, where both customers have points."""
