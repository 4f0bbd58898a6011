"""Documents as people write them: JSON, or YAML that says what JSON could say.

YAML here is read by the rules of JSON: `on`, `yes` and `2026-01-01` are text, a key is given once, and there are no aliases,
with which a short text can name an endless one.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import yaml

from ledger.errors import FormError

DEPTH_MAX = 50
"""How deep a YAML document may nest; JSON's bound is its parser's, 1,024."""

_SHAPE = "tag:yaml.org,2002:"
_PLAIN = {
    f"{_SHAPE}bool": r"^(?:true|false)$",
    f"{_SHAPE}null": r"^(?:null|~|)$",
    f"{_SHAPE}int": r"^-?(?:0|[1-9][0-9]{0,17})$",
    f"{_SHAPE}float": r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?$",
}
_TAGS = frozenset({*_PLAIN, f"{_SHAPE}str", f"{_SHAPE}seq", f"{_SHAPE}map"})


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of JSON, without aliases, each key once."""

    yaml_implicit_resolvers: dict[str | None, list[Any]] = {}  # noqa: RUF012  the library's own way

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not taken", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        if node is not None and node.tag not in _TAGS:
            raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} is not taken", problem_mark=node.start_mark)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  as inherited
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != f"{_SHAPE}str":
                raise yaml.MarkedYAMLError(problem="a key is text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), None)


def read_json(text: bytes, pointer: str = "") -> Any:
    """Parse JSON.

    Raises:
        FormError: `malformed_json`, saying where it ends to be JSON; `pointer` says what was to be JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _malformed("JSON", error.msg, error.lineno, error.colno, pointer) from None


def read_yaml(text: bytes) -> Any:
    """Parse YAML into what JSON could have said.

    Raises:
        FormError: `malformed_yaml`, saying where.
    """
    try:
        return yaml.load(text.decode(), Loader=_Loader)  # noqa: S506  a safe loader, made stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _malformed("YAML", error.problem or "", *((mark.line + 1, mark.column + 1) if mark else (1, 1))) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("YAML", type(error).__name__, 1, 1) from None


class Marks:
    """Where the parts of a YAML document stand: line and column, from 1, by JSON pointer."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._places: dict[str, tuple[int, int]] = {"": (1, 1)}
        if root is not None:
            self._note(root, "")

    def at(self, pointer: str) -> tuple[int, int]:
        """Where a part stands, or would stand: the nearest part around it that is there."""
        while pointer not in self._places:
            pointer = pointer.rpartition("/")[0]
        return self._places[pointer]

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let every fault found in the document also say its line and column."""
        try:
            yield
        except FormError as error:
            for fault in error.errors:
                fault["line"], fault["column"] = self.at(fault["pointer"])
            raise

    def _note(self, node: yaml.Node, pointer: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._place(f"{pointer}/{key.value}", key)
                self._note(value, f"{pointer}/{key.value}")
        elif isinstance(node, yaml.SequenceNode):
            for place, value in enumerate(node.value):
                self._place(f"{pointer}/{place}", value)
                self._note(value, f"{pointer}/{place}")

    def _place(self, pointer: str, node: yaml.Node) -> None:
        self._places[pointer] = (node.start_mark.line + 1, node.start_mark.column + 1)


def read_yaml_with_marks(text: bytes) -> tuple[Any, Marks]:
    """Parse YAML into what JSON could have said, and say where each part stands.

    Raises:
        FormError: `malformed_yaml`, saying where.
    """
    value = read_yaml(text)
    return value, Marks(yaml.compose(text.decode(), Loader=_Loader))


def _malformed(language: str, reason: str, line: int, column: int, pointer: str = "") -> FormError:
    return FormError(
        f"The body is not {language}.",
        code=f"malformed_{language.lower()}",
        errors=[
            {"pointer": pointer, "reason": f"{reason} (line {line}, column {column})", "line": line, "column": column}
        ],
    )
