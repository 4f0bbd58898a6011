"""The state machines at their two sizes: seconds in `make fast` and `make test`, hours in `make campaign`.

LEDGER_CAMPAIGN_EXAMPLES says how many examples a campaign tries of each machine (20,000 where it is not set).
"""

import os

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine

from tests.properties.couponing import Couponing
from tests.properties.crowding import Crowded
from tests.properties.history import Historian
from tests.properties.leaving import Leaving
from tests.properties.machine import Checkout, Clawbacks, Everything
from tests.properties.packaging import Packaging
from tests.properties.purse import Aside, Purse
from tests.properties.tiering import Tiered

MACHINES = [Everything, Purse, Aside, Checkout, Clawbacks, Crowded, Historian, Tiered, Couponing, Packaging, Leaving]
SECONDS = settings(max_examples=25, stateful_step_count=20)
HOURS = settings(max_examples=int(os.environ.get("LEDGER_CAMPAIGN_EXAMPLES", "20000")), stateful_step_count=40)


def searched(machine: type[RuleBasedStateMachine], size: settings) -> None:
    case = machine.TestCase
    case.settings = settings(size, print_blob=True)
    case().runTest()


@pytest.mark.parametrize("machine", MACHINES)
def test_the_ledger_agrees_with_the_naive_model_whatever_happens_in_whatever_order(machine):
    """At every pair of cut-offs: balances, lots, debts, totals, accounts; whether the clock runs always, sometimes or never.

    Planted: an expiry's reversal for more than was taken; free now taken for free since then; the clock's expiry of a lot
    reopened left out; a debt paid by a late grant at the grant's own time; pending points spent; a cap of the wrong day.
    """
    searched(machine, SECONDS)


@pytest.mark.campaign
@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_for_hours(machine):
    searched(machine, HOURS)
