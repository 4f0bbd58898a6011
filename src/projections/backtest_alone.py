"""What concerned two customers, for a back-test that follows one stream at a time.

The customer's own part is decided again; what the other did is taken as it was recorded. So points that came from another arrive as
they did, and what others charged to this account is charged again, whatever the proposed document would have made of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.deciding import Command
from ledger.parts.family import DUE
from ledger.records import FOLLOWS, Record

ARRIVES = "program:transferred"
ASKED_FOR = ("redemption_id", "hold_id", "spend_id")


class Alone:
    """One customer's stream, told without the others."""

    def __init__(self) -> None:
        self._elsewhere: set[str] = set()
        self._charged: dict[tuple[str, str], str] = {}

    def commands(self, record: Record) -> Iterator[Command]:
        """What is decided again for a record: mostly its own event, nothing for what time brought or what follows."""
        if record.source == DUE:
            return
        if record.source == FOLLOWS:
            yield from self._halves(record)
            return
        data = record.data
        named = next((f"{name}:{data[name]}" for name in ASKED_FOR if name in data), "")
        if "on_behalf_of" in data:
            self._elsewhere.add(named)
        elif named not in self._elsewhere and not record.type.startswith("account.auth"):
            yield _command(record, _paid_here(data) if record.type == "purchase.recorded" else data)

    def _halves(self, record: Record) -> Iterator[Command]:
        """What another customer's event did to this account."""
        data = record.data
        if record.type.startswith("hold.") and "spender" in data:
            yield _command(record, {name: value for name, value in data.items() if name != "spender"})
        for place, charge in enumerate(data.get("charges", ())):
            key = data.get("redemption_id") or data["order"], charge["asset"]
            if charge["asset"] != "points":
                continue
            if record.type == "account.charged":
                self._charged[key] = f"{record.id}:{place}"
                again = {"redemption_id": self._charged[key], "points": charge["amount"]}
                yield _command(record, again, "points.redeemed", place)
            elif key in self._charged:
                again = {"redemption_id": self._charged[key], "points": charge["amount"]}
                yield _command(record, again, "points.redemption_reversed", place)


def arrived(account: Account, record: Record) -> Record | None:
    """The record of points that came from another customer, as it follows on an account that was decided otherwise."""
    postings = [posting for posting in record.postings if posting.source == ARRIVES]
    if record.source != FOLLOWS or not postings:
        return None
    version = account.version + 1
    renumbered = tuple(posting._replace(lot=f"{version}.{number}") for number, posting in enumerate(postings, start=1))
    again = replace(record, version=version, postings=renumbered)
    again.balances = accounts.evolve(account, again).balances()
    return again


def _paid_here(data: dict[str, Any]) -> dict[str, Any]:
    """A purchase without what another's account paid: its tender stays and moves nothing."""
    if not any("on_behalf_of" in tender for tender in data.get("tenders", ())):
        return data
    tenders = [
        {"kind": tender["kind"], "amount": tender["amount"], "reference": tender["on_behalf_of"]}
        if "on_behalf_of" in tender
        else tender
        for tender in data["tenders"]
    ]
    return {**data, "tenders": tenders}


def _command(record: Record, data: dict[str, Any], kind: str | None = None, place: int = 0) -> Command:
    return Command(
        source=record.source,
        id=record.id if not place else f"{record.id}:{place}",
        type=kind or record.type,
        subject=record.subject,
        time=record.time,
        data=data,
        actor=record.actor,
        cause=record.cause,
    )
