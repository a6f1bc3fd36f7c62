"""The command line as a process among others: pipes, Ctrl-C, exit statuses, what it logs."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from fabricated import NAMES, switched_draws
from inprocess import exit_status

from ordered_mix.cli import main, options
from ordered_mix.errors import RunError
from ordered_mix.samplers import nuts

CALL = [sys.executable, "-m", "ordered_mix.cli"]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]|[\u2800-\u28ff]")  # spinners are Braille
OPTIONS = [text for name, value in NAMES.items() for text in (f"--{name}", value)]


def raising(error):
    def function(*given, **named):
        raise error

    return function


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with draws, as the working folder."""
    switched_draws(k=2, draws=60).to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_done_is_0_and_stages_are_lines(own, monkeypatch, capsys):
    assert exit_status(monkeypatch, "diagnose", "own.nc", *OPTIONS) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == ["read the draws", "relabel and diagnose", "report"]
    assert not CONTROL.search(printed.out + printed.err)


def test_a_study_that_cannot_go_on_is_1(monkeypatch, capsys):
    monkeypatch.setattr("ordered_mix.engine.run.run_study", raising(RunError("no workers")))
    assert exit_status(monkeypatch, "run", "em_rates", "--size", "smoke") == 1
    assert capsys.readouterr().err == "ordered-mix: no workers\n"


def test_a_fault_of_the_program_has_a_traceback(monkeypatch):
    monkeypatch.setattr("ordered_mix.engine.run.run_study", raising(RuntimeError("oh")))
    monkeypatch.setattr(sys, "argv", ["ordered-mix", "run", "em_rates", "--size", "smoke"])
    with pytest.raises(RuntimeError, match="oh"):  # Python prints it and exits with 1
        main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comprae"], "Did you mean 'compare'?"),
        (["compare"], "Missing argument"),
        (["compare", "galaxies", "--drawz", "9"], "No such option"),
        (["compare", "galaxies", "--draws", "many"], "Invalid value for '--draws'"),
        (["run", "em_rate"], "did you mean 'em_rates'"),
    ],
)
def test_a_call_that_cannot_be_meant_is_2(monkeypatch, capsys, arguments, message):
    assert exit_status(monkeypatch, *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_interrupted_is_130_and_leaves_no_folder(own, monkeypatch, capsys):
    home = import_module("ordered_mix.compare.diagnosis")  # `ordered_mix.compare` is a function
    monkeypatch.setattr(home, "diagnose", raising(KeyboardInterrupt))
    assert exit_status(monkeypatch, "diagnose", "own.nc", *OPTIONS) == 130
    assert capsys.readouterr().err.endswith("ordered-mix: interrupted, the same command resumes\n")
    assert os.listdir() == ["own.nc"]


def test_ctrl_c_ends_a_comparison_and_keeps_no_part_of_its_draws(tmp_path):
    process = subprocess.Popen(
        [*CALL, "compare", "low_dim_gauss_mix", "--parameterizations", "unordered",
         "--estimators", "nuts", "--draws", "1000000", "--out", "out"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # jobs in the background of a shell inherit an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        for line in process.stderr:  # ends with the process
            if line == "nuts unordered\n":
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=500)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err == "ordered-mix: interrupted, the same command resumes\n"
    assert os.listdir(tmp_path / "out") == ["comparison.json"]


def test_an_interrupted_sampler_gives_no_draws(monkeypatch):
    cancelled = []
    running = SimpleNamespace(
        wait=raising(KeyboardInterrupt), cancel=lambda: cancelled.append(True)
    )
    monkeypatch.setattr(nuts.nutpie, "sample", lambda compiled, blocking, **given: running)
    with pytest.raises(KeyboardInterrupt):
        nuts._uninterrupted(None, np.inf, draws=10)
    assert cancelled == [True]


def test_a_reader_that_leaves_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*CALL, "list"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=500, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.fixture
def log():
    yield options.log
    options.log.handlers.clear()
    options.log.setLevel("NOTSET")


def test_verbose_says_what_is_done_and_where_an_error_is(own, log, monkeypatch, capsys):
    assert exit_status(monkeypatch, "diagnose", "own.nc", *OPTIONS, "--json", "--verbose") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["draws"] == "own.nc"
    lines = printed.err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert lines[0].endswith("read the draws") and lines[-1].endswith("own/report.html")
    assert exit_status(monkeypatch, "diagnose", "absent.nc", *OPTIONS) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "ordered-mix: draws 'absent.nc' does not exist"


@pytest.mark.parametrize("command", [(), ("compare",), ("diagnose",), ("run",)])
def test_help_has_an_example_on_each_line(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "120")
    assert exit_status(monkeypatch, *command, "--help") == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [
        line for line in lines[lines.index("Examples:") :] if line.startswith("ordered-mix")
    ]
    assert len(examples) >= 3 and all("·" not in line for line in examples)
    if not command:
        assert any("130 interrupted" in line for line in lines)
