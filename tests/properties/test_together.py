"""Customers who pass points on and spend for each other: a second model agrees, and nothing is ever lost or made."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import account as accounts
from ledger.errors import LedgerError
from ledger.instants import DAY, NEVER, show
from tests.builders import Event, at, authorised, clock_runs, given_back, granted, redeemed, transferred
from tests.given import code_of
from tests.properties.invariants import check_records
from tests.properties.naive_together import FOR_EVER, NaiveTogether, Refusal
from tests.several import Several, several

NAMES = ("a", "b", "c")
BEGIN = at("2026-01-01")
POINTS = st.integers(1, 60)
WHO = st.sampled_from(NAMES)
NUMBERS = st.sampled_from(["R-1", "R-2", "R-3"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), WHO, POINTS, st.integers(1, 12) | st.none()),
        st.tuples(st.just("transfer"), WHO, POINTS, WHO),
        st.tuples(st.just("redeem"), WHO, POINTS),
        st.tuples(st.just("lend"), WHO, WHO, POINTS, st.integers(1, 12)),
        st.tuples(st.just("redeem_for"), WHO, POINTS, WHO),
        st.tuples(st.just("reverse"), WHO, POINTS, NUMBERS),
    ),
    min_size=4,
    max_size=18,
)


BEGUN: list[tuple[Any, ...]] = [
    *(("grant", who, 30, 9) for who in NAMES),
    *(("grant", who, 40, None) for who in NAMES),
    *(("lend", owner, spender, 70, 30) for owner in NAMES for spender in NAMES if owner != spender),
    ("redeem_for", "b", 20, "a"),
]
"""So that much of what follows is not refused."""


def instant(day: int) -> int:
    return BEGIN + day * DAY


def event_of(step: tuple[Any, ...], day: int, number: str) -> Event:
    """What is posted for a step on a day."""
    kind, _, *rest = step
    time = instant(day)
    match kind:
        case "grant":
            expires = {} if rest[1] is None else {"expires_at": show(instant(day + rest[1]))}
            return granted(rest[0], time, **expires)
        case "transfer":
            return transferred(f"T-{number}", rest[0], rest[1], time)
        case "redeem":
            return redeemed(number, rest[0], time)
        case "lend":
            return authorised(rest[0], rest[1], time, until=show(instant(day + rest[2])))
        case "redeem_for":
            return redeemed(number, rest[0], time, on_behalf_of=rest[1])
        case _:
            return given_back(rest[1], time, rest[0])


def ask(model: NaiveTogether, step: tuple[Any, ...], day: int, number: str) -> None:
    """The same of the second model."""
    kind, who, *rest = step
    match kind:
        case "grant":
            model.grant(who, day, rest[0], FOR_EVER if rest[1] is None else day + rest[1])
        case "transfer":
            if rest[1] == who:
                raise Refusal("transfer_to_self")
            model.transfer(who, day, *rest)
        case "redeem":
            model.redeem(who, day, rest[0], number)
        case "lend":
            if rest[0] == who:
                raise Refusal("not_authorised")
            model.lend(who, rest[0], rest[1], day + rest[2])
        case "redeem_for":
            if rest[1] == who:
                raise Refusal("not_authorised")
            model.redeem_for(who, day, rest[0], rest[1], number)
        case _:
            model.reverse(who, day, rest[0], rest[1])


def lots_seen(done: Several, who: str, day: int) -> list[tuple[int, int, int]]:
    """As the second model says it: days of expiry and grant, amount, in order of consumption."""
    seen = accounts.lapsed(done.account(who), instant(day))
    return [
        (
            FOR_EVER if lot.expires_at == NEVER else (lot.expires_at - BEGIN) // DAY,
            (lot.granted_at - BEGIN) // DAY,
            lot.remaining,
        )
        for lot in sorted(seen.lots.values(), key=accounts.order_of_consumption)
    ]


def numbered(steps: list[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], str]]:
    """Redemptions are numbered by how many came before, so that reversals find some."""
    taken = 0
    named = []
    for place, step in enumerate(steps):
        if step[0] in ("redeem", "redeem_for"):
            taken += 1
            named.append((step, f"R-{taken}"))
        else:
            named.append((step, str(place)))
    return named


@pytest.mark.slow
@given(steps=STEPS)
@settings(max_examples=100)
def test_a_second_model_agrees_on_every_lot_limit_and_no(steps: list[tuple[Any, ...]]) -> None:
    """Planted: one expiry for all that arrives in a transfer; a limit not given back by a reversal."""
    done, model = several(transfers={}), NaiveTogether()
    for place, (step, number) in enumerate(numbered(BEGUN + steps)):
        day = max(0, place - len(BEGUN) + 1)
        said = wanted = "recorded"
        try:
            ask(model, step, day, number)
        except Refusal as refusal:
            wanted = str(refusal)
        try:
            done.run(step[1], event_of(step, day, number))
        except LedgerError as error:
            said = code_of(error)
        assert said == wanted, (day, step)
        for who in NAMES:
            assert lots_seen(done, who, day) == model.alive(who, day), (day, step, who)
        for (owner, spender), lent in model.lent.items():
            given = done.account(owner).parts["authorisations"]["given"]
            (entry,) = [one for one in given if one["with"] == spender][-1:]
            assert entry["used"] == lent.used
    check_all(done)


@pytest.mark.slow
@given(steps=STEPS, days=st.lists(st.integers(0, 20), min_size=18, max_size=18), clock=st.booleans())
@settings(max_examples=100)
def test_in_any_order_of_time_nothing_is_lost_or_made_and_the_clock_changes_no_answer(
    steps: list[tuple[Any, ...]], days: list[int], *, clock: bool
) -> None:
    """Late events on either stream. Every lot holds 0 … its amount at every pair of cut-offs; transfers sum to nothing."""
    found = []
    for runs in (False, clock):
        done = several(transfers={})
        said = []
        for (step, number), day in zip(numbered(BEGUN + steps), [0] * len(BEGUN) + days, strict=False):
            try:
                done.run(step[1], event_of(step, day, number).late(show(instant(21))))
                said.append("recorded")
            except LedgerError as error:
                said.append(code_of(error))
            for who in NAMES if runs else ():
                done.run(who, clock_runs(instant(21)))
        check_all(done)
        seen = [done.shown(who, instant(day))["balances"] for who in NAMES for day in (0, 5, 10, 15, 21)]
        found.append((said, seen, [lots_seen(done, who, 40) for who in NAMES]))
    assert found[0] == found[1]


def check_all(done: Several) -> None:
    """What holds of each stream, and over all of them."""
    moved: Counter[str] = Counter()
    for records in done.trial.histories.values():
        check_records(records)
        for record in records:
            for posting in record.postings:
                moved[posting.source] -= posting.amount
                moved[posting.to] += posting.amount
    assert moved["program:transferred"] == 0
