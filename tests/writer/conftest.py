"""A shop with program `default` on a fresh database."""

from collections.abc import AsyncIterator

import pytest

from tests.postgres import Database
from tests.writer.shop import Shop, open_shop


@pytest.fixture
async def shop(migrated_database: Database) -> AsyncIterator[Shop]:
    """Ends with a check of the whole ledger, whatever the test did."""
    opened = await open_shop(migrated_database.service_url)
    try:
        yield opened
        await opened.check()
    finally:
        await opened.stop()
        await opened.pool.close()
