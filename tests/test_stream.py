"""Streamed data give what data in memory give: sums, estimators, sources, refusals, memory."""

import gzip
import os
import subprocess
import sys
import threading
from importlib import import_module

import dask.array
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ordered_mix import Data, Mixture, default_prior, load, parameterization, stream
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.penalty import VariancePenalty
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.map import MAP
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.files import blocks, parts
from ordered_mix.files.columns import Reading
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.optima.laplace import laplace
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.stream.ahead import read_ahead
from ordered_mix.stream.sums import rounded_once

N, GROUP = 20_000, 1_500
EXACT = 1e-12
START = Mixture([[0.5, 0.5], [0.3, 0.7]], [[-1.0, 1.0], [-0.5, 2.0]], [[1.0, 1.0], [0.8, 1.5]])


def points(n=N, offset=0.0):
    rng = np.random.default_rng(1)
    y = np.where(rng.random(n) < 0.4, rng.normal(-1, 0.7, n), rng.normal(1.5, 1, n))
    return y + offset, rng.integers(0, 4, n).astype(float)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same points as one Parquet file, as a folder, as text and far from 0."""
    home = tmp_path_factory.mktemp("stream")
    y, counts = points()
    table = pa.table({"x": y, "count": counts})
    pq.write_table(table, home / "one.parquet", row_group_size=GROUP)
    pq.write_table(pa.table({"x": points(offset=1e9)[0]}), home / "far.parquet")
    (home / "many").mkdir()
    for number, start in enumerate(range(0, N, N // 3)):
        piece = table.slice(start, N // 3)
        pq.write_table(piece, home / "many" / f"{number}.parquet", row_group_size=GROUP)
    lines = [f"{a!r},{b!r}" for a, b in zip(y.tolist(), counts.tolist(), strict=True)]
    text = "\n".join(["x,count", *lines])
    (home / "text.csv").write_text(text)
    (home / "text.csv.gz").write_bytes(gzip.compress(text.encode()))
    tabs = text.replace(",", "\t").replace(".", ",")
    (home / "text.tsv").write_text(tabs)
    return home


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several parts of small files, several blocks of each."""
    monkeypatch.setattr(parts, "LEAST", 3 * GROUP)
    monkeypatch.setattr(blocks, "ROWS", 4_000)


@pytest.fixture(params=["x", "x*count"])
def both(request, folder):
    """A stream and the same data in memory, unweighted and weighted."""
    y, counts = points()
    weighted = "*" in request.param
    return stream(folder / f"one.parquet:{request.param}"), Data(y, counts if weighted else None)


def test_the_first_pass_finds_what_data_in_memory_have(both):
    streamed, data = both
    assert len(streamed.parts) == 5
    assert streamed.n == data.n
    for name in ("location", "scale", "total_weight"):
        assert_allclose(getattr(streamed, name), getattr(data, name), rtol=EXACT)


def test_an_offset_costs_no_digits(folder):
    far, data = stream(folder / "far.parquet:x"), Data(points(offset=1e9)[0])
    # what an offset rounds away from the points themselves is no concern of the sums
    assert far.location == data.location
    assert_allclose(far.scale, data.scale, rtol=EXACT)
    near = START.affine(-float(data.location) + 1e9, 1.0)
    found = far.standardized().moments(near.w, near.mu, near.sigma)
    expected = e_step(data.standardized().y, near.w, near.mu, near.sigma)
    assert_allclose(np.hstack(found[1:]), np.hstack(expected[1:]), rtol=1e-11)


def test_a_pass_sums_as_in_memory(both):
    streamed, data = both
    found = streamed.moments(START.w, START.mu, START.sigma)
    expected = e_step(data.y, START.w, START.mu, START.sigma, weight=data.weight)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=EXACT)
    alone = streamed.moments(START.w[1], START.mu[1], START.sigma[1])
    assert alone.log_likelihood == found.log_likelihood[1]
    assert_array_equal(alone.s2, found.s2[1])


def test_sums_are_rounded_once_whatever_the_order():
    rng = np.random.default_rng(0)
    terms = list(rng.standard_normal((300, 2, 3)) * 10.0 ** rng.integers(-9, 9, (300, 2, 3)))
    total = rounded_once(terms)
    assert_array_equal(rounded_once(terms[::-1]), total)
    exact = np.sum(np.array(terms, dtype=np.longdouble), axis=0)
    assert_allclose(total, exact.astype(float), rtol=2e-16)
    assert np.isnan(rounded_once([np.array([np.inf]), np.array([-np.inf])])).all()


