"""The process beside `ledger serve` that seals the twin as logs grow, and `ledger twin watch`, which is the same by itself."""

from api.commands.connecting import Database, database
from api.commands.console import note
from api.commands.running import run
from api.telemetry import configure_logging
from ledger import store
from ledger.settings import Mirrored, Settings
from projections.twin.sealing import Sealer


def seal(service_url: str, settings: Settings) -> None:
    """The process: one sealer, for as long as it is let."""
    configure_logging(settings.log_level)
    run(_seal(service_url, settings))


def watch_twin() -> None:
    """Seal whole ranges of every program as its log grows, until told to stop; `ledger serve` does the same beside itself.

    One process at a time seals a log; others look on. Killed and started again it goes on where it was.
    """
    settings = Settings.from_environment()
    configure_logging(settings.log_level)
    with database(settings) as at:
        note(f"sealing in {settings.twin.local if isinstance(settings.twin, Mirrored) else settings.twin}")
        run(_watch(settings, at))


async def _watch(settings: Settings, at: Database) -> None:
    await _seal(await at.service_url(), settings)


async def _seal(service_url: str, settings: Settings) -> None:
    pool = await store.open_pool(service_url, size_min=1, size_max=1, application_name="ledger twin")
    async with pool:
        await Sealer(pool, settings.twin).run()
