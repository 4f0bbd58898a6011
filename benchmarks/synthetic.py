"""Histories of customers of a shop, as commands: when they buy, what they return, redeem and are given.

Intervals follow the model by which customers are scored elsewhere (BG/NBD): each buys at a rate of their own, and after each
purchase may never come back; seasons and weekends draw some days nearer and thin out others. A history is a function of its
seed alone. All its events happen before noon, so that it can be moved by some hours without changing its days.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ledger import events
from ledger.deciding import Command
from ledger.instants import DAY, SECOND, from_datetime

NUMBER = "0customer0"
"""Stands for the customer's number wherever a history names it."""

OPENS, NOON = 3_600, 5 * 3_600
"""Seconds of the UTC day between which a history's events happen: morning in its program's zone, Asia/Shanghai."""

DAYS = 730
"""How far back histories reach."""

ACTOR = "service:synthetic"

DOCUMENT: dict[str, Any] = {
    "program": {"time_zone": "Asia/Shanghai", "currencies": ["CNY"], "points_scale": 0, "order_scope": "program"},
    "earning": [
        {"id": "base", "on": "purchase.recorded", "points_per_unit": "1"},
        {"id": "signup", "on": "customer.signed_up", "points": 100},
    ],
    "expiry": {"kind": "end_of_month", "n": 12},
    "refunds": "allow_negative",
    "valuation": [
        {
            "effective_from": "2020-01-01T00:00:00+08:00",
            "currency": "CNY",
            "value_per_point": "0.01",
            "redemption_rate": "0.85",
        }
    ],
}

_STORES = [(f"SH-{number:03d}", "shop") for number in range(40)] + [("WX", "mini_program"), ("WEB", "web")]
_STORE_WEIGHTS = [1] * 40 + [30, 10]
_CATEGORIES = ("drink", "cake", "bread", "gift", "tool")
_OF_MONTH = (0.8, 0.7, 0.9, 0.95, 1.05, 1.1, 0.95, 0.9, 1.0, 1.05, 1.5, 1.25)
_WEEKEND = 1.4
_MOST = 1.5 * _WEEKEND


@dataclass(frozen=True)
class Shop:
    """What histories have in common.

    Attributes:
        until: the first day that has no events. pace: purchases of all customers, as a multiple.
    """

    until: date
    seed: int
    pace: float

    def history(self, number: int) -> list[Command]:
        """One customer's events, in order of time."""
        return _History(self, random.Random(f"{self.seed}/{number}")).commands()

    @property
    def first_day(self) -> date:
        """The first day of all."""
        return self.until - timedelta(days=DAYS)

    def later_purchase(self, number: int, place: int) -> Command:
        """One purchase more, on the last day: it can follow any history."""
        chance = random.Random(f"{self.seed}/{number}/later {place}")
        return _History(self, chance).purchase(DAYS - 1, NOON + 60 * (1 + place), f"later-{place}")


