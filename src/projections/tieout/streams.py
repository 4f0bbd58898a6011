"""The fold of one stream: what each side must say of the customer, at the position where it stands."""

from collections.abc import Mapping

from ledger import account as accounts
from ledger.reading import CutOff
from ledger.records import Record
from projections.tieout.figures import CUSTOMERS, HEADS, TWIN, Figures, Trade, of_account, of_balances


class Expected:
    """The records of one customer, folded in order of version.

    Args:
        cut: at which the twin is asked.
        checkpoints: read model → the position it is folded to; one that is not there is not compared.
    """

    def __init__(self, cut: CutOff, checkpoints: Mapping[str, int]) -> None:
        self.customer = ""
        self._cut = cut
        self._waiting = dict(checkpoints)
        self._said: dict[str, Figures] = {}
        self._whole, self._trade = accounts.empty(), Trade()
        self._seen, self._seen_trade, self._seen_records = accounts.empty(), Trade(), 0

    def add(self, position: int, record: Record) -> None:
        """Fold the next record.

        Raises:
            InvariantBroken: it does not follow.
        """
        self.customer = self.customer or record.subject
        self._pause(position)
        accounts.apply(self._whole, record)
        self._trade.add(record)
        if position <= self._cut.position:
            accounts.apply(self._seen, record, self._cut.as_of)
            if record.instant <= self._cut.as_of:
                self._seen_trade.add(record)
                self._seen_records += 1

    def figures(self) -> dict[str, Figures]:
        """What each side must say, now that the last record is folded."""
        for side in list(self._waiting):
            self._say(side)
        balances = of_balances(accounts.lapsed(self._seen, self._cut.as_of))
        twin = {**balances, **self._seen_trade.of_twin()}
        return {
            **self._said,
            HEADS: of_account(self._whole),
            TWIN: {"records": self._seen_records, **twin} if self._seen_records else twin,
        }

    def state(self) -> bytes:
        """The state that the head must carry."""
        return accounts.to_bytes(self._whole)

    def _pause(self, position: int) -> None:
        """Before a record that a read model has not folded yet: what its rows must say."""
        for side in [side for side, checkpoint in self._waiting.items() if position > checkpoint]:
            self._say(side)

    def _say(self, side: str) -> None:
        del self._waiting[side]
        self._said[side] = of_account(self._whole) if side == CUSTOMERS else self._trade.of_orders()
