"""A ledger in memory: what a document would decide, for examples, dry runs and back-tests. Nothing of it is kept anywhere."""

from collections.abc import Callable
from dataclasses import replace

from ledger import account as accounts
from ledger.account import Account
from ledger.deciding import (
    Command,
    Context,
    Counterpart,
    Decision,
    NeedsCounterpart,
    NeedsHistory,
    advance,
    decide,
    decide_program,
)
from ledger.errors import FixedAtCreation, LimitReached
from ledger.program import ProgramState
from ledger.records import PROGRAM_TYPES, Record
from ledger.rules import EVER, Rulebook, RulesDocument, RuleVersion
from ledger.rules.earning import BUDGET


def ruled_by(state: ProgramState, document: RulesDocument) -> ProgramState:
    """A program's state under one document from ever, numbered as if it were published next; its places stay."""
    number = state.rulebook.latest.version + 1 if state.rulebook is not None else 1
    return replace(state, rulebook=Rulebook((RuleVersion(version=number, effective_from=EVER, document=document),)))


def check_fixed(state: ProgramState, proposed: RulesDocument) -> None:
    """Refuse a document that changes what was fixed when the program was made.

    Raises:
        FixedAtCreation
    """
    fixed = state.rules.latest.document.program
    if proposed.program != fixed:
        raise FixedAtCreation(fixed=fixed.model_dump(mode="json"), sent=proposed.program.model_dump(mode="json"))


class Trial:
    """One program with any number of customers.

    Attributes:
        state: rules and places.
        now: the clock, microseconds.
        accounts, histories: by customer.
        counters: sums across customers.
        alone: one customer is followed at a time; another that an event concerns is there and takes what it gets.
    """

    def __init__(self, program: str, state: ProgramState, *, alone: bool = False) -> None:
        self.program = program
        self.state = state
        self.now = EVER
        self.accounts: dict[str, Account] = {}
        self.histories: dict[str, list[Record]] = {}
        self.counters: dict[str, int] = {}
        self.alone = alone

    def post(self, command: Command) -> list[Record]:
        """Decide an event as the writer would, at the instant that the clock shows; the records it brings.

        Raises:
            LedgerError: a named no; nothing has changed.
        """
        if command.type in PROGRAM_TYPES:
            decided = decide_program(self.state, command, Context(self.program, self.now, self.state))
            self.state = decided.state
            return decided.records
        account = self.accounts.get(command.subject) or accounts.empty()
        decision = self._within_limits(account, command)
        return self._take(command.subject, decision)

    def advance(self, customer: str, until: int) -> list[Record]:
        """Write what falls due for a customer by an instant."""
        account = self.accounts.get(customer)
        if account is None:
            return []
        context = Context(self.program, self.now, self.state)
        decision = self._with_history(customer, context, lambda seen: advance(account, customer, until, seen))
        return self._take(customer, decision)

    def accept(self, record: Record) -> None:
        """Take a record as it is, the next one of its stream."""
        account = self.accounts.get(record.subject) or accounts.empty()
        self.accounts[record.subject] = accounts.evolve(account, record)
        self.histories.setdefault(record.subject, []).append(record)

    def forget(self, customer: str) -> None:
        """Let go of a customer; the counters stay."""
        self.accounts.pop(customer, None)
        self.histories.pop(customer, None)

    def _take(self, customer: str, decision: Decision) -> list[Record]:
        for record in decision.records:
            record.recorded_at = self.now
            if record.subject == customer or not self.alone:
                self.histories.setdefault(record.subject, []).append(record)
        if decision.counterpart is not None and not self.alone:
            for other in {record.subject for record in decision.records} - {customer}:
                self.accounts[other] = decision.counterpart
        self.accounts[customer] = decision.account
        return decision.records

    def _within_limits(self, account: Account, command: Command) -> Decision:
        used_up: dict[str, int] = {}
        while True:
            context = Context(self.program, self.now, self.state, used_up=used_up)
            decision = self._with_history(command.subject, context, lambda seen: decide(account, command, seen))
            over = self.over(decision)
            if over is None:
                for name, amount, _ in decision.counters:
                    self.counters[name] = self.counters.get(name, 0) + amount
                return decision
            name, limit = over
            used = self.counters.get(name, 0)
            if not name.startswith(BUDGET) and name not in decision.may_go_without:
                raise LimitReached(counter=name, used=used, limit=limit)
            used_up = {**used_up, name: max(0, limit - used)}

    def over(self, decision: Decision) -> tuple[str, int] | None:
        """The first counter that has no room for what a decision adds, with its limit."""
        for name, amount, limit in decision.counters:
            if limit is not None and amount > 0 and self.counters.get(name, 0) + amount > limit:
                return name, limit
        return None

    def _with_history(self, customer: str, context: Context, decided: Callable[[Context], Decision]) -> Decision:
        """As the writer does: on the head, and again with the records, or the other customer, where they are asked for."""
        while True:
            try:
                return decided(context)
            except NeedsHistory:
                context = replace(context, history=self.histories.get(customer, []))
                if context.counterpart is not None:
                    context = replace(context, counterpart=self._counterpart(context.counterpart.customer))
            except NeedsCounterpart as needed:
                context = replace(context, counterpart=self._counterpart(needed.customer))

    def _counterpart(self, customer: str) -> Counterpart:
        if self.alone:
            return Counterpart(customer, Account(version=1), [])
        account = self.accounts.get(customer) or accounts.empty()
        return Counterpart(customer, account, self.histories.get(customer, []))
