"""Measure, print, and write docs/BENCHMARKS.md.

python -m benchmarks                          every row
python -m benchmarks intake --quick           one of them, smaller, nothing kept
python -m benchmarks intake --records 10000000
python -m benchmarks generate --help          fill a program with a synthetic shop
"""

import argparse
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from benchmarks import figures, generate, machine, report, wrk
from benchmarks.bench import Bench
from benchmarks.cluster import running_cluster
from benchmarks.figures import Result
from benchmarks.rows import ROWS

RECORDS, RECORDS_QUICK = 1_000_000, 50_000
DUE, DUE_QUICK = 100_000, 10_000


def main() -> None:
    """Run the rows that were named, or all of them; or generate."""
    if sys.argv[1:2] == ["generate"]:
        generate.main(sys.argv[2:])
        return
    given = _arguments()
    rows = given.rows or list(ROWS)
    with running_cluster(given.directory) as cluster:
        described = machine.described(cluster)
        for name, said in described.items():
            print(f"{name}: {said}")
        bench = Bench(
            cluster,
            records=given.records or (RECORDS_QUICK if given.quick else RECORDS),
            due=given.due or (DUE_QUICK if given.quick else DUE),
            quick=given.quick,
        )
        failed = [name for name in rows if not _measured(name, ROWS[name], bench, described)]
    if not given.quick:
        report.write()
    if failed:
        sys.exit(f"no figures of {', '.join(failed)}: see above")


def _measured(name: str, row: ModuleType, bench: Bench, described: dict[str, str]) -> bool:
    """Whether the row gave figures; one that fails does not take the others along."""
    try:
        _measure(name, row, bench, described)
    except Exception:  # noqa: BLE001 - whatever it is, the next row is measured
        traceback.print_exc()
        return False
    return True


def _measure(name: str, row: ModuleType, bench: Bench, described: dict[str, str]) -> None:
    busy = machine.busy_cores()
    print(f"\n{row.TITLE} ({busy:.1f} cores busy before)", flush=True)
    began = time.perf_counter()
    measured = row.measure(bench)
    took = (time.perf_counter() - began) / 60
    print("\n".join(figures.table(measured)), flush=True)
    if not bench.quick:
        kept_as = name if bench.records == RECORDS else f"{name}, {bench.records:,} records"
        today = datetime.now(UTC).date().isoformat()
        figures.keep(kept_as, Result(today, round(took, 1), round(busy, 1), described, measured))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="row", help=f"of {', '.join(ROWS)}; none = all")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter; the document is left as it is")
    parser.add_argument("--records", type=int, help=f"in the filled tables; {RECORDS:,} where it is not given")
    parser.add_argument("--due", type=int, help=f"streams due at the month end; {DUE:,} where it is not given")
    parser.add_argument("--directory", type=Path, help="where the database is made; else with temporary files")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except wrk.WrkMissing as error:
        sys.exit(str(error))
