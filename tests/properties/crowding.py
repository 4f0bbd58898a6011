"""The state machine with room for three lots only: lots are joined all the time, and nothing that must hold breaks."""

from collections import Counter
from unittest import mock

from tests.builders import Event, MemoryLedger
from tests.properties.invariants import check_records
from tests.properties.machine import Checkout, outcome

ROOM = 3


class Crowded(Checkout):
    """No naive model: joined lots are others than it knows, so what a late event finds free differs by design."""

    def agree(self, posted: Event) -> None:
        with mock.patch("ledger.deciding.unit.OPEN_LOTS_MAX", ROOM):
            for ledger in self.ledgers:
                outcome(ledger, posted)
                self.bounded(ledger)

    def bounded(self, ledger: MemoryLedger) -> None:
        live = [lot for lot in ledger.account.lots.values() if lot.expires_at > ledger.account.latest]
        assert all(number <= ROOM for number in Counter(lot.asset for lot in live).values())

    def agreed(self) -> None:
        for ledger in self.ledgers:
            check_records(ledger.records)
            self.refund_everything(ledger)

    def refund_everything(self, ledger: MemoryLedger) -> None:
        """Whatever was joined with whatever, an order takes back no more than it earned."""
        for record in ledger.records:
            for part in (record.derived or {}).get("orders", ()):
                for clawed in part["clawback"]:
                    assert clawed["due"] == sum(clawed[name] for name in ("taken", "expired", "dropped", "debt"))