STOP = Stop(log_likelihood=0, passes=25)
ESTIMATORS = {
    "EM": (EM(stop=STOP), "unordered"),
    "EM with a penalty": (EM(stop=STOP, penalty=VariancePenalty(2.0, 1.0)), "unordered"),
    "EM tempered": (EM(stop=STOP, temperature=(2.0, 1.5, 1.0)), "unordered"),
    "ECM": (ECM(stop=STOP), "relative"),
    "gradient": (GradientAscent(stop=STOP), "relative"),
    "gradient, largest step": (GradientAscent("largest_stable", stop=STOP), "relative"),
    "natural gradient": (NaturalGradient(1.0, stop=Stop(passes=9)), "relative"),
    "MAP": (MAP(), "relative"),
    "MAP, trust region": (MAP(method="trust_region"), "unordered"),
}


def test_the_estimators_are_those_of_the_registry():
    here = {type(one).__module__.rpartition(".")[2] for one, _ in ESTIMATORS.values()}
    assert here == set(catalog.names("estimator"))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_ends_where_it_does_in_memory(both, name):
    streamed, data = both
    estimator, coordinates = ESTIMATORS[name]
    model = parameterization(coordinates, 2, default_prior(data))
    found, expected = (estimator.fit(model, one, START) for one in (streamed, data))
    assert_array_equal(found.status, expected.status)
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=EXACT)
    # optimisers that stop by rounding may stop one step apart
    rtol = 1e-7 if isinstance(estimator, MAP) else EXACT
    for parameter in ("w", "mu", "sigma"):
        values = (getattr(one.mixture, parameter) for one in (found, expected))
        assert_allclose(*values, rtol=rtol)


def test_laplace_is_that_of_data_in_memory(both):
    streamed, data = both
    model = parameterization("relative", 2, default_prior(data))
    mode = MAP().fit(model, data, START[:1]).mixture[0]
    found, expected = (laplace(model, one, mode) for one in (streamed, data))
    assert_allclose(found.log_evidence, expected.log_evidence, rtol=EXACT)
    assert_allclose(found.mean, expected.mean, rtol=1e-10)
    # second derivatives by differences have half of the digits
    assert_allclose(found.covariance, expected.covariance, rtol=1e-6)


@pytest.mark.parametrize("source", ["many/:x", "text.csv:x", "text.csv.gz:x", "text.tsv:x"])
def test_all_sources_hold_the_same_points(folder, source):
    reading = Reading("\t", decimal_comma=True) if "tsv" in source else None
    found = stream(f"{folder}/{source}", reading=reading)
    rows = np.concatenate([block.y for part in found.parts for block in part.blocks()])
    assert_array_equal(rows, points()[0])


def test_a_small_folder_is_read_whole(folder):
    y, counts = points()
    assert_array_equal(load(f"{folder}/many/:x").y, y)
    assert_array_equal(load(f"{folder}/many/:x*count").y, np.repeat(y, counts.astype(int)))


def test_a_dask_array_is_a_stream():
    y, _ = points()
    found = stream(dask.array.from_array(y, chunks=3_000))
    assert len(found.parts) == 7
    assert_allclose(found.scale, Data(y).scale, rtol=EXACT)
    with pytest.raises(ValueError, match=r"one column of numbers, got an array of shape \(4, 2\)"):
        stream(dask.array.zeros((4, 2)))
    y = y.copy()
    y[7_001] = np.nan
    with pytest.raises(ValueError, match="a missing value in partition 2, row 1,002"):
        stream(dask.array.from_array(y, chunks=3_000))


def test_missing_rows_are_left_out_if_asked(tmp_path):
    values = [1.0, None, 2.5, float("nan"), 4.0]
    pq.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("x,z\n1,0\n,0\n2.5,0\nNA,0\n4,0\n")
    for name in ("a.parquet", "a.csv"):
        found = stream(f"{tmp_path / name}:x", reading=Reading(drop_missing=True))
        assert (found.n, float(found.location)) == (3, 2.5)
        with pytest.raises(ValueError, match=r"missing value in .*, row 2: --drop-missing"):
            stream(f"{tmp_path / name}:x")


# --- one sentence that names the file and the row group -------------------------------------------


