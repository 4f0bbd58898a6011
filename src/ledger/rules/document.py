"""A whole rules document, its versions, and which of them decides."""

from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ledger.errors import FormError
from ledger.instants import EARLIEST, business_day, from_datetime, start_of_day
from ledger.rules.approvals import Approvals
from ledger.rules.basics import Currency, Moment, Part
from ledger.rules.closing import Closing
from ledger.rules.coupons import CouponKind, PackageKind
from ledger.rules.earning import EventEarning, PurchaseEarning
from ledger.rules.examples import Example
from ledger.rules.membership import Bundle, Plan
from ledger.rules.moments import Occasion
from ledger.rules.points import Availability, Expiry, RedemptionReversal
from ledger.rules.referral import Referral
from ledger.rules.stacking import Misfit, Stacking, check_rules
from ledger.rules.stored import StoredValue
from ledger.rules.tenders import Tenders
from ledger.rules.tiers import EventGrowth, PurchaseGrowth, Tiers
from ledger.rules.transfers import Transfers
from ledger.rules.valuation import Valuation


class ProgramBlock(Part):
    """What is fixed when the program is created.

    `currencies` empty means any. `points_scale` is the number of decimals of a point; every amount of points in the ledger is a
    whole number of 10^-points_scale. `order_scope` says within what order numbers are unique.
    """

    time_zone: str = "UTC"
    currencies: tuple[Currency, ...] = ()
    points_scale: int = Field(0, ge=0, le=4, strict=True)
    order_scope: Literal["program", "source", "store"] = "program"

    @model_validator(mode="after")
    def _zone_exists(self) -> "ProgramBlock":
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is not a known zone") from error
        return self


