"""The naive model's standing: freezes as facts in the flat list, and the closing that ends everything."""

from dataclasses import dataclass
from typing import Any

from tests.builders import Event
from tests.properties.calendar_by_hand import FOREVER, MINUTE, read
from tests.properties.naive import Covering, Debt, Lot, Move
from tests.properties.naive_points import Naive
from tests.properties.naive_trade import Refusal

GIVES, SPENDS = ("points.granted",), ("points.redeemed",)


@dataclass
class Freeze:
    """A fact: one may not earn, or not redeem, from an instant until another."""

    unit: int
    what: str
    since: int
    until: int


@dataclass
class Closing:
    """A fact: the account was closed."""

    unit: int
    at: int


class NaiveStanding(Naive):
    """Points and purchases of a customer who may be frozen and leave."""

    def _post(self, event: Event, now: int) -> None:
        if event.time > now + 5 * MINUTE:
            raise Refusal("time_in_future")
        instant = min(event.time, now)
        if self.of(Closing):
            raise Refusal("customer_closed")
        if event.type in GIVES and self.frozen("earn", instant):
            raise Refusal("customer_frozen")
        if event.type in SPENDS and self.frozen("redeem", instant):
            raise Refusal("customer_frozen")
        if event.type in ("customer.frozen", "customer.unfrozen", "customer.closed"):
            getattr(self, f"_customer_{event.type.partition('.')[2]}")(event.data, instant)
        else:
            super()._post(event, now)

    def frozen(self, what: str, instant: int) -> bool:
        """Whether one may not earn, or not redeem, at an instant."""
        return any(one.what == what and one.since <= instant < one.until for one in self.of(Freeze))

    def frozen_as_of(self, as_of: int) -> set[str]:
        """What a reader sees frozen at an instant."""
        return {what for what in ("earn", "redeem") if self.frozen(what, as_of)}

    def _earn(self, rule: dict[str, Any], data: dict[str, Any], order: Any) -> Any:
        return () if self.frozen("earn", order.at) else super()._earn(rule, data, order)

    def _signed_up(self, data: dict[str, Any], instant: int, now: int) -> None:
        if not self.frozen("earn", instant):
            super()._signed_up(data, instant, now)

    def _customer_frozen(self, data: dict[str, Any], instant: int) -> None:
        until = read(data["until"]) if "until" in data else FOREVER
        self.all += [Freeze(self.unit, what, instant, until) for what in _parts(data["what"])]

    def _customer_unfrozen(self, data: dict[str, Any], instant: int) -> None:
        ended = [
            one for one in self.of(Freeze) if one.what in _parts(data["what"]) and one.since <= instant < one.until
        ]
        if not ended:
            raise Refusal("customer_not_frozen")
        for one in ended:
            one.until = instant

    def _customer_closed(self, _: dict[str, Any], instant: int) -> None:
        for lot in self.of(Lot):
            left = self.held(lot, FOREVER) if lot.expires_at > instant else 0
            if left:
                self.all.append(Move(self.unit, lot.number, instant, -left, "program:adjusted"))
        for debt in self.of(Debt):
            if self.owed(debt):
                self.all.append(Covering(self.unit, debt.number, instant, self.owed(debt)))
        self.all.append(Closing(self.unit, instant))


def _parts(what: str) -> tuple[str, ...]:
    return ("earn", "redeem") if what == "all" else (what,)
