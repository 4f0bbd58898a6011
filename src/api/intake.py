"""CloudEvents 1.0 into commands: the form of an event, checked without looking at any state.

`id`, `source`, `specversion`, `type`, `subject` and `time` are needed. Extension attributes that are legal (a–z, 0–9, at most
20) are accepted and dropped, but for `expectedversion`, which is a precondition. Of two JSON members of one name the last
counts, and what counted is what is kept. orjson has refused lone surrogates and nesting beyond 1,024 before we look.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from api.auth import Caller, Scope
from api.documents import read_json
from api.problems import EventTooLarge
from ledger import codes, events
from ledger.codes_key import CodesKey
from ledger.deciding.command import AHEAD_MAX_MINUTES, Command
from ledger.errors import FormError, NotPermitted
from ledger.instants import MINUTE, parse
from ledger.records import OURS, PROGRAM_TYPES

EVENT_BYTES_MAX = 48 * 1024
TEXT_CHARACTERS_MAX = 256
VERSION_MAX = 2**53
EXTENSION_INTEGER_MAX = 2**31

_AHEAD_MAX = AHEAD_MAX_MINUTES * MINUTE
_REQUIRED = ("specversion", "id", "source", "type", "subject", "time")
_DEFINED = frozenset({*_REQUIRED, "data", "datacontenttype", "dataschema"})
_ANYBODYS = frozenset({"source.declared"})
"""Of the program's own types those that need no scope beside `post`."""

_EXTENSION = re.compile(r"[a-z0-9]{1,20}\Z")
_JSON_TYPE = re.compile(r"application/json *(;.*)?\Z", re.IGNORECASE | re.DOTALL)
_ENTITY_TAG = re.compile(r"(\"?)([0-9]{1,16})\1\Z")
_VERSION_TEXT = re.compile(r"[0-9]{1,16}\Z")

Fault = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts, and to which program."""

    program: str
    now: int
    principal: str
    sources: frozenset[str] | None
    may_backdate: bool
    is_admin: bool
    codes_key: CodesKey


def sender_of(caller: Caller, program: str, now: int, codes_key: CodesKey) -> Sender:
    """What of a caller decides how its events are read; `now` is the ledger's clock, microseconds."""
    return Sender(
        program=program,
        now=now,
        principal=caller.principal,
        sources=caller.sources,
        may_backdate=caller.may(Scope.BACKDATE),
        is_admin=caller.may(Scope.ADMIN),
        codes_key=codes_key,
    )


def read_event(event: Any, sender: Sender) -> Command:
    """Turn a CloudEvent, as JSON gives it, into a command.

    Raises:
        FormError: every fault of the envelope, or every fault of the data, each with its JSON pointer.
        NotPermitted: the key may not post this source or this type.
    """
    if not isinstance(event, dict):
        raise FormError("An event is a JSON object.", errors=[{"pointer": "", "reason": "not an object"}])
    faults = _faults(event)
    instant = _instant(event.get("time"), faults)
    if faults:
        raise FormError("The event is malformed.", errors=faults)
    _check_not_ahead(instant, sender.now)
    source, kind, subject = event["source"], event["type"], event["subject"]
    _check_rights(source, kind, sender)
    _check_subject(kind, subject, sender)
    data = events.validated(kind, event.get("data", {}), instant)
    if kind == "coupon.claimed":
        _check_genuine(data["code"], sender)
    return Command(
        source=source,
        id=event["id"],
        type=kind,
        subject=subject,
        time=instant,
        data=data,
        actor=sender.principal,
        expected_version=_expected_version(event.get("expectedversion")),
        may_backdate=sender.may_backdate,
    )


def check_size(event: Any) -> None:
    """Refuse an event of a batch that is too long, measured as compact JSON.

    Raises:
        EventTooLarge: with its size.
        FormError: it nests deeper than can be written again, which is far deeper than any event.
    """
    try:
        size = len(orjson.dumps(event))
    except orjson.JSONEncodeError:
        raise FormError("The event is nested too deeply.", errors=[{"pointer": "", "reason": "too deep"}]) from None
    if size > EVENT_BYTES_MAX:
        raise EventTooLarge(bytes=size, bytes_max=EVENT_BYTES_MAX)


