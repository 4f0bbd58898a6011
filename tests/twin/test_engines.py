"""Two engines, one expression: every metric gives on Spark what it gives on DuckDB, over the same files and the same tail.

Skipped, and said so, where pyspark or Java is absent: `make test-spark` installs the one and needs the other.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger.errors import LedgerError
from ledger.settings import Settings, SettingsError
from projections.metrics.answering import answer
from projections.metrics.definition import Definition
from projections.metrics.definitions import DEFINITIONS
from projections.reports.points_twin import tally_of_fleet
from projections.tieout.sides import TwinSide
from projections.twin.engines import Engine, engine_of, on_spark
from projections.twin.engines.on_duckdb import DuckDb
from tests.builders import at
from tests.metrics import town
from tests.twin.engines import CUSTOMERS, Both, differences, log, opened, questions

needs_spark = pytest.mark.filterwarnings("ignore")  # sockets that pyspark leaves to be collected


@pytest.fixture(scope="module")
def both(spark: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Both, Both]]:
    """The same program in DuckDB and in Spark."""
    directory, texts = tmp_path_factory.mktemp("twin"), log()
    with (
        warnings.catch_warnings(action="ignore"),
        opened(DuckDb(), directory, texts) as one,
        opened(spark, directory, texts) as other,
    ):
        yield one, other


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize("definition", [one for one in DEFINITIONS if one.name != "pool"], ids=lambda one: one.name)
def test_both_engines_give_one_answer(both: tuple[Both, Both], definition: Definition):
    """Whole numbers, names and order exactly; floats to 1e-12 of their size, since the engines add up in other orders.

    Planted: spans in `epoch_seconds`, which DuckDB gives with a fraction and Spark without; seen in gaps and medians.
    """
    duck, spark = both
    heard = 0
    for given in questions(definition):
        expected = _said(duck, definition.name, given)
        assert differences(expected, _said(spark, definition.name, given)) == [], given
        heard += len(expected["rows"])
    if not heard:
        pytest.skip("this log says nothing of it; both engines say so")


def _said(one: Both, name: str, given: dict[str, str]) -> dict[str, Any]:
    """The answer, or the named no."""
    try:
        return answer(one.at(), name, given)
    except LedgerError as refused:
        return {"refused": refused.code, "rows": []}


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize("name", ["repurchase_rate/window", "stage", "points", "points/outstanding"])
@pytest.mark.parametrize("as_of", ["2025-06-30T16:00:00Z", "2025-11-02T03:04:05.678901Z"])
def test_they_agree_in_the_past_and_on_what_was_known_then(both: tuple[Both, Both], name: str, as_of: str):
    duck, spark = both
    for known_at in (None, duck.last // 2):
        expected = answer(duck.at(at(as_of), known_at), name, {})
        assert differences(expected, answer(spark.at(at(as_of), known_at), name, {})) == [], known_at


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize("since", [None, "2025-09-01"])
def test_the_points_report_is_one_report(both: tuple[Both, Both], since: str | None):
    """Slices, flows, holds, lapses, accounts, debts: to the last point, now and as it was known half the log ago.

    Planted: a table in memory handed to Spark through pandas, where an entity nobody named became the text "NaN"; seen.
    """
    opens_at = None if since is None else at(since) - 1
    for known_at in (None, both[0].last // 2):
        one, other = (tally_of_fleet(each.at(known_at=known_at), opens_at=opens_at) for each in both)
        assert one.slices
        assert one == other


@needs_spark
@pytest.mark.slow
def test_the_tie_out_hears_the_same_of_both(both: tuple[Both, Both]):
    """Sums of Spark are brought here and put in the order of streams by the same SQL."""
    first, last = UUID(int=0), UUID(int=2**128 - 1)
    one, other = (TwinSide(each.at()).read(first, last) for each in both)
    assert len(one) == CUSTOMERS + town.CUSTOMERS
    assert one == other


def test_what_spark_needs_is_missed_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """At the start, not at the first question."""
    settings = Settings(engine="spark")

    monkeypatch.setattr(on_spark, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"needs pyspark: pip install '.*\[spark\]'"):
        engine_of(settings)

    monkeypatch.setattr(on_spark, "find_spec", lambda _: object())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"needs Java 17 or later: there is none on PATH"):
        engine_of(settings)

    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(SettingsError, match=r"needs Java 17 or later: .*java is 8"):
        engine_of(settings)


def test_without_a_choice_it_is_duckdb():
    assert isinstance(engine_of(Settings()), DuckDb)


@pytest.mark.parametrize("master", ["local", "local[4]", "local[*]", "local[2,3]", "yarn", "spark://h:7077", "k8s://h"])
def test_a_master_is_what_spark_takes(master: str):
    assert Settings(spark_master=master).spark_master == master


@pytest.mark.parametrize("master", ["", "local[]", "local[0]", "sc://h", "http://h", "spark://"])
def test_what_is_no_master_is_refused(master: str):
    with pytest.raises(ValueError, match="spark_master"):
        Settings(spark_master=master)
