"""How earning rules stand together: groups, multipliers and moments that name one another."""

from collections.abc import Sequence

from pydantic import Field

from ledger.rules.basics import Name, Part
from ledger.rules.earning import EventEarning, PurchaseEarning, Stack
from ledger.rules.moments import Occasion


class Misfit(ValueError):
    """Parts of a document do not fit together; `pointer` says where."""

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        super().__init__(reason)


class Stacking(Part):
    """Which of several rules count for one event: `default` for rules without a group, `groups` for those of a group.

    A group that is not named here is exclusive: its best rule counts. Groups do not exclude one another.
    """

    default: Stack = "all"
    groups: dict[Name, Stack] = Field(default_factory=dict)

    def of(self, group: str | None) -> Stack:
        """How the rules of a group stand together."""
        return self.default if group is None else self.groups.get(group, "best")


def check_rules(
    rules: Sequence[PurchaseEarning | EventEarning], moments: Sequence[Occasion], stacking: Stacking | None
) -> None:
    """Refuse rules that name what is not there, and groups that mix multipliers with what they multiply.

    Raises:
        Misfit
    """
    _check_ids_differ([rule.id for rule in rules], "earning", "earning rules")
    _check_ids_differ([moment.id for moment in moments], "moments", "moments")
    known = {moment.id for moment in moments}
    for place, rule in enumerate(rules):
        for name in rule.moments or ():
            if name not in known:
                raise Misfit(f"/earning/{place}/moments", f"{name!r} is none of the document's moments")
    _check_multipliers(rules)
    unused = sorted((stacking.groups.keys() if stacking else set()) - {rule.group for rule in rules if rule.group})
    if unused:
        raise Misfit(f"/stacking/groups/{unused[0]}", "no rule belongs to this group")


def _check_ids_differ(ids: Sequence[str], block: str, what: str) -> None:
    for place, name in enumerate(ids):
        if name in ids[:place]:
            raise Misfit(f"/{block}/{place}/id", f"two {what} are called {name!r}")


def _check_multipliers(rules: Sequence[PurchaseEarning | EventEarning]) -> None:
    purchases = {place: rule for place, rule in enumerate(rules) if isinstance(rule, PurchaseEarning)}
    plain = {rule.id for rule in purchases.values() if rule.multiply is None}
    groups: dict[str, PurchaseEarning] = {}
    for place, rule in purchases.items():
        for name in rule.of or ():
            if name not in plain:
                raise Misfit(f"/earning/{place}/of", f"{name!r} is no rule that earns for purchases")
        if rule.group is not None:
            first = groups.setdefault(rule.group, rule)
            if (first.multiply is None) != (rule.multiply is None):
                reason = f"the group {rule.group!r} holds multipliers and what they multiply: give each its own"
                raise Misfit(f"/earning/{place}/group", reason)
