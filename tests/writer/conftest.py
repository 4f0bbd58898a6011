"""A shop with program `default` on a fresh database."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tests.postgres import Database
from tests.writer.shop import Shop, open_shop

UNFORESEEN = {"writer_failed", "look_up_failed", "decision_failed", "unit_stale_for_ever"}


@pytest.fixture
async def shop(migrated_database: Database) -> AsyncIterator[Shop]:
    """Ends with a check of the whole ledger, whatever the test did; nothing nobody foresaw has happened."""
    opened = await open_shop(migrated_database.service_url)
    try:
        with capture_logs() as lines:
            yield opened
        assert {line["event"] for line in lines} & UNFORESEEN == opened.unforeseen
        await opened.check()
    finally:
        await opened.stop()
        await opened.pool.close()
