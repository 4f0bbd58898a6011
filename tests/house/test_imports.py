"""Imports run one way: ledger ← projections ← api; and the pure modules know no database and no HTTP.

Each rule is proven able to fail by a planted import.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
NEVER_IMPORTED_BY = {"ledger": {"projections", "api"}, "projections": {"api"}, "api": set[str]()}
PURE = {
    "money",
    "records",
    "rules",
    "shapes",
    "lots",
    "account",
    "parts",
    "deciding",
    "events",
    "history",
    "program",
    "instants",
}
IMPURE_LIBRARIES = {"asyncpg", "sqlalchemy", "alembic", "fastapi", "starlette", "uvicorn", "psycopg"}
IMPURE_OWN = {
    "ledger.store",
    "ledger.schema",
    "ledger.migrating",
    "ledger.embedded",
    "ledger.settings",
    "ledger.writer",
}


def imports_of(source: str, *, module: str) -> Iterator[str]:
    """The dotted names `source` imports, anywhere in it, relative ones resolved against `module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*inside, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def backward_imports(source: str, *, module: str) -> set[str]:
    """What `module` imports against the direction."""
    forbidden = NEVER_IMPORTED_BY[module.split(".", maxsplit=1)[0]]
    return {name for name in imports_of(source, module=module) if name.split(".")[0] in forbidden}


def impure_imports(source: str, *, module: str) -> set[str]:
    """What `module` imports that a pure one must not; what stands under TYPE_CHECKING counts too."""
    return {
        name
        for name in imports_of(source, module=module)
        if name.split(".")[0] in IMPURE_LIBRARIES or ".".join(name.split(".")[:2]) in IMPURE_OWN
    }


def modules() -> list[tuple[str, Path]]:
    named = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        named.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return named


def test_there_are_the_three_packages_and_no_other():
    assert {name.split(".")[0] for name, _ in modules()} == set(NEVER_IMPORTED_BY)


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_run_one_way(module, path):
    wrong = backward_imports(path.read_text(), module=module)
    assert not wrong, f"{module} imports {sorted(wrong)}: ledger imports neither of the others, projections not api"


PURE_MODULES = [
    (module, path) for module, path in modules() if module.startswith("ledger.") and module.split(".")[1] in PURE
]


@pytest.mark.parametrize(("module", "path"), PURE_MODULES, ids=[name for name, _ in PURE_MODULES])
def test_a_pure_module_knows_no_database_and_no_http(module, path):
    wrong = impure_imports(path.read_text(), module=module)
    assert not wrong, f"{module} is pure, so it cannot import {sorted(wrong)}: hand it what it needs as data"


def test_money_moves_only_where_the_pure_modules_are():
    names = {module for module, _ in PURE_MODULES}
    assert {"ledger.money", "ledger.records", "ledger.rules", "ledger.lots", "ledger.account"} <= names


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("ledger.store", "import projections"),
        ("ledger.store", "import api.app as a"),
        ("ledger.deciding.trade", "def f():\n    from api.problems import PROBLEMS"),
        ("projections.runner", "from api import app"),
        ("ledger.clock", "if True:\n    import projections.twin.parquet"),
    ],
)
def test_a_planted_backward_import_is_seen(module, planted):
    assert backward_imports(planted, module=module)


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("ledger.lots", "import asyncpg"),
        ("ledger.lots", "from sqlalchemy.dialects import postgresql"),
        ("ledger.lots", "from ledger.store import append"),
        ("ledger.lots", "from ledger import store"),
        ("ledger.lots", "from . import store"),
        ("ledger.deciding.trade", "from ..store import append"),
        ("ledger.account", "async def f():\n    import fastapi"),
    ],
)
def test_a_planted_impure_import_is_seen(module, planted):
    assert impure_imports(planted, module=module)


def test_a_forward_import_is_no_fault():
    assert not backward_imports("from ledger.records import Record\nimport projections", module="api.app")
    assert not impure_imports("from ledger.money import Money", module="ledger.lots")
