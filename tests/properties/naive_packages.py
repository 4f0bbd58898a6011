"""The naive model's packages: uses sold in advance, facts in the flat list."""

from dataclasses import dataclass
from typing import Any

from tests.builders import Event
from tests.properties.calendar_by_hand import FOREVER, MINUTE, gone_at, read
from tests.properties.naive_points import Naive
from tests.properties.naive_trade import Refusal


@dataclass
class Package:
    """A fact: a package sold, with the lot of its uses."""

    unit: int
    id: str
    kind: str
    at: int
    lot: int
    uses: int
    price: int


@dataclass
class PaidBack:
    """A fact: uses of a package refunded, and what was paid for them."""

    unit: int
    refund: str
    package: str
    uses: int
    amount: int


class NaivePackages(Naive):
    """Points, purchases and packages."""

    def _post(self, event: Event, now: int) -> None:
        word, _, what = event.type.partition(".")
        if word != "package":
            super()._post(event, now)
            return
        if event.time > now + 5 * MINUTE:
            raise Refusal("time_in_future")
        getattr(self, f"_package_{what}")(event.data, min(event.time, now))

    def open_packages(self, as_of: int) -> dict[str, int]:
        """How many uses a reader sees of each package that has any."""
        lots = {package.id: self.lot(package.lot) for package in self.of(Package)}
        left = {name: self.held(lot, as_of) for name, lot in lots.items() if lot.expires_at > as_of}
        return {name: uses for name, uses in left.items() if uses}

    def paid_back(self) -> dict[str, int]:
        """Refund → minor units."""
        return {one.refund: one.amount for one in self.of(PaidBack)}

    def _kind(self, name: str) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = self.setting("packages", [])
        return next(kind for kind in kinds if kind["id"] == name)

    def _package_sold(self, data: dict[str, Any], instant: int) -> None:
        self._check_currency(data["currency"])
        validity = self._kind(data["kind"]).get("validity", {})
        ends = [
            gone_at({**self.document, "expiry": validity.get("expiry", {"kind": "never"})}, instant),
            read(validity["until"]) if "until" in validity else FOREVER,
            read(data["valid_until"]) if "valid_until" in data else FOREVER,
        ]
        if min(ends) <= instant:
            raise Refusal("package_expired")
        begins = read(validity["begins"]) if "begins" in validity else 0
        terms = {"available_at": begins if begins > instant else 0, "expires_at": min(ends), "reason": "sold"}
        lot = self.open_lot(f"package:{data['kind']}", data["uses"], instant, **terms)
        named = data["package_id"], data["kind"], instant, lot.number, data["uses"], data["price"]
        self.all.append(Package(self.unit, *named))

    def _package_used(self, data: dict[str, Any], instant: int) -> None:
        uses = data.get("uses", 1)
        package = self._with_uses(data["package_id"], instant, uses)
        if self.lot(package.lot).available_at > instant:
            raise Refusal("package_not_yet_valid")
        self.take([self.lot(package.lot)], uses, instant, "program:redeemed")

    def _package_refunded(self, data: dict[str, Any], instant: int) -> None:
        package = self._with_uses(data["package_id"], instant, 1)
        lot = self.lot(package.lot)
        left = self.free(lot, instant)
        uses = data.get("uses", left)
        if uses > left:
            raise Refusal("package_used_up")
        amount = self._worth(package, uses, left)
        self.take([lot], uses, instant, "program:reversed")
        self.all.append(PaidBack(self.unit, data["refund_id"], package.id, uses, amount))

    def _worth(self, package: Package, uses: int, left: int) -> int:
        """All refunds of a package together pay back its price in proportion, rounded down; or less what was used, at list."""
        kind = self._kind(package.kind)
        before = [one for one in self.of(PaidBack) if one.package == package.id]
        match kind.get("refund", "pro_rata"):
            case "pro_rata":
                together = uses + sum(one.uses for one in before)
                return package.price * together // package.uses - sum(one.amount for one in before)
            case "less_used_at_list" if uses == left:
                return max(0, package.price - (package.uses - left) * kind["list_price"])
        raise Refusal("package_not_refundable")

    def _with_uses(self, name: str, instant: int, wanted: int) -> Package:
        """The package, of which so many uses are free."""
        package = next((one for one in self.of(Package) if one.id == name), None)
        if package is None:
            raise Refusal("package_unknown")
        if package.at > instant:
            raise Refusal("package_not_yet_valid")
        lot = self.lot(package.lot)
        if self.free(lot, instant) < wanted:
            gone = self.held(lot, FOREVER) >= wanted and lot.expires_at <= instant
            raise Refusal("package_expired" if gone else "package_used_up")
        return package
