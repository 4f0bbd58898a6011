"""The synthetic shop: what is written for a customer is what the ledger decides for that customer."""

from dataclasses import replace
from datetime import date

import orjson
import pytest

from benchmarks.filling import _Log, published
from benchmarks.generate import start_of
from benchmarks.synthetic import DAYS, DOCUMENT, NUMBER, Shop
from benchmarks.templates import decided, templates
from ledger.instants import DAY, SECOND
from ledger.records import leaf_hash

UNTIL = date(2026, 11, 20)


@pytest.mark.parametrize("number", range(12))
def test_a_history_given_to_another_customer_is_what_would_have_been_decided(number):
    """Names, hours, ids, keys of refunds and the chain of every record. Against: an instant or a name that stays the template's."""
    shop, end = Shop(UNTIL, seed=1, pace=4.0), start_of(UNTIL)
    publication, state = published("synthetic", DOCUMENT, end - (DAYS + 1) * DAY)
    commands = shop.history(number)
    log = _Log(1, publication, [templates(decided(commands, "synthetic", state, end))], [0, 0, 0], seed=number)
    rows = [row[row.index(b'{"schema"') :] for row in log.events()][1:]
    for customer in range(3):
        name, shift = str(log._numbers[customer]), log._shifts[customer] * SECOND
        own = [
            replace(
                command,
                id=command.id.replace(NUMBER, name),
                subject=f"c-{name}",
                time=command.time + shift,
                data=orjson.loads(orjson.dumps(command.data).replace(NUMBER.encode(), name.encode())),
            )
            for command in commands
        ]
        expected, prev = [], None
        for record in decided(own, "synthetic", state, end):
            record.prev = prev
            expected.append(record.to_bytes())
            prev = leaf_hash(expected[-1]).hex()
        assert [row for row in rows if orjson.loads(row)["subject"] == f"c-{name}"] == expected
