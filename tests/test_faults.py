"""Faults: kills, full disks, damaged files, samplers that fail. Nothing finished is lost, nothing
half-written is read as whole, and one sentence says what happened and what to do."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from disks import enlarge, small_disk
from fabricated import NAMES, switched_draws
from inprocess import exit_status

from ordered_mix import report
from ordered_mix.compare.compare import compare, identity
from ordered_mix.compare.comparison import Settings
from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.engine import cluster
from ordered_mix.errors import RunError
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.files.reading import load_draws
from ordered_mix.files.results import ResultFolder
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.nuts import NUTS, SamplingFailed

RELIABILITY = str(Path(__file__).resolve().parents[1] / "tools" / "reliability.py")
Y = np.concatenate([np.random.default_rng(1).normal(m, 1.0, 30) for m in (0.0, 6.0)])
DATA = Data(Y, name="two")
SHORT = {"parameterizations": ("unordered",), "estimators": ("nuts",), "draws": 60, "tune": 60,
         "chains": 2, "seed": 3}  # fmt: skip
THOROUGH = pytest.mark.skipif(
    "THOROUGH" not in os.environ, reason="compiles a model of its own, for `make reliability`"
)
MODEL = '''
"""A model of somebody's own."""
import pymc as pm
import pytensor.tensor as pt
from ordered_mix import prior as declare


def block(k, prior):
    w, sigma = declare.weights(k, prior), declare.scales(k, prior)
    mu = declare.iid_means(k, prior)
    pm.Potential("own", {potential})
    return w, mu, sigma


