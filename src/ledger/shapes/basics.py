"""What the shapes are made of: texts, instants, amounts, and where something happened."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, with_config
from typing_extensions import TypedDict

from ledger.instants import parse, show
from ledger.money import AMOUNT_MAX

CLOSED = ConfigDict(extra="forbid", strict=True)

ASSET_PATTERN = r"^(points|growth|stored\.(principal|bonus):[A-Z]{3})$"
"""What an opening balance may hold."""

KIND_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"
"""A kind of coupon or package, as the rules name it."""

EXPLAINED_PATTERN = rf"{ASSET_PATTERN}|^(coupon|package):{KIND_PATTERN[1:]}"
"""An asset whose balance can be explained."""


def _clean(text: str) -> str:
    """Text that PostgreSQL and every JSON reader can keep: no U+0000, no lone surrogates."""
    if "\x00" in text or (not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)):
        raise ValueError("text may not hold U+0000 or lone surrogates")
    return text


def _instant(text: Any) -> str:
    """An instant with offset, kept in UTC."""
    if not isinstance(text, str):
        raise ValueError("an instant is a string such as 2026-11-21T10:00:00+08:00")
    return show(parse(text))


def _quantity(value: Any) -> int | str:
    """A positive whole number, or a decimal string of up to three places; `2` and `"2.0"` are kept as 2."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= AMOUNT_MAX:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,3})?", value) and Decimal(value) > 0:
        number = Decimal(value).normalize()
        return int(number) if number == number.to_integral_value() else format(number, "f")
    raise ValueError("a quantity is a positive whole number or a decimal string of up to 3 places")


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


Text = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_clean)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_clean)]
Instant = Annotated[str, BeforeValidator(_instant)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_date)]
Money = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Positive = Annotated[int, Field(gt=0, le=AMOUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Quantity = Annotated[int | str, BeforeValidator(_quantity)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Attribute = (
    Annotated[str, StringConstraints(max_length=256), AfterValidator(_clean)]
    | bool
    | Annotated[int, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    | None
)
Attributes = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Attribute], Field(max_length=32)
]
LineNumber = Annotated[int, Field(ge=1, le=100_000)]


@with_config(CLOSED)
class Place(TypedDict):
    """Where it happened."""

    store: Text
    channel: Text
    guide: NotRequired[Text]
    terminal: NotRequired[Text]
