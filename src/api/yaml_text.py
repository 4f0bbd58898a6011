"""YAML as version 1.2 reads it: `on` and `10:00` are text, only `true` and `false` are booleans, and no text is a date.

PyYAML follows version 1.1, in which a rule's `on: purchase.recorded` has the key true and `business_day_starts_at: 10:00`
is six hundred.
"""

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """SafeLoader with the core schema of YAML 1.2."""

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Decimal digits, whatever they begin with."""
        return int(str(self.construct_scalar(node)))


_Loader.yaml_implicit_resolvers = {}
_CORE = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
)
for _tag, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


class YamlError(ValueError):
    """The text is not YAML; the message is one line with the place."""


def load(text: str) -> Any:
    """Read one YAML document.

    Raises:
        YamlError
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from None
