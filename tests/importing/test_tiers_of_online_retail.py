"""Online Retail under a small tier program: every customer's growth and tier, beside one worked out without the ledger's code."""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from api.importing.mapping import read_mapping
from api.importing.sources import Item, Table
from ledger.deciding import Command
from ledger.instants import parse
from ledger.program import ProgramState
from ledger.rules import read_document
from ledger.seeing import seen
from ledger.trial import Trial, ruled_by
from tests.properties.naive_tiers import NaiveTiers, Seen

pytestmark = [pytest.mark.needs_data, pytest.mark.slow]

FILE = "online_retail_2010_2011.parquet"
END = parse("2012-01-15T00:00:00Z")
DOCUMENT: dict[str, Any] = {
    "program": {"time_zone": "Europe/London", "currencies": ["GBP"]},
    "business_day_starts_at": "05:00",
    "earning": [],
    "tiers": {
        "currency": "GBP",
        "window": {"kind": "rolling", "months": 6},
        "valid_months": 3,
        "review": "fall",
        "grace_days": 7,
        "refunds_undo_upgrade": False,
        "growth": [{"id": "spent", "on": "purchase.recorded", "per_unit": "1"}],
        "levels": [
            {"name": "silver", "rank": 1, "qualifies": {"growth": 500}},
            {"name": "gold", "rank": 2, "qualifies": {"any": [{"growth": 2000}, {"growth": 1000, "orders": 8}]}},
            {"name": "black", "rank": 3, "qualifies": {"spend": 1_000_000}, "retains": {"spend": 700_000}},
        ],
    },
}


class ByHand:
    """One customer's events, with returns matched to the latest orders of the same goods."""

    def __init__(self) -> None:
        self.tiers = NaiveTiers(DOCUMENT)
        self.units = 0
        self.lines: dict[str, list[dict[str, Any]]] = {}

    def take(self, command: Command) -> None:
        self.units += 1
        data = command.data
        if command.type == "purchase.recorded":
            self.lines[data["order_id"]] = [{**one, "left": Fraction(one["quantity"])} for one in data["lines"]]
            self.tiers.bought(self.units, data["order_id"], data["total"], command.time)
            return
        undone: Counter[str] = Counter()
        for wanted in data["lines"]:
            left = Fraction(wanted["quantity"])
            for order in self.latest_first(command.time):
                for line in self.lines[order]:
                    part = min(left, line["left"]) if line["sku"] == wanted["sku"] else Fraction(0)
                    if part:
                        money = int(line["amount"] * part / line["left"])
                        line["amount"] -= money
                        line["left"] -= part
                        left -= part
                        undone[order] += money
        for order, amount in undone.items():
            if amount:
                self.tiers.refunded(self.units, order, amount, command.time)

    def latest_first(self, at: int) -> list[str]:
        """Orders by then, the latest first; of one instant that which came last."""
        known = [(order.at, number, name) for number, (name, order) in enumerate(self.tiers.orders.items())]
        return [name for when, _, name in sorted(known, reverse=True) if when <= at]


def events(path: Path) -> list[Command]:
    source = Table(path, read_mapping(Path("online_retail")), "me")
    found = [item.command for item in source.items(lambda _: None) if isinstance(item, Item)]
    return [command for command in found if isinstance(command, Command)]


def test_every_customers_growth_and_tier_are_those_worked_out_by_hand(real_data: Path) -> None:
    """Planted: a return that takes off the whole order's growth; a review whose window ends a day late."""
    trial = Trial("retail", ruled_by(ProgramState(), read_document(DOCUMENT)))
    trial.now = END
    by_hand: dict[str, ByHand] = {}
    for command in events(real_data / FILE):
        trial.post(command)
        by_hand.setdefault(command.subject, ByHand()).take(command)
    tiers: Counter[str | None] = Counter()
    differing = {}
    for customer, hand in by_hand.items():
        wanted = hand.tiers.seen(END, hand.units)
        found = read(trial, customer)
        tiers[found.tier] += 1
        if found != wanted:
            differing[customer] = (found, wanted)
    assert differing == {}
    assert len(by_hand) == 4_338 + 33, "those who bought, and those who only brought back"
    assert min(tiers.values()) > 10, "every tier is reached by some"


def read(trial: Trial, customer: str) -> Seen:
    """What a reader sees at the end; the clock has not run."""
    account = trial.accounts[customer]
    shown = seen(account, END, program="retail", customer=customer, known=trial.state)
    tier = shown["tier"]
    since, review_at = tier["since"], tier["review_at"]
    return Seen(
        shown["balances"].get("growth", 0),
        tier["tier"],
        None if since is None else parse(since),
        None if review_at is None else parse(review_at),
    )