class RulesDocument(Part):
    """One version of a program's rules."""

    program: ProgramBlock = ProgramBlock()
    effective_from: Moment | None = None
    earning: tuple[Annotated[PurchaseEarning | EventEarning, Field(discriminator="on")], ...] = ()
    moments: Annotated[tuple[Occasion, ...], Field(max_length=200)] | None = None
    stacking: Stacking | None = None
    expiry: Expiry = Expiry()
    availability: Availability = Availability()
    coupons: tuple[CouponKind, ...] = ()
    packages: tuple[PackageKind, ...] = ()
    membership: tuple[Plan, ...] = ()
    refunds: Literal["pending_only", "within_balance", "allow_negative"] = "within_balance"
    redemption_reversal: RedemptionReversal = RedemptionReversal()
    stored_value: StoredValue = StoredValue()
    tenders: Tenders = Tenders()
    referral: Referral | None = None
    tiers: Tiers | None = None
    transfers: Transfers | None = None
    valuation: tuple[Valuation, ...] = ()
    closing: Closing = Closing()
    backdate_days: int = Field(45, ge=0, le=36_600, strict=True)
    business_day_starts_at: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):(00|15|30|45)$")] = "00:00"

    approvals: Approvals | None = None
    examples: Annotated[tuple[Example, ...], Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _rules_fit(self) -> "RulesDocument":
        check_rules(self.earning, self.moments or (), self.stacking)
        for block, kinds in (
            ("coupons", self.coupons),
            ("packages", self.packages),
            ("membership", self.membership),
        ):
            ids = [kind.id for kind in kinds]
            for place, name in enumerate(ids):
                if name in ids[:place]:
                    raise Misfit(f"/{block}/{place}/id", f"two {block} are called {name!r}")
        self._tiers_fit()
        for place, plan in enumerate(self.membership):
            self._coupons_are_known(plan.bundle, f"/membership/{place}/bundle")
            if plan.tier is not None and (self.tiers is None or self.tiers.level(plan.tier) is None):
                raise Misfit(f"/membership/{place}/tier", f"no tier is called {plan.tier!r}")
        return self

    def _tiers_fit(self) -> None:
        if self.tiers is None:
            return
        earning = {rule.id for rule in self.earning}
        for block, rules in (("growth", self.tiers.growth), ("benefits", self.tiers.benefits or ())):
            for place, rule in enumerate(rules):
                if rule.id in earning:
                    raise Misfit(f"/tiers/{block}/{place}/id", f"an earning rule is called {rule.id!r}")
        for place, benefit in enumerate(self.tiers.benefits or ()):
            pointer = f"/tiers/benefits/{place}"
            self._coupons_are_known(benefit, pointer)
            for name in benefit.tiers:
                if self.tiers.level(name) is None:
                    raise Misfit(f"{pointer}/tiers", f"no tier is called {name!r}")
            for name in benefit.moments or ():
                if name not in self.occasions:
                    raise Misfit(f"{pointer}/moments", f"no moment is called {name!r}")

    def _coupons_are_known(self, bundle: Bundle, pointer: str) -> None:
        for number, part in enumerate(bundle.coupons):
            if part.kind not in self.coupon_kinds:
                raise Misfit(f"{pointer}/coupons/{number}/kind", f"no coupon is called {part.kind!r}")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The program's time zone."""
        return ZoneInfo(self.program.time_zone)

    @cached_property
    def day_starts_minute(self) -> int:
        """Minutes after midnight at which a business day begins."""
        hours, minutes = self.business_day_starts_at.split(":")
        return int(hours) * 60 + int(minutes)

    @cached_property
    def purchase_earning(self) -> tuple[PurchaseEarning, ...]:
        """The rules for purchases, in order."""
        return tuple(rule for rule in self.earning if isinstance(rule, PurchaseEarning))

    @cached_property
    def coupon_kinds(self) -> dict[str, CouponKind]:
        """The kinds of coupons by id."""
        return {kind.id: kind for kind in self.coupons}

    @cached_property
    def multipliers(self) -> tuple[PurchaseEarning, ...]:
        """Those of them that multiply what the others earn."""
        return tuple(rule for rule in self.purchase_earning if rule.multiply is not None)

    @cached_property
    def earners(self) -> tuple[PurchaseEarning, ...]:
        """Those of them that earn by themselves."""
        return tuple(rule for rule in self.purchase_earning if rule.multiply is None)

    @cached_property
    def stacks(self) -> bool:
        """Whether some rules exclude others."""
        return self.stacking is not None or any(rule.group is not None for rule in self.earning)

    @cached_property
    def occasions(self) -> dict[str, Occasion]:
        """The moments by name."""
        return {occasion.id: occasion for occasion in self.moments or ()}

    @cached_property
    def package_kinds(self) -> dict[str, PackageKind]:
        """The kinds of packages by id."""
        return {kind.id: kind for kind in self.packages}

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """The plans of membership by id."""
        return {plan.id: plan for plan in self.membership}

    @cached_property
    def signup_earning(self) -> tuple[EventEarning, ...]:
        """The rules for sign-ups, in order."""
        return tuple(rule for rule in self.earning if isinstance(rule, EventEarning))

    @cached_property
    def purchase_growth(self) -> tuple[PurchaseGrowth, ...]:
        """What purchases earn of growth value, in order."""
        return tuple(rule for rule in (self.tiers.growth if self.tiers else ()) if isinstance(rule, PurchaseGrowth))

    @cached_property
    def signup_growth(self) -> tuple[EventGrowth, ...]:
        """What sign-ups earn of growth value, in order."""
        return tuple(rule for rule in (self.tiers.growth if self.tiers else ()) if isinstance(rule, EventGrowth))

    def business_date(self, instant: int) -> date:
        """The business day of an instant."""
        return business_day(instant, self.zone, self.day_starts_minute)

    def start_of(self, day: date) -> int:
        """The first instant of a business day."""
        return start_of_day(day, self.zone, self.day_starts_minute)

    def business_day(self, instant: int) -> str:
        """The business day of an instant, as `YYYY-MM-DD`."""
        return business_day(instant, self.zone, self.day_starts_minute).isoformat()

    def expires_at(self, granted_at: int) -> int:
        """Expiry of points granted at an instant."""
        return self.expiry.expires_at(granted_at, self.zone)


class RuleVersion(Part):
    """A published document with its number; `effective_from` in microseconds."""

    version: int
    effective_from: int
    document: RulesDocument


class Rulebook:
    """All versions of a program's rules, oldest first."""

    def __init__(self, versions: tuple[RuleVersion, ...]) -> None:
        self.versions = versions
        self._newest_first = versions[::-1]

    def numbered(self, number: int) -> RuleVersion:
        """The version of a number; a trial knows one alone, which then stands for all."""
        return self.versions[number - 1] if number <= len(self.versions) else self.versions[-1]

    def at(self, instant: int) -> RuleVersion:
        """The version that decides an event of that instant: the latest published whose `effective_from` is not later."""
        for version in self._newest_first:
            if version.effective_from <= instant:
                return version
        return self.versions[0]

    @property
    def latest(self) -> RuleVersion:
        """The version published last."""
        return self.versions[-1]


DEFAULT_DOCUMENT: dict[str, Any] = {
    "program": {"time_zone": "UTC", "currencies": [], "points_scale": 0, "order_scope": "program"},
    "earning": [
        {"id": "base", "on": "purchase.recorded", "points_per_unit": "1"},
        {"id": "signup", "on": "customer.signed_up", "points": 100},
    ],
    "expiry": {"kind": "end_of_month", "n": 12},
    "refunds": "within_balance",
}
"""The rules of program `default`, made at the first start on an empty database."""

EVER = EARLIEST


def read_document(document: Any) -> RulesDocument:
    """Validate a rules document.

    Raises:
        FormError: names the place (JSON pointer) and the reason of every fault.
    """
    try:
        return RulesDocument.model_validate(document)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_url=False)]
        raise FormError("The rules document is malformed.", errors=faults) from error


def effective_from(document: RulesDocument, *, first: bool, published_at: int) -> int:
    """From when a document counts: ever for a program's first, else as it says, else from its publication."""
    if first:
        return EVER
    return published_at if document.effective_from is None else from_datetime(document.effective_from)


def _fault(fault: Any) -> dict[str, Any]:
    cause = fault.get("ctx", {}).get("error")
    pointer = cause.pointer if isinstance(cause, Misfit) else _pointer(fault["loc"])
    return {"pointer": pointer, "reason": fault["msg"].removeprefix("Value error, ")}


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{part}" for part in location if part not in _DISCRIMINATORS)


_DISCRIMINATORS = frozenset(
    {"purchase.recorded", "customer.signed_up", "rolling", "calendar", "membership_year", "lifetime"}
)
"""Which of several shapes was tried is no part of the place in the document."""
