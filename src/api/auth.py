"""Keys: who calls, for which programs, with which scopes.

A key is 256 random bits behind a recognisable prefix, sent as `Authorization: Bearer …`. Only its SHA-256 is stored, with the
principal it stands for (a person or a service): the principal is the `actor` of what the key posts. A key looked up is
remembered for `KEPT_SECONDS` at most, so that is how long a revoked one may live on.

    post      events                          backdate  events older than the rules' `backdate_days`
    read      customers, records, receipts    audit     all of read, and feed, replay, explain, refusals
    finance   reports; the rules              admin     every scope, publishing rules, registering places
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

from starlette.types import Scope as AsgiScope

from api.problems import KeyInvalid, Unauthenticated
from ledger.errors import NotPermitted

KEPT_SECONDS = 3.0
"""How long a key that was looked up is believed; revocation takes effect within this."""

KEPT_KEYS_MAX = 10_000

EVERY_PROGRAM = "*"

_PREFIX = "ledger_"
_KEY = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(" + _PREFIX.encode() + rb"[A-Za-z0-9_-]{43})\Z")


class Scope(StrEnum):
    """What a key may do."""

    POST = "post"
    BACKDATE = "backdate"
    READ = "read"
    AUDIT = "audit"
    FINANCE = "finance"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key stands for and what it may do.

    Attributes:
        principal: a person or a service; the `actor` of what is posted.
        programs: names, or None for every program, those yet to come included.
        scopes: what may be done; `admin` has been widened to every scope.
        sources: the only sources it may post for; None for any.
        key: the first digits of the key's hash, for the logs.
    """

    principal: str
    programs: frozenset[str] | None
    scopes: frozenset[Scope]
    sources: frozenset[str] | None
    key: str

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope."""
        return scope in self.scopes

    def check_program(self, program: str) -> None:
        """Refuse a program the key is not bound to, whether or not there is one of that name.

        Raises:
            NotPermitted: naming the program.
        """
        if self.programs is not None and program not in self.programs:
            raise NotPermitted("This key is not bound to this program.", program=program)

    def check_scope(self, any_of: frozenset[Scope]) -> None:
        """Refuse what needs a scope the key has not.

        Raises:
            NotPermitted: naming the scopes any of which would do.
        """
        if not any_of & self.scopes:
            raise NotPermitted("This key has not the scope this needs.", needs_one_of=sorted(any_of))


KeyRow = Mapping[str, Any]
"""`principal`, `programs`, `scopes`, `sources` of a key that lives."""


class Keys:
    """Finds callers by their keys, and remembers them for a moment."""

    def __init__(self, fetch: Callable[[bytes], Awaitable[KeyRow | None]]) -> None:
        """Args: fetch: the living key of a SHA-256 hash, or None."""
        self._fetch = fetch
        self._kept: dict[bytes, tuple[float, Caller]] = {}

    async def caller(self, scope: AsgiScope) -> Caller:
        """Who sent this request.

        Raises:
            Unauthenticated: no key was sent.
            KeyInvalid: the key is not known, or was revoked.
            DatabaseUnavailable: it cannot be looked up now.
        """
        key_hash = _sent(scope)
        kept = self._kept.get(key_hash)
        if kept is not None and kept[0] > monotonic():
            return kept[1]
        return await self._looked_up(key_hash)

    async def _looked_up(self, key_hash: bytes) -> Caller:
        asked_at = monotonic()
        row = await self._fetch(key_hash)
        if row is None:
            self._kept.pop(key_hash, None)
            raise KeyInvalid
        if len(self._kept) >= KEPT_KEYS_MAX:
            self._kept.clear()
        caller = _caller(row, key_hash)
        self._kept[key_hash] = (asked_at + KEPT_SECONDS, caller)
        return caller


def new_key() -> str:
    """A fresh key: 256 random bits. It is shown once and never stored."""
    return _PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> bytes:
    """What is stored of a key. It has 256 random bits, so there is nothing to salt or stretch."""
    return hashlib.sha256(key.encode()).digest()


def _sent(scope: AsgiScope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            match = _KEY.match(value)
            if match is None:
                raise KeyInvalid
            return hashlib.sha256(match[1]).digest()
    raise Unauthenticated


def _caller(row: KeyRow, key_hash: bytes) -> Caller:
    scopes = frozenset(scope for scope in Scope if scope in row["scopes"])
    programs, sources = row["programs"], row["sources"]
    return Caller(
        principal=row["principal"],
        programs=None if EVERY_PROGRAM in programs else frozenset(programs),
        scopes=frozenset(Scope) if Scope.ADMIN in scopes else scopes,
        sources=None if sources is None else frozenset(sources),
        key=key_hash.hex()[:12],
    )
