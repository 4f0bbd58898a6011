"""Something measured in a process of its own: its result, its seconds, its processor time and the most memory it held."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MIB_MAX = 2_048
"""What any question and any build may hold."""


@dataclass(frozen=True)
class Apart:
    """What a process did. `cpu_seconds` are its own, not PostgreSQL's; `peak_mib` with everything it had imported."""

    result: Any
    seconds: float
    cpu_seconds: float
    peak_mib: float


def apart(function: Callable[..., Any], *given: Any) -> Apart:
    """Call a function of a module, with what can be pickled, in a fresh process.

    Raises:
        Whatever the function raises; RuntimeError where the process died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, given))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError as error:
        raise RuntimeError(f"the process of {function.__name__} died") from error
    finally:
        process.join()
    if isinstance(found, Exception):
        raise found
    return Apart(*found)


def _call(pipe: Any, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    try:
        result = function(*given)
    except Exception as error:  # noqa: BLE001 - it is raised again by whoever asked
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
        return
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((result, seconds, cpu_seconds, peak))
