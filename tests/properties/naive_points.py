"""The naive model: the account of one customer, decided from the design's words; facts in, facts out."""

from typing import Any

from tests.builders import Event
from tests.properties.calendar_by_hand import DAY, FOREVER, MINUTE, read
from tests.properties.naive import Counted, Returned, Spent
from tests.properties.naive_trade import Refusal
from tests.properties.naive_value import Value


class Naive(Value):
    """One customer under the rules of one program, in all their versions."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        self.versions = [(-FOREVER, document)]

    def publish(self, document: dict[str, Any], begins: int) -> None:
        self.versions.append((begins, document))

    def post(self, event: Event, now: int) -> str:
        """`recorded`, or the code of the refusal."""
        self.unit += 1
        kept = len(self.all)
        try:
            self._post(event, now)
        except Refusal as refusal:
            del self.all[kept:]
            return str(refusal)
        self.told.append(min(event.time, now))
        return "recorded"

    def _post(self, event: Event, now: int) -> None:
        if event.time > now + 5 * MINUTE:
            raise Refusal("time_in_future")
        instant = min(event.time, now)
        self.document = [document for begins, document in self.versions if begins <= instant][-1]
        if not event.may_backdate and event.time < now - self.setting("backdate_days", 45) * DAY:
            raise Refusal("forbidden")
        family, _, what = event.type.partition(".")
        name = f"_{family}_{what}" if family in ("stored_value", "hold") else f"_{what}"
        getattr(self, name)(event.data, instant, now)

    # Points

    def _granted(self, data: dict[str, Any], instant: int, _: int) -> None:
        terms = {"expires_at": read(data["expires_at"])} if "expires_at" in data else {}
        lot = self._grant(data["points"], instant, data["reason"], **terms)
        self.pay_debts([(lot, lot.amount)], instant)

    def _redeemed(self, data: dict[str, Any], instant: int, _: int) -> None:
        parts = self._spend(data["points"], instant, "program:redeemed")
        self.all.append(Spent(self.unit, data["redemption_id"], instant, parts))

    def _spend(self, points: int, instant: int, account: str) -> list[tuple[int, int]]:
        return self._take(self._find_points(points, instant), instant, account)["points"]

    def _adjusted(self, data: dict[str, Any], instant: int, _: int) -> None:
        if data["points"] < 0:
            self._spend(-data["points"], instant, "program:adjusted")
            return
        lot = self._grant(data["points"], instant, "adjusted")
        self.pay_debts([(lot, lot.amount)], instant)

    def _redemption_reversed(self, data: dict[str, Any], instant: int, _: int) -> None:
        spent = next((one for one in self.of(Spent) if one.redemption == data["redemption_id"]), None)
        if spent is None:
            raise Refusal("redemption_unknown")
        if instant < spent.at:
            raise Refusal("reversal_before_redemption")
        back = [one for one in self.of(Returned) if one.redemption == spent.redemption]
        left = {lot: part - sum(one.amount for one in back if one.lot == lot) for lot, part in spent.parts}
        points = data.get("points", sum(left.values()))
        if not 0 < points <= sum(left.values()):
            raise Refusal("reversal_exceeds_redemption")
        parts = []
        for number in reversed(left):
            part = min(left[number], points)
            points -= part
            if part:
                parts.append((self.lot(number), part))
                self.all.append(Returned(self.unit, spent.redemption, number, part))
        self._give_back(parts, instant)

    # Opening

    def _opened_from(self, data: dict[str, Any], instant: int, _: int) -> None:
        incoming = []
        for lot in data["lots"]:
            until = read(lot["expires_at"]) if "expires_at" in lot else FOREVER
            terms = {"granted_at": read(lot["granted_at"]), "expires_at": until, "reason": lot["reason"]}
            incoming.append(self.open_lot(lot["asset"], lot["amount"], instant, **terms))
        self.pay_debts([(lot, lot.amount) for lot in incoming if lot.asset == "points"], instant)
        history = data.get("history")
        if history:
            first, last = history.get("first_order_at"), history.get("last_order_at")
            spend = history.get("spend", {})
            counted = Counted(
                self.unit, instant, orders=history.get("orders", len({first, last} - {None})), gross=spend, net=spend
            )
            if first or last:
                counted.first, counted.last = read(first or last), read(last or first)
            self.all.append(counted)