class _History:
    def __init__(self, shop: Shop, chance: random.Random) -> None:
        self.shop = shop
        self.chance = chance
        self.found: list[Command] = []
        self.home = chance.choices(_STORES, _STORE_WEIGHTS)[0]
        self.basket = chance.lognormvariate(0, 0.6)
        self.number = 0

    def commands(self) -> list[Command]:
        chance = self.chance
        days_between = 1 / chance.gammavariate(1.2, self.shop.pace / 30)
        goes = chance.betavariate(0.8, 4.5)
        first = int(chance.random() ** 1.3 * (DAYS - 10))
        if chance.random() < 0.7:  # noqa: PLR2004
            self._add(first, OPENS, "customer.signed_up", {"place": self._place()})
        day = float(first)
        while day < DAYS - 1:
            if not self.number or self._is_season(int(day)):
                self._visit(int(day))
                if chance.random() < goes:
                    break
            day += max(1.0, chance.expovariate(_MOST / days_between))
        return sorted(self.found, key=lambda command: command.time)

    def purchase(self, day: int, second: int, order: str) -> Command:
        """A purchase of one to four lines; amounts in minor units."""
        lines = [self._line(place) for place in range(1, self.chance.choices((2, 3, 4, 5), (40, 35, 15, 10))[0])]
        total = sum(line["amount"] for line in lines)
        data = {
            "order_id": f"SO-{NUMBER}-{order}",
            "currency": "CNY",
            "total": total,
            "lines": lines,
            "place": self._place(),
        }
        return self._command(day, second, "purchase.recorded", order, data)

    def _visit(self, day: int) -> None:
        """A purchase, and what may come with it."""
        self.number += 1
        chance, order = self.chance, str(self.number)
        bought = self.purchase(day, chance.randrange(OPENS + 60, NOON), order)
        self.found.append(bought)
        if chance.random() < 0.05:  # noqa: PLR2004
            self._refund(bought, day + chance.randrange(1, 15))
        if chance.random() < 0.12 and self.number > 1:  # noqa: PLR2004
            points = max(1, int(chance.random() * 2_000))
            self._add(day, NOON + 10, "points.redeemed", {"redemption_id": f"R-{NUMBER}-{order}", "points": points})
        if chance.random() < 0.02:  # noqa: PLR2004
            self._add(day, NOON + 20, "points.granted", {"points": 200, "reason": "goodwill"})

    def _refund(self, bought: Command, day: int) -> None:
        if day >= DAYS:
            return
        line = self.chance.choice(bought.data["lines"])
        data = {
            "refund_id": f"RF-{NUMBER}-{self.number}",
            "order_id": bought.data["order_id"],
            "amount": line["amount"],
            "lines": [{"line": line["line"], "quantity": line["quantity"], "amount": line["amount"]}],
        }
        self._add(day, NOON + 30, "purchase.refunded", data)

    def _line(self, place: int) -> dict[str, Any]:
        chance = self.chance
        sku = int(chance.paretovariate(1.1)) % 2_000
        amount = max(100, int(2_500 * self.basket * chance.lognormvariate(0, 0.5)))
        return {
            "line": place,
            "sku": f"S{sku}",
            "category": _CATEGORIES[sku % len(_CATEGORIES)],
            "quantity": 1 + (chance.random() < 0.2),  # noqa: PLR2004
            "amount": amount,
        }

    def _place(self) -> dict[str, str]:
        store, channel = self.home if self.chance.random() < 0.8 else self.chance.choices(_STORES, _STORE_WEIGHTS)[0]  # noqa: PLR2004
        return {"store": store, "channel": channel}

    def _is_season(self, day: int) -> bool:
        on = self.shop.first_day + timedelta(days=day)
        weight = _OF_MONTH[on.month - 1] * (_WEEKEND if on.weekday() > 4 else 1)  # noqa: PLR2004
        return self.chance.random() < weight / _MOST

    def _add(self, day: int, second: int, kind: str, data: dict[str, Any]) -> None:
        self.found.append(self._command(day, second, kind, f"{kind}-{len(self.found)}", data))

    def _command(self, day: int, second: int, kind: str, name: str, data: dict[str, Any]) -> Command:
        begins = from_datetime(datetime.combine(self.shop.first_day, datetime.min.time(), UTC))
        time = begins + day * DAY + second * SECOND
        validated = events.validated(kind, data, time)
        return Command("/pos/synthetic", f"{NUMBER}-{name}", kind, f"c-{NUMBER}", time, validated, ACTOR)


def paced(shop_of: Callable[[float], Shop], count: Callable[[list[Command]], int], records: float) -> Shop:
    """The shop whose histories have so many records on average."""
    low, high = 0.001, 50.0
    for _ in range(12):
        pace = (low * high) ** 0.5
        shop = shop_of(pace)
        found = sum(count(shop.history(-number)) for number in range(1, 301)) / 300
        low, high = (pace, high) if found < records else (low, pace)
    return shop_of((low * high) ** 0.5)


def five_purchases(until: date, seed: int) -> Iterator[list[Command]]:
    """Histories of five purchases of two lines over the past 300 days: what intake and reads are measured on."""
    chance = random.Random(seed)
    begins = from_datetime(datetime.combine(until, datetime.min.time(), UTC)) - 301 * DAY
    number = 0
    while True:
        number += 1
        days = sorted(chance.sample(range(300), 5))
        times = [begins + day * DAY + chance.randrange(OPENS, NOON) * SECOND for day in days]
        yield [_two_lines(chance, time, place) for place, time in enumerate(times)]


def _two_lines(chance: random.Random, time: int, place: int) -> Command:
    first, second = chance.randrange(100, 10_000), chance.randrange(100, 10_000)
    data = {
        "order_id": f"SO-{NUMBER}-{place}",
        "currency": "CNY",
        "total": first + second,
        "lines": [
            {"line": 1, "sku": f"A{chance.randrange(1000)}", "quantity": 2, "amount": first},
            {"line": 2, "sku": f"B{chance.randrange(1000)}", "quantity": 1, "amount": second},
        ],
        "place": {"store": "SZ-001", "channel": "mini_program", "guide": "g-7"},
    }
    validated = events.validated("purchase.recorded", data, time)
    return Command(
        "/pos/sz-001", f"{NUMBER}-{place}", "purchase.recorded", f"c-{NUMBER}", time, validated, "service:bench"
    )
