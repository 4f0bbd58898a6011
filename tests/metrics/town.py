"""A small town of customers with everything a program has, by a seed: what metrics are recomputed on.

Sign-ups, referrals, orders with lines and tenders, refunds and returns, points redeemed, tiers that are reviewed, memberships,
packages, stored value, an account closed; some events come late. Every record is decided by the ledger.
"""

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import count
from typing import Any

from ledger.deciding import advance
from ledger.errors import Refused
from ledger.instants import DAY
from ledger.policies.referring import answers_to
from ledger.records import Record
from tests.builders import (
    CUSTOMER,
    Event,
    MemoryLedger,
    at,
    event,
    line,
    load_refunded,
    loaded,
    member,
    membership,
    package,
    package_refunded,
    purchase,
    redeemed,
    refunded,
    registered,
    returned,
    rules,
    signed_up,
)
from tests.tiering import SPENT, level

ZONE = "Asia/Shanghai"
CUSTOMERS = 30
BEGINS, DAYS = date(2025, 4, 1), 300
CATEGORIES = ("tea", "cake", "mug", None)

DOCUMENT = rules(
    program={"time_zone": ZONE, "currencies": ["CNY"]},
    tiers={
        "window": {"kind": "calendar", "period": "quarter"},
        "growth": [SPENT],
        "levels": [level("silver", 1, growth=200), level("gold", 2, growth=500)],
    },
    membership=[{"id": "vip", "price": 36_500, "currency": "CNY", "months": 3, "pause_days_max": 30}],
    packages=[{"id": "wash", "refund": "pro_rata"}],
    referral={"referrer": [{"from_count": 1, "points": 100}], "referred": 50},
    valuation=[
        {
            "effective_from": "2025-01-01T00:00:00Z",
            "currency": "CNY",
            "value_per_point": "0.01",
            "redemption_rate": "0.7",
        }
    ],
)


@dataclass
class Stream(MemoryLedger):
    """A customer of the town."""

    customer: str = CUSTOMER

    def command(self, posted: Event, subject: str) -> Any:
        return super().command(posted, self.customer if subject == CUSTOMER else subject)

    def run_clock(self, until: int) -> None:
        self.now = max(self.now, until)
        decision = advance(self.account, self.customer, until, self._context())
        self._stamp(decision.records, self.records)
        self._take(decision)

    def policy(self, command: Any) -> None:
        """Post what a policy posts."""
        self.post(Event(command.type, command.time, command.data, id=command.id, source=command.source))


@dataclass
class Town:
    """Its streams, and its records in the order in which they were written."""

    streams: dict[str, Stream]
    records: list[Record]

    @property
    def program(self) -> Any:
        """The program's own state."""
        return next(iter(self.streams.values())).program


@cache
def town(seed: int) -> Town:
    """A town whose clock has run to the end."""
    chance = random.Random(seed)
    streams = {f"t-{number}": _opened(f"t-{number}") for number in range(CUSTOMERS)}
    story = sorted(_story(chance, list(streams)), key=lambda one: one[0])
    written: list[Record] = []
    for arrives, customer, posted in story:
        stream = streams[customer]
        seen = len(stream.records)
        stream.run_clock(max(stream.now, min(arrives, posted.time)))
        with suppress(Refused):
            stream.post(Event(posted.type, posted.time, posted.data, arrives=arrives))
        written += stream.records[seen:]
        written += _policy(streams, stream.records[seen:])
    end = at((BEGINS + timedelta(days=DAYS)).isoformat())
    for stream in streams.values():
        seen = len(stream.records)
        stream.run_clock(end)
        written += stream.records[seen:]
    return Town(streams, written)


def _opened(customer: str) -> Stream:
    stream = Stream(DOCUMENT, customer=customer)
    for store, brand in (("S1", "Leaf"), ("S2", "Leaf"), ("S3", "Root")):
        stream.post(registered(store, brand, "2024-01-01T00:00:00Z", "2025-01-01"))
    return stream


def _policy(streams: dict[str, Stream], causes: list[Record]) -> list[Record]:
    found: list[Record] = []
    for cause in causes:
        for command in answers_to(cause, is_loop=False) if cause.type.startswith("referral.") else ():
            stream = streams[command.subject]
            seen = len(stream.records)
            try:
                stream.policy(command)
            except Refused:
                continue
            found += stream.records[seen:]
    return found


