"""Hostile and odd input: it works, or it fails before any work with one sentence."""

import csv
import gzip
import io
import json
import math
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from fabricated import switched_draws
from hypothesis import given, settings
from hypothesis import strategies as st
from inprocess import exit_status, run_here
from pages import check_document, check_silence, opened

from ordered_mix.compare.comparison import Settings
from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.data import Data, load
from ordered_mix.engine import run
from ordered_mix.engine.batches import Outcome
from ordered_mix.engine.folder import opened as opened_folder
from ordered_mix.engine.provenance import provenance
from ordered_mix.engine.run import load_study
from ordered_mix.engine.store import Store
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.files import columns
from ordered_mix.files.reading import load_draws
from ordered_mix.files.results import ResultFolder, slug
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.report import render
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.result import DONE

NUMBERS = "".join(f"{i}.5\n" for i in range(12))
IMAGE = "<img src=x onerror=\"document.title='ran'\">"
SCRIPT = f"<script>document.title='ran'</script>{IMAGE}"
HOSTILE = [
    "../../escaped", "/etc/passwd", "..", ".", "a/b\\c", "con", "nul.csv", "~root", "$HOME", "`id`",
    "%00", "a\nb", "\x1b[31mred", "=cmd|'/C calc'!A0", "+1+1", "-1", "@SUM(A1)", SCRIPT,
    "javascript:alert(1)", "{{ 7 * 7 }}", "{% raw %}", "${7*7}", "\u202etxt.exe", "\uff41",
    "é" * 300,
    "'; DROP TABLE cells; --", "[link](x)", "a" * 5000, " ", "\t",
]  # fmt: skip


def called(monkeypatch, capsys, *arguments):
    """Exit status of the command line, what it printed and what it complained of."""
    status = exit_status(monkeypatch, *arguments)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def check_sentence(status, out, err):
    assert status == 2 and out == ""
    assert err.startswith("ordered-mix: ") and err.count("\n") == 1
    assert err.strip().isprintable() and len(err) < 1500 and "Traceback" not in err


# --- columns of numbers ---------------------------------------------------------------------------

WORKS = {
    "byte order mark": b"\xef\xbb\xbfx\n1\n2.5\n",
    "Windows lines": b"x\r\n1\r\n2.5\r\n",
    "old Macintosh lines": b"x\r1\r2.5\r",
    "no last line end": b"x\n1\n2.5",
    "quotes": b'"x"\n"1"\n"2.5"\n',
    "white space": b"  x \n 1 \n\t2.5\t\n",
    "blank lines": b"\n\nx\n\n1\n\n\n2.5\n\n",
    "other columns": b"x,=HYPERLINK(1),b\n1,=1+1,@x\n2.5,<b>,\n",
    "quoted commas": b'x,"a,b"\n1,"1,5"\n2.5,"2,5"\n',
    "exponents": b"x\n1E0\n25e-1\n",
    "signs": b"x\n+1\n+2.5\n",
    "leading zeros": b"x\n001\n0002.50\n",
    "other scripts": "x\n\uff11\n\uff12.\uff15\n".encode(),
}
REFUSED = {
    "semicolons": (b"x;y\n1;2\n", "separated by commas .* by semicolons"),
    "semicolons and decimal commas": (b"x;y\n1,5;2,5\n", "separated by .* by semicolons"),
    "tabs": (b"x\ty\n1\t2\n", "separated by commas .* by tabs"),
    "decimal commas": (b"x\n1,5\n2,5\n", "decimal points and 1 cells a line"),
    "quoted decimal commas": (b'x\n"1,5"\n', "decimal points only, line 2 has '1,5'"),
    "thousands": (b'x\n"1,000.5"\n', "decimal points only, line 2 has '1,000.5'"),
    "duplicated header": (b"x,x\n1,2\n", "more than once"),
    "no header": (b"1\n2\n", "must begin with a header line"),
    "header only": (b"x\n", "has a header and no rows"),
    "empty": (b"", "is an empty file"),
    "blank": (b"\n \n\t\n", "is an empty file"),
    "NaN": (b"x\n1\nNaN\n", "line 3 has 'NaN'"),
    "NA": (b"x\n1\nNA\n", "line 3 has 'NA'"),
    "null": (b"x\n1\nnull\n", "line 3 has 'null'"),
    "infinity": (b"x\n1\n-Infinity\n", "line 3 has '-Infinity'"),
    "too large": (b"x\n1\n1e309\n", "line 3 has '1e309'"),
    "empty cell": (b"x,y\n,1\n", "line 2 has an empty cell"),
    "ragged": (b"y,x\n1\n", "line 2 has an empty cell"),
    "mixed types": (b"x\n1\ntwo\n3\n", "line 3 has 'two'"),
    "hexadecimal": (b"x\n0x10\n", "line 2 has '0x10'"),
    "underscores": (b"x\n1_0\n", "line 2 has '1_0'"),
    "currency": ("x\n€5\n".encode(), "line 2 has '€5'"),
    "percent": (b"x\n5%\n", "line 2 has '5%'"),
    "date": (b"x\n2020-01-01\n", "line 2 has '2020-01-01'"),
    "Unicode minus": ("x\n\u22125\n".encode(), "line 2 has '\u22125'"),
    "formula": (b"x\n=1+1\n", "line 2 has '=1\\+1'"),
    "null byte": (b"x\n1\x002\n", r"line 2 has '1\\x002'"),
    "escape sequence": (b"x\n\x1b[2J\n", r"line 2 has '\\x1b\[2J'"),
    "UTF-16": ("x\n1\n".encode("utf-16"), "must be text in UTF-8"),
    "UTF-16 without mark": ("x\n1\n2\n".encode("utf-16-le"), "not|has|must"),
    "UTF-32": ("x\n1\n".encode("utf-32"), "must be text in UTF-8"),
    "Latin-1": ("größe\n1\n".encode("latin-1"), "must be text in UTF-8"),
    "compressed": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "must be text in UTF-8"),
    "workbook": (b"PK\x03\x04\x14\x00\x06\x00\xff\xfe", "must be text in UTF-8"),
    "huge field": (b'x\n"' + 200_000 * b"1" + b'"\n', "field larger than field limit"),
    "open quote": (b'x\n"1\n2\n', "line|CSV"),
    "long cell": (b"x\n" + 1000 * b"z" + b"\n", r"line 2 has 'z{40}\.\.\.'"),
    "huge header": (b",".join(b"c%d" % i for i in range(10_000)) + b"\n1\n", "and 9,980 more"),
    "wide header": (b"a,b" + 10_000 * b"b" + b"\n1,2\n", r"b{40}\.\.\."),
    "header with lines": (b'"a\nb",c\n1,2\n', "its columns are a b, c|one of its columns: a b, c"),
    "header with escapes": (b'"a\x1b[31m",c\n1,2\n', r"a\\x1b\[31m, c"),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKS)
def test_odd_files_are_read(tmp_path, name):
    (tmp_path / "odd.csv").write_bytes(WORKS[name])
    assert load(f"{tmp_path}/odd.csv:x").y.tolist() == [1.0, 2.5]


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_files_are_refused(tmp_path, monkeypatch, capsys, name):
    content, message = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_bytes(content)
    column = "" if "header" in name and "dupl" not in name else ":x"
    end = called(monkeypatch, capsys, "compare", f"bad.csv{column}")
    check_sentence(*end)
    assert re.search(message, end[2]), end[2]
    assert os.listdir(tmp_path) == ["bad.csv"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(["", "x"]))
