"""The state machine of a customer's standing: frozen, unfrozen by hand and by time, and closed, beside buying and spending."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger import account as accounts
from ledger.instants import show
from tests.properties import stories
from tests.properties.invariants import cut_offs
from tests.properties.machine import QUARTER_DAY, Checkout
from tests.properties.naive_standing import NaiveStanding

WHAT = st.sampled_from(["earn", "redeem", "all"])


class Leaving(Checkout):
    """Freezes at any instant; the closing comes last, and not late.

    Found: the end of one freeze by time ended another, once the clock had written it.
    """

    Model = NaiveStanding

    @rule(when=stories.instants, wait=stories.waits, what=WHAT, quarters=st.none() | st.integers(1, 8))
    def freeze(self, when: tuple[str, int], wait: int, what: str, quarters: int | None) -> None:
        until = None if quarters is None else show(self.instant(when) + quarters * QUARTER_DAY)
        self.post("customer.frozen", when, wait, what=what, reason="looked into", until=until)

    @rule(when=stories.instants, wait=stories.waits, what=WHAT)
    def unfreeze(self, when: tuple[str, int], wait: int, what: str) -> None:
        self.post("customer.unfrozen", when, wait, what=what, reason="all is well")

    @precondition(lambda self: len(self.events) > 8)
    @rule(wait=stories.waits)
    def close(self, wait: int) -> None:
        """Dated after everything else: an instant of its own a minute on."""
        self.now += wait * stories.HOUR + 60_000_000 * 10
        self.post("customer.closed", ("now", 1), 0, reason="moved away")

    def agreed(self) -> None:
        """And a reader sees what is frozen, at every instant."""
        super().agreed()
        for ledger in self.ledgers:
            for as_of in cut_offs(ledger.records):
                state = accounts.fold(ledger.records, as_of)
                part = accounts.show_account(state, as_of).get("standing", {})
                seen = {freeze["what"] for freeze in part.get("frozen", ())}
                assert seen == self.naive.frozen_as_of(as_of), f"as of {show(as_of)}"