def from_headers(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> dict[str, Any]:
    """The event of a request in binary mode, as JSON would give it. Source: CloudEvents HTTP binding 1.0.2, 3.1.

    Raises:
        FormError: an attribute sent twice or not percent-encoded UTF-8, or a body that is not JSON.
    """
    event: dict[str, Any] = {}
    for header, value in headers:
        if header.startswith(b"ce-"):
            name = header[3:].decode("latin-1")
            if name in event:
                raise _malformed(f"/{name}", "the header was sent twice")
            event[name] = _decoded(name, value)
    for name in ("data", "data_base64", "datacontenttype"):
        if name in event:
            raise _malformed(f"/{name}", "not a header of binary mode")
    if body:
        event["data"] = read_json(body, "/data")
    return event


def precondition(value: bytes) -> int:
    """The stream version an `If-Match` header names: `"5"`; `"0"` = no stream yet.

    Raises:
        FormError: anything else.
    """
    text = value.decode("latin-1").strip()
    match = _ENTITY_TAG.match(text)
    if match is None:
        raise FormError('If-Match names one stream version, such as "5".', code="if_match_malformed")
    return int(match[2])


def _faults(event: dict[str, Any]) -> list[Fault]:
    faults = [fault for name, check in _CHECKS if (fault := check(name, event.get(name))) is not None]
    if len(event) > len(_REQUIRED) + 1 or event.keys() - _DEFINED:
        faults += _faults_of_optional(event)
    return faults


def _faults_of_optional(event: dict[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    content_type = event.get("datacontenttype")
    if content_type is not None and not (isinstance(content_type, str) and _JSON_TYPE.match(content_type)):
        faults.append(_fault("datacontenttype", "only application/json is taken"))
    schema = event.get("dataschema")
    if schema is not None and not (isinstance(schema, str) and schema):
        faults.append(_fault("dataschema", "not a URI"))
    if "data_base64" in event:
        faults.append(_fault("data_base64", "data is sent as JSON, in `data`"))
    for name in event.keys() - _DEFINED - {"data_base64"}:
        fault = _extension_fault(name, event[name])
        if fault is not None:
            faults.append(fault)
    return faults


def _extension_fault(name: str, value: Any) -> Fault | None:
    if not _EXTENSION.match(name):
        return _fault(name[:64], "neither an attribute nor an extension: 1 to 20 of a–z and 0–9")
    if value is None:
        return None
    if name == "expectedversion":
        return _version_fault(name, value)
    if isinstance(value, str) or (isinstance(value, int) and -EXTENSION_INTEGER_MAX <= value < EXTENSION_INTEGER_MAX):
        return None
    return _fault(name, "an extension is a string, a whole number of 32 bits or a boolean")


def _version_fault(name: str, value: Any) -> Fault | None:
    if isinstance(value, str) and _VERSION_TEXT.match(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= VERSION_MAX:
        return None
    return _fault(name, "a stream version is a whole number from 0")


def _specversion_fault(name: str, value: Any) -> Fault | None:
    return None if value == "1.0" else _fault(name, 'must be "1.0"')


def _text_fault(name: str, value: Any) -> Fault | None:
    if not isinstance(value, str):
        return _fault(name, "needed, a string" if value is None else "not a string")
    if not value or len(value) > TEXT_CHARACTERS_MAX:
        return _fault(name, f"1 to {TEXT_CHARACTERS_MAX} characters")
    if "\x00" in value:
        return _fault(name, "may not hold U+0000")
    return None


def _source_fault(name: str, value: Any) -> Fault | None:
    fault = _text_fault(name, value)
    if fault is None and value.startswith(OURS):
        return _fault(name, f"sources beginning {OURS!r} are the ledger's own")
    return fault


_CHECKS: tuple[tuple[str, Callable[[str, Any], Fault | None]], ...] = (
    ("specversion", _specversion_fault),
    ("id", _text_fault),
    ("source", _source_fault),
    ("type", _text_fault),
    ("subject", _text_fault),
    ("time", _text_fault),
)


def _fault(name: str, reason: str) -> Fault:
    return {"pointer": "/" + name.replace("~", "~0").replace("/", "~1"), "reason": reason}


def _malformed(pointer: str, reason: str) -> FormError:
    return FormError("The event is malformed.", errors=[{"pointer": pointer, "reason": reason}])


def _check_rights(source: str, kind: str, sender: Sender) -> None:
    if sender.sources is not None and source not in sender.sources:
        raise NotPermitted("This key may not post for this source.", source=source)
    if kind in PROGRAM_TYPES and kind not in _ANYBODYS and not sender.is_admin:
        raise NotPermitted("Only a key with the scope admin may post this type.", needs_one_of=[Scope.ADMIN])


def _check_subject(kind: str, subject: str, sender: Sender) -> None:
    if kind == "program.published":
        raise FormError(
            "Rules are published with PUT …/rules.",
            code="type_unknown",
            errors=[{"pointer": "/type", "reason": "written by the ledger itself"}],
        )
    if kind not in PROGRAM_TYPES:
        events.check_customer(subject)
    elif subject != sender.program:
        raise _malformed("/subject", "events of this type carry the program's name")


def _check_genuine(text: str, sender: Sender) -> None:
    key, code = sender.codes_key.known(), codes.read(text)
    if key is None or code is None or not codes.is_genuine(key, sender.program, code):
        raise FormError(
            "Nobody has made this code.",
            code="code_not_genuine",
            errors=[{"pointer": "/data/code", "reason": "not genuine"}],
        )


def _instant(text: Any, faults: list[Fault]) -> int:
    """The event's time, or one more fault."""
    try:
        return parse(text)
    except ValueError:
        faults.append(_fault("time", "an instant with offset, such as 2026-11-21T10:00:00+08:00"))
    except TypeError:
        pass  # no text: that has been said
    return 0


def _check_not_ahead(instant: int, now: int) -> None:
    if instant > now + _AHEAD_MAX:
        raise FormError(
            f"The event's time lies more than {AHEAD_MAX_MINUTES} minutes ahead.",
            code="time_in_future",
            errors=[{"pointer": "/time", "reason": "in the future"}],
        )


def _expected_version(value: Any) -> int | None:
    return None if value is None else int(value)


def _decoded(name: str, value: bytes) -> str:
    text = value.strip()
    if len(text) > 1 and text[:1] == text[-1:] == b'"':
        text = re.sub(rb"\\(.)", rb"\1", text[1:-1])
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise _malformed(f"/{name}", "not percent-encoded UTF-8") from None
