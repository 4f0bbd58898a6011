"""One program in two engines: the same sealed range of Parquet, the same tail, the same questions."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import orjson

from ledger import account as accounts
from ledger.instants import DAY, HOUR
from ledger.reading import Book, CutOff
from ledger.records import Record
from projections.metrics.definition import Definition
from projections.twin import ranges
from projections.twin.building import _write_tables
from projections.twin.engines import Engine, Opened
from projections.twin.fleet import Fleet
from projections.twin.parsing import add_page, create_tables
from projections.twin.ranges import Manifest
from tests.builders import MemoryLedger, at, held, line, purchase, redeemed, refunded, returned, rules, signed_up
from tests.metrics.fleets import texts_of
from tests.metrics.town import town

PROGRAM = "shop"
ZONE = ZoneInfo("Asia/Shanghai")
BEGINS, ENDS = at("2025-01-01"), at("2026-03-01T00:30:00Z")
CUSTOMERS = 40
GOODS = ("milk", "toys", None)

SEED = 7

RELATIVE_MAX = 1e-12
"""How far two floats may lie apart: the engines add up in other orders, and each addition rounds by 1.1e-16 of its sum."""


@dataclass(frozen=True)
class Both:
    """A program's tables in an engine, as Fleet wants them."""

    book: Book
    opened: Opened
    last: int

    def at(self, as_of: int = ENDS, known_at: int | None = None) -> Fleet:
        position = self.last if known_at is None else known_at
        return Fleet(self.book, CutOff(as_of, as_of, position, is_head=False), 0, self.opened.backend)


def log(seed: int = SEED) -> list[str]:
    """A program's log: sign-ups, orders with lines and places, refunds, returns, redemptions, holds, lots that expire.

    And beside these customers a town's, with tiers, referrals, memberships and money paid ahead.
    """
    dice = random.Random(seed)
    records = [
        (record.recorded_at, number, record) for number in range(CUSTOMERS) for record in _customer(dice, number)
    ]
    own = [_text(record, f"c-{number}") for _, number, record in sorted(records, key=lambda one: one[:2])]
    return own + texts_of(town(seed).records)


def _customer(dice: random.Random, number: int) -> list[Record]:
    expiry = {"kind": "after_days", "n": dice.choice([45, 120, 400])}
    document = rules(
        expiry=expiry,
        program={"time_zone": ZONE.key, "currencies": ["CNY"]},
        refunds="allow_negative",
    )
    ledger = MemoryLedger(document, clock=dice.random() < 0.5)
    place = {"store": f"S{dice.randint(1, 3)}", "channel": dice.choice(["wx", "pos"])}
    now = BEGINS + dice.randint(0, 300) * DAY + dice.randint(0, DAY)
    ledger.post(signed_up(now, place=place))
    pause = dice.choice([3, 10, 25, 60])
    orders: list[str] = []
    while (now := now + dice.randint(1, 2 * pause) * DAY + dice.randint(0, 30 * HOUR)) < ENDS:
        orders.append(f"SO-{number}-{len(orders)}")
        _visit(dice, ledger, orders, now, place)
    return ledger.records


def _visit(dice: random.Random, ledger: MemoryLedger, orders: list[str], now: int, place: dict[str, str]) -> None:
    """A purchase, and with some luck what undoes it, a redemption or a hold."""
    order, total = orders[-1], dice.choice([0, 100, 2_500, 2_500, 9_999, 12_345])
    goods = line(1, total, sku=dice.choice("AB"), quantity=dice.choice([1, 2, "0.5"]), category=dice.choice(GOODS))
    goods = {name: value for name, value in goods.items() if value is not None}
    more = {"covers": dice.randint(1, 4)} if dice.random() < 0.3 else {}
    ledger.post(purchase(order, total, now, lines=[goods], place=place, **more))
    luck = dice.random()
    free = accounts.show_account(accounts.lapsed(ledger.account, now + HOUR), now + HOUR)["available"]["points"]
    if luck < 0.12 and total:
        ledger.post(refunded(order, dice.choice([total, total // 2 or 1]), now + HOUR, refund=f"RF-{order}"))
    elif luck < 0.2 and total:
        ledger.post(returned((goods["sku"], goods["quantity"], total), time=now + HOUR, return_id=f"RT-{order}"))
    elif luck < 0.4 and free > 1:
        ledger.post(redeemed(f"R-{order}", free // 2, now + HOUR))
    elif luck < 0.5 and free > 1:
        ledger.post(held(f"H-{order}", free // 2, now + HOUR, now + dice.choice([2, 50]) * DAY))


def _text(record: Record, customer: str) -> str:
    return orjson.dumps({**orjson.loads(record.to_bytes()), "subject": customer}).decode()


@contextmanager
def opened(engine: Engine, directory: Path, texts: list[str]) -> Iterator[Both]:
    """The log in an engine: two thirds of it sealed, the rest in the tail."""
    book = Book(1, PROGRAM, ZONE, town(SEED).program)
    cut = len(texts) * 2 // 3
    tables = engine.open(book, directory, [_sealed(directory, texts[:cut])])
    tables.add(cut + 1, texts[cut:])
    tables.show()
    try:
        yield Both(book, tables, len(texts))
    finally:
        tables.close()


def _sealed(directory: Path, texts: list[str]) -> Manifest:
    """A range of these records, written as a build writes it, if it is not there yet."""
    written = directory / ranges.name_of(1)
    if not written.exists():
        written.mkdir(parents=True)
        with duckdb.connect() as con:
            create_tables(con, ZONE)
            add_page(con, 1, texts)
            _write_tables(con, written)
    return Manifest("", PROGRAM, 1, 1, len(texts), ZONE.key, "", "", {}, {}, {})


def questions(definition: Definition) -> list[dict[str, str]]:
    """Ways to ask a metric: by a dimension if it has one; and with each choice turned, by month in a window that cuts months."""
    asked: list[dict[str, str]] = [{"by": definition.by[-1]} if definition.by else {}]
    turned = {one.name: one.choices[-1] for one in definition.parameters if one.choices and one.name != "asset"}
    if "month" in definition.by:
        turned |= {"by": "month", **({"from": "2025-03-01", "to": "2025-12-15"} if definition.window else {})}
    if turned:
        asked.append(turned)
    if not isinstance(definition.explain, str):
        asked.append({"explain": "true", "records_limit": "1000"})
    return asked


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two answers differ: types, names, order and whole numbers exactly, floats by more than `RELATIVE_MAX`."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        return [found for key in one for found in differences(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for number, (a, b) in pairs for found in differences(a, b, f"{path}[{number}]")]
    if isinstance(one, float) and isinstance(other, float):
        alike = abs(one - other) <= RELATIVE_MAX * max(abs(one), abs(other))
    else:
        alike = type(one) is type(other) and one == other
    return [] if alike else [f"{path}: {one!r} is not {other!r}"]
