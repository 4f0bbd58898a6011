"""The naive model's decisions on stored value, tenders that pay, and holds."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tests.properties.calendar_by_hand import DAY, gone_at, read
from tests.properties.naive import Earning, Lot, Move, Order, Parcel, ParcelMove
from tests.properties.naive_trade import EXPONENTS, Refusal, Trade


@dataclass
class Loaded:
    """A fact: money paid in, with the lots it went into and those it was moved to."""

    unit: int
    load: str
    currency: str
    principal: list[int]
    bonus: list[int] = field(default_factory=list)


@dataclass
class Tender:
    """A fact: what a tender of an order took; asset → (lot, amount) in order of consumption."""

    unit: int
    order: str
    number: int
    kind: str
    amount: int
    taken: dict[str, list[tuple[int, int]]]
    consumption: str


@dataclass
class Back:
    """A fact: what went back of a tender, in money and in lots."""

    unit: int
    order: str
    number: int
    money: int
    parts: list[tuple[int, int]]


@dataclass
class Hold:
    """A fact: a hold, with the parcels it is made of, in order of consumption."""

    unit: int
    hold: str
    at: int
    until: int
    consumption: str
    parcels: list[Parcel]


@dataclass
class Ended:
    """A fact: a hold captured or released."""

    unit: int
    hold: str


class Value(Trade):
    """Stored value, tenders and holds under the document that counts at their instant."""

    # Spending

    def _find_points(self, points: int, instant: int) -> dict[str, int]:
        if self._free_of("points", instant) < points:
            raise Refusal("insufficient_points")
        return {"points": points}

    def _find_stored(self, currency: str, amount: int, instant: int) -> dict[str, int]:
        assets = f"stored.principal:{currency}", f"stored.bonus:{currency}"
        principal, bonus = (self._free_of(asset, instant) for asset in assets)
        if principal + bonus < amount:
            raise Refusal("insufficient_stored_value")
        parts = shared(self._stored("consumption", "principal_first"), amount, principal, bonus)
        return dict(zip(assets, parts, strict=True))

    def _take(self, wanted: dict[str, int], instant: int, account: str) -> dict[str, list[tuple[int, int]]]:
        taken = {}
        for asset, amount in wanted.items():
            parts = self.take(self.spendable(asset, instant), amount, instant, account)
            if parts:
                taken[asset] = parts
        return taken

    def _free_of(self, asset: str, instant: int) -> int:
        return sum(self.free(lot, instant) for lot in self.spendable(asset, instant))

    def _stored(self, name: str, default: Any) -> Any:
        return self.setting("stored_value", {}).get(name, default)

    def _gone(self, asset: str, instant: int) -> int:
        kinds = {"stored.principal": "principal_expiry", "stored.bonus": "bonus_expiry"}
        kind = kinds.get(asset.partition(":")[0])
        if kind is None:
            return gone_at(self.document, instant)
        return gone_at({**self.document, "expiry": self._stored(kind, {"kind": "never"})}, instant)

    def _give_back(self, parts: list[tuple[Lot, int]], instant: int) -> None:
        """Lots reopen with their old expiry; what is past it comes back in a lot of its own."""
        alive = [(lot, part) for lot, part in parts if lot.expires_at > instant]
        for lot, part in alive:
            self.all.append(Move(self.unit, lot.number, instant, part, "program:redeemed"))
        setting = self.setting("redemption_reversal", {"expired_lots": "reinstate"})
        anew = []
        for lot, part in parts:
            if lot.expires_at <= instant:
                until = self._gone(lot.asset, instant)
                if setting["expired_lots"] == "grace":
                    until = instant + setting.get("grace_days", 0) * DAY
                terms = {"granted_at": lot.granted_at, "expires_at": until, "reason": lot.reason}
                anew.append((self.open_lot(lot.asset, part, instant, **terms), part))
        self.pay_debts([(lot, part) for lot, part in (*alive, *anew) if lot.asset == "points"], instant)

    # Stored value

    def _stored_value_loaded(self, data: dict[str, Any], instant: int, _: int) -> None:
        currency = data["currency"]
        self._check_currency(currency)
        asset = f"stored.principal:{currency}"
        until = self._gone(asset, instant)
        lot = self.open_lot(asset, data["principal"], instant, expires_at=until, reason="load")
        load = Loaded(self.unit, data["load_id"], currency, [lot.number])
        if data.get("bonus"):
            asset = f"stored.bonus:{currency}"
            until = read(data["bonus_expires_at"]) if "bonus_expires_at" in data else self._gone(asset, instant)
            lot = self.open_lot(asset, data["bonus"], instant, expires_at=until, reason="load_bonus")
            load.bonus.append(lot.number)
        self.all.append(load)

    def _stored_value_spent(self, data: dict[str, Any], instant: int, _: int) -> None:
        self._take(self._find_stored(data["currency"], data["amount"], instant), instant, "program:redeemed")

    def _stored_value_refunded(self, data: dict[str, Any], instant: int, _: int) -> None:
        loads = self.of(Loaded)
        if "load_id" in data:
            load = next((one for one in loads if one.load == data["load_id"]), None)
            if load is None:
                raise Refusal("load_unknown")
            lots = [lot for lot in map(self.lot, load.principal) if self.free(lot, instant) > 0]
        else:
            newest_first = self._stored("refund_order", "newest_first") == "newest_first"
            lots = self.spendable(f"stored.principal:{data['currency']}", instant)
            lots.sort(key=lambda lot: lot.granted_at, reverse=newest_first)
        window = self._stored("cooling_off_days", 7) * DAY
        cooling = {lot.number: instant < lot.granted_at + window for lot in lots}
        if self._stored("after_cooling_off", "allowed") == "refused":
            if lots and not any(cooling.values()):
                raise Refusal("cooling_off_ended")
            lots = [lot for lot in lots if cooling[lot.number]]
        left = sum(self.free(lot, instant) for lot in lots)
        amount = data.get("amount", left)
        if not 0 < amount <= left:
            raise Refusal("refund_exceeds_principal")
        there = {
            load.load: sum(self.free(lot, instant) for lot in lots if lot.number in load.principal) for load in loads
        }
        paid = self.take(lots, amount, instant, "program:reversed")
        for load in loads:
            mine = [(number, part) for number, part in paid if number in load.principal]
            if mine:
                self._void(load, sum(part for _, part in mine), there[load.load], instant, cools=cooling[mine[0][0]])

    def _void(self, load: Loaded, paid: int, there: int, instant: int, *, cools: bool) -> None:
        lots = [self.lot(number) for number in load.bonus]
        bonus = sum(self.free(lot, instant) for lot in lots)
        rule = "void" if cools else self._stored("refund_bonus", "void")
        void = {"void": bonus, "keep": 0, "proportional": ceil(Fraction(bonus * paid, there))}[rule]
        self.take(lots, void, instant, "program:reversed")

    # Tenders

    def _pay(self, data: dict[str, Any], order: Order) -> None:
        for number, tender in enumerate(data.get("tenders", ()), start=1):
            if "reference" in tender or not tender["amount"] or tender["kind"] not in ("points", "stored_value"):
                continue
            if tender["kind"] == "points":
                wanted = self._find_points(self._points_for(tender["amount"], order.currency), order.at)
            else:
                wanted = self._find_stored(order.currency, tender["amount"], order.at)
            taken = self._take(wanted, order.at, "program:redeemed")
            consumption = self._stored("consumption", "principal_first")
            self.all.append(
                Tender(self.unit, order.number, number, tender["kind"], tender["amount"], taken, consumption)
            )

    def _points_for(self, amount: int, currency: str) -> int:
        value = self.setting("tenders", {}).get("points", {}).get("value", {}).get(currency)
        if value is None:
            raise Refusal("tender_not_payable")
        scale = self.setting("program", {}).get("points_scale", 0)
        points = Fraction(amount, 10 ** EXPONENTS.get(currency, 2)) / Fraction(value) * 10**scale
        if points != floor(points):
            raise Refusal("tender_not_whole_points")
        return floor(points)

    def _return_tenders(self, order: Order, data: dict[str, Any], at: int) -> None:
        tenders = [one for one in self.of(Tender) if one.order == order.number]
        if not tenders:
            return
        named = data.get("tenders")
        moneys = self._named(tenders, named) if named is not None else self._by_rule(order, tenders, data["amount"])
        for tender, money in zip(tenders, moneys, strict=True):
            if money:
                self._return(tender, money, at)

    def _named(self, tenders: list[Tender], named: list[dict[str, Any]]) -> list[int]:
        moneys = [0] * len(tenders)
        for one in named:
            amount = one["amount"]
            mine = [place for place, tender in enumerate(tenders) if tender.kind == one["kind"]]
            if "reference" in one or not mine:
                continue
            for place in mine:
                part = min(amount, self._unreturned(tenders[place]) - moneys[place])
                moneys[place] += part
                amount -= part
            if amount:
                raise Refusal("refund_exceeds_tender")
        return moneys

    def _by_rule(self, order: Order, tenders: list[Tender], amount: int) -> list[int]:
        left = [self._unreturned(tender) for tender in tenders]
        whole = sum(self.left(order, line)[0] for line in order.lines) + amount
        others = max(0, whole - sum(left))
        setting = self.setting("tenders", {}).get("refund", "proportional")
        if setting == "proportional":
            all_left = sum(left) + others
            amount = min(amount, all_left)
            ends = (
                [floor(Fraction(amount * sum(left[: n + 1]), all_left)) for n in range(len(left))] if all_left else []
            )
            return [end - start for start, end in zip([0, *ends], ends, strict=False)] or [0] * len(left)
        amount -= min(amount, others) if setting == "ledger_last" else 0
        moneys = []
        for part in left:
            moneys.append(min(part, amount))
            amount -= moneys[-1]
        return moneys

    def _unreturned(self, tender: Tender) -> int:
        return tender.amount - sum(one.money for one in self._backs(tender))

    def _backs(self, tender: Tender) -> list[Back]:
        return [one for one in self.of(Back) if (one.order, one.number) == (tender.order, tender.number)]

    def _return(self, tender: Tender, money: int, at: int) -> None:
        """What stays taken is what the money still paid would have taken."""
        back = [part for one in self._backs(tender) for part in one.parts]
        fact = Back(self.unit, tender.order, tender.number, money, [])
        self.all.append(fact)
        whole = sum(part for parts in tender.taken.values() for _, part in parts)
        keeps = ceil(Fraction(whole * self._unreturned(tender), tender.amount))
        kept = dict.fromkeys(tender.taken, keeps)
        if len(tender.taken) == 2:
            amounts = [sum(part for _, part in parts) for parts in tender.taken.values()]
            kept = dict(zip(tender.taken, shared(tender.consumption, keeps, *amounts), strict=True))
        for asset, parts in tender.taken.items():
            left = {lot: part - sum(n for number, n in back if number == lot) for lot, part in parts}
            due = sum(left.values()) - kept[asset]
            given = []
            for number in reversed(left):
                part = min(left[number], due)
                due -= part
                if part:
                    given.append((number, part))
            fact.parts += given
            self._give_back([(self.lot(number), part) for number, part in given], at)

    # Holds

    def _hold_placed(self, data: dict[str, Any], instant: int, _: int) -> None:
        if data["asset"] == "points":
            wanted = self._find_points(data["amount"], instant)
        else:
            wanted = self._find_stored(data["currency"], data["amount"], instant)
        until = read(data["until"])
        consumption = self._stored("consumption", "principal_first")
        hold = Hold(self.unit, data["hold_id"], instant, until, consumption, [])
        self.all.append(hold)
        for parts in self._take(wanted, instant, "customer:held").values():
            for number, amount in parts:
                parcel = Parcel(self.unit, len(self.of(Parcel)), amount, instant, self.lot(number), None)
                self.all.append(parcel)
                parcel.freed = self._free(parcel, amount, until)
                hold.parcels.append(parcel)

    def _free(self, parcel: Parcel, amount: int, at: int) -> Lot:
        """At an instant, which may lie ahead, part of what is held becomes a lot again under its old terms."""
        old = parcel.lot
        self.all.append(ParcelMove(self.unit, parcel.number, at, -amount, ""))
        terms = {"granted_at": old.granted_at, "expires_at": old.expires_at, "reason": old.reason, "freed_at": at}
        lot = self.open_lot(old.asset, amount, at, **terms)
        for kin in [one.lots for one in self.of(Earning)] + [
            lots for one in self.of(Loaded) for lots in (one.principal, one.bonus)
        ]:
            if old.number in kin:
                kin.append(lot.number)
        return lot

    def _hold_captured(self, data: dict[str, Any], instant: int, _: int) -> None:
        hold = self._open_hold(data["hold_id"], instant)
        held: dict[str, int] = {}
        for parcel in hold.parcels:
            held[parcel.lot.asset] = held.get(parcel.lot.asset, 0) + parcel.amount
        amount = data.get("amount", sum(held.values()))
        if amount > sum(held.values()):
            raise Refusal("capture_exceeds_hold")
        wanted = dict.fromkeys(held, amount)
        if len(held) == 2:
            wanted = dict(zip(held, shared(hold.consumption, amount, *held.values()), strict=True))
        self._end(hold, max(instant, hold.at), wanted)

    def _hold_released(self, data: dict[str, Any], instant: int, _: int) -> None:
        hold = self._open_hold(data["hold_id"], instant)
        self._end(hold, max(instant, hold.at), {})

    def _open_hold(self, number: str, instant: int) -> Hold:
        hold = next((one for one in self.of(Hold) if one.hold == number), None)
        if hold is None:
            raise Refusal("hold_unknown")
        if instant >= hold.until or any(one.hold == number for one in self.of(Ended)):
            raise Refusal("hold_ended")
        for parcel in hold.parcels:
            freed = parcel.freed
            if freed.expires_at > hold.until and self.free(freed, hold.until) < parcel.amount:
                raise Refusal("hold_ended")
        return hold

    def _end(self, hold: Hold, at: int, wanted: dict[str, int]) -> None:
        """The time-out does not come to be; what is captured is spent from the hold's instant on, the rest free from `at`."""
        self.all.append(Ended(self.unit, hold.hold))
        for parcel in hold.parcels:
            asset = parcel.lot.asset
            spent = min(wanted.get(asset, 0), parcel.amount)
            wanted[asset] = wanted.get(asset, 0) - spent
            self.all.append(Move(self.unit, parcel.freed.number, hold.until, -parcel.amount, "customer:held"))
            self.all.append(ParcelMove(self.unit, parcel.number, hold.until, parcel.amount, ""))
            if spent:
                self.all.append(ParcelMove(self.unit, parcel.number, hold.at, -spent, "program:redeemed"))
            if spent < parcel.amount:
                self._free(parcel, parcel.amount - spent, at)


def shared(consumption: str, amount: int, principal: int, bonus: int) -> tuple[int, int]:
    """What of an amount falls on principal and on bonus."""
    if consumption == "bonus_first":
        return amount - min(amount, bonus), min(amount, bonus)
    of_principal = min(amount, principal)
    if consumption == "proportional" and principal + bonus:
        of_principal = floor(Fraction(amount * principal, principal + bonus))
    return of_principal, amount - of_principal
