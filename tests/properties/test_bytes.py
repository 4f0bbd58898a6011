"""Records, postings and states survive being written, whatever is in them."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import account as accounts
from ledger.account import Account, Totals
from ledger.instants import LATEST, NEVER
from ledger.records import Debt, Lot, Posting, Record, leaf_hash, posting_from_json, posting_to_json

instants = st.integers(1, LATEST - 1) | st.integers(1, 4 * 10**9).map(lambda seconds: seconds * 10**6)
ends = instants | st.just(NEVER)
amounts = st.integers(0, 2**53 - 1)
ids = st.builds("{}.{}".format, st.integers(1, 10**6), st.integers(1, 99))
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
pairs = st.lists(st.tuples(ids, amounts), max_size=3).map(tuple)
lots = st.builds(Lot, ids, st.just("points"), amounts, amounts, instants, st.just(0) | ends, ends, words)
postings = st.builds(
    Posting,
    asset=st.sampled_from(["points", "growth", "stored.bonus:CNY"]),
    amount=amounts,
    source=words,
    to=words,
    lot=st.none() | ids,
    lots=pairs,
    debts=pairs,
    at=st.none() | instants,
    available_at=st.none() | ends,
    expires_at=ends,
    granted_at=st.none() | instants,
    reason=st.none() | words,
    rule=st.none() | words,
    why=st.none() | st.dictionaries(words, st.integers(-9, 9) | st.lists(amounts, max_size=2) | words, max_size=3),
    restores=st.lists(lots, max_size=2).map(tuple),
)
json_objects = st.dictionaries(
    words, st.none() | st.booleans() | amounts | words | st.lists(words, max_size=2), max_size=3
)


@given(postings)
def test_a_posting_survives_being_written(posting: Posting) -> None:
    """Planted: `available_at` left out where it waits for a delivery, so the points come back available."""
    shown = orjson.loads(orjson.dumps(posting_to_json(posting)))
    assert posting_from_json(shown) == posting


@given(
    posting=st.lists(postings, max_size=3).map(tuple),
    data=json_objects,
    derived=st.none() | json_objects,
    notes=st.lists(json_objects, max_size=2),
    cause=st.none() | st.dictionaries(words, words, min_size=1, max_size=2),
    time=instants,
    balances=st.dictionaries(words, st.integers(-(2**53) + 1, 2**53 - 1), max_size=2),
)
@settings(max_examples=60)
def test_a_record_is_the_same_bytes_after_reading(
    posting: tuple[Posting, ...],
    data: dict[str, Any],
    derived: dict[str, Any] | None,
    notes: list[dict[str, Any]],
    cause: dict[str, str] | None,
    time: int,
    balances: dict[str, int],
) -> None:
    """Planted: keys sorted on writing; a fraction cut to milliseconds."""
    record = Record(
        id="e-1",
        source="/till",
        type="points.granted",
        subject="c-1",
        program="shop",
        time=time,
        version=1,
        recorded_at=time,
        cause=cause,
        data=data,
        derived=derived,
        postings=posting,
        balances=balances,
        notes=notes,
    )
    stored = record.to_bytes()
    again = Record.from_bytes(stored)
    assert again.to_bytes() == stored
    assert leaf_hash(again.to_bytes()) == leaf_hash(stored)
    assert (again.time, again.postings, again.data, again.balances) == (time, posting, data, balances)


@given(
    there=st.lists(lots, max_size=4),
    owed=st.lists(st.builds(Debt, ids, st.just("points"), amounts, amounts, instants), max_size=2),
    orders=st.integers(0, 9),
    money=st.dictionaries(st.sampled_from(["CNY", "JPY"]), amounts),
    first=st.none() | instants,
    earned=st.dictionaries(words, amounts, max_size=2),
)
@settings(max_examples=60)
def test_a_state_survives_being_stored(
    there: list[Lot],
    owed: list[Debt],
    orders: int,
    money: dict[str, int],
    first: int | None,
    earned: dict[str, int],
) -> None:
    """Planted: debts left out of the stored state."""
    state = Account(
        7,
        5,
        {lot.id: lot for lot in there},
        {debt.id: debt for debt in owed},
        Totals(orders, 1, money, {}, first, first),
        "2026-03-01",
        earned,
    )
    assert accounts.from_bytes(accounts.to_bytes(state), 7) == state
    assert accounts.to_bytes(accounts.copied(state)) == accounts.to_bytes(state)
