"""The tail: one look for all followers, woken early by our own writer, patient with an absent database."""

import asyncio
from contextlib import suppress

import pytest

from api.tailing import Tail
from ledger.errors import DatabaseUnavailable


class Logs:
    """Logs that grow by hand, and how often they were looked at."""

    def __init__(self):
        self.next = {1: 1, 2: 1}
        self.looks = 0
        self.away = False
        self.looked_at = asyncio.Event()

    async def look_up(self, log_ids):
        self.looks += 1
        self.looked_at.set()
        if self.away:
            raise DatabaseUnavailable
        return {log_id: self.next[log_id] for log_id in log_ids}


@pytest.fixture
def logs():
    return Logs()


@pytest.fixture
async def tail(logs):
    tail = Tail(logs.look_up)
    running = asyncio.create_task(tail.run())
    yield tail
    tail.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_follower_is_woken_when_its_log_has_grown(tail, logs):
    waiting = asyncio.create_task(tail.beyond(1, 0, 30))
    other = asyncio.create_task(tail.beyond(2, 0, 30))
    await asyncio.sleep(0)
    logs.next[1] = 2
    async with asyncio.timeout(5):
        await waiting
    assert not other.done()
    other.cancel()


async def test_our_own_writer_wakes_without_a_look(tail, logs):
    """Planted: `grown` only noted; seen (it woke with the next look)."""
    logs.away = True
    waiting = asyncio.create_task(tail.beyond(1, 0, 30))
    await asyncio.sleep(0)
    tail.grown(1, 2)
    async with asyncio.timeout(5):
        await waiting


async def test_who_is_behind_already_does_not_wait(tail):
    tail.grown(1, 5)
    async with asyncio.timeout(5):
        await tail.beyond(1, 3, 30)


async def test_the_wait_is_bounded(tail):
    async with asyncio.timeout(5):
        await tail.beyond(1, 0, 0.01)


async def test_nobody_following_means_no_looking(tail, logs):
    await tail.beyond(1, 0, 0.01)
    looks = logs.looks
    await asyncio.sleep(0.2)
    assert logs.looks <= looks + 1


async def test_an_absent_database_is_waited_for(tail, logs):
    """Planted: the error let through; seen (the task had ended)."""
    logs.away = True
    waiting = asyncio.create_task(tail.beyond(1, 0, 30))
    async with asyncio.timeout(5):
        await logs.looked_at.wait()
        logs.away, logs.next[1] = False, 2
        await waiting


async def test_closing_wakes_everyone_for_the_last_time(tail):
    waiting = asyncio.create_task(tail.beyond(1, 0, 30))
    await asyncio.sleep(0)
    tail.close()
    async with asyncio.timeout(5):
        await waiting
        await tail.beyond(1, 0, 30)
    assert tail.closing