def _story(chance: random.Random, customers: list[str]) -> list[tuple[int, str, Event]]:
    """(when it arrives, customer, event), in no order."""
    numbers = count(1)
    story: list[tuple[int, str, Event]] = []
    for place, customer in enumerate(customers):
        first = chance.randrange(DAYS - 60)
        joined = _instant(chance, first)
        by = chance.choice(customers[:place]) if place and chance.random() < 0.6 else None
        campaign = chance.choice((None, "spring"))
        story.append((joined, customer, signed_up(joined, place=_place(chance), referred_by=by, campaign=campaign)))
        day = first
        while chance.random() < 0.9 and (day := day + chance.randrange(1, 45)) < DAYS - 5:
            story += [(when, customer, posted) for when, posted in _shopping(chance, day, next(numbers))]
        if chance.random() < 0.4:
            story += [(one.time, customer, one) for one in _paying_ahead(chance, first + 1, next(numbers))]
    story.append(
        (
            at((BEGINS + timedelta(days=DAYS - 3)).isoformat()),
            customers[-1],
            event("customer.closed", at((BEGINS + timedelta(days=DAYS - 3)).isoformat()), reason="moves away"),
        )
    )
    return story


def _shopping(chance: random.Random, day: int, number: int) -> list[tuple[int, Event]]:
    """An order, and what may follow it."""
    time = _instant(chance, day)
    lines = [
        line(
            place, chance.randrange(0, 300) * 100, sku=f"sku-{chance.randrange(6)}", category=chance.choice(CATEGORIES)
        )
        for place in range(1, chance.randrange(1, 4) + 1)
    ]
    lines = [{key: value for key, value in one.items() if value is not None} for one in lines]
    total = sum(one["amount"] for one in lines)
    tenders = [
        {"kind": chance.choice(("cash", "wechat")), "amount": total // 2},
        {"kind": "partner", "amount": total - total // 2},
    ]
    covers = chance.choice((None, 2))
    with_lines = chance.random() < 0.8
    order = purchase(
        f"SO-{number}",
        total,
        time,
        lines=lines if with_lines else None,
        tenders=tenders if chance.random() < 0.7 and total else None,
        covers=covers,
        place=_place(chance),
    )
    arrives = time + (chance.randrange(20) * DAY if chance.random() < 0.15 else 0)
    found = [(arrives, order)]
    later = time + chance.randrange(1, 20) * DAY
    event_of_chance = chance.random()
    if event_of_chance < 0.15 and total > 1:
        back = total if chance.random() < 0.4 else total // 2
        tenders = [{"kind": "cash", "amount": back}] if chance.random() < 0.5 else None
        found.append(
            (later, refunded(f"SO-{number}", back, later, refund=f"RF-{number}", tenders=tenders, place=_place(chance)))
        )
    elif event_of_chance < 0.3 and with_lines and lines[0]["amount"]:
        goods = (lines[0]["sku"], 1, lines[0]["amount"])
        found.append((later, returned(goods, time=later, return_id=f"RT-{number}", place=_place(chance))))
    elif event_of_chance < 0.6:
        found.append((later, redeemed(f"RD-{number}", chance.randrange(1, 150), later)))
    return found


def _paying_ahead(chance: random.Random, day: int, number: int) -> list[Event]:
    time = _instant(chance, day)
    later = time + chance.randrange(1, 60) * DAY
    match chance.randrange(3):
        case 0:
            return [
                member(f"M-{number}", time),
                membership(chance.choice(("cancelled", "paused")), f"M-{number}", later),
            ]
        case 1:
            return [package(f"P-{number}", 10, 99_900, time), package_refunded(f"P-{number}", f"PR-{number}", later, 4)]
        case _:
            return [
                loaded(f"L-{number}", 50_000, 5_000, time, place=_place(chance)),
                load_refunded(f"LR-{number}", later, load=f"L-{number}", amount=20_000),
            ]


def _instant(chance: random.Random, day: int) -> int:
    return at((BEGINS + timedelta(days=day)).isoformat()) + chance.randrange(86_400) * 1_000_000


def _place(chance: random.Random) -> dict[str, str]:
    place = {"store": chance.choice(("S1", "S2", "S3", "S9")), "channel": chance.choice(("wx", "pos"))}
    return place | ({"guide": chance.choice(("g-1", "g-2"))} if chance.random() < 0.5 else {})
