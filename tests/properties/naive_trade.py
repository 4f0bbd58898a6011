"""The naive model's decisions on trade: what purchases earn, deliveries release, refunds and returns take back."""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tests.properties.calendar_by_hand import DAY, FOREVER, gone_at, local_day, read
from tests.properties.naive import Counted, Due, Earning, Facts, HandedOver, Lot, Order, Settled, Undone

EXPONENTS = {"JPY": 0, "KWD": 3}


class Refusal(Exception):
    """A named no."""


class Trade(Facts):
    """Purchases, deliveries, refunds and returns under the document that counts at their instant."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__()
        self.document = document

    def setting(self, name: str, default: Any) -> Any:
        return self.document.get(name, default)

    # Earning

    def _signed_up(self, data: dict[str, Any], instant: int, _: int) -> None:
        incoming = []
        for rule in self.setting("earning", []):
            if rule["on"] == "customer.signed_up":
                points = self._below_day_cap(rule, rule["points"], self._day(data, instant))
                if points:
                    incoming.append(
                        self._grant(points, instant, "signup", rule=rule["id"], day=self._day(data, instant))
                    )
        self.pay_debts([(lot, lot.amount) for lot in incoming], instant)

    def _recorded(self, data: dict[str, Any], instant: int, _: int) -> None:
        self._check_currency(data["currency"])
        lines = data.get("lines") or [{"line": 0, "sku": None, "amount": data["total"], "quantity": 1}]
        order = Order(self.unit, data["order_id"], instant, data["currency"], lines)
        self.all.append(order)
        money = {data["currency"]: data["total"]}
        self.all.append(Counted(self.unit, instant, orders=1, gross=money, net=money, first=instant, last=instant))
        self._pay(data, order)
        incoming = []
        for rule in self.setting("earning", []):
            if rule["on"] == "purchase.recorded":
                incoming += self._earn(rule, data, order)
        self.pay_debts([(lot, lot.amount) for lot in incoming], instant)

    def _earn(self, rule: dict[str, Any], data: dict[str, Any], order: Order) -> Iterator[Lot]:
        if data["total"] < rule.get("minimum_spend", 0):
            return
        bases = dict(_bases(rule, data, order.lines))
        if not sum(bases.values()):
            return
        points = self._points(rule, sum(bases.values()), data["currency"])
        points = min(points, rule.get("cap_per_order", points))
        day = self._day(data, order.at)
        points = self._below_day_cap(rule, points, day)
        so_far, given = 0, 0
        for numbers, available_at in self._availabilities(order, bases):
            so_far += sum(bases[number] for number in numbers)
            part = floor(Fraction(points * so_far, sum(bases.values()))) - given
            given += part
            if part:
                lot = self._grant(part, order.at, "purchase", rule=rule["id"], day=day, available_at=available_at)
                mine = {number: bases[number] for number in numbers}
                self.all.append(Earning(self.unit, order.number, order.at, [lot.number], part, mine))
                yield lot

    def _points(self, rule: dict[str, Any], base: int, currency: str) -> int:
        if "points" in rule:
            return int(rule["points"])
        scale = self.setting("program", {}).get("points_scale", 0)
        exact = Fraction(base, 10 ** EXPONENTS.get(currency, 2)) * Fraction(rule["points_per_unit"]) * 10**scale
        match rule.get("rounding", "down"):
            case "down":
                return floor(exact)
            case "up":
                return ceil(exact)
        return floor(exact + Fraction(1, 2))

    def _availabilities(self, order: Order, bases: dict[int, int]) -> list[tuple[list[int], int]]:
        """Groups of lines with when their points may be spent: lines handed over already wait for no delivery."""
        availability = self.setting("availability", {"kind": "at_once"})
        later = availability.get("days", 0) * DAY
        if availability["kind"] == "at_once":
            return [(list(bases), 0)]
        if availability["kind"] == "after_days":
            return [(list(bases), order.at + later)]
        over = {line["line"]: line["fulfilled_at"] for line in order.lines if "fulfilled_at" in line}
        there = [number for number in bases if number in over]
        waiting = [number for number in bases if number not in over]
        groups = []
        if there:
            last = max(order.at, *(read(over[number]) for number in there))
            groups.append((there, last + later))
        if waiting:
            groups.append((waiting, FOREVER))
        return groups

    def _below_day_cap(self, rule: dict[str, Any], points: int, day: str) -> int:
        if "cap_per_day" not in rule:
            return points
        lots = [lot for lot in self.of(Lot) if lot.rule == rule["id"] and lot.day == day]
        return max(0, min(points, rule["cap_per_day"] - sum(lot.amount for lot in lots)))

    def _day(self, data: dict[str, Any], instant: int) -> str:
        hours, minutes = self.setting("business_day_starts_at", "00:00").split(":")
        zone = self.setting("program", {}).get("time_zone", "UTC")
        return data.get("business_day") or str(local_day(instant, zone, int(hours) * 60 + int(minutes)))

    def _grant(self, points: int, instant: int, reason: str, **more: Any) -> Lot:
        terms = {"expires_at": gone_at(self.document, instant), "reason": reason, **more}
        return self.open_lot("points", points, instant, **terms)

    def _check_currency(self, currency: str) -> None:
        accepted = self.setting("program", {}).get("currencies", [])
        if accepted and currency not in accepted:
            raise Refusal("currency_not_accepted")

    def _pay(self, data: dict[str, Any], order: Order) -> None:
        """What the tenders take; see naive_value."""
        raise NotImplementedError

    def _return_tenders(self, order: Order, data: dict[str, Any], at: int) -> None:
        """What the tenders get back; see naive_value."""
        raise NotImplementedError

    # Refunds and returns

    def _refunded(self, data: dict[str, Any], instant: int, now: int) -> None:
        order = self._order(data["order_id"])
        for number, amount, quantity in self._asked(order, data):
            self.all.append(Undone(self.unit, order.number, number, amount, quantity))
        self._return_tenders(order, data, max(instant, order.at))
        self._claw_back(order, instant, now)
        self._count_refund(order.currency, data["amount"], instant)

    def _asked(self, order: Order, data: dict[str, Any]) -> list[tuple[int, int, Fraction]]:
        left = {line["line"]: self.left(order, line) for line in order.lines}
        if "lines" not in data:
            if data["amount"] > sum(money for money, _ in left.values()):
                raise Refusal("refund_exceeds_purchase")
            return self._spread(left, data["amount"])
        for asked in data["lines"]:
            if asked["line"] not in left:
                raise Refusal("line_unknown")
            money, goods = left[asked["line"]]
            if asked["amount"] > money or _number(asked["quantity"]) > goods:
                raise Refusal("refund_exceeds_purchase")
        return [(asked["line"], asked["amount"], _number(asked["quantity"])) for asked in data["lines"]]

    def _spread(self, left: dict[int, tuple[int, Fraction]], amount: int) -> list[tuple[int, int, Fraction]]:
        """In proportion to what is left of each line; goods come back only with the last of the money."""
        whole = sum(money for money, _ in left.values())
        so_far, given, parts = 0, 0, []
        for number, (money, goods) in left.items():
            so_far += money
            part = floor(Fraction(amount * so_far, whole)) - given
            given += part
            parts.append((number, part, goods if part == money else Fraction(0)))
        return [part for part in parts if part[1]]

    def _returned(self, data: dict[str, Any], instant: int, now: int) -> None:
        self._check_currency(data["currency"])
        matched = []
        for wanted in data["lines"]:
            left = _number(wanted["quantity"])
            for order in self._latest_first(instant, data["currency"]) if data["match"] == "latest" else ():
                for line in order.lines:
                    money, goods = self.left(order, line)
                    part = min(left, goods) if line["sku"] == wanted["sku"] else Fraction(0)
                    if part:
                        worth = floor(Fraction(money * part, goods))
                        self.all.append(Undone(self.unit, order.number, line["line"], worth, part))
                        left -= part
                        matched += [order] if order not in matched else []
        for order in matched:
            self._claw_back(order, instant, now)
        self._count_refund(data["currency"], data["amount"], instant)

    def _latest_first(self, instant: int, currency: str) -> list[Order]:
        orders = [order for order in self.of(Order) if order.at <= instant and order.currency == currency]
        return sorted(orders, key=lambda order: (order.at, order.unit), reverse=True)

    def left(self, order: Order, line: dict[str, Any]) -> tuple[int, Fraction]:
        undone = [part for part in self.of(Undone) if (part.order, part.line) == (order.number, line["line"])]
        money = line["amount"] - sum(part.amount for part in undone)
        return money, _number(line["quantity"]) - sum(part.quantity for part in undone)

    def _claw_back(self, order: Order, instant: int, now: int) -> None:
        at = max(instant, order.at)
        policy = self.setting("refunds", "within_balance")
        for earning in [one for one in self.of(Earning) if one.order == order.number]:
            own = [self.lot(number) for number in earning.lots]
            before = [due for due in self.of(Due) if due.lot == earning.lots[0]]
            due = left = self._due(order, earning) - sum(one.due for one in before)
            waiting = [lot for lot in own if lot.available_at > at] if policy == "pending_only" else own
            left -= self._reverse(waiting, left, at)
            gone = sum(self.expired(lot, at) for lot in own) - sum(one.expired for one in before)
            expired = min(left, max(0, gone))
            left -= expired
            told_late = self.told_after(instant)
            if policy == "pending_only":
                left -= self._reverse([lot for lot in own if lot.available_at > now], left, now) if told_late else 0
            else:
                left -= self._reverse(self.spendable("points", at, pending=True), left, at)
                left -= self._reverse(self.spendable("points", now, pending=True), left, now) if told_late else 0
            if left and policy == "allow_negative":
                self.owe(left, at)
            self.all.append(Due(self.unit, earning.lots[0], due, expired))

    def _due(self, order: Order, earning: Earning) -> int:
        share = 0
        for line in order.lines:
            if line["line"] in earning.bases and line["amount"]:
                undone = line["amount"] - self.left(order, line)[0]
                share += floor(Fraction(earning.bases[line["line"]] * undone, line["amount"]))
        return floor(Fraction(earning.points * share, sum(earning.bases.values())))

    def _reverse(self, lots: list[Lot], amount: int, at: int) -> int:
        return sum(part for _, part in self.take(lots, amount, at, "program:reversed"))

    def _count_refund(self, currency: str, amount: int, instant: int) -> None:
        self.all.append(Counted(self.unit, instant, refunds=1, net={currency: -amount}))

    def _order(self, number: str) -> Order:
        for order in self.of(Order):
            if order.number == number:
                return order
        raise Refusal("purchase_unknown")

    # Deliveries

    def _delivered(self, data: dict[str, Any], instant: int, _: int) -> None:
        order = self._order(data["order_id"])
        bought = {line["line"]: _number(line["quantity"]) for line in order.lines}
        wanted = {part["line"]: _number(part["quantity"]) for part in data["lines"]} if "lines" in data else bought
        if not set(wanted) <= set(bought):
            raise Refusal("line_unknown")
        for number, quantity in wanted.items():
            more = min(quantity, bought[number] - self._handed_over(order, number))
            self.all.append(HandedOver(self.unit, order.number, number, more))
        for earning in [one for one in self.of(Earning) if one.order == order.number]:
            self._release(order, earning, instant)

    def _release(self, order: Order, earning: Earning, instant: int) -> None:
        lot = self.lot(earning.lots[0])
        if lot.available_at != FOREVER:
            return
        share = 0
        for line in order.lines:
            if line["line"] in earning.bases:
                over = self._handed_over(order, line["line"])
                share += floor(earning.bases[line["line"]] * over / _number(line["quantity"]))
        points = floor(Fraction(earning.points * share, sum(earning.bases.values())))
        points -= sum(one.points for one in self.of(Settled) if one.lot == lot.number)
        self.all.append(Settled(self.unit, lot.number, points))
        at = max(instant, lot.at)
        parts = self.take([lot], points, at, "customer:points")
        if parts:
            available_at = at + self.setting("availability", {}).get("days", 0) * DAY
            terms = {"granted_at": lot.granted_at, "available_at": available_at, "expires_at": lot.expires_at}
            moved = self.open_lot("points", parts[0][1], at, reason=lot.reason, **terms)
            earning.lots.append(moved.number)

    def _handed_over(self, order: Order, line: int) -> Fraction:
        return sum(
            (one.quantity for one in self.of(HandedOver) if (one.order, one.line) == (order.number, line)), Fraction(0)
        )


def _bases(rule: dict[str, Any], data: dict[str, Any], lines: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """Line number → the part that earns; what was paid with excluded tenders is spread over all lines and left out."""
    excluded_kinds = rule.get("exclude_tenders", ["points"])
    excluded = sum(tender["amount"] for tender in data.get("tenders", ()) if tender["kind"] in excluded_kinds)
    so_far, left_out = 0, 0
    for line in lines:
        so_far += line["amount"]
        part = floor(Fraction(excluded * so_far, data["total"])) - left_out if data["total"] else 0
        left_out += part
        if line.get("earns", True) and line.get("category") not in rule.get("exclude_categories", ()):
            yield line["line"], line["amount"] - part


def _number(quantity: int | str) -> Fraction:
    return Fraction(quantity)
