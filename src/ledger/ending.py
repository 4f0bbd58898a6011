"""Ending tasks that work for as long as the process does."""

import asyncio
from typing import Any

AGAIN_SECONDS = 0.5


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks until they have ended; what they end with is nobody's any more.

    Once is not enough. Where a connection dies under a task that is cancelled, the driver's error takes the place of the
    cancellation, and a loop that goes on after errors would go on for ever.
    """
    left = {task for task in tasks if task is not None}
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
