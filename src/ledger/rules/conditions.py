"""Conditions of rules, in CEL: one expression over the event and the account that says whether a rule applies.

    when: "event.data.place.channel == 'mini_program' && account.totals.orders == 0"

A condition only reads, and what it may cost is bounded by its form, which is checked when rules are published: at most 500
characters, functions of a short list, `exists`, `exists_one` and `all` not one inside another and over their item alone, no
`map` and `filter`. (Unbounded, one such expression over an order of 500 lines took 88 seconds.) What it names of the event
and the account is known to exist or refused. Source: https://github.com/google/cel-spec.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter

from ledger.parts import BY_NAME
from ledger.shapes import SHAPES

CHARACTERS_MAX = 500

FUNCTIONS = frozenset({"size", "contains", "startsWith", "endsWith", "int", "double"})
"""What a condition may call, besides the operators, `has` and the three macros over lists."""

EVENT = frozenset({"type", "time", "day", "brand", "entity", "franchisee", "data"})
"""What stands below `event`: `day` is the business day, `brand` to `franchisee` what the register of places says, or null."""

ACCOUNT = frozenset({"version", "balances", "totals", "signed_up_at", "tier"})
"""What stands below `account`, besides the families' parts; instants are text in UTC, null where there is none."""

_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_MACRO = re.compile(r"\.\s*(?:exists_one|exists|all)\s*\(\s*([A-Za-z_]\w*)\s*,")
_UNBOUNDED = re.compile(r"\.\s*(map|filter|matches|reduce|fold)\s*\(")
_CHAIN = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*)*)(\s*\()?")
_KEYWORDS = frozenset({"in", "true", "false", "null"})
_FORBIDDEN = {
    "\\": "a backslash",
    "//": "a comment",
    "'''": "a text of several lines",
    '"""': "a text of several lines",
}

Path = tuple[str, ...]


class ConditionFailed(Exception):
    """A condition has no answer for this event; `kind` says why, `field` which field was missing, if that is it."""

    def __init__(self, kind: str, field: str | None = None) -> None:
        self.kind = kind
        self.field = field
        super().__init__(kind)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, compiled.

    Attributes:
        event, data, account: what it names below `event`, `event.data` and `account`; only that is handed to it.
        whole_data: it names `event.data` itself.
    """

    source: str
    event: frozenset[str]
    data: frozenset[str]
    whole_data: bool
    account: frozenset[str]
    run: Callable[[dict[str, Any]], Any]

    def holds(self, names: dict[str, Any]) -> bool:
        """Whether it holds for `{"event": …, "account": …}`.

        Raises:
            ConditionFailed: a field is missing, types do not match, a number is out of range, or the answer is no boolean.
        """
        try:
            answer = self.run(names)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the library is native: a panic of its own is no Exception
            raise _failed(error) from None
        if not isinstance(answer, bool):
            raise ConditionFailed("not_a_boolean")
        return answer


def condition_on(event_type: str) -> Any:
    """The type of a field that holds a condition on events of a type; its form is checked when it is read."""

    def checked(source: str) -> str:
        compiled(source, event_type)
        return source

    return Annotated[str, AfterValidator(checked)]


@cache
def compiled(source: str, event_type: str) -> Condition:
    """Compile a condition, once for each text and type.

    Raises:
        ValueError: what is wrong with it, in words.
    """
    if not source.strip() or len(source) > CHARACTERS_MAX:
        raise ValueError(f"a condition has 1 to {CHARACTERS_MAX} characters, this one {len(source)}")
    for text, name in _FORBIDDEN.items():
        if text in source:
            raise ValueError(f"a condition holds no {name.removeprefix('a ')}")
    import cel  # noqa: PLC0415 - 0.1 s that only rules with conditions cost

    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ValueError(_syntax(str(error))) from None
    bare = _STRING.sub("''", source)
    bound = _check_macros(bare)
    _check_calls(program.functions())
    paths = list(_paths(bare))
    for path in paths:
        _check_path(path, event_type, bound)
    return Condition(
        source,
        frozenset(path[1] for path in paths if path[0] == "event"),
        frozenset(path[2] for path in paths if path[:2] == ("event", "data") and len(path) > 2),  # noqa: PLR2004
        ("event", "data") in paths,
        frozenset(path[1] for path in paths if path[0] == "account"),
        program.execute,
    )


def _check_macros(bare: str) -> frozenset[str]:
    """Refuse what would take long; returns the names that the macros bind to an item."""
    unbounded = _UNBOUNDED.search(bare)
    if unbounded is not None:
        raise ValueError(f"{unbounded[1]}() is not taken: it could take long; use exists() or all()")
    names = set()
    for macro in _MACRO.finditer(bare):
        name = macro[1]
        body = _until_closed(bare, macro.end())
        if _MACRO.search(body):
            raise ValueError("exists(), exists_one() and all() are not taken inside one another")
        others = {path[0] for path in _paths(body)} - {name}
        if others:
            raise ValueError(f"inside exists() and all() only the item {name!r} is named, not {min(others)!r}")
        names.add(name)
    return frozenset(names)


def _until_closed(text: str, start: int) -> str:
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return text[start:place]
    return text[start:]


def _check_calls(functions: list[str]) -> None:
    for name in functions:
        if name[:1].isalpha() and name not in FUNCTIONS:
            raise ValueError(f"there is no function {name}(); there are {', '.join(sorted(FUNCTIONS))}, has")


def _paths(bare: str) -> Iterator[Path]:
    """What an expression names, from the root on, as far as its dots reach; functions and keywords left out."""
    for chain in _CHAIN.finditer(bare):
        parts = [chain[1], *(part.strip() for part in chain[2].split(".")[1:])]
        if chain[3]:
            parts.pop()
        if parts and parts[0] not in _KEYWORDS:
            yield tuple(parts)


def _check_path(path: Path, event_type: str, bound: frozenset[str]) -> None:
    root = path[0]
    if root in bound:
        return
    if root == "event":
        _check_known(path, 1, EVENT)
        if path[1] == "data":
            _check_shape(path, 2, _schema(event_type), _schema(event_type))
    elif root == "account":
        _check_known(path, 1, ACCOUNT | frozenset(BY_NAME))
    else:
        raise ValueError(f"{root!r} is not known here: a condition names event and account")


def _check_known(path: Path, depth: int, known: frozenset[str]) -> None:
    if len(path) <= depth:
        raise ValueError(f"name a field of {path[0]}: {', '.join(sorted(known))}")
    _check_one_of(path, depth, known)


def _check_one_of(path: Path, depth: int, known: frozenset[str]) -> None:
    if path[depth] not in known:
        near = get_close_matches(path[depth], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"
        raise ValueError(f"{'.'.join(path[: depth + 1])}: there is no such field{hint}")


def _check_shape(path: Path, depth: int, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """Follow a path through the JSON schema of the event's data."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if depth == len(path) or "patternProperties" in schema or schema.get("additionalProperties"):
        return
    properties = schema.get("properties")
    if properties is None:
        raise ValueError(f"{'.'.join(path[:depth])} is no object: it has no field {path[depth]!r}")
    _check_one_of(path, depth, frozenset(properties))
    _check_shape(path, depth + 1, properties[path[depth]], root)


@cache
def _schema(event_type: str) -> dict[str, Any]:
    return TypeAdapter(SHAPES[event_type]).json_schema()


def _syntax(message: str) -> str:
    """The library's first complaint, without its picture of the place."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", message)
    if found is None:
        return "not an expression"
    return f"not an expression: at character {found[2]}: {found[3].split(' expecting ')[0]}"


def _failed(error: BaseException) -> ConditionFailed:
    if isinstance(error, KeyError):
        return ConditionFailed("field_missing", str(error.args[0])[:80])
    for known, kind in _KINDS.items():
        if isinstance(error, known):
            return ConditionFailed(kind)
    return ConditionFailed("not_evaluated")


_KINDS: dict[type[BaseException], str] = {
    TypeError: "types_do_not_match",
    ZeroDivisionError: "divided_by_zero",
    OverflowError: "out_of_range",
    IndexError: "out_of_range",
}
