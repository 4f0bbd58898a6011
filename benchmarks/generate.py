"""A synthetic program, filled in minutes: `python -m benchmarks generate --customers 1000000 --records 10000000`.

The log goes into the database that LEDGER_DATABASE_URL names (as the tables' owner), or into the embedded one of
LEDGER_DATA_DIR, which is made where there is none. The same arguments give the same records, byte for byte.
"""

import argparse
import asyncio
from array import array
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import chain, count
from typing import Any

from benchmarks.filling import Filled, fill, published
from benchmarks.synthetic import DAYS, DOCUMENT, Shop, five_purchases, paced
from benchmarks.templates import History, decided, templates
from ledger import account as accounts
from ledger.deciding import Command
from ledger.deciding.command import DUE
from ledger.instants import DAY, from_datetime
from ledger.records import Record

HISTORIES = 20_000
"""Histories decided; more customers than that share them, each with hours of their own."""

SINGLES = 100
"""Histories of one customer each: they make the number of records come out exactly."""

TURNS_MAX = 50
"""Purchases that are added to a history at most, or records taken off."""


def main(arguments: list[str]) -> None:
    """Fill the program."""
    given = _arguments(arguments)
    from api.commands.connecting import database  # noqa: PLC0415
    from ledger.migrating import migrate  # noqa: PLC0415
    from ledger.settings import Settings  # noqa: PLC0415

    with database(Settings.from_environment(), make=True) as at:
        migrate(at.url)
        filled = asyncio.run(
            fill_shop(
                at.url,
                given.program,
                customers=given.customers,
                records=given.records,
                until=given.until,
                seed=given.seed,
            )
        )
    speed = filled.records / filled.seconds
    print(
        f"{given.program}: {filled.records:,} records of {filled.customers:,} customers up to {given.until}, "
        f"of {filled.histories:,} histories, in {filled.seconds:,.0f} s ({speed:,.0f}/s)"
    )


async def fill_shop(url: str, program: str, *, customers: int, records: int, until: date, seed: int) -> Filled:
    """Fill a program with a shop's customers: exactly so many, and exactly so many records of theirs."""
    end = start_of(until)
    publication, state = published(program, DOCUMENT, end - (DAYS + 1) * DAY)

    def decide(commands: list[Command]) -> list[Record]:
        return decided(commands, program, state, end)

    shop = paced(lambda pace: Shop(until, seed, pace), lambda commands: len(decide(commands)), records / customers)
    owners = owners_of(customers)
    histories = _fitted(shop, decide, Counter(owners), records, end)
    return await fill(url, publication, histories, owners, end=end, seed=seed)


async def fill_purchases(url: str, program: str, document: dict[str, Any], *, records: int, until: date) -> Filled:
    """Fill a program with customers of five purchases each."""
    end = start_of(until)
    publication, state = published(program, document, end - (DAYS + 1) * DAY)
    owners = owners_of(max(1, records // 5))
    commands = five_purchases(until, seed=1)
    histories = [templates(decided(next(commands), program, state, end)) for _ in range(max(owners) + 1)]
    return await fill(url, publication, histories, owners, end=end, seed=1)


def owners_of(customers: int) -> "array[int]":
    """The history of each customer: those that are shared, and then some of one customer each."""
    singles = min(customers, SINGLES)
    shared = min(customers - singles, HISTORIES - singles)
    return array(
        "i", chain((number % shared for number in range(customers - singles)), range(shared, shared + singles))
    )


def start_of(day: date) -> int:
    """The first instant of a day, UTC."""
    return from_datetime(datetime.combine(day, datetime.min.time(), UTC))


Decide = Callable[[list[Command]], list[Record]]


def _fitted(shop: Shop, decide: Decide, customers: Counter[int], records: int, end: int) -> list[History]:
    """Histories that have so many records in all: some of them one purchase more, or a record less."""
    histories = [templates(decide(shop.history(number))) for number in range(len(customers))]
    missing = records - sum(count * len(histories[number].templates) for number, count in customers.items())
    for turn in count(1):
        for number in sorted(customers, key=lambda number: -customers[number]):
            if customers[number] > abs(missing):
                continue
            if missing > 0:
                more = [shop.later_purchase(number, place) for place in range(turn)]
                histories[number] = templates(decide([*shop.history(number), *more]))
                missing -= customers[number]
            elif _can_end_sooner(before := decide(shop.history(number)), turn, end):
                histories[number] = templates(before[:-turn])
                missing += customers[number]
        if not missing:
            return histories
        if turn > TURNS_MAX:
            raise ValueError("so few records for so many customers cannot be made")
    return histories


def _can_end_sooner(records: list[Record], turn: int, end: int) -> bool:
    """Whether the last records were posted by somebody, and nothing falls due without them."""
    if len(records) <= turn or any(record.source == DUE for record in records[-turn:]):
        return False
    due_at = accounts.fold(records[:-turn]).due_at()
    return due_at is None or due_at >= end


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument(
        "--records", type=int, default=10_000_000, help="of the customers; the program's own come beside"
    )
    parser.add_argument("--program", default="synthetic")
    parser.add_argument("--seed", type=int, default=1)
    until = datetime.now(UTC).date()
    parser.add_argument("--until", type=date.fromisoformat, default=until, help="the first day without events; today")
    given = parser.parse_args(arguments)
    if not 1 <= given.customers <= given.records:
        parser.error("every customer has a record or more")
    return given
