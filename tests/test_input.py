"""Columns of numbers from wherever people have them, and one sentence where they are wrong."""

import gzip
import io
import sys
import zipfile
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ordered_mix.data import Data, as_data, load

Y = [1.5, 2.25, -3.0, 4.0]
FRAME = pd.DataFrame({"x": Y, "g": list("abab"), "count": [1, 2, 0, 3]})


def comma(text):
    return text.replace(",", ";").replace(".", ",")


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder with the same table in every format."""
    monkeypatch.chdir(tmp_path)
    text = FRAME.to_csv(index=False)
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.tsv").write_text(text.replace(",", "\t"))
    (tmp_path / "semi.csv").write_text(text.replace(",", ";"))
    (tmp_path / "comma.csv").write_text(comma(text))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(text.replace(",", "\t").encode()))
    (tmp_path / "missing.csv").write_text(text + "NA,a,1\n,b,2\n")
    FRAME.to_parquet(tmp_path / "a.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("a.csv:x", {}),
        ("a.tsv:x", {}),
        ("a.csv.gz:x", {}),
        ("a.tsv.gz:x", {}),
        ("a.parquet:x", {}),
        ("semi.csv:x", {"separator": ";"}),
        ("comma.csv:x", {"decimal_comma": True}),
        ("missing.csv:x", {"drop_missing": True}),
    ],
)
def test_a_column_is_the_same_in_every_format(there, source, options):
    assert load(source, **options).y.tolist() == Y


@pytest.mark.parametrize("source", ["a.csv", "a.tsv", "a.csv.gz", "a.parquet"])
def test_counts_repeat_and_conditions_choose(there, source):
    assert load(f"{source}:x*count").y.tolist() == [1.5, 2.25, 2.25, 4.0, 4.0, 4.0]
    assert load(f"{source}:x", where="g=a").y.tolist() == [1.5, -3.0]
    assert load(f"{source}:x", where="count >= 2").y.tolist() == [2.25, 4.0]
    assert load(f"{source}:x*count", where="g != b").y.tolist() == [1.5]


def test_standard_input(monkeypatch):
    def given(text):
        stream = SimpleNamespace(buffer=io.BytesIO(text.encode()))
        monkeypatch.setattr(sys, "stdin", stream)

    given("x\n1\n2\n")
    assert load("-").y.tolist() == [1.0, 2.0] and load.__doc__
    given("x,z\n1,5\n2,6\n")
    data = load("-:z")
    assert data.y.tolist() == [5.0, 6.0] and data.name == "input:z"
    given("")
    with pytest.raises(ValueError, match="data '-' is an empty file"):
        load("-")
    given("1\n2\n")
    with pytest.raises(ValueError, match="must begin with a header line"):
        load("-")


@pytest.mark.parametrize(
    "given",
    [Y, tuple(Y), np.array(Y), np.array(Y)[:, None], FRAME["x"], FRAME[["x"]], Data(Y),
     FRAME["x"].astype("float32"), np.array(Y, dtype=object)],
    ids=["list", "tuple", "array", "(n, 1)", "Series", "frame", "Data", "float32", "objects"],
)  # fmt: skip
def test_containers_of_python(given):
    assert as_data(given).y.tolist() == Y


def test_names_come_from_where_the_numbers_do(there):
    assert as_data(FRAME["x"]).name == "x" and as_data(FRAME[["x"]]).name == "x"
    assert as_data(Y).name == "data" and as_data("a.csv:x").name == "a:x"


def excel(folder):
    """A workbook where pandas can write one, else what looks like one."""
    if find_spec("openpyxl"):
        FRAME.to_excel(folder / "a.xlsx", index=False)
        return True
    with zipfile.ZipFile(folder / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    return False


def test_excel_is_read_or_the_missing_package_is_named(there):
    if excel(there):
        assert load("a.xlsx:x").y.tolist() == Y
        return
    with pytest.raises(ValueError, match=r"data 'a.xlsx:x' cannot be read: .*openpyxl"):
        load("a.xlsx:x")


@pytest.mark.parametrize(
    ("name", "content", "source", "options", "message"),
    [
        ("b.tsv", b"x,g\n1,2\n", "b.tsv:x", {}, "separated by tabs .* say --separator ','"),
        ("b.csv", b"x\tg\n1\t2\n", "b.csv:x", {}, "separated by commas .* say --separator tab"),
        ("b.csv", b"x;g\n1,5;2\n", "b.csv:x", {}, "say --separator ';', or --decimal-comma"),
        (
            "b.csv",
            b"x;g\n1,5;2\n",
            "b.csv:x",
            {"separator": ";"},
            r"finite numbers with decimal points only, line 2 has '1,5'",
        ),
        (
            "b.csv",
            b"x;g\n1.5;2\n",
            "b.csv:x",
            {"decimal_comma": True},
            r"finite numbers with decimal commas only, line 2 has '1\.5'",
        ),
        ("b.csv.gz", b"no gzip", "b.csv.gz:x", {}, "cannot be read: Not a gzipped file"),
        ("b.parquet", b"no parquet", "b.parquet:x", {}, "data 'b.parquet:x' cannot be read: "),
        ("b.csv", b"\xff\xfex\n", "b.csv:x", {}, "must be text in UTF-8, it is not"),
        ("b.csv", b"x,n\n1,1.5\n", "b.csv:x*n", {}, "column 'n' of .* must hold counts"),
        ("b.csv", b"x,n\n1,-1\n", "b.csv:x*n", {}, "column 'n' of .* must hold counts"),
        ("b.csv", b"x,n\n1,0\n", "b.csv:x*n", {}, "column 'n' of .* must hold counts"),
        ("b.csv", b"x,n\n1,1\n", "b.csv:x*m", {}, "column 'm' is in .* not at all"),
        ("b.csv", b"x,g\nNA,a\n", "b.csv:x", {}, "line 2 has 'NA': --drop-missing leaves it out"),
        ("b.csv", b"x,g\nNA,a\n", "b.csv:x", {"drop_missing": True}, "no rows left"),
        ("b.csv", b"x,g\nyes,a\n", "b.csv:x", {"drop_missing": True}, "line 2 has 'yes'"),
        ("b.csv", b"x,g\n1,a\n", "b.csv:x", {"where": "g=b"}, "no rows left"),
        ("b.csv", b"x,g\n1,a\n", "b.csv:x", {"where": "h=b"}, "column 'h' is in .* not at all"),
        ("b.csv", b"x,g\n1,a\n", "b.csv:x", {"where": "g"}, "where must be COLUMN=VALUE"),
        ("b.csv", b"x,g\n1,a\n", "b.csv:x", {"where": "x>a"}, "where must compare with a number"),
        ("b.csv", b"x,g\n1,inf\n", "b.csv:g", {}, "finite numbers .* line 2 has 'inf'"),
    ],
)
def test_wrong_files_end_in_one_sentence(
    tmp_path, monkeypatch, name, content, source, options, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as found:
        load(source, **options)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (FRAME[["x", "count"]], r"one column of numbers, got an array of shape \(4, 2\)"),
        (FRAME, "one column of numbers, got DataFrame"),
        (FRAME["g"], "one column of numbers, got Series"),
        (["a"], "one column of numbers, got list"),
        ([1.0, None], "y must be finite, 1 of 2 values of data are not"),
        (pd.Series([1.0, np.nan], name="h"), "1 of 2 values of h are not"),
        ([], "y must hold at least one point"),
        (np.zeros((2, 2, 2)), r"got an array of shape \(2, 2, 2\)"),
        (3.0, "one column of numbers, got"),
        ({"x": Y}, "one column of numbers, got dict"),
    ],
    ids=str,
)
def test_wrong_containers_end_in_one_sentence(given, message):
    with pytest.raises(ValueError, match=message):
        as_data(given)
