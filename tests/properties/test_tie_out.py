"""Fold of the streams = heads = read models = twin, at every pair of cut-offs of random events of several customers."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import Phase, settings

from ledger import account as accounts
from ledger.instants import show
from ledger.reading import CutOff
from ledger.records import Record
from projections.models import MODELS
from projections.tieout import sides
from projections.tieout.figures import CUSTOMERS, HEADS, ORDERS, TWIN, Figures
from projections.tieout.sides import Head, TwinSide
from projections.tieout.streams import Expected
from projections.tieout.tying import BEGINNING, END, differences_of
from projections.twin.fleet import Fleet
from tests.builders import Event, MemoryLedger, event, granted, purchase, redeemed, refunded, rules
from tests.metrics.fleets import fleet_of, texts_of
from tests.properties.invariants import cut_offs
from tests.properties.machine import Books, Clawbacks, Everything, outcome
from tests.properties.purse import Purse

CUT_OFFS_TRIED = 6


class _TiedOut(Books):
    """Its three ledgers are three customers of one log; at the end that is tied out at random pairs of cut-offs."""

    def agree(self, posted: Event) -> None:
        for ledger in self.ledgers:
            outcome(ledger, posted)

    def agreed(self) -> None:
        log = log_of([ledger.records for ledger in self.ledgers])
        dice = random.Random(len(log))
        whole = fleet_of(texts_of(log), as_of=0)
        instants = cut_offs(log)
        for _ in range(CUT_OFFS_TRIED):
            tie_out(whole, log, as_of=dice.choice(instants), known_at=dice.randint(1, len(log)))
        whole.backend.disconnect()


class AllOfIt(_TiedOut, Everything):
    """All types, what was taken over from another system among them."""


class Brought(_TiedOut, Clawbacks):
    """Orders, and what becomes of them."""


class Held(_TiedOut, Purse):
    """Stored value, tenders that pay, holds."""


@pytest.mark.slow
@pytest.mark.parametrize("machine", [AllOfIt, Brought, Held])
def test_all_sides_are_the_fold_at_random_cut_offs(machine):
    """Heads, rows of customers and orders, and the twin.

    Planted: a debt left out of the twin's balances; orders after the cut-off counted; a return's money by what it matched. Seen.
    """
    case = machine.TestCase
    case.settings = settings(
        max_examples=4,
        stateful_step_count=15,
        print_blob=True,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # an example takes seconds: not made smaller
    )
    case().runTest()


STORY = [
    purchase("SO-1", 10_000, "2026-01-02"),
    redeemed("R-1", 80, "2026-01-03"),
    event("hold.placed", "2026-01-03", hold_id="H-1", asset="points", amount=15, until="2026-01-20T00:00:00Z"),
    refunded("SO-1", 10_000, "2026-01-04"),
    granted(50, "2026-01-01", expires_at="2026-01-10T00:00:00Z").late("2026-01-06"),
    purchase("SO-2", 700, "2026-01-12"),
]


@pytest.mark.slow
def test_all_sides_are_the_fold_at_every_cut_off_of_a_story():
    """A debt, a hold past an expiry, a late grant: every instant that occurs and its neighbours, every position."""
    ledgers = [MemoryLedger(rules(refunds="allow_negative"), clock=clock) for clock in (True, False)]
    for posted, ledger in itertools.product(STORY, ledgers):
        ledger.post(posted)
    log = log_of([ledger.records for ledger in ledgers])
    whole = fleet_of(texts_of(log), as_of=0)
    for known_at in range(1, len(log) + 1, 4):
        for as_of in cut_offs(log)[::5]:
            tie_out(whole, log, as_of=as_of, known_at=known_at)
    for as_of in cut_offs(log):
        tie_out(whole, log, as_of=as_of, known_at=len(log))
    whole.backend.disconnect()


def log_of(streams: list[list[Record]]) -> list[Record]:
    """Streams of one customer each as one log of several customers, record about record."""
    named = [[_of(record, f"c-{number}") for record in stream] for number, stream in enumerate(streams, start=1)]
    return [record for row in itertools.zip_longest(*named) for record in row if record is not None]


def tie_out(whole: Fleet, log: list[Record], *, as_of: int, known_at: int) -> None:
    """Every side, and the sums over all customers, at one pair of cut-offs."""
    cut = CutOff(as_of, log[known_at - 1].recorded_at, known_at, is_head=False)
    seen = list(enumerate(log[:known_at], start=1))
    said = {
        HEADS: heads_of(record for _, record in seen),
        CUSTOMERS: {
            name: sides.of_customer_row(MODELS[CUSTOMERS], row) for name, row in rows_of(CUSTOMERS, seen).items()
        },
        ORDERS: orders_of(seen),
        TWIN: TwinSide(replace(whole, cut=cut)).read(BEGINNING, END),
    }
    expected = expected_of(seen, cut)
    where = f"as of {show(as_of)}, known at {known_at}"
    for side, found in said.items():
        for customer in expected.keys() | found.keys():
            wanted = expected[customer][side] if customer in expected else {}
            assert differences_of(customer, side, wanted, found.get(customer, {})) == [], where
    check_sums(said[TWIN], said[ORDERS], [record for _, record in seen], as_of, where)


def expected_of(seen: Iterable[tuple[int, Record]], cut: CutOff) -> dict[str, dict[str, Figures]]:
    """What each side must say of each customer."""
    streams: dict[str, Expected] = {}
    for position, record in seen:
        checkpoints = {CUSTOMERS: cut.position, ORDERS: cut.position}
        streams.setdefault(record.subject, Expected(cut, checkpoints)).add(position, record)
    return {customer: stream.figures() for customer, stream in streams.items()}


def heads_of(records: Iterable[Record]) -> dict[str, Figures]:
    """What the heads say, each through the bytes in which it is stored."""
    states: dict[str, accounts.Account] = {}
    for record in records:
        states[record.subject] = accounts.evolve(states.get(record.subject, accounts.empty()), record)
    stored = {name: Head(name, state.version, accounts.to_bytes(state).decode()) for name, state in states.items()}
    return {name: head.figures() for name, head in stored.items()}


def rows_of(name: str, seen: Iterable[tuple[int, Record]]) -> dict[str, dict]:
    """The rows of a read model, each record folded on what was stored."""
    model = MODELS[name]
    stored: dict[str, str] = {}
    for position, record in seen:
        for key in model.keys(record):
            memory = model.read(stored[key]) if key in stored else None
            stored[key] = model.write(model.fold(memory, key, position, record))
    return {
        key: {model.key: key, "memory": text, **dict(zip(model.columns, model.row(model.read(text)), strict=True))}
        for key, text in stored.items()
    }


def orders_of(seen: Iterable[tuple[int, Record]]) -> dict[str, Figures]:
    """What the rows of orders add up to."""
    said: dict[str, Figures] = {}
    for row in rows_of(ORDERS, seen).values():
        sides.add_orders(said.setdefault(row["customer"], {}), {**row, "orders": 1})
    return {customer: {name: amount for name, amount in one.items() if amount} for customer, one in said.items()}


def check_sums(
    twin: dict[str, Figures], orders: dict[str, Figures], records: list[Record], as_of: int, where: str
) -> None:
    """The fleet's balances are the sum of the folds, asset by asset; the money of orders is that of the purchases."""
    folds: Counter[str] = Counter()
    for customer in {record.subject for record in records}:
        state = accounts.fold([record for record in records if record.subject == customer], as_of)
        folds.update(
            {
                asset: amount
                for asset, amount in accounts.lapsed(state, as_of).balances().items()
                if ":debt" not in asset
            }
        )
    fleet: Counter[str] = Counter()
    for figures in twin.values():
        fleet.update({name[8:]: amount for name, amount in figures.items() if name.startswith("balance:")})
    assert {asset: amount for asset, amount in folds.items() if amount} == {k: v for k, v in fleet.items() if v}, where
    bought = [record for record in records if record.type == "purchase.recorded"]
    gross = sum(amount for one in orders.values() for name, amount in one.items() if name.startswith("gross:"))
    assert gross == sum(record.data["total"] for record in bought), where


def _of(record: Record, customer: str) -> Record:
    """The record as another customer's; orders are named once in a program."""
    text = record.to_bytes().decode()
    return Record.from_bytes(text.replace('"c-1"', f'"{customer}"').replace("SO-", f"S{customer}-"))
