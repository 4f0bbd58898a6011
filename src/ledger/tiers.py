"""Which tier an account stands at: reached at once, reviewed when its time is up, assigned by staff, undone by a refund.

Pure functions of what counts (`ledger.parts.tiers`), the rules of the instant, and the instant. Each gives the change as the
data of a `tier.changed` record with its evidence, or None where nothing changes:

    {"kind": upgraded|retained|downgraded|assigned|corrected, "from": tier before, "tier", "rank", "since": instant,
     "anchor": day the months of its validity count from, "on": business day of the change, "review_at": instant or null,
     "by": what brought it, "until"?: end of an assignment, "grace_from"?: first day that counts at the end of the grace period,
     "reason"?, "corrects"?: [versions], "evidence": {"from", "to", "values", "condition", "records", "rules"}}
"""

from datetime import date
from typing import Any

from ledger.errors import Refused
from ledger.instants import parse, show
from ledger.parts.tiers import MEMBERSHIP, Part, records_counted, values
from ledger.rules import RuleVersion
from ledger.rules.tiers import Condition, Level, Tiers

RUNS_MAX = 500
"""Runs of records that evidence names; a customer with more has the rest counted."""

TAKEN_OVER = "taken_over"
"""What brought a tier that came from another system."""

Change = dict[str, Any]


class TierUnknown(Refused):
    """The rules of that instant have no tier of this name."""

    code = "tier_unknown"


def raised(part: Part, version: RuleVersion, at: int) -> Change | None:
    """The upgrade to the best tier that is reached at an instant."""
    tiers = _tiers(version)
    seen = _Seen(part, version, at)
    rank = _rank(part["standing"])
    for level in tiers.highest_first:
        if level.rank <= rank:
            return None
        if level.qualifies is not None and level.qualifies.met(seen.values):
            return seen.change("upgraded", level, level.qualifies)
    return None


def reviewed(part: Part, version: RuleVersion) -> Change:
    """What a review comes to, at its instant: kept, kept for the grace period, or lost as the rules say."""
    standing = part["standing"]
    at = parse(standing["review_at"])
    tiers = version.document.tiers
    if tiers is None:
        return _without_tiers(part, version, at)
    grace = standing.get("grace_from")
    day = version.document.business_date(at - 1)
    seen = _Seen(part, version, at, day=day, first=date.fromisoformat(grace) if grace else None)
    level = tiers.level(standing["tier"])
    if level is not None and level.keeps is not None and level.keeps.met(seen.values):
        return seen.change("retained", level, level.keeps)
    asked = level.keeps if level else None
    ends = "until" in standing or level is None
    if level is not None and tiers.grace_days and not grace and not ends:
        return seen.change("retained", level, asked, reason="grace", grace_days=tiers.grace_days)
    if level is not None and tiers.review == "retain" and not ends:
        return seen.change("retained", level, asked, reason="never_lost")
    lower = _kept_below(tiers, standing["rank"], seen.values)
    if tiers.review == "step_down" and not ends:
        lower = max(lower, _one_down(tiers, standing["rank"]), key=lambda one: one.rank if one else 0)
    return seen.lowered(lower, asked, reason=_ended(standing))


def paid(part: Part, version: RuleVersion, at: int) -> Change | None:
    """What a membership that pays for a tier does: it is held until the membership's end, or reviewed where that ends early."""
    standing, tiers = part["standing"], _tiers(version)
    holds = part.get("paid")
    level = tiers.level(holds["tier"]) if holds else None
    by_membership = standing is not None and standing["by"] == MEMBERSHIP
    if level is None or holds is None:
        return reviewed({**part, "standing": {**standing, "review_at": show(at)}}, version) if by_membership else None
    if by_membership and standing["tier"] == level.name:
        kind = "retained"
        if standing["review_at"] == holds["until"]:
            return None
    elif level.rank > _rank(standing) or by_membership:
        kind = "assigned"
    else:
        return None
    seen = _Seen(part, version, at)
    return {**seen.change(kind, level, None, reason=MEMBERSHIP, until=holds["until"]), "by": MEMBERSHIP}


