"""The metrics once more, in plain Python over records: slow, literal, and written apart from the definitions."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from ledger.instants import from_datetime
from ledger.records import Record

Key = tuple[Any, ...]
DAY = timedelta(days=1)
CASH = {"cash", "card", "wechat", "alipay", "other"}
PLACE = ("channel", "store", "guide")


class Plain:
    """The records of a program that had happened by `as_of`; instants are aware datetimes in the program's zone."""

    def __init__(self, records: Iterable[Record], as_of: datetime, zone: ZoneInfo) -> None:
        self.as_of, self.zone = as_of, zone
        shown = [dict(orjson.loads(one.to_bytes()), position=place) for place, one in enumerate(records, start=1)]
        for one in shown:
            one["at"] = self.instant((one.get("derived") or {}).get("at") or one["time"])
        self.records = [one for one in shown if one["at"] <= as_of]
        self.orders = [self._order(one) for one in self.of("purchase.recorded")]
        self.by_reference = {one["reference"]: one for one in self.orders}
        for one in self.of("purchase.refunded", "purchase.returned"):
            for undone in one["derived"]["orders"]:
                order = self.by_reference.get(undone["order"])
                for number, amount, _ in undone["lines"] if order else ():
                    order["undone"][number] += amount
        first: dict[str, datetime] = {}
        for order in self.counted():
            first[order["customer"]] = min(first.get(order["customer"], order["at"]), order["at"])
        self.cohort = {customer: f"{at:%Y-%m}" for customer, at in first.items()}

    def of(self, *types: str) -> list[dict[str, Any]]:
        return [one for one in self.records if one["type"] in types]

    def instant(self, text: str) -> datetime:
        return datetime.fromisoformat(text).astimezone(self.zone)

    def counted(self) -> list[dict[str, Any]]:
        """Orders above 0 that are not fully refunded."""
        return [one for one in self.orders if one["total"] > 0 and net(one) > 0]

    def parts(self, order: dict[str, Any], by: tuple[str, ...], *, counted: bool = True) -> list[tuple[Key, int, int]]:
        """(key, gross, net) of an order: one, or by category one for each that counts."""
        if "category" not in by or not order["lines"]:
            return [(self.key(order, by, None), order["total"], net(order))]
        found: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        for line in order["lines"]:
            mine = found[line.get("category")]
            mine[0] += line["amount"]
            mine[1] += line["amount"] - order["undone"][line["line"]]
        return [
            (self.key(order, by, category), gross, left)
            for category, (gross, left) in found.items()
            if not counted or (gross > 0 and left > 0)
        ]

    def key(self, one: dict[str, Any], by: tuple[str, ...], category: Any) -> Key:
        place = one["data"].get("place") or {}
        derived = one.get("derived") or {}
        found = {
            **{name: place.get(name) for name in PLACE},
            **{name: derived.get(name) for name in ("brand", "entity")},
            "month": f"{one['at']:%Y-%m}",
            "tier": one.get("tier"),
            "cohort": self.cohort.get(one["subject"]),
            "category": category,
        }
        return tuple(found[name] for name in by)

    def present(self) -> set[str]:
        left = {one["subject"] for one in self.of("customer.closed")}
        return {one["subject"] for one in self.records} - left

    def tiers(self) -> dict[str, dict[str, Any]]:
        """The change that was written last, by customer."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.of("tier.changed"):
            if one["subject"] not in found or one["version"] > found[one["subject"]]["version"]:
                found[one["subject"]] = one
        here = self.present()
        return {customer: one for customer, one in found.items() if one["data"]["tier"] and customer in here}

    def paid_members(self) -> set[str]:
        last: dict[str, dict[str, Any]] = {}
        for one in self.records:
            if one["type"].startswith("membership."):
                last[one["subject"]] = one
        running = set()
        for customer, one in last.items():
            said = (one.get("derived") or {}).get("membership")
            if said and said["status"] in ("active", "paused") and self.instant(said["end"]) > self.as_of:
                running.add(customer)
        return running & self.present()

    def brought(self) -> dict[str, dict[str, Any]]:
        """How customers stand who were brought: {customer: {referrer, at, qualified}}."""
        found: dict[str, dict[str, Any]] = {}
        for one in sorted(self.records, key=lambda one: one["version"]):
            customer, data = one["subject"], one["data"]
            match one["type"]:
                case "referral.made":
                    found[customer] = {"referrer": data["referrer"], "at": one["at"], "qualified": False}
                case "referral.qualified":
                    found[customer]["qualified"] = True
                case "referral.disqualified":
                    found.pop(customer, None)
                case "referral.revoked" if data["role"] == "referred":
                    found.pop(customer, None)
        return found

    def segments(self, edges: tuple[tuple[float, ...], tuple[float, ...]]) -> dict[str, str]:
        """The segment of each customer by thresholds."""
        found = {}
        for customer in {one["subject"] for one in self.counted()}:
            own = [one for one in self.counted() if one["subject"] == customer]
            days = (self.as_of - max(one["at"] for one in own)) // DAY
            recency = 5 - sum(days > edge for edge in edges[0])
            frequency = 1 + sum(len(own) > edge for edge in edges[1])
            found[customer] = segment(recency, frequency)
        return found

    def stage(self, customer: str) -> str:
        """By fixed edges of 60, 120 and 365 days; active: 3 orders in 90 days."""
        own = sorted(one["at"] for one in self.counted() if one["subject"] == customer)
        if not own:
            return "prospect"
        gap = self.as_of - own[-1]
        for days, name in ((365, "churned"), (120, "dormant"), (60, "silent")):
            if gap >= days * DAY:
                return name
        if len(own) == 1:
            return "new"
        return "active" if sum(at > self.as_of - 90 * DAY for at in own) >= 3 else "returning"

    def redemptions(self) -> list[tuple[datetime, int, float]]:
        """(instant, points, days since their grant) of every part of a lot that was redeemed."""
        granted: dict[tuple[str, str], datetime] = {}
        found = []
        for one in self.records:
            for posting in one["postings"]:
                if posting["asset"] != "points":
                    continue
                at = self.instant(posting["at"]) if "at" in posting else one["at"]
                if posting.get("lot") and posting["to"] == "customer:points":
                    of = self.instant(posting["granted_at"]) if "granted_at" in posting else at
                    granted[one["subject"], posting["lot"]] = of
                if posting["to"].startswith("program:redeemed"):
                    for lot, points in posting["lots"]:
                        found.append((at, points, (at - granted[one["subject"], lot]) / DAY))
        return found

    def _order(self, one: dict[str, Any]) -> dict[str, Any]:
        derived = one["derived"]
        return {
            **one,
            "customer": one["subject"],
            "total": one["data"]["total"],
            "lines": one["data"].get("lines", []),
            "reference": derived["reference"],
            "tier": (derived.get("tier") or {}).get("tier"),
            "undone": Counter(),
        }


def net(order: dict[str, Any]) -> int:
    left: int = order["total"] - sum(order["undone"].values())
    return left


def segment(recency: int, frequency: int) -> str:
    """The published table, as a picture: recency down from 5, frequency across from 1."""
    letters = {5: "NPPCC", 4: "rPPLL", 3: "aanLL", 2: "hhRRc", 1: "hhRRc"}[recency][frequency - 1]
    names = {
        "N": "new_customers",
        "P": "potential_loyalists",
        "C": "champions",
        "r": "promising",
        "L": "loyal_customers",
        "a": "about_to_sleep",
        "n": "need_attention",
        "h": "hibernating",
        "R": "at_Risk",
        "c": "cant_loose",
    }
    return names[letters]


def trade(plain: Plain, by: tuple[str, ...]) -> dict[Key, dict[str, int]]:
    """Buyers, orders and net amount of counted orders."""
    found: dict[Key, dict[str, Any]] = defaultdict(lambda: {"buyers": set(), "orders": 0, "amount": 0})
    for order in plain.counted():
        for key, _, left in plain.parts(order, by):
            mine = found[key]
            mine["buyers"].add(order["customer"])
            mine["orders"] += 1
            mine["amount"] += left
    return {key: {**mine, "buyers": len(mine["buyers"])} for key, mine in found.items()}


def revenue(plain: Plain, by: tuple[str, ...]) -> dict[Key, tuple[int, int]]:
    """(gross, refunds) by the date of each."""
    cohort = {}
    for order in sorted(plain.orders, key=lambda one: one["at"], reverse=True):
        cohort[order["customer"]] = f"{order['at']:%Y-%m}"
    plain.cohort = cohort
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for order in plain.orders:
        for key, gross, _ in plain.parts(order, by, counted=False):
            found[key][0] += gross
    for one in plain.of("purchase.refunded", "purchase.returned"):
        orders = [plain.by_reference[part["order"]] for part in one["derived"]["orders"]]
        latest = max(orders, key=lambda order: order["position"], default=None)
        dated = {**one, "tier": latest["tier"] if latest else None}
        shares: Counter[Any] = Counter()
        if "category" not in by:
            shares[None] = one["data"]["amount"]
        elif one["type"] == "purchase.returned":
            for line in one["data"]["lines"]:
                shares[line.get("category")] += line["amount"]
        else:
            (undone,) = one["derived"]["orders"]
            of = {line["line"]: line.get("category") for line in orders[0]["lines"]}
            for number, amount, _ in undone["lines"]:
                shares[of.get(number)] += amount
        for category, amount in shares.items():
            found[plain.key(dated, by, category)][1] += amount
    return {key: (gross, refunds) for key, (gross, refunds) in found.items()}


def cash(plain: Plain, by: tuple[str, ...]) -> dict[Key, Counter[str]]:  # noqa: C901 - one branch a type
    """What came in by part."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    for one in plain.records:
        data, derived = one["data"], one.get("derived") or {}
        mine = found[plain.key(one, by, None)]
        match one["type"]:
            case "purchase.recorded":
                mine["orders"] += sum(part["amount"] for part in data.get("tenders", ()) if part["kind"] in CASH)
                mine["untendered"] += 0 if data.get("tenders") else data["total"]
            case "purchase.refunded":
                mine["refunds"] += sum(part["amount"] for part in data.get("tenders", ()) if part["kind"] in CASH)
                mine["untendered"] -= 0 if data.get("tenders") else data["amount"]
            case "purchase.returned":
                mine["untendered"] -= data["amount"]
            case "stored_value.loaded":
                mine["stored_value"] += data["principal"]
            case "package.sold":
                mine["packages"] += data["price"]
            case "membership.purchased":
                mine["memberships"] += 36_500
            case "stored_value.refunded":
                mine["refunds"] += derived["principal"]
            case "package.refunded":
                mine["refunds"] += derived["amount"]
            case "membership.cancelled":
                mine["refunds"] += derived["refund"]
    return {key: parts for key, parts in found.items() if any(parts.values())}


