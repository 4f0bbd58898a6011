"""What batches and streams of lines share: each event on its own feet, and how one that is refused is answered."""

from typing import Any

from api.intake import TEXT_CHARACTERS_MAX, Sender, check_size, read_event
from api.problems import problem
from ledger.deciding.command import Command
from ledger.errors import LedgerError


def read_or_refuse(event: Any, sender: Sender) -> Command | LedgerError:
    """The command of an event, or why it is none."""
    try:
        check_size(event)
        return read_event(event, sender)
    except LedgerError as error:
        return error


def refused_item(error: LedgerError, event: Any) -> dict[str, Any]:
    """The answer to an event that is not in the log; null what the event does not say."""
    named = event if isinstance(event, dict) else {}
    item: dict[str, Any] = {"status": "refused"}
    for name in ("id", "source", "subject"):
        value = named.get(name)
        item[name] = value if isinstance(value, str) and len(value) <= TEXT_CHARACTERS_MAX else None
    item["problem"] = problem(error)
    return item