def test_any_text_is_numbers_or_one_sentence(content, column):
    try:
        y = columns.read_column(content.decode("utf-8-sig"), column, "data.csv")
    except UnicodeDecodeError:
        return
    except ValueError as error:
        assert str(error).isprintable() and "data.csv" in str(error)
    else:
        assert y.size and np.isfinite(y).all()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    st.sampled_from(["{!r}", "{:.17e}", "{:+.17g}", '"{!r}"', "  {!r}  "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_double_is_read_as_it_was_written(values, form, end):
    text = end.join(["x", *(form.format(value) for value in values), ""])
    assert columns.read_column(text, "x", "data.csv").tolist() == values


def test_a_million_rows_are_read():
    y = columns.read_column("x\n" + "1.25\n-3e-300\n" * 500_000, "x", "data.csv")
    assert y.size == 1_000_000 and y.sum() == 625_000


ODD = {
    "one row": [1.0],
    "constant": [5.0] * 9,
    "nearly constant": [1.0] * 8 + [np.nextafter(1.0, 2.0)],
    "two values": [0.0, 1.0] * 6,
    "subnormal": [5e-324 * i for i in range(1, 13)],
    "tiny": [1e-300 * i for i in range(12)],
    "huge": [1e307 * i for i in range(12)],
    "far apart": [-8e307, -7.9e307, 8e307, 7.9e307, 0.0, 1.0],
    "beyond": [-1.5e308, 1.5e308, 0.0, 1.0],
    "many scales": [10.0**i for i in range(-300, 300, 30)],
    "one outlier": [0.0, 1.0, 2.0, 3.0, 4.0, 1e300],
    "minus zero": [0.0, -0.0] * 5 + [1.0],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_columns_are_fitted_or_refused(name):
    try:
        data = Data(ODD[name], name="odd")
        fit = EM().fit(
            parameterization("unordered", 2), data, initial_mixtures(data, 2, 4, "random", 1)
        )
    except ValueError as error:
        assert str(error).isprintable()
        assert name in ("one row", "constant", "beyond", "nearly constant")
        return
    assert np.isfinite(fit.log_likelihood).all()
    assert np.isfinite(fit.mixture.mu).all() and np.all(fit.mixture.sigma > 0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.floats(-1e3, 1e3) | st.sampled_from([0.0, 5e-324, 1e-300, 1e150, -1e308, 1e308]),
        min_size=4, max_size=12,
    )
)  # fmt: skip
def test_no_column_makes_a_silent_nan(values):
    try:
        data = Data(values)
        fit = EM().fit(
            parameterization("unordered", 2), data, initial_mixtures(data, 2, 2, "random", 0)
        )
    except ValueError as error:
        assert str(error).isprintable()
        return
    for found in (fit.log_likelihood, fit.mixture.w, fit.mixture.mu, fit.mixture.sigma):
        assert np.isfinite(found).all()


# --- arguments ------------------------------------------------------------------------------------

ARGUMENTS = {
    "components 0": (["--components", "0"], "components must be a whole number of at least 1"),
    "components -1": (["--components", "-1"], "components must be a whole number of at least 1"),
    "components 1e9": (["--components", "1000000000"], "components must be .* at most 1000, got"),
    "components 7": (["--components", "7"], "at least 14 points for 7 components"),
    "draws 0": (["--draws", "0"], "draws must be a whole number of at least 50, got 0"),
    "draws 1e12": (["--draws", "1000000000000"], "draws must be .* at most 10000000, got"),
    "draws of all chains": (["--draws", "4000000"], "draws must be at most 10,000,000 with the"),
    "tune -5": (["--tune", "-5"], "tune must be a whole number of at least 50, got -5"),
    "chains 1": (["--chains", "1"], "chains must be a whole number of at least 2, got 1"),
    "chains 1e6": (["--chains", "1000000"], "chains must be a whole number of at most 1000"),
    "seed -1": (["--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
    "seed 2^64": (["--seed", str(2**64)], "seed must be .* at most 9223372036854775807, got"),
    "cores 0": (["--cores", "0"], "cores must be a whole number of at least 1, got 0"),
    "cores 1e9": (["--cores", "1000000000"], "cores must be a whole number of at most 1000"),
    "time limit 0": (["--time-limit", "0"], "time_limit must be positive and finite, got 0"),
    "time limit nan": (["--time-limit", "nan"], "time_limit must be positive and finite"),
    "time limit inf": (["--time-limit", "inf"], "time_limit must be positive and finite"),
    "no parameterization": (["--parameterizations", " , "], "must name at least one"),
    "unknown": (["--parameterizations", SCRIPT], "parameterization must be one of"),
    "escape": (["--parameterizations", "\x1b[2J"], r"got '\\x1b\[2J'"),
    "absent file": (["--parameterizations", "../no.py"], r"file '\.\./no\.py' does not exist"),
    "no Python": (["--parameterizations", "bad.py"], r"file 'bad\.py' cannot be run"),
    "raises": (["--parameterizations", "raises.py"], "cannot be run: oh no"),
    "same names": (["--parameterizations", "a/own.py,b/own.py"], "must differ in their names"),
    "like ours": (["--parameterizations", "relative,a/relative.py"], "must differ in their names"),
    "same options": (["--parameterizations", "relative(link=log),relative(link= log)"], "differ"),
    "no options": (["--parameterizations", "relative()"], r"given as name\(option=value\)"),
    "bad option": (["--parameterizations", "unordered(x=1)"], "must be among none, got x"),
    "bad value": (["--parameterizations", "relative(clearance=-1)"], "clearance must be at least"),
    "unknown estimator": (["--estimators", "em;rm -rf"], "estimators must be among ecm, em"),
    "no sampler": (["--estimators", "em,map"], "estimators must hold nuts or nuts-pymc"),
    "out is a file": (["--out", "my.csv"], "out must be a folder that can be written"),
    "out below a file": (["--out", "my.csv/x"], "out must be a folder that can be written"),
    "out of others": (["--out", "a"], "holds results of something else"),
    "long out": (["--out", "x" * 300], "out must be a folder that can be written"),
}  # fmt: skip


EMPTY_MODEL = "def block(k, prior): pass\ndef coordinates(mixture): pass\n"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_bad_arguments_are_named(tmp_path, monkeypatch, capsys, name):
    arguments, message = ARGUMENTS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.csv").write_text(f"x\n{NUMBERS}")
    (tmp_path / "bad.py").write_text("def (:\n")
    (tmp_path / "raises.py").write_text("raise ValueError('oh\\nno')\n")
    for place in "ab":
        (tmp_path / place).mkdir()
        for file in ("own", "relative"):
            (tmp_path / place / f"{file}.py").write_text(EMPTY_MODEL)
    before = sorted(tmp_path.rglob("*.*"))
    end = called(monkeypatch, capsys, "compare", "my.csv:x", *arguments)
    check_sentence(*end)
    assert re.search(message, end[2]), end[2]
    after = [path for path in tmp_path.rglob("*.*") if "__pycache__" not in str(path)]
    assert sorted(after) == before


@pytest.mark.parametrize("option", ["--components", "--draws", "--seed", "--time-limit"])
@pytest.mark.parametrize("value", ["two", "", "1e400x", SCRIPT])
def test_what_is_no_number_is_refused(monkeypatch, capsys, option, value):
    status, out, err = called(monkeypatch, capsys, "compare", "acidity", option, value)
    assert (status, out) == (2, "") and option in err and "Traceback" not in err


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_of_data_are_named_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, source
):
    monkeypatch.chdir(tmp_path)
    end = called(monkeypatch, capsys, "compare", "--", source)
    assert end[0] == 2 and end[1] == "" and end[2].count("\n") == 1
    assert end[2].strip().isprintable() and os.listdir(tmp_path) == []


@pytest.mark.parametrize("bad", [True, 2.5, math.nan, math.inf, "2", None])
def test_settings_of_another_type_are_refused(bad):
    with pytest.raises(ValueError, match="components must be a whole number of at least 1, got"):
        Settings(components=bad)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    made = slug(name)
    assert (tmp_path / made).resolve().parent == tmp_path.resolve()
    assert 0 < len(made) <= 80 and made.isascii() and made.replace("-", "").isalnum()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_no_text_leads_out_of_the_folder(name):
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and slug(name)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", ".hidden", "", "a\nb", "a\0b"])
def test_figures_of_a_study_stay_in_its_folder(name):
    with pytest.raises(ValueError, match="figures must have names of letters, digits, spaces and"):
        study(figures={name: lambda result: None})


def study(name="demo", factors=None, **given):
    sizes = {size: {} for size in ("smoke", "laptop", "cluster")}
    cell = given.pop("cell", lambda seed, **values: [{"x": seed}])
    settings = {"skip": given.pop("skip")} if "skip" in given else {}
    computed = {"demo": Experiment(cell, factors or {"i": (1, 2)}, sizes, **settings)}
    experiments = given.pop("experiments", computed)
    return Study(name, given.pop("question", "?"), given.pop("source", "-"), experiments, **given)


@pytest.mark.parametrize("name", [one for one in HOSTILE if not one.isidentifier()])
def test_studies_and_factors_have_plain_names(name):
    with pytest.raises(ValueError, match="name must be an identifier"):
        study(name)
    with pytest.raises(ValueError, match="factors must be identifiers"):
        study(factors={name: (1,)})
    with pytest.raises(ValueError, match="experiments must have identifiers as names"):
        study(experiments={name: study().experiments["demo"]})


def test_values_of_factors_make_no_file_names(tmp_path):
    made = study(factors={"label": tuple(HOSTILE)})
    with opened_folder(tmp_path / "out", made):
        result = run_here(made, tmp_path / "out")
    assert result.tables["demo"]["label"].tolist() == HOSTILE
    assert os.listdir(tmp_path) == ["out"]
    cells = [file.name for file in (tmp_path / "out" / "cells").iterdir()]
    assert len(cells) == len(HOSTILE) and all(len(cell) == 37 for cell in cells)


# --- files of draws and of cells ------------------------------------------------------------------


def bomb_of_hdf5(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("posterior")
        group.create_dataset("mu", (4, 10**9, 100), "f8", chunks=(1, 10**6, 1), compression="gzip")


def bomb_of_zarr(path):
    group = zarr.open_group(path, mode="w").create_group("posterior")
    group.create_array("mu", shape=(4, 10**9, 100), chunks=(1, 10**6, 1), dtype="f8",
                       dimension_names=("chain", "draw", "component"))  # fmt: skip


def bomb_in_a_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", "{}")
        archive.getinfo("zarr.json").file_size = 1 << 40


def bomb_in_a_chunk(path):
    """A chunk that should hold 8 bytes and unpacks to 1.5 GB."""
    group = zarr.open_group(path, mode="w", zarr_format=2).create_group("posterior")
    group.create_array(
        "mu", shape=(1,), chunks=(1,), dtype="f8", compressors=numcodecs.GZip(),
        attributes={"_ARRAY_DIMENSIONS": ["chain"]},
    )  # fmt: skip
    members = 24 * gzip.compress(bytes(1 << 26))
    (path / "posterior" / "mu" / "0").write_bytes(members)


BOMBS = {"bomb.nc": bomb_of_hdf5, "bomb.zarr": bomb_of_zarr, "bomb.zip": bomb_in_a_zip}
LIMITED = """
import resource, sys
from pathlib import Path
from ordered_mix.files import reading

reading.MOST_BYTES = int(sys.argv[2])
load_draws = reading.load_draws

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_draws(Path(sys.argv[1]))
except ValueError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def read_alone(place, name, most):
    """What a process of its own says of a file, and the kilobytes that it took."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, name, str(most)],
        capture_output=True, text=True, timeout=500, check=False, cwd=place,
    )  # fmt: skip
    *sentence, kilobytes = done.stdout.splitlines()
    return sentence, int(kilobytes)


@pytest.mark.parametrize("name", BOMBS)
def test_draws_that_unpack_to_too_much_are_refused_unread(tmp_path, name):
    BOMBS[name](tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}' must unpack to at most 4,294,967,296 bytes"):
        load_draws(tmp_path / name)


def test_what_unpacks_to_more_than_it_declares_is_bounded(tmp_path):
    bomb_in_a_chunk(tmp_path / "bomb.zarr")
    (sentence,), kilobytes = read_alone(tmp_path, "bomb.zarr", 1 << 28)
    assert sentence == "draws 'bomb.zarr' must unpack to at most 268,435,456 bytes, it has more"
    assert kilobytes < 900_000


class Trap:
    """Unpickled, it leaves a file."""

    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("filters", [["pickle"], ["vlen-utf8", "pickle"], ["zlib", "pickle"]])
def test_pickles_in_draws_are_not_unpickled(tmp_path, monkeypatch, filters):
    monkeypatch.chdir(tmp_path)
    zarr.open_group("own.zarr", mode="w", zarr_format=2).create_group("posterior").create_array(
        "mu", shape=(1,), chunks=(1,), dtype="f8", compressors=None
    )
    place = tmp_path / "own.zarr" / "posterior" / "mu"
    header = json.loads((place / ".zarray").read_text())
    header |= {"dtype": "|O", "fill_value": None, "filters": [{"id": one} for one in filters]}
    (place / ".zarray").write_text(json.dumps(header))
    (place / "0").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="must be a netCDF or zarr file of an ArviZ DataTree"):
        load_draws(tmp_path / "own.zarr")
    assert os.listdir(tmp_path) == ["own.zarr"]


NO_DRAWS = {
    "text.nc": b"mu,sigma\n1,2\n",
    "empty.nc": b"",
    "signature.nc": b"\x89HDF\r\n\x1a\n",
    "pickle.nc": pickle.dumps(Trap()),
    "numpy.nc": b"\x93NUMPY\x01\x00",
    "empty.zip": b"PK\x05\x06" + bytes(18),
    "text.zip": b"no zip",
    "a\x1b[31mb.nc": b"x",
}


@pytest.mark.parametrize("name", NO_DRAWS)
def test_what_holds_no_draws_is_refused(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(NO_DRAWS[name])
    status, out, err = called(monkeypatch, capsys, "diagnose", name, "--quiet")
    check_sentence(status, out, err)
    assert os.listdir(tmp_path) == [name]


def change(name, value):
    def changed(posterior):
        posterior[name][0, 3, 1] = value

    return changed


BROKEN = {
    "NaN": (change("mu", np.nan), "finite"),
    "infinite": (change("mu", np.inf), "finite"),
    "negative scale": (change("sigma", -1.0), "positive"),
    "no scale": (change("sigma", 0.0), "positive"),
    "negative weight": (change("w", -0.5), "negative|add up|weights"),
    "heavy weight": (change("w", 7.0), "add up|sum|weights"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_draws_that_make_no_sense_are_named(name):
    damage, message = BROKEN[name]
    same = {"mu": "mu", "sigma": "sigma", "weights": "w"}
    tree = switched_draws(k=2, draws=30, names=same)
    posterior = {one: tree["posterior"][one].transpose("chain", "draw", ...) for one in
                 ("mu", "sigma", "w")}  # fmt: skip
    copy = xr.Dataset(posterior).copy(deep=True)
    damage(copy)
    with pytest.raises(ValueError, match=message):
        diagnose(xr.DataTree.from_dict({"posterior": copy}))


@pytest.fixture
def store(tmp_path):
    made = study()
    with opened_folder(tmp_path / "out", made):
        yield Store(tmp_path / "out", "demo"), made.cells()[0]


def compressed(archive, content):
    archive.writestr("cell.json.npy", content, zipfile.ZIP_DEFLATED)


def declares_more(archive, content):
    archive.writestr("array.x.npy", content)
    archive.getinfo("array.x.npy").file_size = 1 << 40


def long_array(archive, content):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    archive.writestr("cell.json.npy", stream.getvalue() + content)


def an_object(archive, content):
    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], dtype=object), allow_pickle=True)
    archive.writestr("cell.json.npy", stream.getvalue())


def no_array(archive, content):
    archive.writestr("cell.json.npy", "nothing")


def many(archive, content):
    for number in range(1000):
        archive.writestr(f"array.{number}.npy", "")


@pytest.mark.parametrize("fill", [compressed, declares_more, long_array, an_object, no_array, many])
def test_hostile_cells_are_set_aside(store, monkeypatch, tmp_path, fill):
    monkeypatch.chdir(tmp_path)
    kept, cell = store
    with zipfile.ZipFile(kept.path / "cells" / f"{cell.key}.npz", "w") as archive:
        fill(archive, bytes(64))
    assert kept.read(cell) is None
    assert len(kept.set_aside) == 1 and not (tmp_path / "sprung").exists()
    kept.write(cell, Outcome(DONE, [{"x": 1}], {"a": np.arange(3)}))
    assert kept.read(cell).rows == [{"x": 1}]


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, '{"schema": 1e999}', "\x00", "null"])
def test_hostile_json_of_a_cell_is_set_aside(store, text):
    kept, cell = store
    (kept.path / "cells" / f"{cell.key}.json").write_text(text)
    assert kept.read(cell) is None and len(kept.set_aside) == 1


