"""Request headers, read from the raw list."""

import re

from starlette.types import Scope

from api.problems import MediaTypeUnsupported

_CHARSET = re.compile(r"charset *= *\"?([^\";\s]+)")
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of a name (lower case), or None."""
    for sent, value in scope["headers"]:
        if sent == name:
            found: bytes = value
            return found
    return None


def content_length(scope: Scope) -> int | None:
    """The length the body is declared to have."""
    declared = header(scope, b"content-length")
    return None if declared is None else int(declared)


def media_type(value: bytes | None) -> str | None:
    """The media type, lower case, without its parameters.

    Raises:
        MediaTypeUnsupported: another charset than UTF-8.
    """
    if value is None:
        return None
    named, _, parameters = value.decode("latin-1").lower().partition(";")
    charset = _CHARSET.search(parameters)
    if charset is not None and charset[1] not in _UTF_8:
        raise MediaTypeUnsupported("Only UTF-8 is taken.", charset=charset[1])
    return named.strip()


def check_coding(value: bytes) -> None:
    """Refuse a body that is compressed.

    Raises:
        MediaTypeUnsupported
    """
    if value.lower() != b"identity":
        raise MediaTypeUnsupported("Bodies are taken as they are, without a content coding.")
