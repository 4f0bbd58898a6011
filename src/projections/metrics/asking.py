"""Questions as they are sent: parameters by name → a definition and what is asked of it. Nothing unknown is passed over."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from ledger.instants import EARLIEST, midnight, parse
from projections.errors import MetricUnknown, bad_parameter
from projections.metrics.definition import Asked, Definition, Parameter
from projections.metrics.definitions import DEFINITIONS
from projections.metrics.explaining import NAMES as EXPLAINING

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = re.compile(r"[0-9]{1,12}")
_NUMBERS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?(,[0-9]{1,12}(\.[0-9]{1,6})?)*")
_CURRENCY = re.compile(r"[A-Z]{3}")

NAME_CHARACTERS_MAX = 256

COMMON = ("from", "to", "by", *EXPLAINING)
"""What every metric takes besides its cut-offs."""


def find(name: str) -> Definition:
    """The definition of a name, with its version (`aov/order@1`) or without: then the last one.

    Raises:
        MetricUnknown: naming those there are.
    """
    found = [one for one in DEFINITIONS if name in (one.name, one.id)]
    if not found:
        raise MetricUnknown(metric=name[:128], metrics=[one.id for one in DEFINITIONS])
    return max(found, key=lambda one: one.version)


def ask(definition: Definition, given: Mapping[str, str], zone: ZoneInfo) -> Asked:
    """What is asked of a definition.

    Raises:
        FormError: a parameter it does not take, or a value that will not do; the problem says what would.
    """
    known = {one.name: one for one in definition.parameters}
    for name in given:
        if name not in known and name not in COMMON:
            raise bad_parameter(name, "no such parameter here; there are: " + ", ".join([*COMMON, *known]))
    if not definition.window and ("from" in given or "to" in given):
        raise bad_parameter("from" if "from" in given else "to", f"{definition.name} looks at no window, only at as_of")
    parameters = {name: _value(one, given.get(name)) for name, one in known.items()}
    start, end = _bound("from", given.get("from"), zone), _bound("to", given.get("to"), zone)
    if start is not None and end is not None and start >= end:
        raise bad_parameter("to", "must be later than from")
    return Asked(parameters, start, end, _by(definition, given.get("by")))


def _value(parameter: Parameter, text: str | None) -> Any:
    if text is None:
        return parameter.default
    read = {"choice": _choice, "whole": _whole, "numbers": _numbers, "text": _currency, "name": _name}[parameter.kind]
    return read(parameter, text)


def _choice(parameter: Parameter, text: str) -> str:
    if text not in parameter.choices:
        raise bad_parameter(parameter.name, "must be one of " + ", ".join(parameter.choices))
    return text


def _whole(parameter: Parameter, text: str) -> int:
    if not _WHOLE.fullmatch(text) or not parameter.least <= int(text) <= parameter.most:
        raise bad_parameter(parameter.name, f"a whole number from {parameter.least} to {parameter.most}")
    return int(text)


def _numbers(parameter: Parameter, text: str) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in text.split(",")) if _NUMBERS.fullmatch(text) else ()
    if not numbers or list(numbers) != sorted(set(numbers)):
        raise bad_parameter(parameter.name, "numbers that rise, with commas between them")
    return numbers


def _currency(parameter: Parameter, text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise bad_parameter(parameter.name, "three capital letters of ISO 4217")
    return text


def _name(parameter: Parameter, text: str) -> str:
    if not 1 <= len(text) <= NAME_CHARACTERS_MAX:
        raise bad_parameter(parameter.name, f"1 to {NAME_CHARACTERS_MAX} characters")
    return text


def _bound(name: str, text: str | None, zone: ZoneInfo) -> int | None:
    """A date is the first instant of that day in the program's zone."""
    if text is None:
        return None
    try:
        instant = midnight(date.fromisoformat(text), zone) if _DATE.fullmatch(text) else parse(text.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise bad_parameter(name, f"a date, or an instant with offset: {error}") from error
    if instant < EARLIEST:
        raise bad_parameter(name, "the day lies before 1900")
    return instant


def _by(definition: Definition, text: str | None) -> tuple[str, ...]:
    by = tuple(text.split(",")) if text else definition.by_default
    wrong = [name for name in by if name not in definition.by]
    units = [name for name in by if name in ("day", "week", "month", "quarter")]
    if wrong or len(units) > 1 or len(set(by)) < len(by):
        there = ", ".join(definition.by) or "nothing"
        raise bad_parameter(
            "by", f"{definition.name} can be asked by {there}; several with commas, one of them of time"
        )
    return by
