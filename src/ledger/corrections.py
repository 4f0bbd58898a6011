"""Corrections: one order on the program's own stream, and one adjustment for each customer whose points it sets right.

An order selects records that gave points, and says what would have been right: a factor of what was issued, or what another
version of the rules would have decided. It is a function of the log, so whoever carries it out, and however often, comes to
the same: an adjustment's id is made from the order and the customer.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ledger.errors import FormError
from ledger.instants import parse, show
from ledger.money import ratio
from ledger.records import Posting, Record
from ledger.rules.conditions import ConditionFailed, compiled
from ledger.shapes.correcting import CorrectionOrder

SOURCE = "ledger:corrections"
"""Source of the adjustments an order brings about."""

ORDERS = f"{SOURCE}:orders"
"""Source of orders that need one person; those that need two follow from their approval."""

TYPES = ("purchase.recorded", "customer.signed_up", "points.granted", "account.opened_from")
DECIDED_BY_RULES = frozenset({"purchase.recorded", "customer.signed_up"})
"""What other rules would have decided otherwise; of the others the sender says how many points there are."""

_GIVEN_BY = ("program:issued:", "program:opening:")

_ADAPTER: TypeAdapter[Any] = TypeAdapter(CorrectionOrder)


class Correction(NamedTuple):
    """An order; instants in microseconds. `hash` is of the content, `change` the approved proposal it follows from."""

    id: str
    source: str
    content: dict[str, Any]
    hash: str
    time: int
    ordered_by: str
    change: str | None

    @property
    def types(self) -> tuple[str, ...]:
        """Which types it looks at."""
        return tuple(self.content.get("types", TYPES))

    @property
    def factor(self) -> Fraction | None:
        """What would have been right, as a part of what was issued; None: as other rules would have decided."""
        return Fraction(self.content["factor"]) if "factor" in self.content else None


def ordered(record: Record) -> Correction:
    """The order a `correction.ordered` makes."""
    data = record.data
    return Correction(
        record.id, record.source, data["order"], data["hash"], record.instant, record.actor, data.get("change")
    )


def read_order(content: Any, *, versions: int, refunds: str, now: int, pointer: str = "") -> dict[str, Any]:
    """Check what is to be ordered; returns it as it is kept, with every default spelled out.

    Args:
        versions: how many the program's rules have.
        refunds: the rules' setting for refunds, which holds where the order says nothing about what is spent.
        now: the ledger's clock, microseconds.
        pointer: where the content stands in what was sent.

    Raises:
        FormError: every fault with its pointer.
    """
    kept: dict[str, Any] = {}
    try:
        kept = _ADAPTER.validate_python(content)
    except ValidationError as error:
        faults = [
            ("/" + "/".join(map(str, fault["loc"])) if fault["loc"] else "", fault["msg"])
            for fault in error.errors(include_url=False)[:20]
        ]
    else:
        faults = list(_faults(kept, versions, now))
    if faults:
        raise FormError(
            "The correction is malformed.",
            errors=[{"pointer": pointer + place, "reason": reason} for place, reason in faults],
        )
    if "factor" in kept:
        kept["factor"] = str(_factor(kept["factor"]))
    types = kept.get("types") or [
        name for name in _candidates(kept) if "where" not in kept or _not_compiled(kept["where"], name) is None
    ]
    return {**kept, "types": sorted(set(types)), "spent": kept.get("spent", refunds)}


def selects(order: Correction, record: Record) -> bool:
    """Whether a record is one that the order looks at: written by its instant, within its window, and as it says."""
    wanted = order.content
    return (
        record.type in wanted["types"]
        and record.recorded_at <= order.time
        and parse(wanted["from"]) <= record.time < parse(wanted["until"])
        and wanted.get("rules") in (None, record.rules)
        and wanted.get("source") in (None, record.source)
        and wanted.get("store") in (None, record.data.get("place", {}).get("store"))
        and wanted.get("campaign") in (None, record.data.get("campaign"))
        and ("where" not in wanted or _holds(wanted["where"], record))
    )


def gifts(order: Correction, record: Record) -> list[Posting]:
    """The postings by which a record gave points that the order looks at."""
    rule = order.content.get("rule")
    return [posting for posting in record.postings if gave_points(posting) and (rule is None or posting.rule == rule)]


def gave_points(posting: Posting) -> bool:
    """Whether a posting opened a lot of points for a customer out of the program's own accounts."""
    return posting.lot is not None and posting.asset == "points" and posting.source.startswith(_GIVEN_BY)


def _faults(kept: dict[str, Any], versions: int, now: int) -> Iterator[tuple[str, str]]:
    if not parse(kept["from"]) < parse(kept["until"]) <= now:
        yield "/until", f"from comes before until, and until is not later than now, {show(now)}"
    if ("factor" in kept) == ("as_rules" in kept):
        yield "/factor", "give either factor or as_rules"
    if "factor" in kept and _factor(kept["factor"]) is None:
        yield "/factor", "a ratio such as 1/10 or 0.1, not negative"
    for name in ("rules", "as_rules"):
        if kept.get(name, 1) > versions:
            yield f"/{name}", f"the rules have {versions} versions"
    stated = sorted(set(kept.get("types", ())) - DECIDED_BY_RULES)
    if "as_rules" in kept and stated:
        yield "/types", f"of {stated[0]} the sender says how many points there are, no rules do"
    if "where" in kept:
        yield from _faults_of_condition(kept)


def _candidates(kept: dict[str, Any]) -> list[str]:
    """The types that are meant where none is named."""
    return [name for name in TYPES if "as_rules" not in kept or name in DECIDED_BY_RULES]


def _faults_of_condition(kept: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A condition must be known for every type that is named, and where none is, for one of them."""
    reasons = [_not_compiled(kept["where"], name) for name in kept.get("types") or _candidates(kept)]
    wrong = [reason for reason in reasons if reason is not None]
    if wrong and ("types" in kept or len(wrong) == len(reasons)):
        yield "/where", wrong[0]


def _not_compiled(source: str, event_type: str) -> str | None:
    try:
        condition = compiled(source, event_type)
    except ValueError as error:
        return str(error)
    return "a correction's condition names event alone" if condition.account else None


def _holds(source: str, record: Record) -> bool:
    """Whether a condition holds for a record; one that cannot be evaluated for it, or names what its type has not, does not."""
    if _not_compiled(source, record.type) is not None:
        return False
    derived = record.derived or {}
    event = {
        "type": record.type,
        "time": show(record.time),
        "day": derived.get("business_day", ""),
        **{name: derived.get(name) for name in ("brand", "entity", "franchisee")},
        "data": record.data,
    }
    try:
        return compiled(source, record.type).holds({"event": event})
    except ConditionFailed:
        return False


def _factor(text: str) -> Fraction | None:
    try:
        return Fraction(0) if text.strip("0.") == "" else ratio(text)
    except ValueError:
        return None
