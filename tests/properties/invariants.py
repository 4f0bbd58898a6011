"""What must hold of any records whatever decided them, added up from the postings as an auditor would."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.instants import parse
from ledger.records import Record

NEVER = 2**62


@dataclass
class Sums:
    """Plain arithmetic of postings: what each lot and debt holds, and what each account took in less what it gave."""

    remaining: dict[str, int] = field(default_factory=dict)
    amount: dict[str, int] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    accounts: Counter[str] = field(default_factory=Counter)

    def add(self, posting: dict[str, Any]) -> None:
        self.accounts[posting["from"] + "|" + posting["asset"]] -= posting["amount"]
        self.accounts[posting["to"] + "|" + posting["asset"]] += posting["amount"]
        sign = -1 if posting["from"].startswith("customer:") else 1
        for lot, amount in posting.get("lots", ()):
            self.remaining[lot] += sign * amount
        for debt, amount in posting.get("debts", ()):
            self.owed[debt] -= amount
        if "lot" in posting:
            opened = self.owed if posting["from"].endswith(":debt") else self.remaining
            opened[posting["lot"]] = self.amount[posting["lot"]] = posting["amount"]

    def check(self) -> None:
        """Every lot and debt holds between nothing and all it was opened with."""
        for number, left in (*self.remaining.items(), *self.owed.items()):
            assert 0 <= left <= self.amount[number], f"lot {number} holds {left} of {self.amount[number]}"

    def balances(self) -> dict[str, int]:
        """Per asset what the customer's accounts hold, the debt account (which goes below zero) included."""
        sums: Counter[str] = Counter()
        for account, amount in self.accounts.items():
            name, _, asset = account.partition("|")
            if name.startswith("customer:"):
                sums[asset] += amount
                if name.endswith(":debt"):
                    sums[f"{asset}:debt"] -= amount
        return {asset: amount for asset, amount in sums.items() if amount}


def cut_offs(records: Iterable[Record]) -> list[int]:
    """Every instant that occurs, and the microseconds beside it."""
    instants: set[int] = set()
    for record in records:
        shown = record.to_json()
        instants |= {record.time, record.recorded_at, record.instant}
        for posting in shown["postings"]:
            for key in ("at", "available_at", "expires_at"):
                if posting.get(key):
                    instants.add(parse(posting[key]))
    return sorted({instant + step for instant in instants for step in (-1, 0, 1)})


def check_records(records: list[Record]) -> None:
    """Everything that must hold at every pair of cut-offs, prefixes in the middle of a unit included."""
    check_instants(records)
    check_bytes(records)
    shown = [record.to_json() for record in records]
    for as_of in [*cut_offs(records), NEVER]:
        state, sums = accounts.empty(), Sums()
        for record, its in zip(records, shown, strict=True):
            accounts.apply(state, record, as_of)
            counts = [one for one in its["postings"] if (parse(one["at"]) if "at" in one else record.instant) <= as_of]
            for posting in counts:
                sums.add(posting)
            if counts:
                check_against(state, sums)
            if as_of == NEVER:
                assert without_zeros(record.balances) == without_zeros(state.balances())


def check_against(state: Account, sums: Sums) -> None:
    """The fold and plain arithmetic hold the same."""
    sums.check()
    assert {lot.id: lot.remaining for lot in (*state.lots.values(), *state.held.values())} == {
        n: left for n, left in sums.remaining.items() if left
    }
    assert {debt.id: debt.remaining for debt in state.debts.values()} == {
        n: left for n, left in sums.owed.items() if left
    }
    assert without_zeros(state.balances()) == sums.balances()


def check_instants(records: list[Record]) -> None:
    """No posting is dated before the lot it names, or after it was written; recorded_at never goes back."""
    opened: dict[str, int] = {}
    for record in records:
        for posting in record.postings:
            at = record.instant if posting.at is None else posting.at
            assert at <= record.recorded_at
            for number, _ in (*posting.lots, *posting.debts):
                assert opened[number] <= at, f"{number} of {opened[number]} is touched at {at}"
            if posting.lot is not None:
                opened[posting.lot] = at
            assert posting.amount > 0
            if posting.lots:
                assert sum(amount for _, amount in posting.lots) == posting.amount
    stamps = [record.recorded_at for record in records]
    assert stamps == sorted(stamps)


def check_bytes(records: list[Record]) -> None:
    """A record is the same bytes after reading, a state after storing; evolve leaves what it was given as it was."""
    state = accounts.empty()
    for record in records:
        stored = record.to_bytes()
        assert Record.from_bytes(stored).to_bytes() == stored
        before = accounts.to_bytes(state)
        after = accounts.evolve(state, record)
        assert accounts.to_bytes(state) == before
        assert accounts.from_bytes(accounts.to_bytes(after), after.version) == after
        state = after
    assert accounts.to_bytes(accounts.fold(records)) == accounts.to_bytes(state)


def without_zeros(balances: dict[str, int]) -> dict[str, int]:
    return {asset: amount for asset, amount in balances.items() if amount}
