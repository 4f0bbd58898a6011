"""Processes beside `ledger serve`: started again when they die, and gone when whoever started them is, however that ends."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from typing import Any

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 2.0
END_SECONDS_MAX = 5.0
GIVES_WAY = 15
"""Niceness: what runs beside the service has time, whoever posts and reads has not."""


@contextmanager
def beside(name: str, work: Callable[..., None], *given: Any) -> Iterator[None]:
    """Have `work(*given)` run in a process of its own while the block lasts; both must be found by a fresh interpreter."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(name, work, given, over), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join(END_SECONDS_MAX)


def _keep(name: str, work: Callable[..., None], given: tuple[Any, ...], over: threading.Event) -> None:
    while not over.is_set():
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(work, given, os.getpid()), daemon=True, name=name
        )
        process.start()
        while process.is_alive() and not over.wait(LOOK_SECONDS):
            pass
        _end(process)
        over.wait(AGAIN_SECONDS)


def _end(process: SpawnProcess) -> None:
    process.terminate()
    process.join(END_SECONDS_MAX)
    if process.is_alive():
        process.kill()


def _work(work: Callable[..., None], given: tuple[Any, ...], started_by: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    os.nice(GIVES_WAY)
    threading.Thread(target=end_with, args=(started_by,), daemon=True).start()
    work(*given)


def end_with(parent: int) -> None:
    """End this process when its parent has; for a thread of its own."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
