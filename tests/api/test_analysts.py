"""The process apart that answers questions about a whole program: the same answers and noes, killed and idle or not."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from api.analysts import Apart, Desk, Here, MetricAsked, Subject, TieOutAsked
from ledger import reading, store
from ledger.errors import FormError
from ledger.service import wall_clock
from ledger.settings import Settings
from projections.errors import AnalysisEnded, MetricUnknown
from projections.twin.engines.on_duckdb import DuckDb
from projections.twin.sealing import book_of
from tests.api.serving import Shop, fresh, grant, purchase
from tests.postgres import wait_until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Ends:
    """A question that ends the process that answers it."""

    async def answered(self, _: Desk) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


@pytest.fixture
def trading(own_shop: Shop) -> Shop:
    for _ in range(3):
        customer = fresh("c")
        assert own_shop.post(purchase(customer)).status_code == 201
        assert own_shop.post(grant(customer, 5)).status_code == 201
    return own_shop


Asking = Callable[[MetricAsked, TieOutAsked], Coroutine[Any, Any, None]]


def asked(shop: Shop, work: Asking) -> None:
    """Run something with questions about a shop."""

    async def run() -> None:
        pool = await store.open_pool(shop.service.database.service_url, size_min=1, size_max=2)
        async with pool, pool.acquire() as conn:
            (log,) = [one for one in await store.list_logs(conn) if one.program == shop.program]
            book = await book_of(conn, log)
            cut = await reading.cut_off(conn, book, now=wall_clock(), as_of=None, known_at=None)
        subject = Subject(book.log_id, book.program, book.zone.key)
        tie_out = TieOutAsked(subject, cut.as_of, None, None, None, 100)
        await work(MetricAsked(subject, cut, "orders", {"by": "month"}), tie_out)

    asyncio.run(run())


def test_apart_it_says_the_same_as_here_and_its_noes_are_ours(trading: Shop, tmp_path: Path):
    settings, url = Settings(data_dir=tmp_path), trading.service.database.service_url

    async def work(metric: MetricAsked, tie_out: TieOutAsked) -> None:
        apart = Apart(settings, url)
        async with await store.open_pool(url, size_min=1, size_max=2) as pool:
            here = Here(Desk(pool, settings.twin, DuckDb()))
            for question in (metric, tie_out):
                assert orjson.loads(await apart.ask(question)) == orjson.loads(await here.ask(question))
            here.close()
        with pytest.raises(MetricUnknown) as unknown:
            await apart.ask(replace(metric, name="turnover"))
        assert "orders@1" in unknown.value.facts["metrics"]
        with pytest.raises(FormError) as malformed:
            await apart.ask(replace(metric, given={"by": "weather"}))
        assert malformed.value.form_code == "parameter_malformed"
        assert malformed.value.errors[0]["pointer"] == "?by"
        apart.close()

    asked(trading, work)


def test_killed_it_is_started_again_and_what_kills_it_twice_is_refused(trading: Shop, tmp_path: Path):
    async def work(metric: MetricAsked, _: TieOutAsked) -> None:
        apart = Apart(Settings(data_dir=tmp_path), trading.service.database.service_url)
        first = await apart.ask(metric)
        (process,) = multiprocessing.active_children()
        process.kill()
        assert await apart.ask(metric) == first
        with pytest.raises(AnalysisEnded):
            await apart.ask(Ends())
        assert await apart.ask(metric) == first
        apart.close()

    asked(trading, work)


def test_idle_it_ends(trading: Shop, tmp_path: Path):
    async def work(metric: MetricAsked, _: TieOutAsked) -> None:
        apart = Apart(Settings(data_dir=tmp_path), trading.service.database.service_url, idle_seconds_max=0.2)
        first = await apart.ask(metric)
        children = {child.pid for child in multiprocessing.active_children()}
        assert len(children) == 1
        await asyncio.sleep(0.5)
        await asyncio.to_thread(wait_until, lambda: not any(psutil.pid_exists(pid) for pid in _alive(children)))
        assert await apart.ask(metric) == first
        apart.close()

    asked(trading, work)


def _alive(pids: set[int | None]) -> set[int]:
    """Those that run; one that ended and waits to be asked how is over."""
    multiprocessing.active_children()
    return {
        pid for pid in pids if pid and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }
