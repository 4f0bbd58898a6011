"""What schemathesis does not know by itself: how lines of JSON are sent."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    """The text as it is: it says itself where its lines end."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else str(value).encode()
