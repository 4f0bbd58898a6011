"""What a definition is: a name with a version, its sentence, its parameters, and the function that computes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Expression, Fleet

Row = dict[str, Any]
"""A row of an answer. `period` is the first day of a period until it is shown."""

ORDER_DIMENSIONS = ("channel", "store", "brand", "entity", "guide")
TRADE_DIMENSIONS = (*ORDER_DIMENSIONS, "tier", "category", "cohort")
"""Besides places: the tier at the order, a line's product category, the month of the customer's first counted order."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a definition.

    Attributes:
        kind: `choice` of `choices`; `whole` number from `least` to `most`; `numbers`: several, with commas, rising; `text`: a
            currency; `name`: any name.
        default: where it is left out; None where leaving it out means something.
    """

    name: str
    says: str
    kind: Literal["choice", "whole", "numbers", "text", "name"]
    default: Any = None
    choices: tuple[str, ...] = ()
    least: int = 1
    most: int = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: the parameters as they were understood.

    `start`, `end`: the window [from, to) in microseconds; None: from ever, and up to `as_of`.
    """

    parameters: Mapping[str, Any]
    start: int | None = None
    end: int | None = None
    by: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """A parameter's value."""
        return self.parameters[name]

    @property
    def unit(self) -> str | None:
        """The unit of time it is asked by, if any."""
        return next((name for name in self.by if name in TIME_UNITS), None)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What it is asked by besides time."""
        return tuple(name for name in self.by if name not in TIME_UNITS)


Compute = Callable[[Fleet, Asked], list[Row]]
Explain = Callable[[Fleet, Asked], Expression]
"""Gives the records behind the rows: their `position`, beside what tells the rows apart (a period as its first day)."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric.

    Attributes:
        name: such as `repurchase_rate/window`. version: raised when the number changes its meaning.
        sentence, formula: the first paragraph of its file's docstring, and the rest.
        parameters: besides those every metric takes (from, to, by, as_of, known_at).
        by: what it may be grouped by.
        empty: what a period is shown with in which nothing happened; None: such periods are left out.
        window: whether `from` and `to` mean anything to it. by_default: where `by` is left out.
        money: the tables whose money it sums up, where it has a currency.
        keys: what tells its rows apart besides what it is asked by.
        rules: whether it looks at the program's rules, as they were known at the position.
        explain: the records behind its rows; or why not, in words.
    """

    name: str
    version: int
    sentence: str
    formula: str
    compute: Compute
    parameters: tuple[Parameter, ...] = ()
    by: tuple[str, ...] = ()
    empty: Row | None = None
    window: bool = True
    by_default: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    money: tuple[str, ...] = ("orders",)
    rules: bool = False
    explain: Explain | str = "nothing tells which records stand behind it"

    @property
    def id(self) -> str:
        """Name and version, as answers show them."""
        return f"{self.name}@{self.version}"


def define(doc: str | None, compute: Compute, **declared: Any) -> Definition:
    """A definition whose sentence and formula are its file's docstring."""
    sentence, _, formula = (doc or "").strip().partition("\n\n")
    return Definition(sentence=_joined(sentence), formula=formula.strip(), compute=compute, **declared)


AMOUNT = Parameter(
    "amount",
    "net: less what was refunded of the order by as_of; gross: before refunds.",
    "choice",
    "net",
    ("net", "gross"),
)
GROSS = Parameter("amount", AMOUNT.says, "choice", "gross", ("net", "gross"))
ZERO_VALUE = Parameter("zero_value", "Whether orders of 0 count.", "choice", "exclude", ("exclude", "include"))
OCCASION = Parameter(
    "unit",
    "An occasion is an order, or a customer's business day with an order.",
    "choice",
    "order",
    ("order", "day"),
)
CURRENCY = Parameter("currency", "ISO 4217; needed where there are several.", "text")
COUNTED = (AMOUNT, ZERO_VALUE)
MONEY = (AMOUNT, ZERO_VALUE, CURRENCY)


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """A ratio; null where the denominator is 0."""
    return None if not denominator or numerator is None else numerator / denominator


def _joined(text: str) -> str:
    return " ".join(text.split())
