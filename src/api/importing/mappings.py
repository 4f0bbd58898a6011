"""The kinds of mapping, and reading whichever a file is."""

from pathlib import Path

from api.documents import read_yaml
from api.importing.mapping import Mapping, MappingError, Part, parse_part, shipped_or_file
from api.importing.points_mapping import PointsMapping
from ledger.errors import FormError

KINDS: dict[str, type[Part]] = {"orders": Mapping, "points": PointsMapping}


def read_any(path: Path) -> Part:
    """Read a mapping from a file, or one of those that ship with the project by its name; without `kind` it is of orders.

    Raises:
        MappingError: not found, not YAML, or not a mapping.
    """
    written = shipped_or_file(path)
    try:
        document = read_yaml(written)
    except FormError as error:
        raise MappingError(f"{path} is not YAML: {error.errors[0]['reason']}") from None
    said = document.get("kind", "orders") if isinstance(document, dict) else "orders"
    kind = KINDS.get(said) if isinstance(said, str) else None
    if kind is None:
        raise MappingError(f"{path}: kind: {said!r} is none of {', '.join(KINDS)}")
    return parse_part(kind, written, str(path))
