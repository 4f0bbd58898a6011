"""The mapping: a YAML file that says what the columns of a file mean. docs/IMPORT.md describes every key.

A row is a line of an order. Which column names the order, its customer, its time and its money is said here, and so is
what marks a cancellation, which rows are left out and why, and how fractions of a minor unit are rounded.
"""

import re
from decimal import Decimal
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from api.documents import read_yaml
from ledger.errors import FormError
from ledger.money import Rounding
from ledger.records import OURS

SHIPPED = "api.mappings"
"""The package that holds the mappings and rules that come with the project."""

ORDERS_OPEN_MAX = 1_000
LINES_MAX = 500

Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class MappingError(ValueError):
    """The mapping cannot be used; the message is one line that names the key and the reason."""


class Part(BaseModel):
    """A block of a mapping: nothing unknown in it, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


def not_ours(source: str) -> str:
    """A source that a sender may use."""
    if source.startswith(OURS):
        raise ValueError(f"sources beginning {OURS!r} are the ledger's own")
    return source


def zone_that_exists(name: str) -> str:
    """The name of a time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a known zone, such as Europe/London") from error
    return name


class Columns(Part):
    """Which column is what. Money is either `amount` (of the line) or `unit_price` (times `quantity`)."""

    customer: Column
    order: Column
    time: Column
    line: Column | None = None
    sku: Column
    category: Column | None = None
    quantity: Column
    unit_price: Column | None = None
    amount: Column | None = None
    store: Column | None = None
    channel: Column | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Columns":
        if (self.unit_price is None) == (self.amount is None):
            raise ValueError("give either unit_price or amount")
        if (self.store is None) != (self.channel is None):
            raise ValueError("store and channel come together")
        return self


class Condition(Part):
    """A test of one column. Exactly one of the tests is given; an empty cell passes none but `empty: true`."""

    column: Column
    empty: bool | None = None
    equals: str | int | None = None
    one_of: tuple[str | int, ...] | None = None
    starts_with: str | None = None
    matches: str | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None

    @model_validator(mode="after")
    def _one_test(self) -> "Condition":
        given = [name for name in TESTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(TESTS)}")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(f"matches: {error}") from error
        return self

    @property
    def test(self) -> tuple[str, Any]:
        """The name of the test that was given, and what it compares with."""
        return next((name, value) for name in TESTS if (value := getattr(self, name)) is not None)


TESTS = ("empty", "equals", "one_of", "starts_with", "matches", "below", "at_most", "above", "at_least")


class Cancellation(Condition):
    """What marks a row as goods brought back; its quantity and money are taken without their sign.

    `match`: whether the customer's latest purchases of the same goods are found (`latest`) or none are looked for.
    """

    match: Literal["latest", "none"] = "latest"


class LeftOut(Condition):
    """Rows that are not imported, counted under their reason; the first reason that applies counts."""

    reason: Reason
    of: Literal["purchases", "cancellations", "all"] = "all"


class Csv(Part):
    """How a CSV file is written."""

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"


class Mapping(Part):
    """One mapping.

    Attributes:
        source: CloudEvents source of every event; with the order number it makes the key that imports an order once.
        decimals: of money and quantities in the file; more are refused, not rounded.
        rounding: of an order's exact sum to minor units; its lines then add up to that.
        open_orders: orders whose rows may still come; the rows of an order may have so many other orders between them.
    """

    kind: Literal["orders"] = "orders"
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    time_zone: str
    time_format: str | None = None
    columns: Columns
    cancellation: Cancellation | None = None
    leave_out: tuple[LeftOut, ...] = ()
    attributes: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Column] = Field(
        {}, max_length=31
    )
    decimals: int = Field(3, ge=0, le=6)
    rounding: Rounding = Rounding.HALF_UP
    open_orders: int = Field(ORDERS_OPEN_MAX, ge=1, le=100_000)
    lines_max: int = Field(LINES_MAX, ge=2, le=LINES_MAX)
    csv: Csv = Csv()

    _source = field_validator("source")(not_ours)
    _zone = field_validator("time_zone")(zone_that_exists)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where times without an offset were written down."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def columns_read(self) -> tuple[str, ...]:
        """Every column the mapping names, each once, in the order in which rows carry them."""
        named = [column for column in self.columns.model_dump().values() if column is not None]
        tests = [*([self.cancellation] if self.cancellation else []), *self.leave_out]
        return tuple(dict.fromkeys([*named, *(test.column for test in tests), *self.attributes.values()]))


def read_mapping(path: Path) -> Mapping:
    """Read a mapping of orders from a file, or one of those that ship with the project by its name.

    Raises:
        MappingError: not found, not YAML, or not a mapping.
    """
    return parse_mapping(shipped_or_file(path), str(path))


P = TypeVar("P", bound=Part)


def parse_mapping(written: bytes, name: str) -> Mapping:
    """Read a mapping of orders from its YAML.

    Raises:
        MappingError: `name`, the place in it and the reason of every fault.
    """
    return parse_part(Mapping, written, name)


def parse_part(kind: type[P], written: bytes, name: str) -> P:
    """Read a mapping of a kind from its YAML; see `parse_mapping`."""
    try:
        return kind.model_validate(read_yaml(written))
    except FormError as error:
        raise MappingError(f"{name} is not YAML: {error.errors[0]['reason']}") from None
    except ValidationError as error:
        raise MappingError(f"{name}: {'; '.join(_fault(dict(fault)) for fault in error.errors())}") from None


def shipped_or_file(path: Path) -> bytes:
    """The content of a file, or of the shipped one of that name where there is no such file.

    Raises:
        MappingError: there is neither.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        shipped = resources.files(SHIPPED)
        found = [
            file
            for file in shipped.iterdir()
            if file.name in (str(path), f"{path}.yaml") and file.name.endswith(".yaml")
        ]
        if found:
            return found[0].read_bytes()
        names = ", ".join(sorted(file.name for file in shipped.iterdir() if file.name.endswith(".yaml")))
        raise MappingError(f"there is no file {path}; shipped with the ledger are {names}") from None
    except OSError as error:
        raise MappingError(f"{path} cannot be read: {error.strerror}") from None


def _fault(fault: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{place}: {reason}" if place else reason