def tier_changes(plain: Plain, key_of: Callable[[dict[str, Any]], Key]) -> dict[Key, Counter[str]]:
    """Changes that stand, by where they lead."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    by_customer: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in plain.of("tier.changed"):
        by_customer[one["subject"]].append(one)
    for changes in by_customer.values():
        untrue = {version for one in changes for version in one["data"].get("corrects", ())}
        rank = 0
        for one in sorted(changes, key=lambda one: (one["at"], one["version"])):
            if one["version"] not in untrue:
                now, kind = one["data"]["rank"], one["data"]["kind"]
                mine = found[key_of(one)]
                mine["upgraded"] += now > rank
                mine["downgraded"] += now < rank
                mine["retained"] += kind == "retained"
                rank = now
    return found


def pairs(plain: Plain, item: str) -> tuple[Counter[tuple[str, str]], Counter[str], int]:
    """How many orders hold each pair and each item, and how many hold any."""
    both: Counter[tuple[str, str]] = Counter()
    each: Counter[str] = Counter()
    whole = 0
    for order in plain.counted():
        items = sorted({line[item] for line in order["lines"] if line.get(item)})
        each.update(items)
        both.update(combinations(items, 2))
        whole += bool(items)
    return both, each, whole


def weighted(values: list[tuple[int, float]], share: float) -> float:
    """The least value by which a share of the weight is reached."""
    rising = sorted((value, weight) for weight, value in values)
    sums = []
    for _, weight in rising:
        sums.append((sums[-1] if sums else 0) + weight)
    return rising[bisect_right(sums, sums[-1] * share - 1e-9)][0]


def microseconds(moment: datetime) -> int:
    return from_datetime(moment)