def undone(part: Part, version: RuleVersion, at: int) -> Change | None:
    """What a refund does to an upgrade that would not have been without what was refunded, where the rules let it.

    The values of the upgrade's day are counted again. Back goes to the tier before it, or to a better one that these values
    or those of today reach.
    """
    standing, tiers = part["standing"], _tiers(version)
    if not tiers.refunds_undo_upgrade or standing is None or standing["by"] != "upgraded":
        return None
    level = tiers.level(standing["tier"])
    then = _Seen(part, version, at, day=date.fromisoformat(standing["on"]))
    if level is None or level.qualifies is None or level.qualifies.met(then.values):
        return None
    now = _Seen(part, version, at)
    before = tiers.level(standing["from"])
    for lower in tiers.highest_first:
        reached = lower.qualifies is not None and (lower.qualifies.met(then.values) or lower.qualifies.met(now.values))
        if lower.rank <= level.rank and (reached or lower == before):
            return None if lower == level else then.lowered(lower, level.qualifies, reason="refund")
    return then.lowered(None, level.qualifies, reason="refund")


def assigned(part: Part, version: RuleVersion, at: int, *, level: Level, until: str | None, reason: str) -> Change:
    """The tier that staff gives; reviewed at the end of the assignment, or as any other."""
    return _Seen(part, version, at).change("assigned", level, None, reason=reason, until=until)


def taken_over(part: Part, version: RuleVersion, at: int, *, level: Level, said: dict[str, Any], system: str) -> Change:
    """The tier a customer had in another system, and its review there.

    Months are counted from that review on, or from the day the tier is held since; at the review the values decide.

    Args:
        said: `tier`, and where they are known `since` and `review_at`.
    """
    since = parse(said.get("since", show(at)))
    review_at = said.get("review_at")
    anchor = version.document.business_date(since if review_at is None else parse(review_at))
    seen = _Seen(part, version, at)
    change = seen.change("assigned", level, None, reason=f"opening:{system}", anchor=anchor)
    review = {} if review_at is None else {"review_at": review_at}
    return {**change, "since": show(since), "by": TAKEN_OVER, **review}


def show_tier(part: Part, version: RuleVersion, instant: int) -> dict[str, Any] | None:
    """The tier as a reader sees it, with the way to the next and to keeping it; None where the program has no tiers."""
    tiers = version.document.tiers
    if tiers is None:
        return None
    standing = part["standing"]
    seen = _Seen(part, version, instant)
    above = tiers.above(_rank(standing))
    level = tiers.level(standing["tier"]) if standing else None
    asked = above.qualifies if above else level.qualifies if level else None
    shown: dict[str, Any] = {
        "tier": standing["tier"] if standing else None,
        "since": standing["since"] if standing else None,
        "review_at": standing["review_at"] if standing else None,
        "qualifies_by": list(asked.measures) if asked else [],
        "value": _known_values(tiers, seen.values),
        "window": {"from": seen.shown_from, "to": seen.day.isoformat()},
        "next": None,
        "retain": None,
    }
    if above is not None and above.qualifies is not None:
        shown["next"] = {"tier": above.name, "missing": above.qualifies.missing(seen.values)}
    if standing and standing["review_at"] and level and level.keeps:
        until = _at_review(part, version, standing, seen.day)
        shown["retain"] = {"missing": level.keeps.missing(until), "value": _known_values(tiers, until)}
    return shown


