"""``ordered-mix diagnose`` as a person meets it."""

import subprocess
import sys

import arviz
import numpy as np
import pandas as pd
import pytest
from fabricated import switched_draws
from foreign import hidden_markov, multivariate, separate
from inprocess import run_command

OPTIONS = ["--mu", "centre", "--sigma", "spread", "--weights", "share"]


def run_process(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ordered_mix.cli", "diagnose", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    switched_draws(k=2).to_netcdf(folder / "my own.nc", engine="h5netcdf")
    return folder


@pytest.fixture(scope="module")
def done(place):
    return run_process("my own.nc", *OPTIONS, cwd=place)


def test_it_prints_the_verdicts(done):
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "Which variables were permuted? centre, spread, share. Left alone: noise." in text
    assert "which draws should be reported? Yes: report the relabelled copy." in text
    assert text.endswith("Report: results/my-own/report.html")


def test_it_writes_what_it_promises(place, done):
    folder = place / "results" / "my-own"
    assert {item.name for item in folder.iterdir()} == {
        "comparison.json", "relabelled.nc", "report.html", "table.csv", "table.parquet",
    }  # fmt: skip
    relabelled = arviz.from_netcdf(folder / "relabelled.nc")["posterior"]
    given = arviz.from_netcdf(place / "my own.nc")["posterior"]
    assert relabelled["spread"].dims == ("species", "chain", "draw")
    means = relabelled["centre"].mean("draw")
    assert (
        float(means.std("chain").max()) < 0.1 < float(given["centre"].mean("draw").std("chain")[0])
    )
    assert np.array_equal(np.sort(relabelled["centre"], -1), np.sort(given["centre"], -1))
    table = pd.read_parquet(folder / "table.parquet")
    assert table["labels"].unique().tolist() == ["raw", "relabelled", "label-invariant"]
    pd.testing.assert_frame_equal(table, pd.read_csv(folder / "table.csv"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "my own" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my own.nc", *OPTIONS[2:], "--mu", "center"], "did you mean 'centre'"),
        (["absent.nc", *OPTIONS], "'absent.nc' does not exist"),
        (["my own.nc", *OPTIONS, "--dims", "kind"], "dims must be dimensions of the posterior"),
    ],
)
def test_bad_input_ends_in_one_sentence(place, done, arguments, message):
    failed = run_command("diagnose", *arguments, "--out", "elsewhere", cwd=place)
    assert failed.returncode == 2, failed.stderr
    *stages, last = failed.stderr.splitlines()
    assert message in last and last.startswith("ordered-mix: ")
    assert set(stages) <= {"read the draws", "relabel and diagnose"} and failed.stdout == ""
    assert not (place / "elsewhere").exists()


ONES = ["--mu", "mu_0,mu_1", "--sigma", "1.0", "--weights", "0.5,0.5"]
PLANE = ["--chol", "chol", "--separate", "chol_0,chol_1,chol_2", "--dims", "cluster,chol_dim_0"]
STATES = ["--parameters", "level,noise", "--allocations", "z", "--dims", "state,state_to"]


@pytest.mark.parametrize(
    ("draws", "options", "permuted"),
    [
        (separate, ONES, "mu_0, mu_1."),
        (multivariate, PLANE, "w, mu, chol, chol_0, chol_1, chol_2."),
        (hidden_markov, STATES, "level, noise, P, z."),
    ],
    ids=["constants", "plane", "states"],
)
def test_any_family_can_be_named(tmp_path, draws, options, permuted):
    draws().to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    done = run_command("diagnose", "own.nc", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert f"Which variables were permuted? {permuted}" in text
    assert "which draws should be reported? Yes: re" in text
    folder = tmp_path / "results" / "own"
    page = (folder / "report.html").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if "ordered-mix diagnose" in line)
    for option in options:
        assert option in command