# --- symbolic links -------------------------------------------------------------------------------


@pytest.fixture
def victim(tmp_path):
    """A file that must stay as it is, and a folder that must stay empty."""
    file, place = tmp_path / "victim", tmp_path / "elsewhere"
    file.write_text("precious")
    place.mkdir()
    yield file, place
    assert file.read_text() == "precious" and not list(place.iterdir())


@pytest.mark.parametrize("name", ["table.csv", "draws-a.nc", "comparison.json", "report.html"])
def test_links_in_the_folder_of_a_comparison_are_replaced(tmp_path, victim, name):
    folder = ResultFolder(tmp_path / "out", {"of": "x"})
    folder.open()
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(victim[0])
    if name == "comparison.json":
        folder.open(force=True)
    folder.write(name, lambda path: path.write_text("ours"))
    assert not (folder.path / name).is_symlink()


@pytest.mark.parametrize(
    "name",
    ["tables/demo.parquet", "timings.parquet", "study.json", "verdicts.json", "provenance.json"],
)
def test_links_in_the_folder_of_a_study_are_replaced(tmp_path, victim, name):
    made = study()
    with opened_folder(tmp_path / "out", made):
        run_here(made, tmp_path / "out")
        (tmp_path / "out" / name).unlink(missing_ok=True)
        (tmp_path / "out" / name).symlink_to(victim[0])
        run_here(made, tmp_path / "out")
    if name == "study.json":  # without it the folder is somebody else's
        with pytest.raises(ValueError, match="holds something else"):
            with opened_folder(tmp_path / "out", made, force=True):
                pass
        return
    with opened_folder(tmp_path / "out", made, force=True):
        run_here(made, tmp_path / "out")
    assert not (tmp_path / "out" / name).is_symlink()


