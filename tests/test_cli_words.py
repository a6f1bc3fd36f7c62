"""What the command line offers, lists as JSON, and does not overwrite."""

import json
import os
import subprocess
import sys

import pytest
from inprocess import exit_status

from ordered_mix.cli import complete
from ordered_mix.data import shipped, shipped_points
from ordered_mix.parameterization import catalog


def test_values_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faithless.csv").write_text("x\n1\n")
    (tmp_path / "em_own.py").write_text("")
    assert complete.data("faith") == [
        *(name for name in shipped() if name.startswith("faith")), "faithless.csv"
    ]  # fmt: skip
    assert complete.study("em_") == [
        *(name for name in catalog.names("study") if name.startswith("em_")), "em_own.py"
    ]  # fmt: skip
    assert complete.parameterizations("ordered,un") == ["ordered,unordered"]
    assert "ordered,ordered" not in complete.parameterizations("ordered,")
    assert complete.estimators("em,nu") == ["em,nuts", "em,nuts-pymc"]
    assert complete.prior("a") == ["adaptive"]
    assert complete.one_of(complete.SIZES)("l") == ["laptop"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ordered-mix fit gal", "galaxies"),
        ("ordered-mix run label_", "label_switching"),
        ("ordered-mix compare galaxies --parameterizations ordered,un", "ordered,unordered"),
        ("ordered-mix fit galaxies --scales c", "common"),
    ],
)
def test_the_shell_asks_for_them(words, offered):
    asked = {"_ORDERED_MIX_COMPLETE": "complete_bash", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
    program = "from ordered_mix.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env=os.environ | asked,
    )  # fmt: skip
    assert offered in done.stdout.split(), done


def test_the_list_as_json(monkeypatch, capsys):
    assert exit_status(monkeypatch, "list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found["parameterizations"]) == catalog.names()
    assert sorted(found["studies"]) == catalog.names("study")
    assert found["data_sets"] == shipped()
    assert found["data_sets_of_several_columns"] == shipped_points()
    assert exit_status(monkeypatch, "list") in (None, 0)
    assert "iris" in capsys.readouterr().out


def test_a_run_does_not_overwrite_one_of_other_settings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = ("run", "em_rates", "--size", "smoke", "--workers", "1")
    some = ("--set", "separation=1", "--set", "step=1")
    assert exit_status(monkeypatch, *run, *some, "--json") == 0
    verdicts = json.loads(capsys.readouterr().out)
    numeric = [verdict[name] for verdict in verdicts for name in ("effect", "low", "margin")]
    assert numeric and all(value is None or isinstance(value, int | float) for value in numeric)
    assert any(isinstance(value, int | float) for value in numeric)
    folder = tmp_path / "results" / "em-rates-smoke-separation-1-step-1"
    assert (folder / "tables" / "em_rates.parquet").is_file()
    before = (folder / "tables" / "em_rates.parquet").read_bytes()
    assert exit_status(monkeypatch, *run, "--out", str(folder)) == 2
    message = capsys.readouterr().err
    assert "holds the study at size smoke with separation=1" in message and "--force" in message
    assert (folder / "tables" / "em_rates.parquet").read_bytes() == before
    for wrong in ("separation=x", "separation=", "sep=1"):
        assert exit_status(monkeypatch, *run, "--set", wrong) == 2


def test_nothing_is_wrapped_in_a_pipe(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_status(monkeypatch, "fit", "galaxies", "-k", "1-4", "--estimators", "em,map") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) > 100
    assert any(line.startswith("Files: results") for line in lines)
