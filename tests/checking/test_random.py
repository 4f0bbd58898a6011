"""Whatever the ledger decides, late or in order, the check has nothing to say against it."""

from hypothesis import HealthCheck, settings

from ledger.checking_streams import StreamCheck
from ledger.records import customer_stream_id
from tests.builders import CUSTOMER, PROGRAM
from tests.checking.test_streams import rows_of
from tests.properties.machine import Everything


class Checked(Everything):
    """The same random events as for the naive model; at the end every stream is checked record by record."""

    def agreed(self) -> None:
        for ledger in self.ledgers:
            stream = StreamCheck(PROGRAM, "program", customer_stream_id(PROGRAM, CUSTOMER))
            for row in rows_of(ledger.records):
                stream.check(row)
            assert stream.book.balances() == ledger.account.balances()


def test_the_check_finds_nothing_in_what_was_decided():
    """Planted: what is free now taken for what was free since the event's time, which overdraws a lot in between."""
    case = Checked.TestCase
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    case.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=slow)
    case().runTest()
