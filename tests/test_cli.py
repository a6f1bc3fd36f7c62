"""The command line as a person meets it."""

import json
import os
import subprocess
import sys

import arviz
import pandas as pd
import pytest
from inprocess import run_command

import ordered_mix
from ordered_mix.cli import main

SHORT = ["--parameterizations", "unordered", "--draws", "100", "--tune", "150", "--chains", "2"]


def run_process(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ordered_mix.cli", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    place = tmp_path_factory.mktemp("user")
    (place / "my.csv").write_text("name,height\n" + "".join(
        f"a,{value}\n" for value in [1.1, 1.3, 0.9, 1.2, 1.0, 1.15, 4.1, 4.3, 3.9, 4.2, 4.0, 4.05]
    ))  # fmt: skip
    return place, run_process("compare", "my.csv:height", *SHORT, cwd=place)


def test_compare_prints_a_table_and_a_verdict(compared):
    _, done = compared
    assert done.returncode == 0, done.stderr
    assert "my:height: n = 12, K = 2" in done.stdout
    assert "Did the chains agree?" in done.stdout and "component" in done.stdout
    assert "report.html" in done.stdout
    assert "nuts unordered" in done.stderr  # the stages


def test_compare_writes_what_it_promises(compared):
    folder = compared[0] / "results" / "my-height" / "compare-k2"
    assert {item.name for item in folder.iterdir()} == {
        "comparison.json", "draws-nuts-unordered.nc", "draws-nuts-unordered-k-1.nc",
        "estimates.csv", "points.csv", "report.html", "summary.json", "table.csv",
        "table.parquet", "timings.csv",
    }  # fmt: skip
    tree = arviz.from_netcdf(folder / "draws-nuts-unordered.nc")
    assert tree["posterior"]["mu"].shape == (2, 100, 2)
    kept = {"sample_stats", "log_likelihood", "observed_data", "raw_posterior"}
    assert set(tree.children) >= kept
    table = pd.read_parquet(folder / "table.parquet")
    assert table["label"].tolist() == pd.read_csv(folder / "table.csv")["label"].tolist()
    page = (folder / "report.html").read_text()
    assert page.startswith("<!doctype html>") and "my:height" in page


def test_a_second_run_computes_nothing_and_says_so(compared):
    place, _ = compared
    before = (place / "results/my-height/compare-k2/report.html").stat().st_mtime_ns
    again = run_command("compare", "my.csv:height", *SHORT, cwd=place)
    assert again.returncode == 0
    assert "--force" in again.stdout
    assert (place / "results/my-height/compare-k2/report.html").stat().st_mtime_ns == before
    for change in (("--seed", "9"), ("--prior", "fixed"), ("--prior-mean", "5")):
        other = run_command("compare", "my.csv:height", *SHORT, *change, cwd=place)
        assert other.returncode == 2
        named = "seed 1, not 9" if "9" in change else "prior Prior("
        assert f"holds results of something else ({named}" in other.stderr


def test_json_for_machines(compared):
    done = run_command("compare", "my.csv:height", *SHORT, "--json", cwd=compared[0])
    summary = json.loads(done.stdout)
    assert summary["n"] == 12 and len(summary["verdicts"]) > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["faithful:watng"], "did you mean 'faithful:waiting'"),
        (["absent.csv:x"], "does not exist"),
        (["my.csv:weight"], "its columns are name, height"),
        (["my.csv:name"], "must hold"),
        (["my.csv"], "must name one of its columns"),
        (["empty.csv:x"], "empty"),
        (["nan.csv:x"], "finite"),
        (["inf.csv:x"], "finite"),
        (["few.csv:x"], "at least 4 points"),
        (["constant.csv:x"], "constant"),
        (["my.csv:height", "--components", "0"], "components must be a whole number"),
        (["my.csv:height", "--components", "13"], "at least 26 points"),
        (["my.csv:height", "--parameterizations", "orderd"], "did you mean 'ordered'"),
        (["my.csv:height", "--estimators", "em,nutz"], "did you mean 'nuts'"),
        (
            ["my.csv:height", "--prior", "adaptiv"],
            "--prior must be one of adaptive, fixed, half-normal",
        ),
        (["my.csv:height", "--prior-scale", "-1"], "--prior-scale must be positive and finite"),
        (["my.csv:height", "--prior-weights", "0"], "--prior-weights must be positive and finite"),
        (["my.csv:height", "--prior-mean", "5,0"], "--prior-mean must be a number, or two"),
        (["my.csv:height", "--prior-mean", "five"], "got 'five'"),
        (["my.csv:height", "--out", "my.csv"], "folder that can be written"),
    ],
)
def test_bad_input_ends_in_one_sentence(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.csv").write_text("name,height\n" + "".join(f"a,{i}.5\n" for i in range(12)))
    for name, text in {
        "empty": "", "nan": "x\n1\nnan\n", "inf": "x\n1\ninf\n2\n", "few": "x\n1\n2\n3\n",
        "constant": "x\n" + "5\n" * 9,
    }.items():  # fmt: skip
        (tmp_path / f"{name}.csv").write_text(text)
    monkeypatch.setattr(sys, "argv", ["ordered-mix", "compare", *arguments, *SHORT[2:]])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.startswith("ordered-mix: ")
    assert len(printed.err.strip().splitlines()) == 1
    assert printed.out == ""
    assert not (tmp_path / "results").exists()


def test_a_process_of_its_own_exits_with_2(tmp_path):
    done = run_process("compare", "absent.csv:x", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "ordered-mix: data file 'absent.csv' does not exist\n"


def test_help_version_and_list(tmp_path):
    assert "Examples" in run_command("compare", "--help", cwd=tmp_path).stdout
    assert (
        run_command("--version", cwd=tmp_path).stdout == f"ordered-mix {ordered_mix.__version__}\n"
    )
    listed = run_command("list", cwd=tmp_path).stdout
    assert "relative" in listed and "faithful:waiting" in listed


STUDY = """
from matplotlib.figure import Figure
from ordered_mix.study import Claim, Effect, Experiment, Study

def good(result):
    return Figure()

def bad(result):
    raise RuntimeError("no colour")

def effect(table):
    return Effect(table["x"].sum(), 1, 3)

sizes = {"smoke": {}, "laptop": {}, "cluster": {}}
first = Experiment(lambda seed, i: [{"x": i}], {"i": (1, 2)}, sizes)
second = Experiment(lambda seed, j: [{"y": j}], {"j": (1, 2, 3)}, sizes)
study = Study(name="tiny", question="Is it so?", source="a test",
              experiments={"first": first, "second": second},
              figures={"good": good, FIGURE},
              claims=(Claim("c", "It is so.", "me", effect, "above", 0.5, of=("first",),
                            words="The sum is {0:g}."),))
"""


def test_a_study_whose_figure_fails_keeps_its_run_and_says_so(tmp_path):
    file = tmp_path / "tiny.py"
    file.write_text(STUDY.replace("FIGURE", '"bad": bad'))
    call = ("run", "tiny.py", "--size", "smoke", "--workers", "1", "--out", "out")
    first = run_command(*call, cwd=tmp_path)
    assert first.returncode == 1
    assert "Figure 'bad' cannot be drawn: RuntimeError: no colour." in first.stderr
    assert "HOLDS" in first.stdout and "report.html" in first.stdout
    out = tmp_path / "out"
    assert {"report.html", "good.svg", "tables", "verdicts.json"} <= set(os.listdir(out))
    assert sorted(os.listdir(out / "tables")) == ["first.parquet", "second.parquet"]
    page = (out / "report.html").read_text()
    assert "The sum is 3." in page and "Figure &#39;bad&#39; cannot be drawn" in page
    assert str(tmp_path) not in page
    (out / "report.html").unlink()
    file.write_text(STUDY.replace("FIGURE", ""))
    again = run_command(*call, "--resume", "--quiet", cwd=tmp_path)  # all cells are there
    assert (again.returncode, again.stdout) == (0, "")
    assert "cannot be drawn" not in (out / "report.html").read_text()
