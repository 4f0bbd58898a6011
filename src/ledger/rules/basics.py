"""What every block of a rules document is made of."""

from calendar import monthrange
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from ledger.instants import parse, to_datetime
from ledger.money import AMOUNT_MAX

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Ratio = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(max_length=40),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 40}, {"type": "integer"}]}),
]
Points = Annotated[int, Field(gt=0, le=AMOUNT_MAX, strict=True)]
TenderKind = Literal["cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "partner", "other"]


def _moment(value: Any) -> Any:
    """An instant with offset, as text or already read; a number is none."""
    if isinstance(value, str):
        return to_datetime(parse(value))
    if value is None or isinstance(value, datetime):
        return value
    raise ValueError("an instant is a string such as 2026-11-21T10:00:00+08:00")


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class Part(BaseModel):
    """A block of the rules document: unknown keys are refused, and nothing is changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
