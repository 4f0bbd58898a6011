"""Query strings: every parameter is known, given once, and of its form. A misspelt `as_of` must not answer for today."""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from starlette.requests import Request

from ledger.errors import FormError

AnyText = None
"""A parameter whose value is checked by whoever uses it."""

_LOST_PLUS = re.compile(r"(T\d{2}:\d{2}\S*) (\d{2}:?\d{2})\Z")
_WHOLE = re.compile(r"[0-9]{1,16}\Z")
TEXT_CHARACTERS_MAX = 1024


def read_query(request: Request, **known: Collection[str] | None) -> dict[str, str]:
    """The parameters that were given.

    Args:
        request: whose query string is read.
        known: by name, the values taken, or None for any.

    Raises:
        FormError: a parameter nobody knows, one given twice, or a value that is not taken.
    """
    text = request.scope["query_string"]
    if not text:
        return {}
    given: dict[str, str] = {}
    for name, value in _pairs(text):
        if name not in known:
            raise bad_parameter(name[:64], "no such parameter here; there are: " + (", ".join(sorted(known)) or "none"))
        if name in given:
            raise bad_parameter(name, "given twice")
        taken = known[name]
        if taken is not None and value not in taken:
            raise bad_parameter(name, "must be one of " + ", ".join(taken))
        given[name] = value
    return given


def read_cut_offs(query: dict[str, str]) -> tuple[str | None, str | None]:
    """`as_of` and `known_at` as they were meant: a `+` that was not encoded arrives as a space.

    Raises:
        FormError: a position of more digits than any log has.
    """
    known_at = query.get("known_at", "")
    if known_at.isdigit() and not _WHOLE.match(known_at):
        raise bad_parameter("known_at", "a position has 16 digits at most")
    return _cut_off(query.get("as_of")), _cut_off(query.get("known_at"))


def read_limit(query: dict[str, str], *, default: int, most: int) -> int:
    """The `limit` given, from 1 to `most`.

    Raises:
        FormError: anything else.
    """
    text = query.get("limit")
    if text is None:
        return default
    if not _WHOLE.match(text) or not 1 <= int(text) <= most:
        raise bad_parameter("limit", f"a whole number from 1 to {most}")
    return int(text)


def read_whole(query: dict[str, str], name: str, *, default: int) -> int:
    """A whole number from 0.

    Raises:
        FormError: anything else.
    """
    text = query.get(name)
    if text is None:
        return default
    if not _WHOLE.match(text):
        raise bad_parameter(name, "a whole number from 0")
    return int(text)


def bad_parameter(name: str, reason: str) -> FormError:
    """The problem of a query parameter."""
    return FormError(
        f"The query parameter {name!r} is malformed.",
        code="parameter_malformed",
        errors=[{"pointer": f"?{name}", "reason": reason}],
    )


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise FormError("The query string is malformed.", code="parameter_malformed") from None
    for name, value in pairs:
        if "\x00" in value or len(value) > TEXT_CHARACTERS_MAX:
            raise bad_parameter(name[:64], f"at most {TEXT_CHARACTERS_MAX} characters, and no U+0000")
    return pairs


def _cut_off(text: str | None) -> str | None:
    return None if text is None else _LOST_PLUS.sub(r"\1+\2", text)
