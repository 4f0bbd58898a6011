"""Spark: the same expressions over the same Parquet files, on any master.

What differs between the two engines, and where it is handled:

- Instants. Columns are UTC without an offset. The session's zone is UTC and a timestamp without a zone is TIMESTAMP_NTZ, so
  that neither reading nor printing moves one by the zone of the machine.
- Spans of time are differences in microseconds (`delta(…, unit="microsecond")`), exact whole numbers in both. `epoch_seconds` is
  not used: DuckDB gives it with a fraction and Spark without.
- Overflow. ANSI mode is on: a sum beyond 64 bits and a cast that does not fit are errors, never a wrapped or a null number.
  DuckDB adds up in 128 bits; a program whose sums do not fit into 64 is answered by neither engine with a wrong number.
- Division. Definitions divide in Python, or cast to float64 first; `//` is asked of whole numbers at or above 0 only, where
  rounding down (DuckDB) and towards zero (Spark) are one.
- Order. Ibis writes NULLS LAST or FIRST out, and ties are ordered by id; text is compared by bytes in both.
- Quantiles are exact and linearly interpolated in both: `percentile` here, never the approximate one.
- Results and tables in memory go as Arrow, not through pandas, which makes floats of whole numbers beside nulls, and the text
  "NaN" of a null.

No function of Python runs inside Spark: no definition needs one.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from ledger.reading import Book
from ledger.settings import SettingsError
from projections.twin import ranges
from projections.twin.parsing import add_page, create_tables
from projections.twin.ranges import Manifest
from projections.twin.tables import TABLES

JAVA_MIN = 17
"""What Spark 4 runs on."""

JAVA_SECONDS_MAX = 20

_CONF = {
    "spark.app.name": "customer-asset-ledger",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
"""What an answer depends on, and what keeps a service quiet. All else is Spark's own: `spark-defaults.conf` in SPARK_CONF_DIR."""

_LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "16",
}
"""Without a cluster nobody else needs to reach the driver, and 200 partitions are a cluster's."""


class Spark:
    """One Spark application a process; each program has a session of its own in it."""

    def __init__(self, master: str) -> None:
        """Args: master: such as local[*], spark://host:7077, yarn.

        Raises:
            SettingsError: pyspark or Java is not there.
        """
        must_be_runnable()
        self._master = master
        self._starting = Lock()
        self._session: Any = None

    def open(self, book: Book, directory: Path, sealed: list[Manifest]) -> "Tables":
        """See `Engine.open`."""
        return Tables(self._started().newSession(), book, directory, sealed)

    def close(self) -> None:
        """Stop the application."""
        if self._session is not None:
            self._session.stop()
            self._session = None

    def _started(self) -> Any:
        """The application, started at the first question; it takes seconds."""
        with self._starting:
            if self._session is None:
                self._session = _start(self._master)
            return self._session


class Tables:
    """Views over sealed ranges and the tail of a program, in a session of its own."""

    def __init__(self, session: Any, book: Book, directory: Path, sealed: list[Manifest]) -> None:
        import duckdb  # noqa: PLC0415 - heavy, and only wanted here

        self.backend: Any = _backend_type()()
        self.backend.do_connect(session)
        self._session = session
        self._tail = duckdb.connect()
        create_tables(self._tail, book.zone)
        self._sealed = {
            table.name: session.read.parquet(*files)
            if (files := ranges.files_of(directory, sealed, table.name))
            else None
            for table in TABLES
        }
        self.show()

    def add(self, first: int, page: list[str]) -> None:
        """See `Opened.add`."""
        add_page(self._tail, first, page)

    def show(self) -> None:
        """Make the views anew: the tail goes to the executors as Arrow, less than a range of it."""
        for table in TABLES:
            sealed = self._sealed[table.name]
            rows = self._tail.sql(f'SELECT * FROM "{table.name}"').to_arrow_table()
            if sealed is not None and not rows.num_rows:
                seen = sealed
            else:
                tail = self._session.createDataFrame(rows if rows.num_rows else rows.schema.empty_table())
                seen = tail if sealed is None else sealed.unionByName(tail)
            seen.createOrReplaceTempView(table.name)

    def close(self) -> None:
        """See `Opened.close`."""
        for table in TABLES:
            self._session.catalog.dropTempView(table.name)
        self._tail.close()


def must_be_runnable() -> None:
    """Look whether Spark can be started here, without starting it.

    Raises:
        SettingsError: pyspark or Java is not there.
    """
    if find_spec("pyspark") is None:
        raise SettingsError("LEDGER_ENGINE=spark needs pyspark: pip install 'customer-asset-ledger[spark]'")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if java is None:
        where = f"JAVA_HOME={home}" if home else "on PATH, and JAVA_HOME is not set"
        raise SettingsError(f"LEDGER_ENGINE=spark needs Java {JAVA_MIN} or later: there is none {where}")
    version = _java_version(java)
    if version is None or version < JAVA_MIN:
        raise SettingsError(f"LEDGER_ENGINE=spark needs Java {JAVA_MIN} or later: {java} is {version or 'not one'}")


def _java_version(java: str) -> int | None:
    """The major version of a Java; None where it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 - the Java that Spark itself would start
            [java, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS_MAX, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def _start(master: str) -> Any:
    """Start the application.

    Raises:
        SettingsError: the master cannot be reached, or is no master.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415 - the same

    local = _LOCAL if master.startswith("local") else {}
    try:
        return SparkSession.builder.master(master).config(map={**_CONF, **local}).getOrCreate()
    except Exception as error:
        raise SettingsError(f"LEDGER_SPARK_MASTER={master} gives no Spark: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


@cache
def _backend_type() -> Any:
    """Ibis' backend, with results and tables in memory as Arrow."""
    from ibis.backends.pyspark import Backend  # noqa: PLC0415 - heavy, and only wanted here
    from ibis.formats.pyarrow import PyArrowData  # noqa: PLC0415 - the same

    class ArrowBackend(Backend):  # type: ignore[misc]  # Ibis carries no types
        def to_pyarrow(self, expr: Any, /, **_: Any) -> Any:
            table = expr.as_table()
            self._run_pre_execute_hooks(table)
            found = self._session.sql(self.compile(table)).toArrow()
            return expr.__pyarrow_result__(PyArrowData.convert_table(found, table.schema()))

        def _register_in_memory_table(self, op: Any) -> None:
            rows = op.data.to_pyarrow(op.schema)
            self._session.createDataFrame(rows).createOrReplaceTempView(op.name)

    ArrowBackend.register_options()  # which `ibis.pyspark` does, and an import of its class does not
    return ArrowBackend
