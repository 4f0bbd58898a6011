"""The naive model's coupons: facts in the flat list, looked through anew at every question."""

from dataclasses import dataclass, field
from typing import Any

from tests.builders import Event
from tests.properties.calendar_by_hand import DAY, FOREVER, gone_at, read
from tests.properties.naive import Lot, Move
from tests.properties.naive_points import Naive
from tests.properties.naive_trade import Refusal


@dataclass
class Coupon:
    """A fact: a coupon issued, with the lots of its uses."""

    unit: int
    id: str
    kind: str
    at: int
    lots: list[int] = field(default_factory=list)


@dataclass
class Use:
    """A fact: a use of a coupon, taken from a lot."""

    unit: int
    id: str
    coupon: str
    at: int
    lot: int


@dataclass
class Back:
    """A fact: a use given back."""

    unit: int
    use: str


@dataclass
class Voided:
    """A fact: a coupon taken out of use; `place` whether nobody had used it."""

    unit: int
    coupon: str
    place: bool


class NaiveCoupons(Naive):
    """Points, purchases and coupons."""

    def _post(self, event: Event, now: int) -> None:
        word, _, what = event.type.partition(".")
        if word != "coupon":
            super()._post(event, now)
            return
        instant = min(event.time, now)
        if event.time > now + 5 * 60_000_000:
            raise Refusal("time_in_future")
        getattr(self, f"_coupon_{what}")(event.data, instant)

    def kind(self, name: str) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = self.setting("coupons", [])
        return next(kind for kind in kinds if kind["id"] == name)

    def coupon(self, name: str) -> Coupon | None:
        return next((coupon for coupon in self.of(Coupon) if coupon.id == name), None)

    def open_coupons(self, as_of: int) -> dict[str, int]:
        """How many uses a reader sees of each coupon that has any."""
        left = {}
        for coupon in self.of(Coupon):
            lots = [self.lot(number) for number in coupon.lots]
            there = sum(self.held(lot, as_of) for lot in lots if lot.expires_at > as_of)
            if there:
                left[coupon.id] = there
        return left

    def _coupon_issued(self, data: dict[str, Any], instant: int) -> None:
        kind = self.kind(data["kind"])
        validity = kind.get("validity", {})
        until = gone_at({**self.document, "expiry": validity.get("expiry", {"kind": "never"})}, instant)
        until = min(until, read(validity["until"]) if "until" in validity else FOREVER)
        if until <= instant:
            raise Refusal("coupon_expired")
        places_back = {one.coupon for one in self.of(Voided) if one.place}
        had = [one for one in self.of(Coupon) if one.kind == kind["id"] and one.id not in places_back]
        if len(had) >= kind.get("caps", {}).get("per_customer", FOREVER):
            raise Refusal("limit_reached")
        begins = read(validity["begins"]) if "begins" in validity else 0
        terms = {"available_at": begins if begins > instant else 0, "expires_at": until, "reason": "campaign"}
        lot = self.open_lot(f"coupon:{kind['id']}", kind.get("uses", 1), instant, **terms)
        self.all.append(Coupon(self.unit, data["coupon_id"], kind["id"], instant, [lot.number]))

    def _found(self, name: str, instant: int) -> tuple[Coupon, list[Lot]]:
        """The coupon, and those of its lots of which anything is free."""
        coupon = self.coupon(name)
        if coupon is None:
            raise Refusal("coupon_unknown")
        if coupon.at > instant:
            raise Refusal("coupon_not_yet_valid")
        if any(one.coupon == name for one in self.of(Voided)):
            raise Refusal("coupon_voided")
        lots = [self.lot(number) for number in coupon.lots]
        free = [lot for lot in lots if self.free(lot, instant) > 0]
        if not free:
            unspent = sum(self.held(lot, FOREVER) for lot in lots)
            over = all(lot.expires_at <= instant for lot in lots)
            raise Refusal("coupon_expired" if unspent and over else "coupon_used")
        return coupon, free

    def _coupon_redeemed(self, data: dict[str, Any], instant: int) -> None:
        coupon, free = self._found(data["coupon_id"], instant)
        if max(lot.available_at for lot in free) > instant:
            raise Refusal("coupon_not_yet_valid")
        ((lot, _),) = self.take(free, 1, instant, "program:redeemed")
        self.all.append(Use(self.unit, data["redemption_id"], coupon.id, instant, lot))

    def _coupon_returned(self, data: dict[str, Any], instant: int) -> None:
        use = next((use for use in self.of(Use) if use.id == data["redemption_id"]), None)
        if use is None:
            raise Refusal("coupon_redemption_unknown")
        if instant < use.at:
            raise Refusal("reversal_before_redemption")
        if any(one.use == use.id for one in self.of(Back)):
            raise Refusal("reversal_exceeds_redemption")
        if any(one.coupon == use.coupon for one in self.of(Voided)):
            raise Refusal("coupon_voided")
        self.all.append(Back(self.unit, use.id))
        lot, coupon = self.lot(use.lot), self.coupon(use.coupon)
        days = self.kind(coupon.kind).get("return_days", 0) if coupon else 0
        if lot.expires_at > instant:
            self.all.append(Move(self.unit, lot.number, instant, 1, "program:redeemed"))
        elif days and coupon:
            terms = {"granted_at": lot.granted_at, "expires_at": instant + days * DAY, "reason": lot.reason}
            coupon.lots.append(self.open_lot(lot.asset, 1, instant, **terms).number)

    def _coupon_voided(self, data: dict[str, Any], instant: int) -> None:
        coupon, free = self._found(data["coupon_id"], instant)
        taken = self.take(free, FOREVER, instant, "program:reversed")
        unused = sum(amount for _, amount in taken) == self.kind(coupon.kind).get("uses", 1)
        self.all.append(Voided(self.unit, coupon.id, unused))
