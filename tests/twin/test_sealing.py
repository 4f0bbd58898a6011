"""The worker that seals: one at a time, killed at any point and started again, and what is there in the end is the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from projections.twin import ranges, sealing
from projections.twin.sealing import Sealer
from tests.postgres import Database
from tests.twin.test_building import PROGRAM, RANGE, Shop, asked, built, content, shop, small_ranges
from tests.writer.shop import command, grant

__all__ = ["shop", "small_ranges"]  # fixtures

WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from ledger import store
from projections.twin import building, parsing, ranges, sealing

url, twin, step, at = sys.argv[1:]
for module in (building, ranges, sealing):
    module.RANGE = 10
for module in (building, parsing):
    module.PAGE = 4
calls = 0

def killing(work):
    def call(*given, **named):
        global calls
        calls += 1
        if calls == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given, **named)
    return call

if step:
    module, name = step.split(".")
    owner = {"building": building, "ranges": ranges, "Path": Path}[module]
    setattr(owner, name, killing(getattr(owner, name)))

async def work():
    pool = await store.open_pool(url, size_min=1, size_max=1)
    async with pool:
        print(sum(one.ranges for one in await sealing.Sealer(pool, Path(twin)).step()))

asyncio.run(work())
"""
KILLED_AT = [
    *(("building.add_page", at) for at in (1, 2, 5, 9)),
    *(("ranges._flush", at) for at in (1, 6, 11, 14)),
    *(("ranges._write_flushed", at) for at in (1, 3)),
    *(("Path.rename", at) for at in (1, 4)),
]
"""Steps of a build of four ranges, and at which call of them the process is killed."""


@pytest.fixture(autouse=True)
def sealed_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "RANGE", RANGE)


def worker(database: Database, twin: Path, step: str = "", at: int = 0) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", WORKER, database.service_url, str(twin), step, str(at)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ))


@pytest.mark.slow
async def test_killed_at_any_step_and_started_again_it_leaves_the_same_content(
    shop: Shop, migrated_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed again and again, each time at another step, on one directory.

    Against: a range that is there in part, and one that is never gone on with.
    """
    await built(shop, tmp_path / "whole")
    twin = tmp_path / "killed"
    for step, at in KILLED_AT:
        done = worker(migrated_database, twin, step, at)
        assert done.returncode == -signal.SIGKILL, f"{step} {at}: {done.stdout} {done.stderr}"
        ranges.read_sealed(ranges.directory_of(twin, PROGRAM), PROGRAM, shop.log_id)
        if at > 2:
            ranges.remove(ranges.directory_of(twin, PROGRAM))
    last = worker(migrated_database, twin)
    assert last.returncode == 0, last.stderr
    monkeypatch.setattr(ranges, "ASIDE_SECONDS_MAX", -1)
    ranges.sweep(ranges.directory_of(twin, PROGRAM))
    assert content(twin) == content(tmp_path / "whole")
    assert (await asked(shop, twin, "orders"))["sealed_through"] == 40


async def test_it_seals_what_has_become_whole_and_nothing_twice(shop: Shop, tmp_path: Path):
    sealer = Sealer(shop.pool, tmp_path)
    assert [(one.ranges, one.sealed_through) for one in await sealer.step()] == [(4, 40)]
    assert await sealer.step() == []
    writer = await shop.writer()
    for number in range(RANGE):
        await writer.post([command(grant(1), f"c-{number}")])
    assert [(one.ranges, one.before) for one in await sealer.step()] == [(1, 4)]


async def test_one_process_at_a_time_seals_a_log(shop: Shop, tmp_path: Path):
    async with shop.pool.acquire() as conn, sealing.sealing(conn, shop.log_id) as has_it:
        assert has_it
        assert await Sealer(shop.pool, tmp_path).step() == []
        assert content(tmp_path) == {}
    assert len(await Sealer(shop.pool, tmp_path).step()) == 1


async def test_what_cannot_be_sealed_is_tried_again_once_there_is_more(shop: Shop, tmp_path: Path, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise OSError("no space left")

    sealer = Sealer(shop.pool, tmp_path)
    with monkeypatch.context() as full:
        full.setattr(sealing, "build", broken)
        assert await sealer.step() == []
    assert await sealer.step() == []
    writer = await shop.writer()
    for number in range(RANGE):
        await writer.post([command(grant(1), f"c-{number}")])
    assert [one.ranges for one in await sealer.step()] == [5]
