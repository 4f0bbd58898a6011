"""The register of who holds which scope: living keys by the principal they stand for."""

from collections.abc import Iterable
from typing import Any, cast

from starlette.requests import Request

from api import keys
from api.answers import Whole, json_answer
from api.auth import EVERY_PROGRAM, Scope
from api.books import find_program, ledger_of
from api.keys import ListedKey
from api.queries import read_query
from api.routing import open_to
from ledger.instants import from_datetime, show
from ledger.store import Connection


@open_to(Scope.ADMIN, Scope.AUDIT)
async def read_scopes(request: Request) -> Whole:
    """Who holds which scope for this program: every principal with a living key, and the keys."""
    read_query(request)
    program = await find_program(request)
    found = await keys.listed(cast("Connection", ledger_of(request).pool))
    return json_answer({"program": program.name, "principals": holders(found, program.name)})


def holders(found: Iterable[ListedKey], program: str | None) -> list[dict[str, Any]]:
    """Principals with the scopes their living keys have together; `admin` stands for every scope.

    Args:
        program: only keys that reach it; None: all.
    """
    by_principal: dict[str, list[ListedKey]] = {}
    for key in found:
        if key.revoked_at is None and (program is None or {program, EVERY_PROGRAM} & set(key.programs)):
            by_principal.setdefault(key.principal, []).append(key)
    return [
        {
            "principal": principal,
            "scopes": sorted({scope for key in held for scope in key.scopes}),
            "keys": [_shown(key) for key in held],
        }
        for principal, held in sorted(by_principal.items())
    ]


def _shown(key: ListedKey) -> dict[str, Any]:
    return {
        "key": key.id,
        "scopes": key.scopes,
        "every_program": EVERY_PROGRAM in key.programs,
        "sources": key.sources,
        "label": key.label,
        "created_at": show(from_datetime(key.created_at)),
    }
