"""Spark for tests; skipped, and said so, where pyspark or Java is absent."""

import warnings
from collections.abc import Iterator

import pytest

from ledger.settings import Settings, SettingsError
from projections.twin.engines import Engine, engine_of


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    """Spark in this process."""
    try:
        engine = engine_of(Settings(engine="spark", spark_master="local[2]"))
    except SettingsError as missing:
        pytest.skip(str(missing))
    yield engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine.close()
