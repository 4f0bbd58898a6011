"""Running a command: its coroutine on a fast event loop, and every expected error as one line."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError

from api.commands.connecting import NotReady
from api.commands.console import fail
from api.importing.mapping import MappingError
from api.importing.readers import FileError
from api.problems import code_of
from ledger.embedded import EmbeddedError
from ledger.errors import DatabaseUnavailable, InvariantBroken, LedgerError
from ledger.settings import SettingsError

T = TypeVar("T")

GC_ALLOCATIONS = 200_000
"""Containers made and not freed before the cycle collector looks: more than the batches in flight hold."""

FAILED = 1
INTERRUPTED = 130

EXPECTED = (
    SettingsError,
    EmbeddedError,
    NotReady,
    MappingError,
    FileError,
    LedgerError,
    InvariantBroken,
    DBAPIError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)
"""What may go wrong; anything else is a fault of ours and shows where."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def collect_rarely() -> None:
    """Keep the cycle collector off the hot path: what a batch allocates is freed by reference counts when it is answered.

    With Python's own thresholds the collector walks every batch in flight several times, a third of the processor time of
    an intake. What is there when a process starts is never garbage, so it is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)


def with_one_line(command: Callable[[], None]) -> int:
    """Run a command; the exit status. What can be expected to go wrong is said in one line."""
    try:
        command()
    except BrokenPipeError:
        return FAILED  # who read our output has gone
    except EXPECTED as error:
        fail(sentence(error))
        return FAILED
    except KeyboardInterrupt:
        fail("interrupted")
        return INTERRUPTED
    return 0


def sentence(error: Exception) -> str:
    """An error with its details, for people."""
    if isinstance(error, DatabaseUnavailable) and "reason" in error.facts:
        return f"the database cannot be reached or cannot write: {error.facts['reason']}"
    if isinstance(error, LedgerError):
        return _with_details(error)
    if isinstance(error, DBAPIError | asyncpg.PostgresError | asyncpg.InterfaceError):
        return f"the database said no: {getattr(error, 'orig', error)}"
    return str(error)


def _with_details(error: LedgerError) -> str:
    faults = [_fault(fault) for fault in getattr(error, "errors", ())]
    facts = [f"{name}: {value}" for name, value in error.facts.items()]
    details = "; ".join([*faults, *facts])
    return f"{error.message} ({details})" if details else f"{error.message} ({code_of(error)})"


def _fault(fault: dict[str, Any]) -> str:
    said = f"{fault['pointer']} {fault['reason']}"
    return f"line {fault['line']}, column {fault['column']}: {said}" if fault["pointer"] and "line" in fault else said


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not to be had on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