def test_a_link_in_place_of_the_lock_is_refused(tmp_path, victim):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".lock").symlink_to(victim[0])
    with pytest.raises(ValueError, match=r"lock file of its own, '.*\.lock' cannot be opened"):
        with opened_folder(tmp_path / "out", study()):
            pass


@pytest.mark.parametrize("name", ["cells", "tables"])
def test_a_link_in_place_of_a_folder_is_refused(tmp_path, victim, name):
    made = study()
    with opened_folder(tmp_path / "out", made):
        pass
    (tmp_path / "out" / name).rmdir()
    (tmp_path / "out" / name).symlink_to(victim[1])
    with pytest.raises(ValueError, match="out must hold folders of its own"):
        with opened_folder(tmp_path / "out", made):
            pass


def test_files_set_aside_go_through_no_link(store, victim):
    kept, cell = store
    (kept.path / "set_aside").symlink_to(victim[1])
    (kept.path / "cells" / f"{cell.key}.json").write_text("{")
    assert kept.read(cell) is None
    (aside,) = kept.set_aside
    assert aside.path.is_file() and not (kept.path / "set_aside").is_symlink()


# --- what is written ------------------------------------------------------------------------------


def formulas(file):
    """Cells of a CSV file that a spreadsheet would compute."""
    with open(file, encoding="utf-8", newline="") as handle:
        cells = [cell for row in csv.reader(handle) for cell in row]
    number = columns.Reading().number
    return [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell) and number(cell) is None]


