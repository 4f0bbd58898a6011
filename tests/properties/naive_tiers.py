"""The naive model of tiers: a flat list of what happened, and the tier worked out from it anew at every question.

It knows no records, no corrections and no folded state. Written from the rules' words; shares no code with the ledger.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from math import floor
from typing import Any, NamedTuple

from tests.properties.calendar_by_hand import FOREVER, STEP, instant_of, local_day, moment


class Seen(NamedTuple):
    """What a reader sees: growth in all, the tier, since when, and when it is reviewed."""

    growth: int
    tier: str | None
    since: int | None
    review_at: int | None


@dataclass
class Counted:
    """A fact: growth, orders and money that came or went."""

    unit: int
    at: int
    counts_on: int
    growth: int
    orders: int
    spend: int
    moved_at: int
    is_refund: bool = False


@dataclass
class Assigned:
    """A fact: staff gave a tier."""

    unit: int
    at: int
    tier: str
    until: int | None


@dataclass
class Order:
    """A purchase and what is left of it."""

    at: int
    total: int
    growth: int
    refunded: int = 0
    taken: int = 0


@dataclass
class Held:
    """A tier while it is held."""

    tier: dict[str, Any]
    since: int
    reached: date
    on: date
    review_at: int
    by: str
    before: dict[str, Any] | None
    until: int | None = None
    grace_from: date | None = None


@dataclass
class NaiveTiers:
    """One customer under one rules document."""

    document: dict[str, Any]
    facts: list[Counted | Assigned] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)

    # What happens, in order of arrival

    def bought(self, unit: int, order: str, total: int, at: int) -> None:
        self.orders[order] = Order(at, total, total // 100)
        self.facts.append(Counted(unit, at, at, total // 100, 1, total, at))

    def refunded(self, unit: int, order: str, amount: int, at: int) -> None:
        known = self.orders[order]
        known.refunded += amount
        due = known.growth * known.refunded // known.total
        whole = known.refunded == known.total
        fact = Counted(unit, at, known.at, known.taken - due, -whole, -amount, max(at, known.at), is_refund=True)
        self.facts.append(fact)
        known.taken = due

    def assigned(self, unit: int, tier: str, until: int | None, at: int) -> None:
        self.facts.append(Assigned(unit, at, tier, until))

    # What is seen

    def seen(self, as_of: int, unit: int) -> Seen:
        """At an instant, with the first events known."""
        known = [fact for fact in self.facts if fact.unit <= unit]
        growth = sum(fact.growth for fact in known if isinstance(fact, Counted) and fact.moved_at <= as_of)
        held = self.held(sorted((fact for fact in known if fact.at <= as_of), key=lambda fact: fact.at), as_of)
        if held is None:
            return Seen(growth, None, None, None)
        review_at = None if held.review_at == FOREVER else held.review_at
        return Seen(growth, held.tier["name"], held.since, review_at)

    def held(self, facts: list[Counted | Assigned], as_of: int) -> Held | None:
        held: Held | None = None
        for number, fact in enumerate(facts):
            while held is not None and held.review_at <= fact.at:
                held = self.reviewed(held, facts[:number])
            held = self.follows(held, fact, facts[: number + 1])
        while held is not None and held.review_at <= as_of:
            held = self.reviewed(held, facts)
        return held

    def follows(self, held: Held | None, fact: Counted | Assigned, facts: list[Counted | Assigned]) -> Held | None:
        day = self.day(fact.at)
        if isinstance(fact, Assigned):
            tier = next(one for one in self.levels if one["name"] == fact.tier)
            return self.enters(tier, fact.at, facts, "assigned", held, until=fact.until)
        if fact.is_refund:
            return self.undone(held, fact, facts)
        rank = held.tier["rank"] if held else 0
        values = self.values(facts, self.begins(day, facts), day)
        reached = [one for one in self.levels if one["rank"] > rank and met(one["qualifies"], values)]
        return self.enters(reached[-1], fact.at, facts, "upgraded", held) if reached else held

    def undone(self, held: Held | None, fact: Counted, facts: list[Counted | Assigned]) -> Held | None:
        if held is None or held.by != "upgraded" or not self.tiers["refunds_undo_upgrade"]:
            return held
        then = self.values(facts, self.begins(held.on, facts), held.on)
        if met(held.tier["qualifies"], then):
            return held
        day = self.day(fact.at)
        today = self.values(facts, self.begins(day, facts), day)
        lower = [
            one
            for one in self.levels
            if one["rank"] <= held.tier["rank"]
            and (met(one["qualifies"], then) or met(one["qualifies"], today) or one == held.before)
        ]
        if lower and lower[-1] == held.tier:
            return held
        return self.enters(lower[-1], fact.at, facts, "downgraded", held) if lower else None

    def reviewed(self, held: Held, facts: list[Counted | Assigned]) -> Held | None:
        at = held.review_at
        last = self.day(at - 1)
        first = held.grace_from or self.begins(last, facts)
        values = self.values(facts, first, last)
        if met(keeps(held.tier), values):
            return self.kept(held, at, facts)
        grace = self.tiers["grace_days"]
        if grace and held.grace_from is None and held.until is None:
            ends = self.starts(self.day(at) + timedelta(days=grace))
            return Held(held.tier, held.since, held.reached, self.day(at), ends, "retained", held.tier, None, first)
        if self.tiers["review"] == "retain" and held.until is None:
            return self.kept(held, at, facts)
        below = [one for one in self.levels if one["rank"] < held.tier["rank"]]
        left = [one for one in below if met(keeps(one), values)]
        if self.tiers["review"] == "step_down" and held.until is None:
            left = below
        return self.enters(left[-1], at, facts, "downgraded", held) if left else None

    # Reckoning

    def enters(
        self,
        tier: dict[str, Any],
        at: int,
        facts: list[Counted | Assigned],
        by: str,
        held: Held | None,
        until: int | None = None,
    ) -> Held:
        day = self.day(at)
        review_at = until or self.next_review(day, day, facts)
        return Held(tier, at, day, day, review_at, by, held.tier if held else None, until)

    def kept(self, held: Held, at: int, facts: list[Counted | Assigned]) -> Held:
        review_at = self.next_review(self.day(at), held.reached, facts)
        return Held(held.tier, held.since, held.reached, self.day(at), review_at, "retained", held.tier)

    def next_review(self, day: date, reached: date, facts: list[Counted | Assigned]) -> int:
        """The first day after this one on which the tier is reviewed."""
        window = self.tiers["window"]
        if window["kind"] in ("rolling", "lifetime"):
            reviews = [same_day(reached, n * self.tiers["valid_months"]) for n in range(1, 40)]
        elif window["kind"] == "calendar":
            months = {"month": 1, "quarter": 3}[window["period"]]
            reviews = [date(year, month, 1) for year in (day.year, day.year + 1) for month in range(1, 13, months)]
        else:
            joined = self.joined(facts, day)
            reviews = [same_day(joined, 12 * n) for n in range(1, 5)]
        return self.starts(min(review for review in reviews if review > day))

    def begins(self, day: date, facts: list[Counted | Assigned]) -> date:
        window = self.tiers["window"]
        match window["kind"]:
            case "lifetime":
                return date.min
            case "rolling" if "days" in window:
                return day - timedelta(days=window["days"] - 1)
            case "rolling":
                return same_day(day, -window["months"]) + timedelta(days=1)
            case "calendar":
                while day.day != 1 or (day.month - 1) % {"month": 1, "quarter": 3}[window["period"]]:
                    day -= timedelta(days=1)
                return day
        joined = self.joined(facts, day)
        return max(same_day(joined, 12 * n) for n in range(-5, 5) if same_day(joined, 12 * n) <= day)

    def values(self, facts: list[Counted | Assigned], first: date, last: date) -> dict[str, int]:
        counted = [one for one in facts if isinstance(one, Counted) and first <= self.day(one.counts_on) <= last]
        return {
            "growth": max(0, sum(one.growth for one in counted)),
            "orders": max(0, sum(one.orders for one in counted)),
            "spend": max(0, sum(one.spend for one in counted)),
        }

    def joined(self, facts: list[Counted | Assigned], day: date) -> date:
        days = [self.day(one.at) for one in facts if isinstance(one, Counted) and not one.is_refund]
        return min(days, default=day)

    def day(self, instant: int) -> date:
        return day_shown(instant, self.zone, self.minutes)

    def starts(self, day: date) -> int:
        """The first instant of a business day, by quarters of an hour."""
        return first_instant(day, self.zone, self.minutes)

    @property
    def tiers(self) -> dict[str, Any]:
        return self.document["tiers"]  # type: ignore[no-any-return]

    @property
    def levels(self) -> list[dict[str, Any]]:
        return sorted(self.tiers["levels"], key=lambda one: one["rank"])

    @property
    def zone(self) -> str:
        return str(self.document["program"]["time_zone"])

    @property
    def minutes(self) -> int:
        hours, minutes = self.document["business_day_starts_at"].split(":")
        return int(hours) * 60 + int(minutes)


day_shown = cache(local_day)


@cache
def first_instant(day: date, zone: str, minutes: int) -> int:
    """Step by step, until the wall clock and calendar in the zone show the day, or one after it."""
    when = moment(0).replace(year=day.year, month=day.month, day=day.day) - timedelta(days=1)
    while local_day(instant_of(when), zone, minutes) < day:
        when += STEP
    return instant_of(when)


def met(condition: dict[str, Any], values: dict[str, int]) -> bool:
    if "any" in condition:
        return any(met(one, values) for one in condition["any"])
    return all(values[measure] >= amount for measure, amount in condition.items())


def keeps(tier: dict[str, Any]) -> dict[str, Any]:
    return dict(tier.get("retains") or tier["qualifies"])


def same_day(day: date, months: int) -> date:
    """So many months later or earlier, the same day of the month or its last."""
    month = day.year * 12 + day.month - 1 + months
    year, month = floor(month / 12), month % 12 + 1
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return min(last, date(year, month, 1) + timedelta(days=day.day - 1))
