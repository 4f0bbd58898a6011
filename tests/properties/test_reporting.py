"""The points report and the per-customer fold are two roads to one number."""

import pytest
from hypothesis import settings

from tests.properties.machine import Books
from tests.properties.reporting import Reported, ReportedCheckout, ReportedClawbacks
from tests.properties.test_model import HOURS, searched

MACHINES = [Reported, ReportedCheckout, ReportedClawbacks]
SECONDS = settings(max_examples=4, stateful_step_count=12)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_report_is_the_fold_at_every_pair_of_cut_offs_and_rolls_forward(machine: type[Books]) -> None:
    """Late events, refunds, debts, deliveries and lots that lapse unwritten among them."""
    searched(machine, SECONDS)


@pytest.mark.campaign
@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_for_hours(machine: type[Books]) -> None:
    searched(machine, HOURS)
