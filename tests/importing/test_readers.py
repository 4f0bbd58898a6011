"""Rows come in the file's order with their numbers; what is no row is named, and reading goes on."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.importing import readers
from api.importing.mapping import Csv
from api.importing.readers import Fault, FileError, Row, csv_rows, parquet_rows


def rows_of(tmp_path, content, columns=("a", "b"), **written):
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(csv_rows(path, columns, Csv(**written)))


def test_cells_are_text_in_the_order_asked_for(tmp_path):
    assert rows_of(tmp_path, "b,x,a\n1,2,3.10\n", columns=("a", "b")) == [Row(2, ("3.10", "1"))]


def test_a_row_is_numbered_by_the_line_it_begins_on(tmp_path):
    rows = rows_of(tmp_path, 'a,b\n1,"two\nlines"\n\n3,4\n')
    assert rows == [Row(2, ("1", "two\nlines")), Row(5, ("3", "4"))]


@pytest.mark.parametrize(
    ("broken", "where", "reason"),
    [
        ("1", "line 3", "1 cells where the header has 2"),
        ("1,2,3", "line 3", "3 cells where the header has 2"),
        ('1,"x"y', "line 3", "expected after"),
        ("1,\xe9".encode("latin-1"), "line 3", "csv.encoding"),
    ],
)
def test_a_broken_line_is_named_and_the_rest_is_read(tmp_path, broken, where, reason):
    line = broken if isinstance(broken, bytes) else broken.encode()
    first, fault, last = rows_of(tmp_path, b"a,b\n1,2\n" + line + b"\n3,4\n")
    assert (first, last) == (Row(2, ("1", "2")), Row(4, ("3", "4")))
    assert fault.where == where
    assert reason in fault.reason


def test_a_quote_that_is_never_closed_swallows_no_more_than_a_cell_may_hold(tmp_path):
    many = "".join(f"{n},x\n" for n in range(20_000))
    rows = rows_of(tmp_path, 'a,b\n1,2\n3,"open\n' + many)
    assert rows[0] == Row(2, ("1", "2"))
    assert isinstance(rows[1], Fault)
    assert rows[-1] == Row(20_003, ("19999", "x"))


def test_delimiter_and_encoding_are_the_mappings(tmp_path):
    assert rows_of(tmp_path, "a;b\n1;\xe9\n".encode("latin-1"), delimiter=";", encoding="latin-1") == [
        Row(2, ("1", "é"))
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    assert rows_of(tmp_path, "\ufeffa,b\n1,2\n") == [Row(2, ("1", "2"))]


def test_one_column_alone_is_read_like_many(tmp_path):
    assert rows_of(tmp_path, "a,b\n1,2\n", columns=("b",)) == [Row(2, ("2",))]


@pytest.mark.parametrize("content", ["", "a\n1\n"])
def test_a_missing_column_is_named_with_those_there_are(tmp_path, content):
    with pytest.raises(FileError, match=r"has no column .*'b'"):
        rows_of(tmp_path, content)


def test_a_missing_file_and_an_unknown_encoding_are_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        list(csv_rows(tmp_path / "none.csv", ("a",), Csv()))
    with pytest.raises(FileError, match="unknown encoding"):
        rows_of(tmp_path, "a,b\n", encoding="utf-ate")


def test_parquet_rows_keep_their_types_and_are_numbered_from_one(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "ROWS_AT_ONCE", 2)
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"a": [1, None, 3, 4, 5], "b": ["x"] * 5, "c": [0.1] * 5}), path, row_group_size=3)
    rows = list(parquet_rows(path, ("c", "a")))
    assert rows == [Row(n, (0.1, a)) for n, a in enumerate([1, None, 3, 4, 5], start=1)]


def test_what_is_not_parquet_is_refused_in_one_line(tmp_path):
    path = tmp_path / "file.parquet"
    path.write_text("a,b\n")
    with pytest.raises(FileError, match="cannot be read as Parquet") as refused:
        list(parquet_rows(path, ("a",)))
    assert "\n" not in str(refused.value)
