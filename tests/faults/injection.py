"""Faults inside a server process: what its order names is patched in before the application is made.

    skew_seconds   its clock is so much ahead of the machine's
    look_seconds   how often its clock and its retrying look, instead of every second or minute
    starved        so often stale, and a unit is decided under the log's lock; 2 where nothing is said
    step           the number of the suspension (of the writer, its append, its look-ups, the clock and the retrying, counted
                   together) at which `does` happens: every state between two awaits is met by some number
    does           "die"         SIGKILL at that point: what was to be sent has not been sent
                   "die_sent"    SIGKILL one turn of the loop later: it has been sent, the answer has not come
                   "die_later"   SIGKILL a random moment later, 4 ms at most
                   "cut"         the database ends the writer's connections at that point
    superuser_url  for "cut"

How many steps there were stands in the log of a process that ended well: `steps 123`.
"""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Coroutine, Generator
from functools import partial, wraps
from types import coroutine
from typing import Any

import psycopg

import ledger.policies.retrying
import ledger.service
import ledger.writer
from ledger.appending import Appender
from ledger.clock import Clock
from ledger.policies.retrying import Retrying
from ledger.service import wall_clock
from ledger.settling import Settler
from ledger.writer import Writer

DIE_LATER_SECONDS_MAX = 0.004

STEPPING = [
    (Writer, "_work"),
    (Appender, "append"),
    (Settler, "_answer_known"),
    (Clock, "_work"),
    (Retrying, "_work"),
]


def install(faults: dict[str, Any]) -> Callable[[], int]:
    """Patch this process; returns its clock."""
    if "look_seconds" in faults:
        ledger.service.LOOK_SECONDS = ledger.policies.retrying.LOOK_SECONDS = faults["look_seconds"]
    if "starved" in faults:
        ledger.writer.STARVED = faults["starved"]
    if "step" in faults:
        _step_through(faults)
    skew = int(faults.get("skew_seconds", 0) * 1_000_000)
    return lambda: wall_clock() + skew


def report() -> None:
    """Say at the end what was counted."""
    for said in _AT_THE_END:
        said()


_AT_THE_END: list[Callable[[], None]] = []


def _step_through(faults: dict[str, Any]) -> None:
    steps = _Steps(faults)
    for owner, name in STEPPING:
        setattr(owner, name, _stepped(getattr(owner, name), steps))
    _AT_THE_END.append(steps.report)


class _Steps:
    def __init__(self, faults: dict[str, Any]) -> None:
        self._count = 0
        self._at = faults["step"]
        self._do = {
            "die": _die,
            "die_sent": lambda: asyncio.get_running_loop().call_soon(_die),
            "die_later": lambda: asyncio.get_running_loop().call_later(random.uniform(0, DIE_LATER_SECONDS_MAX), _die),
            "cut": partial(_cut, faults.get("superuser_url", "")),
        }[faults["does"]]

    def __call__(self) -> None:
        self._count += 1
        if self._count == self._at:
            self._do()

    def report(self) -> None:
        print(f"steps {self._count}", flush=True)  # noqa: T201 - into the process's log


def _stepped(
    method: Callable[..., Coroutine[Any, Any, Any]], step: Callable[[], None]
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    async def stepped(*arguments: Any, **named: Any) -> Any:
        return await _watched(method(*arguments, **named), step)

    return stepped


@coroutine
def _watched(work: Coroutine[Any, Any, Any], step: Callable[[], None]) -> Generator[Any, Any, Any]:
    """Run a coroutine, telling of every time it is suspended."""
    resume: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waits_for = resume()
        except StopIteration as done:
            return done.value
        step()
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001 - a cancellation is handed on, too
            resume = partial(work.throw, error)
        else:
            resume = partial(work.send, sent)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _cut(superuser_url: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
            "WHERE application_name = 'ledger writer' AND datname = current_database()"
        )
