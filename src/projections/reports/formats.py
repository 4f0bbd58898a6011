"""A report as tables: CSV, Parquet and XLSX. The same report twice is the same bytes.

Amounts of money stay whole minor units next to their currency in CSV and Parquet; a workbook shows them as people write them.
"""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ledger.instants import parse, to_datetime
from ledger.money import exponent

SCHEMA = b"1"
"""Version of the tables' columns; stands in a Parquet file's metadata."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet, so text is kept from it by an apostrophe."""


class Sheet(NamedTuple):
    """Rows under columns; a cell is text, a whole number, true or false, or nothing."""

    columns: Sequence[str]
    rows: list[list[Any]]


def sheets(report: dict[str, Any]) -> dict[str, Sheet]:
    """The tables of the points report, by name."""
    return {
        "outstanding": _outstanding(report),
        "roll_forward": _roll_forward(report),
        "debts": Sheet(
            ("entity", "opening", "opened", "covered", "closing"),
            [list(row.values()) for row in report["roll_forward"]["debt"]],
        ),
        "money": Sheet(
            ("currency", "effective_from", "value_per_point", "redemption_rate", "amount", "amount_if_all_redeemed"),
            [list(row.values()) for row in report["money"]],
        ),
        "checks": Sheet(
            ("check", "expected", "actual", "difference", "holds"), [list(row.values()) for row in report["checks"]]
        ),
        "parameters": Sheet(("parameter", "value"), _parameters(report)),
    }


TABLES = ("outstanding", "roll_forward", "debts", "money", "checks", "parameters")


def to_csv(sheet: Sheet) -> bytes:
    """UTF-8 with a byte order mark, which spreadsheets need for anything but ASCII."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(sheet.columns)
    writer.writerows([[_harmless(cell) for cell in row] for row in sheet.rows])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def to_parquet(sheet: Sheet) -> bytes:
    """One row group; text and 64-bit whole numbers, the schema's version in the metadata."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only reports need it
    from pyarrow import parquet  # noqa: PLC0415

    columns = {name: [row[number] for row in sheet.rows] for number, name in enumerate(sheet.columns)}
    fields = [pa.field(name, _parquet_type(pa, cells)) for name, cells in columns.items()]
    schema = pa.schema(fields, metadata={b"ledger.schema": SCHEMA})
    out = io.BytesIO()
    parquet.write_table(pa.table(columns, schema=schema), out, compression="zstd")
    return out.getvalue()


def to_xlsx(report: dict[str, Any]) -> bytes:
    """A workbook: a sheet a table, checks and parameters among them. Its dates are the report's own, not today's."""
    import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, and only reports need it

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    written_at = to_datetime(parse(report["known_at"])).astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": f"{report['report']} {report['program']}", "created": _whole_second(written_at)})
    head = book.add_format({"bold": True, "bottom": 1})
    number = book.add_format({"num_format": "#,##0"})
    wrong = book.add_format({"bg_color": "#FFC7CE"})
    moneys = {
        currency: book.add_format({"num_format": _money_format(currency)})
        for currency in sorted(worth["currency"] for worth in report["money"])
    }
    for name, sheet in sheets(report).items():
        page = book.add_worksheet(name)
        page.freeze_panes(1, 0)
        page.write_row(0, 0, sheet.columns, head)
        for column, title in enumerate(sheet.columns):
            cells = [row[column] for row in sheet.rows]
            page.set_column(column, column, min(60, max(10, *(len(str(cell)) + 3 for cell in (title, *cells)))))
            for row, cell in enumerate(cells, start=1):
                currency = _currency_of(name, title, sheet.rows[row - 1])
                if currency is not None and isinstance(cell, int):
                    page.write_number(row, column, cell / 10 ** exponent(currency), moneys[currency])
                elif cell is False:
                    page.write(row, column, "DIFFERS", wrong)
                elif cell is True:
                    page.write(row, column, "holds")
                elif isinstance(cell, int):
                    page.write_number(row, column, cell, number)
                elif cell is not None:
                    page.write_string(row, column, str(cell))
    book.close()
    return out.getvalue()


FORMATS: dict[str, tuple[str, Callable[[dict[str, Any], str], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", lambda report, table: to_csv(sheets(report)[table])),
    "parquet": ("application/vnd.apache.parquet", lambda report, table: to_parquet(sheets(report)[table])),
    "xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        lambda report, _: to_xlsx(report),
    ),
}
"""Name → media type, and how a report (of which CSV and Parquet hold one table) is written."""


def _outstanding(report: dict[str, Any]) -> Sheet:
    keys = ("entity", "grant_month", "expiry_month", "reason", "closing", "available", "pending", "held", "lots")
    currencies = [worth["currency"] for worth in report["money"]]
    columns = (*("points" if key == "closing" else key for key in keys), *(f"money {one}" for one in currencies))
    rows = [
        [*(row[key] for key in keys), *(row["money"][currency] for currency in currencies)] for row in report["slices"]
    ]
    return Sheet(columns, rows)


def _roll_forward(report: dict[str, Any]) -> Sheet:
    """The total, then every dimension value by value; each closes by itself."""
    rows = [["total", None, *line.values()] for line in report["roll_forward"]["lines"]]
    for dimension, values in report["by"].items():
        for row in values:
            value = row[dimension]
            rows.append([dimension, value, "opening", None, row["opening"]])
            rows += [[dimension, value, *flow.values()] for flow in row["flows"]]
            rows.append([dimension, value, "closing", None, row["closing"]])
    return Sheet(("dimension", "value", "line", "detail", "points"), rows)


def _parameters(report: dict[str, Any]) -> list[list[Any]]:
    names = ("report", "basis", "program", "time_zone", "points_scale", "from", "as_of", "known_at", "position")
    rows = [[name, report[name]] for name in names]
    rows += [[f"total {name}", value] for name, value in report["totals"].items()]
    return rows + [[f"count {name}", value] for name, value in report["counts"].items()]


def _currency_of(sheet: str, title: str, row: list[Any]) -> str | None:
    if title.startswith("money "):
        return title.removeprefix("money ")
    return str(row[0]) if sheet == "money" and title.startswith("amount") else None


def _money_format(currency: str) -> str:
    digits = exponent(currency)
    return f"#,##0.{'0' * digits}" if digits else "#,##0"


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _parquet_type(pa: Any, cells: list[Any]) -> Any:
    """By what stands in the column; one of nothing is text."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pa.bool_()
    return pa.int64() if kinds == {int} else pa.string()


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