def damaged(path, group):
    """Overwrite the pages of one row group."""
    column = pq.ParquetFile(path).metadata.row_group(group).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nan", r"column 'x' has a missing value in row group 11 of a\.parquet, row 7: --drop"),
        ("inf", r"column 'x' has inf in row group 11 of a\.parquet, row 7$"),
        ("pages", r"cannot be read: row group 12 of a\.parquet: "),
        ("end", r"cannot be read: a\.parquet: "),
        ("column", r"column 'z' is in a\.parquet of .* not at all, its columns are x, word, n$"),
        ("which", r"must name one of its columns: x, word, n$"),
        ("text", r"column 'word' of .* must hold numbers, it holds (large_)?string in a\.parquet$"),
        ("negative", r"column 'n' of .* must hold counts or weights .* row group 13 of .* has -1$"),
        ("far", r"must lie between -1e\+150 and 1e\+150, they go from .* to 1e\+200: give"),
        ("no rows", r"y must hold at least one point of positive weight, a:x holds none$"),
        ("where", r"where must be left out for data that are read in blocks, got 'n=1'"),
        ("missing", r"data file .* does not exist$"),
        ("kind", r"data must be FILE:column or FOLDER/:column of Parquet or CSV files"),
        ("folder", r"must be a folder of Parquet or CSV files, it holds none$"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, change, message):
    y, counts = points()
    row = 11 * GROUP + 6
    y[row] = {"nan": np.nan, "inf": np.inf, "far": 1e200}.get(change, y[row])
    counts[-1] = -1 if change == "negative" else 1
    table = pa.table({"x": y, "word": ["a"] * N, "n": counts})
    path = tmp_path / "a.parquet"
    pq.write_table(table[:0] if change == "no rows" else table, path, row_group_size=GROUP,
                   use_dictionary=False, compression="none")  # fmt: skip
    if change == "pages":
        damaged(path, 12)
    if change == "end":
        path.write_bytes(path.read_bytes()[:-20])
    column = {"column": "z", "which": "", "text": "word", "negative": "x*n"}.get(change, "x")
    source = f"{path}:{column}" if column else str(path)
    if change == "missing":
        source = f"{tmp_path}/b.parquet:x"
    if change == "kind":
        (tmp_path / "a.xlsx").touch()
        source = f"{tmp_path}/a.xlsx:x"
    if change == "folder":
        (tmp_path / "empty").mkdir()
        source = f"{tmp_path}/empty/:x"
    with pytest.raises(ValueError, match=message) as error:
        stream(source, reading=Reading(where="n=1" if change == "where" else ""))
    assert "\n" not in str(error.value)


def test_a_word_among_numbers_is_one_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n2\nthree\n")
    with pytest.raises(ValueError, match=r"cannot be read: block 0 of a\.csv: .*three") as error:
        stream(f"{tmp_path}/a.csv:x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", catalog.names("sampler"))
def test_samplers_refuse_a_stream_and_say_what_serves(folder, name):
    module = import_module(f"ordered_mix.samplers.{name}")
    kind = next(value for value in vars(module).values()
                if isinstance(value, type) and hasattr(value, "sample")
                and value.__module__ == module.__name__)  # fmt: skip
    found = stream(folder / "one.parquet:x")
    model = parameterization("unordered", 2, default_prior(Data(points()[0])))
    with pytest.raises(ValueError, match=r"stream of 20,000 points: sample binned\(stream\)\.data"):
        kind().sample(model, found, START, 1)


def test_a_hard_assignment_is_refused(folder):
    found = stream(folder / "one.parquet:x")
    with pytest.raises(ValueError, match="assignment must be soft for data that are streamed"):
        EM(assignment="hard").fit(parameterization("unordered", 2), found, START)


def test_several_dimensions_are_refused(folder):
    found = stream(folder / "one.parquet:x")
    one = parameterization("unordered", 2, MultivariatePrior())
    with pytest.raises(ValueError, match=r"must be points for a prior in 2 .* n=20000\)$"):
        EM().fit(one, found, START)


# --- reading ahead, and memory --------------------------------------------------------------------


class Counted:
    """A part that notes how many of its blocks are read."""

    bytes = 0

    def __init__(self, count, fail=False):
        self.count, self.fail, self.read = count, fail, 0

    def blocks(self):
        for _ in range(self.count):
            self.read += 1
            yield blocks.Block(np.zeros(1), None)
        if self.fail:
            raise ValueError("damaged")


def test_reading_is_ahead_by_so_many_blocks_and_ends_with_its_reader():
    part = Counted(50)
    reader = read_ahead([part], most=2)
    next(reader)
    reader.close()
    assert part.read <= 5
    assert not [one for one in threading.enumerate() if one.name == "reader"]
    seen = []
    with pytest.raises(ValueError, match="damaged"):
        for number, _ in read_ahead([Counted(3), Counted(2, fail=True)]):
            seen.append(number)
    assert seen == [0, 0, 0, 1, 1]


PASSES = """
import re, sys
from pathlib import Path
from ordered_mix import Mixture, parameterization, stream
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
start = Mixture([0.5, 0.5], [-1, 1], [1, 1])
fit = EM(stop=Stop(passes=2)).fit(parameterization("unordered", 2), stream(sys.argv[1]), start)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_data(tmp_path):
    """One row group of 80 MB or of 240; the blocks that are on their way take 120 MB in both."""
    rng, used = np.random.default_rng(0), {}
    for n in (10_000_000, 30_000_000):
        path = tmp_path / f"{n}.parquet"
        pq.write_table(pa.table({"x": rng.standard_normal(n)}), path, row_group_size=n,
                       compression="none", use_dictionary=False)  # fmt: skip
        command = [sys.executable, "-c", PASSES, f"{path}:x"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500,
                              env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip
        assert done.returncode == 0, done.stderr
        used[n] = int(done.stdout)
    assert used[30_000_000] < 512
    assert used[30_000_000] - used[10_000_000] < 40