def coordinates(mixture):
    return {{"w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma}}
'''


def drawn(k):
    """Draws around the truth, as a sampler would return them."""
    rng = np.random.default_rng(k)
    shape, dims = (2, 60, k), ("chain", "draw", "component")
    mean = np.array([0.0, 6.0]) if k == 2 else np.array([3.0])
    values = {
        "w": rng.dirichlet(np.full(k, 200.0), shape[:2]) if k > 1 else np.ones(shape),
        "mu": mean + 0.1 * rng.standard_normal(shape),
        "sigma": np.exp(0.05 * rng.standard_normal(shape)),
    }
    steps = xr.Dataset(
        {name: (dims[:2], rng.random(shape[:2])) for name in ("acceptance_rate", "energy")}
        | {name: (dims[:2], np.full(shape[:2], 7)) for name in ("n_steps", "tree_depth")}
        | {name: (dims[:2], np.zeros(shape[:2], bool))
           for name in ("diverging", "reached_max_treedepth")}
    )  # fmt: skip
    posterior = xr.Dataset({name: (dims, value) for name, value in values.items()})
    observed = xr.Dataset({"y": ("point", DATA.y)})
    groups = {"posterior": posterior, "sample_stats": steps, "warmup_sample_stats": steps,
              "observed_data": observed}  # fmt: skip
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["seconds"] = 0.5
    return Draws(tree)


@pytest.fixture
def folder(tmp_path):
    made = ResultFolder(tmp_path / "out", identity(DATA, Settings(**SHORT), default_prior(DATA)))
    made.open()
    return made


@pytest.fixture
def instantly(monkeypatch):
    """Samplers that return at once, and the numbers of components they were asked for."""
    asked = []

    def sample(self, parameterization, data, starts, seed):
        asked.append(parameterization.k)
        return drawn(parameterization.k)

    monkeypatch.setattr(NUTS, "sample", sample)
    return asked


@pytest.fixture(scope="module")
def unordered():
    return catalog.parameterization("unordered", 2)


# --- kills ----------------------------------------------------------------------------------------


def test_killed_comparisons_leave_the_same_table():
    chosen = ["--runner", "0", "--worker", "0", "--compare", "1", "--seed", "4"]
    small = ["--parameterizations", "unordered", "--components", "1"]
    done = subprocess.run(
        [sys.executable, RELIABILITY, *chosen, *small],
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == '{"runner": 0, "worker": 0, "compare": 1, "lost": 0}'


def test_what_a_killed_comparison_was_writing_is_removed(folder):
    (folder.path / ".draws-nuts-unordered.nc.0123456789abcdef").write_bytes(b"half")
    with folder.locked():
        assert [item.name for item in folder.path.iterdir()] == ["comparison.json"]


def test_two_comparisons_do_not_share_a_folder(folder):
    with (
        folder.locked(),
        pytest.raises(RunError, match="is in use by another process: wait for it"),
    ):
        with ResultFolder(folder.path, folder.identity).locked():
            pass


def test_a_file_system_without_locks_is_refused(folder, monkeypatch):
    def flock(*given):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("ordered_mix.files.results.fcntl.flock", flock)
    with pytest.raises(RunError, match="file system without locks: No locks available"):
        with folder.locked():
            pass


class SlowToEnd:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        raise TimeoutError


def test_workers_that_are_slow_to_end_are_no_error():
    with cluster._patient(SlowToEnd()) as entered:
        assert isinstance(entered, SlowToEnd)
    with pytest.raises(ValueError, match="ours"), cluster._patient(SlowToEnd()):
        raise ValueError("ours")


# --- damaged files --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with one draws file, and the bytes of that file."""
    folder = ResultFolder(tmp_path_factory.mktemp("stored"), {"of": "draws"})
    folder.open()
    file = folder.write_tree("draws-a.nc", drawn(2).tree)
    return folder, file, file.read_bytes()


SHARES = [*np.linspace(0, 1, 60, endpoint=False).tolist(), 0.9999]


@pytest.mark.parametrize("share", SHARES)
def test_a_truncated_draws_file_is_not_taken_for_whole(stored, share):
    folder, file, content = stored
    file.write_bytes(content[: int(share * len(content))])
    assert "draws-a.nc" not in folder and folder.read_tree("draws-a.nc") is None
    file.write_bytes(content)
    assert folder.read_tree("draws-a.nc") is not None


@pytest.mark.parametrize("share", SHARES)
def test_a_draws_file_with_a_flipped_bit_is_not_taken_for_whole(stored, share):
    folder, file, content = stored
    damaged = bytearray(content)
    damaged[int(share * len(content))] ^= 1 << int(1000 * share) % 8
    file.write_bytes(damaged)
    assert folder.read_tree("draws-a.nc") is None


def test_a_comparison_samples_damaged_draws_again_and_no_others(instantly, folder):
    compare(DATA, folder=folder, **SHORT)
    assert instantly == [2, 1]
    file = folder.path / "draws-nuts-unordered.nc"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    compare(DATA, folder=folder, **SHORT)
    assert instantly == [2, 1, 2]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"verdicts": []}', "[" * 100_000])
def test_a_damaged_summary_is_no_finished_comparison(folder, damage):
    folder.write("summary.json", lambda path: path.write_text("{}"))
    assert "summary.json" in folder
    (folder.path / "summary.json").write_text(damage)
    assert "summary.json" not in folder


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null", '{"schema": 1}', "[" * 100_000])
def test_a_damaged_manifest_makes_a_folder_foreign(folder, damage):
    folder.write("table.csv", lambda path: path.write_text("x"))
    (folder.path / "comparison.json").write_text(damage)
    with pytest.raises(
        ValueError, match=r"holds results of something else.*, choose another folder"
    ):
        folder.open()
    folder.open(force=True)
    assert "table.csv" not in folder


FLIP = """
import sys
from pathlib import Path
from ordered_mix.files.reading import load_draws

content, file = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
for number in range(int(sys.argv[3])):
    damaged = bytearray(content)
    position = number * len(content) // int(sys.argv[3])
    if number % 2:
        damaged[position] ^= 1 << number % 8
    else:
        del damaged[position:]
    file.write_bytes(damaged)
    try:
        load_draws(file)
        print("read")
    except ValueError as error:
        print(error)
"""


def test_reading_damaged_draws_of_somebody_ends_in_a_sentence(tmp_path):
    switched_draws(k=2, draws=60).to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    command = [sys.executable, "-c", FLIP, "own.nc", "bad.nc", "100"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=500, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr  # no fault of the library that parses the file
    lines = done.stdout.splitlines()
    assert len(lines) == 100
    assert all(line == "read" or line.startswith("draws ") for line in lines)
    assert sum(line != "read" for line in lines) >= 50


# --- full disks -----------------------------------------------------------------------------------


NAMES_OF_DRAWS = ("draws-nuts-unordered.nc", "draws-nuts-unordered-k-1.nc")


@pytest.mark.parametrize("size", ["24k", "48k", "72k", "96k"])
def test_a_full_disk_ends_a_comparison_in_a_sentence(instantly, tmp_path, size):
    with small_disk(tmp_path / "disk", size) as disk:
        made = ResultFolder(disk / "out", identity(DATA, Settings(**SHORT), default_prior(DATA)))
        with pytest.raises(RunError, match=r"out '.*' cannot be written: No space.*make room and"):
            with made.locked():
                compare(DATA, folder=made, **SHORT)
                made.write("report.html", lambda path: path.write_bytes(bytes(100_000)))
        assert not list(made.path.glob(".*"))
        kept = [name for name in NAMES_OF_DRAWS if name in made]
        assert len(list(made.path.glob("draws-*"))) == len(kept)
        enlarge(disk)
        with made.locked():
            compare(DATA, folder=made, **SHORT)
        assert all(name in made for name in NAMES_OF_DRAWS)
        assert len(instantly) <= 3  # the one that found no room once more


# --- samplers that fail ---------------------------------------------------------------------------


def model(place, name, potential):
    file = place / f"{name}.py"
    file.write_text(MODEL.format(potential=potential), encoding="utf-8")
    return str(file)


def test_a_sampler_that_does_not_end_is_given_up(unordered):
    slow = NUTS(draws=5_000_000, tune=60, time_limit=0.4)
    starts = initial_mixtures(DATA, 2, 2, "random", 1)
    with pytest.raises(SamplingFailed, match=r"no result within 0\.4 s: raise the time limit"):
        slow.sample(unordered, DATA, starts, 3)
    with pytest.raises(ValueError, match="starts must have a finite log posterior"):
        NUTS(draws=60, tune=60).sample(unordered, DATA, starts.affine(1e300, 1.0), 0)


def test_a_process_that_moved_or_refused_a_start_ends_well():
    code = """
import pytest
from ordered_mix import NUTS, Data, Mixture, Prior, parameterization
one = parameterization("unordered", 1, Prior())
flat = NUTS(draws=4, tune=1, inverse_temperature=0.0)
data, starts = Data([-1.0, 0.0, 3.0]), Mixture([[1.0]] * 2, [[0.0]] * 2, [[1.0]] * 2)
assert (flat.sample(one, data, starts, 0).tree.attrs["start_moved"] > 0).all()
with pytest.raises(ValueError, match="starts must have a finite log posterior"):
    flat.sample(one, data, starts.affine(1e300, 1.0), 0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


@THOROUGH
def test_the_other_sampler_is_given_up_too(unordered):
    slow = NUTS(draws=5_000_000, tune=60, sampler="pymc", time_limit=3)
    with pytest.raises(SamplingFailed, match="no result within 3 s: raise the time limit"):
        slow.sample(unordered, DATA, initial_mixtures(DATA, 2, 2, "random", 1), 0)


def test_a_comparison_goes_on_without_a_sampler_that_failed(instantly, monkeypatch):
    sample = NUTS.sample

    def fails(self, parameterization, data, starts, seed):
        if parameterization.k == 1:
            raise SamplingFailed("no result within 1 s: raise the time limit")
        return sample(self, parameterization, data, starts, seed)

    whole = compare(DATA, **SHORT)
    monkeypatch.setattr(NUTS, "sample", fails)
    result = compare(DATA, **SHORT)
    assert result.failed == ("nuts unordered, K = 1",) and result.fewer_components is None
    assert "time limit" in result.skipped["nuts unordered, K = 1"]
    assert result.table.equals(whole.table) and result.verdicts
    with pytest.raises(RunError, match=r"no sampler gave draws \(nuts unordered: no result within"):
        compare(DATA, **{**SHORT, "components": 1})


def test_failed_samplers_are_tried_again(tmp_path, monkeypatch, capsys, instantly):
    monkeypatch.setattr(report, "render", lambda result: "<html>")
    (tmp_path / "two.csv").write_text("x\n" + "\n".join(map(str, Y)) + "\n")
    monkeypatch.chdir(tmp_path)
    sample, broken = NUTS.sample, [True]

    def fails(self, parameterization, data, starts, seed):
        if broken and parameterization.k == 1:
            raise SamplingFailed("no result within 1 s: raise the time limit")
        return sample(self, parameterization, data, starts, seed)

    monkeypatch.setattr(NUTS, "sample", fails)
    call = ["compare", "two.csv", "--parameterizations", "unordered", "--draws",
            "60", "--tune", "60", "--chains", "2", "--estimators", "nuts", "--json"]  # fmt: skip
    summaries = []
    for _ in range(3):
        assert exit_status(monkeypatch, *call) == 0
        summaries.append(json.loads(capsys.readouterr().out))
        broken.clear()
    assert summaries[0]["failed"] == ["nuts unordered, K = 1"]
    assert summaries[1]["failed"] == [] and instantly == [2, 1]
    assert "--force" in summaries[2]["note"]


@THOROUGH
@pytest.mark.parametrize("potential", ["pt.log(-1.0 - mu[0] ** 2)", "mu[0] / (mu[0] - mu[0])"])
def test_a_density_that_is_not_a_number_is_named(tmp_path, potential):
    own = model(tmp_path, "own", potential)
    with pytest.raises(RunError, match=r"no sampler gave draws \(nuts own: starts must have a fin"):
        compare(DATA, **{**SHORT, "parameterizations": (own,)})


@THOROUGH
def test_a_sampler_that_diverges_everywhere_is_not_trusted(tmp_path):
    own = model(tmp_path, "rough", "-1e5 * pt.mod(pt.floor(mu * 1e12), 2).sum()")
    result = compare(DATA, **{**SHORT, "components": 1, "parameterizations": (own,)})
    (item,) = result.sampled.values()
    assert item.sampler.divergences > 0.9 * 120
    agree = next(verdict for verdict in result.verdicts if verdict.key == "agree")
    assert (
        agree.status != "good" and f"diverged in {item.sampler.divergences} of 120" in agree.answer
    )


def test_draws_that_are_not_finite_are_refused(unordered, monkeypatch):
    tree = drawn(2).tree
    tree["posterior"]["mu"][0, 5, 1] = np.nan
    monkeypatch.setattr(NUTS, "_nutpie", lambda *given: (tree, 1.0))
    with pytest.raises(SamplingFailed, match="its draws are not finite"):
        starts = initial_mixtures(DATA, 2, 2, "random", 1)
        NUTS(draws=60, tune=60).sample(unordered, DATA, starts, 0)


ENDS = {
    "memory": (MemoryError(), "the memory is exhausted: use fewer draws, chains or points"),
    "file": (
        PermissionError(errno.EACCES, "Permission denied", "x.csv"),
        "[Errno 13] Permission denied: 'x.csv'; what is finished is kept",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_memory_and_files_that_fail_are_a_sentence(monkeypatch, capsys, tmp_path, name):
    error, sentence = ENDS[name]

    def fails(*given, **named):
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules[compare.__module__], "compare", fails)
    assert exit_status(monkeypatch, "compare", "acidity", "--quiet") == 1
    assert capsys.readouterr().err == f"ordered-mix: {sentence}\n"


def test_draws_of_a_full_disk_are_diagnosed_after_all(tmp_path):
    file = tmp_path / "own.nc"
    switched_draws(k=2, draws=60).to_netcdf(file, engine="h5netcdf")
    whole = diagnose(load_draws(file), **NAMES).table
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="must be a netCDF or zarr file of an ArviZ DataTree"):
        load_draws(file)
    file.write_bytes(content)
    assert diagnose(load_draws(file), **NAMES).table.equals(whole)
    assert os.listdir(tmp_path) == ["own.nc"]