@pytest.mark.parametrize("name", ["=1+1", "-1+1", "@SUM(1)"])
def test_tables_hold_no_formulas(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    names = {"mu": f"{name}m", "sigma": f"{name}s", "weights": f"{name}w"}
    switched_draws(k=2, draws=60, names=names).to_netcdf("own.nc", engine="h5netcdf")
    monkeypatch.setattr("ordered_mix.report.render", lambda result: "")
    chosen = [f"--{option}={value}" for option, value in names.items()]
    status, _, err = called(monkeypatch, capsys, "diagnose", "own.nc", *chosen, "--quiet")
    assert (status, err) == (0, "")
    files = list(tmp_path.rglob("*.csv"))
    assert len(files) == 1 and formulas(files[0]) == []


def pages_of(place):
    """Reports whose every name is a script."""
    names = {"mu": f"mu{IMAGE}", "sigma": "<script>1", "weights": "w'\"><b>"}
    found = diagnose(switched_draws(k=2, draws=60, names=names), **names, name=SCRIPT)
    yield render(found)
    made = study(
        question=SCRIPT, source=SCRIPT, factors={"label": (SCRIPT, "b")},
        cell=lambda seed, label: [{"x": 1.0, "note": SCRIPT}],
        claims=(Claim("c", SCRIPT, SCRIPT, lambda table: Effect(1.0, 0.5, 2.0, 9), "above", 0.0,
                      words=SCRIPT),),
        skip=lambda label: SCRIPT if label == "b" else None,
    )  # fmt: skip
    with opened_folder(place, made):
        yield render(run_here(made, place))


def test_no_script_runs_in_a_report(tmp_path):
    for number, page in enumerate(pages_of(tmp_path / "out")):
        check_document(page)
        assert "<script" not in page
        policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
        assert policy.search(page)
        place = tmp_path / str(number)
        place.mkdir()
        with opened(policy.sub("", page), place) as browser:  # escaping alone has to do
            assert browser.evaluate("document.title") != "ran"
            assert browser.evaluate("document.scripts.length") == 0
            assert (
                browser.evaluate("document.querySelectorAll('[onerror], img[src=x]').length") == 0
            )
            check_silence(browser)


SPY = """
import os
from ordered_mix.study import Experiment, Result, Study


def cell(seed, i):
    print(dict(os.environ))
    if i == 2:
        raise ValueError("no")
    return [{"x": i}]


sizes = dict.fromkeys(("smoke", "laptop", "cluster"), {})
study = Study("spy", "?", "-", {"spy": Experiment(cell, {"i": (1, 2)}, sizes)})
"""


def test_secrets_of_the_environment_are_not_stored(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    (tmp_path / "spy.py").write_text(SPY)
    made = load_study(str(tmp_path / "spy.py"))
    path = tmp_path / "out"
    with opened_folder(path, made):
        result = run_here(made, path)
        run._add_provenance(path, provenance(made, "smoke", {}))
    page = render(result)
    assert "hunter2" in capsys.readouterr().out  # the study did print it
    stored = [file.read_bytes() for file in path.rglob("*") if file.is_file()]
    assert len(stored) >= 5
    assert not any(b"hunter2" in content for content in [*stored, page.encode()])
    assert len(result.failures) == 1