class _Seen:
    """What counts on a day, and the change it is evidence for.

    Args:
        day: the last day that counts; None: the day of the instant. first: the first one; None: as the window says.
    """

    def __init__(
        self, part: Part, version: RuleVersion, at: int, *, day: date | None = None, first: date | None = None
    ) -> None:
        self.part, self.version, self.at = part, version, at
        self.tiers = _tiers(version)
        self.today = version.document.business_date(at)
        self.day = day or self.today
        self.joined = date.fromisoformat(part["joined"]) if part["joined"] else self.day
        self.first = first or self.tiers.window.first_day(self.day, self.joined)
        self.values = values(part, self.first, self.day, self.tiers.currency)

    @property
    def shown_from(self) -> str | None:
        """The first day that counts, None where there is none."""
        return None if self.first == date.min else self.first.isoformat()

    def lowered(self, lower: Level | None, condition: Condition | None, *, reason: str) -> Change:
        """The change to a lower tier, though to none below the one that is paid for."""
        holds = self.part.get("paid")
        floor = self.tiers.level(holds["tier"]) if holds and parse(holds["until"]) > self.at else None
        earned = lower is not None and lower.keeps is not None and lower.keeps.met(self.values)
        if holds is None or floor is None or floor.rank < (lower.rank if lower else 0) or (floor == lower and earned):
            return self.change("downgraded", lower, condition, reason=reason)
        return {**self.change("downgraded", floor, condition, reason=reason, until=holds["until"]), "by": MEMBERSHIP}

    def change(
        self,
        kind: str,
        level: Level | None,
        condition: Condition | None,
        *,
        reason: str | None = None,
        until: str | None = None,
        grace_days: int = 0,
        anchor: date | None = None,
    ) -> Change:
        """The change to a tier; what is kept keeps its beginning."""
        standing = self.part["standing"]
        keeps = kind == "retained"
        anchor = date.fromisoformat(standing["anchor"]) if keeps else anchor or self.today
        shown: Change = {
            "kind": kind,
            "from": standing["tier"] if standing else None,
            "tier": level.name if level else None,
            "rank": level.rank if level else 0,
            "since": standing["since"] if keeps else show(self.at),
            "anchor": anchor.isoformat(),
            "on": self.today.isoformat(),
            "review_at": until or (self._review_at(level, anchor, grace_days) if level else None),
            "by": kind,
        }
        if until:
            shown["until"] = until
        if grace_days:
            shown["grace_from"] = self.first.isoformat()
        if reason:
            shown["reason"] = reason
        return {**shown, "evidence": self._evidence(condition)}

    def _review_at(self, level: Level, anchor: date, grace_days: int) -> str | None:
        if level.keeps is None or level.keeps.always:
            return None
        if grace_days:
            on = date.fromordinal(self.today.toordinal() + grace_days)
        else:
            on = self.tiers.review_on(self.today, anchor=anchor, joined=self.joined)
        return show(self.version.document.start_of(on))

    def _evidence(self, condition: Condition | None) -> dict[str, Any]:
        runs = records_counted(self.part, self.first, self.day)
        shown = {
            "from": self.shown_from,
            "to": self.day.isoformat(),
            "values": _known_values(self.tiers, self.values),
            "condition": condition.model_dump(mode="json", exclude_defaults=True) if condition else None,
            "records": runs[-RUNS_MAX:],
            "rules": self.version.version,
        }
        if len(runs) > RUNS_MAX:
            shown["earlier_records"] = sum(last - first + 1 for first, last in runs[:-RUNS_MAX])
        return shown


def _tiers(version: RuleVersion) -> Tiers:
    tiers = version.document.tiers
    if tiers is None:
        raise LookupError("these rules have no tiers")
    return tiers


def _known_values(tiers: Tiers, found: dict[str, int]) -> dict[str, int]:
    """Without a currency nothing is known of spend."""
    return {measure: amount for measure, amount in found.items() if measure != "spend" or tiers.currency}


def _ended(standing: dict[str, Any]) -> str:
    """Why a tier is lost at a review."""
    if standing["by"] == MEMBERSHIP:
        return "membership_ended"
    return "assignment_ended" if "until" in standing else "review"


def _rank(standing: dict[str, Any] | None) -> int:
    return standing["rank"] if standing else 0


def _kept_below(tiers: Tiers, rank: int, found: dict[str, int]) -> Level | None:
    """The best tier below a rank that the values keep."""
    for level in tiers.highest_first:
        if level.rank < rank and level.keeps is not None and level.keeps.met(found):
            return level
    return None


def _one_down(tiers: Tiers, rank: int) -> Level | None:
    """The next tier below a rank of those that can be reached."""
    return next((level for level in tiers.highest_first if level.rank < rank and level.qualifies is not None), None)


def _at_review(part: Part, version: RuleVersion, standing: dict[str, Any], day: date) -> dict[str, int]:
    """What counts by a day of what the coming review will look at."""
    tiers = _tiers(version)
    last = version.document.business_date(parse(standing["review_at"]) - 1)
    joined = date.fromisoformat(part["joined"]) if part["joined"] else last
    grace = standing.get("grace_from")
    first = date.fromisoformat(grace) if grace else tiers.window.first_day(last, joined)
    return values(part, first, max(first, day), tiers.currency)


def _without_tiers(part: Part, version: RuleVersion, at: int) -> Change:
    """The rules have no tiers any more."""
    standing = part["standing"]
    day = version.document.business_day(at)
    return {
        "kind": "downgraded",
        "from": standing["tier"],
        "tier": None,
        "rank": 0,
        "since": show(at),
        "anchor": day,
        "on": day,
        "review_at": None,
        "by": "downgraded",
        "reason": "no_tiers",
        "evidence": {"rules": version.version},
    }
