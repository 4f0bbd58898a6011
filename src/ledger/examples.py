"""Running the examples of a rules document: decided in memory by the document they stand in, compared with what they expect."""

from dataclasses import dataclass, field
from typing import Any

from ledger import account as accounts
from ledger.deciding import Command
from ledger.errors import FormError, LedgerError
from ledger.events import validated
from ledger.instants import EARLIEST, from_datetime
from ledger.parts.tiers import tier_of
from ledger.program import ProgramState
from ledger.records import PROGRAM_TYPES, Record
from ledger.rules import RulesDocument
from ledger.rules.examples import Example
from ledger.trial import Trial, ruled_by

PROGRAM = "example"


@dataclass(slots=True)
class Mismatch:
    """What an example expects and what came of it."""

    what: str
    expected: Any
    found: Any


@dataclass(slots=True)
class Ran:
    """An example that was run; without mismatches it holds."""

    name: str
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything came as expected."""
        return not self.mismatches


def run_examples(document: RulesDocument) -> list[Ran]:
    """Run every example of a document, each on an empty ledger."""
    return [_run(document, example) for example in document.examples or ()]


def check_examples(document: RulesDocument) -> None:
    """Refuse a document one of whose examples does not hold.

    Raises:
        FormError: every mismatch, with the pointer of its example.
    """
    errors = [
        {
            "pointer": f"/examples/{place}/expect",
            "reason": f"{ran.name}: {mismatch.what} is {mismatch.found}, expected {mismatch.expected}",
        }
        for place, ran in enumerate(run_examples(document))
        for mismatch in ran.mismatches
    ]
    if errors:
        raise FormError("An example of the rules does not hold.", code="example_fails", errors=errors)


def _run(document: RulesDocument, example: Example) -> Ran:
    trial = Trial(PROGRAM, ruled_by(ProgramState(), document))
    refused: list[str] = []
    records: list[Record] = []
    for number, event in enumerate(example.given, start=1):
        time = from_datetime(event.time)
        trial.now = max(trial.now, time)
        try:
            data = validated(event.type, event.data, time)
            subject = PROGRAM if event.type in PROGRAM_TYPES else event.subject
            records += trial.post(
                Command(
                    source="/example",
                    id=f"e-{number}",
                    type=event.type,
                    subject=subject,
                    time=time,
                    data=data,
                    actor="example",
                )
            )
        except FormError as error:
            reasons = "; ".join(f"{fault['pointer']} {fault['reason']}" for fault in error.errors)
            return Ran(example.name, [Mismatch(f"event {number}", "an event", reasons or error.message)])
        except LedgerError as error:
            refused.append(error.code)
    return Ran(example.name, _compare(trial, example, records, refused))


def _compare(trial: Trial, example: Example, records: list[Record], refused: list[str]) -> list[Mismatch]:
    expect, customer = example.expect, example.expect.customer
    at = trial.now if expect.at is None else from_datetime(expect.at)
    trial.now = max(trial.now, at)
    records = [record for record in [*records, *trial.advance(customer, at)] if record.subject == customer]
    account = accounts.fold(trial.histories.get(customer, []), at if expect.at is not None else trial.now)
    shown = accounts.show_account(account, max(at, EARLIEST))
    found = {
        "balances": {asset: shown["balances"].get(asset, 0) for asset in expect.balances or ()},
        "available": {asset: shown["available"].get(asset, 0) for asset in expect.available or ()},
        "earned": {rule: _earned(records, rule) for rule in expect.earned or ()},
        "refused": refused,
        "notes": [note.get("reason", note["code"]) for record in records for note in record.notes],
        "tier": tier_of(account.parts.get("tiers")),
    }
    wanted = {**expect.model_dump(exclude={"customer", "at"}, exclude_none=True)}
    return [
        Mismatch(what, value, found[what])
        for what, value in ((what, list(one) if isinstance(one, tuple) else one) for what, one in wanted.items())
        if found[what] != value
    ]


def _earned(records: list[Record], rule: str) -> int:
    return sum(
        posting.amount
        for record in records
        for posting in record.postings
        if posting.rule == rule and posting.lot is not None
    )
