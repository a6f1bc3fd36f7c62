"""Every command and every program of README.md is executed, or says here why it cannot be.

How, is decided for each line of a block: a command that is none of these fails the test.

- Commands of ordered-mix run in this process with documented options appended that make them
  short; the scheduler and the worker of the cluster recipe are processes on this machine.
- Commands with DATA or of the size ``laptop`` take minutes: their arguments are parsed and checked
  by the command line, and the computation is left out.
- ``make compare`` runs where the tests run in the environment that make has set up.
- ``make test`` is what runs this file, and is only looked up; so are commands of conda and pixi,
  which need a client, the network and minutes (``make conda-test`` runs those of conda).
"""

import io
import re
import runpy
import shlex
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from inprocess import exit_status
from project_files import PIXI

import ordered_mix
from ordered_mix.data import shipped
from ordered_mix.parameterization import catalog

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = README + (ROOT / "docs" / "on_data.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.M | re.S)
COMMANDS = [
    line.partition(" #")[0].strip() for kind, block in FENCED if kind == "sh"
    for line in block.splitlines() if line.strip()
]  # fmt: skip
PROGRAMS = [block for kind, block in FENCED if kind == "python"]
PROGRAM = "ordered-mix "
INLINE = sorted(
    {line for line in re.findall(r"`(ordered-mix [a-z][^`]*)`", TEXT) if "COMMAND" not in line}
)
SHORT = {"draws": 500, "tune": 300, "chains": 2}
FEW = {"parameterizations": "unordered", "estimators": "nuts", **SHORT}


def options(chosen):
    return [text for name, value in chosen.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a column of numbers, as somebody might have."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(4)
    # two or three components are found at once: short chains do not disagree
    heights = np.concatenate([rng.normal(m, 4, 33) for m in (100, 164, 190)])
    (folder / "my.csv").write_text("height\n" + "".join(f"{value:.1f}\n" for value in heights))
    return folder


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


def ordered_mix_command(monkeypatch, command, *appended):
    """Exit status of a command in this process."""
    words = shlex.split(command.removeprefix(PROGRAM))
    return exit_status(monkeypatch, *words, *map(str, appended))


def the_only(start):
    (found,) = [command for command in COMMANDS if command.startswith(start)]
    return found


def test_every_command_has_a_way_to_be_executed():
    known = (
        "pip install .", f"{PROGRAM}fit faithful:waiting",
        "make compare", "make test", f"{PROGRAM}fit my.csv:height",
        f"{PROGRAM}compare my.csv:height ", f"{PROGRAM}diagnose ",
        f"{PROGRAM}run em_rates --size smoke", "dask scheduler", "dask worker ",
        f"{PROGRAM}run em_rates --size cluster --dask ", f"{PROGRAM}compare DATA ", "conda ",
        "ordered-mix compare faithful:waiting", "pytest", "pixi run ",
    )  # fmt: skip
    for command in COMMANDS:
        assert command.startswith(known), f"{command!r} is not executed by any test of this file"
    # two lines begin with conda, two with pixi, three fit a column, two compare on it
    assert len(COMMANDS) == len(known) + 5
    assert len(PROGRAMS) == 2


def test_my_own_column(here, monkeypatch, capsys):
    three, several = [one for one in COMMANDS if one.startswith(f"{PROGRAM}compare my.csv:height ")]
    assert ordered_mix_command(monkeypatch, three, *options(FEW)) == 0
    assert "my:height: n = 99, K = 3" in capsys.readouterr().out
    assert (here / "results/my-height/compare-k3/report.html").stat().st_size > 50_000
    fewer = several.replace("1-6", "1-2")
    assert fewer != several and ordered_mix_command(monkeypatch, fewer, *options(FEW)) == 0
    assert "evidence" in capsys.readouterr().out


def test_a_fit_of_my_own_column(here, monkeypatch, capsys):
    commands = [one for one in COMMANDS if one.startswith(f"{PROGRAM}fit my.csv:height")]
    assert len(commands) == 3
    for command in commands:
        assert ordered_mix_command(monkeypatch, command, "--estimators", "em,map") == 0
        printed = capsys.readouterr().out
        assert "my:height: n = 99, K = " in printed and "1 weight" in printed
    names = {path.name for path in (here / "results/my-height").iterdir()}
    assert {"fit-k2", "fit-kauto", "fit-k1-4"} <= names


def test_installing_it():
    """What pip would do, without a network: the metadata are built, nothing is installed."""
    words = shlex.split(the_only("pip install"))
    assert words == ["pip", "install", "."]
    offline = ["--dry-run", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, "-m", *words, *offline, "--disable-pip-version-check"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if "No module named pip" in done.stderr:
        pytest.skip("there is no pip in this environment")
    assert done.returncode == 0, done.stderr
    assert f"Would install ordered_mix-{ordered_mix.__version__}" in done.stdout.replace(
        "-mix", "_mix"
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the first command prints, and the folder that it writes."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert ordered_mix_command(patch, the_only(f"{PROGRAM}fit faithful")) == 0
    return printed.getvalue(), folder / "results" / "faithful-waiting" / "fit-k2"


def cells(line):
    """The number of the component and what is told of it, and all further numbers of a row."""
    head, *rest = re.split(r"\s{2,}", line.strip())
    return head, [float(value) for value in " ".join(rest).split()]


def test_the_table_is_what_the_first_command_prints(shown):
    """Words are the same; numbers are within Monte Carlo error, as processors differ."""
    printed, folder = shown
    [block] = [text for kind, text in FENCED if kind == "text"]
    fresh = [line.rstrip() for line in printed.splitlines()]
    estimates = pd.read_csv(folder / "estimates.csv")
    rows = iter(estimates.itertuples())
    for line in block.splitlines():
        if not re.match(r" \d ", line):
            assert line.rstrip() in fresh
            continue
        row, (head, (mean, sd, low, high, ess, em, mode)) = next(rows), cells(line)
        assert any(cells(other)[0] == head for other in fresh if re.match(r" \d ", other))
        digit = 10.0 ** -len(line.split()[2].partition(".")[2])
        error = 6 * row.sd * np.sqrt(1 / ess + 1 / row.ess_bulk) + digit
        assert abs(mean - row.mean) < error and abs(sd / row.sd - 1) < 0.15
        assert max(abs(low - row.hdi_low), abs(high - row.hdi_high)) < 0.4 * row.sd
        assert max(abs(em - row.em), abs(mode - row.map)) < digit and min(ess, row.ess_bulk) > 400
    assert next(rows, None) is None


def test_the_picture_is_of_that_fit(shown):
    """The words in it name the peaks of the density and the components of EM."""
    estimates = pd.read_csv(shown[1] / "estimates.csv").set_index(["quantity", "component"])
    for theme in ("light", "dark"):
        svg = (ROOT / "docs" / "pictures" / f"fit-{theme}.svg").read_text(encoding="utf-8")
        assert ElementTree.fromstring(svg).tag.endswith("svg") and "var(" not in svg
        [said] = re.findall("<desc>(.*?)</desc>", svg)
        told = re.findall(r"mean ([\d.]+), standard deviation ([\d.]+), weight (\d\.\d+)", said)
        for k, values in enumerate(told, start=1):
            for name, value in zip(("mu", "sigma", "w"), values, strict=True):
                assert float(value) == pytest.approx(estimates.loc[(name, k), "em"], rel=0.02)
        peaks = re.search(r"peaks at ([\d., ]+)\.", said)[1].split(", ")
        means = estimates.loc["mu", "mean"]
        assert [float(peak) for peak in peaks] == pytest.approx(list(means), abs=1)


@pytest.fixture(scope="module")
def posterior(place):
    """What the program of the recipe saves, sampled shortly."""
    program = PROGRAMS[0]
    assert program.count("pm.sample()") == 1
    short = "pm.sample(15, tune=10, chains=2, cores=1, random_seed=1, progressbar=False, "
    short += "max_treedepth=3, compute_convergence_checks=False, quiet=True)"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        # compilers take 20 s for this model, which a few draws do not repay
        with pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
            exec(program.replace("pm.sample()", short), {"pm": pm})
    return place / "posterior.nc"


def test_draws_of_my_own_model(here, posterior, monkeypatch, capsys):
    assert ordered_mix_command(monkeypatch, the_only(f"{PROGRAM}diagnose ")) == 0
    assert "Do the labels switch" in capsys.readouterr().out
    assert {item.name for item in (here / "results/posterior").iterdir()} >= {
        "report.html", "relabelled.nc", "table.parquet", "table.csv"
    }  # fmt: skip


def test_in_python(here, posterior):
    program = PROGRAMS[1]
    assert program.count("data, components=3)") == program.count('"unordered", components=3)') == 1
    program = program.replace("data, components=3)", "data, components=3, **few, **short)")
    program = program.replace('"unordered", components=3)', '"unordered", components=3, **short)')
    few = {"parameterizations": ["unordered"], "estimators": ["nuts"]}
    names = {"short": SHORT, "few": few}
    exec(program, names)
    for name in ("compared", "drawn", "diagnosed"):
        assert names[name]._repr_html_().startswith('<div class="ordered-mix notebook">')
    assert "Relabelled by stephens" in names["relabelled"]._repr_html_()
    first, *particles = names["compared"].table["label"]
    assert first == "nuts unordered" and particles in ([], ["smc unordered"])
    compared = names["compared"].sampled["nuts unordered"].draws.tree["posterior"]
    xr.testing.assert_equal(names["drawn"].tree["posterior"].dataset, compared.dataset)
    assert "centre" in names["relabelled"].draws["posterior"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def started(process, words, seconds=60):
    """Wait until a process has written these words to its standard error."""
    end = time.monotonic() + seconds
    for line in process.stderr:
        if words in line:
            return
        assert time.monotonic() < end
    pytest.fail(f"{process.args} ended with {process.wait(10)}")


def test_a_study_on_a_cluster(here, monkeypatch, capsys):
    """The scheduler and one worker as processes, the study with them, at the size smoke."""
    address = f"127.0.0.1:{free_port()}"
    appended = {
        "dask scheduler": ["--host", address, "--no-dashboard"],
        "dask worker ": [
            "--nworkers", "1", "--no-dashboard", "--local-directory", str(here / "dask"),
        ],
    }  # fmt: skip
    running = []
    try:
        for start, more in appended.items():
            words = shlex.split(the_only(start).replace("HOST:8786", address))[1:] + more
            running.append(
                subprocess.Popen([sys.executable, "-m", "dask", *words],
                                 stderr=subprocess.PIPE, text=True)
            )  # fmt: skip
            started(running[-1], "Scheduler at" if len(running) == 1 else "Registered to")
        command = the_only(f"{PROGRAM}run em_rates --size cluster ").replace("HOST:8786", address)
        assert (
            ordered_mix_command(monkeypatch, command, "--size", "smoke", "--out", "dask-run") == 0
        )
    finally:
        for process in reversed(running):
            process.terminate()
            process.communicate(timeout=200)
    assert "claims" not in capsys.readouterr().err
    alone = the_only(f"{PROGRAM}run em_rates --size smoke")
    assert ordered_mix_command(monkeypatch, alone, "--out", "dask-run") == 0  # all cells are there
    assert (here / "dask-run/report.html").is_file()


def stop_before_work(*given, **named):
    raise KeyboardInterrupt  # all arguments were accepted


@pytest.mark.parametrize("command", [*INLINE, *[one for one in COMMANDS if " DATA " in one],
                                     "ordered-mix compare faithful:waiting"])  # fmt: skip
def test_long_commands_are_accepted_by_the_command_line(here, monkeypatch, capsys, command):
    for module, name in (("compare.compare", "compare"), ("engine.run", "run_study")):
        monkeypatch.setattr(import_module(f"ordered_mix.{module}"), name, stop_before_work)
    study = re.search(r" run NAME ", command)
    names = catalog.names("study") if study else shipped()
    for name in names:
        one = command.replace(" NAME ", f" {name} ").replace(" DATA ", f" {name} ")
        at = [] if one.endswith("list") else ["--out", f"parsed-{abs(hash(one))}"]
        assert ordered_mix_command(monkeypatch, one, *at) == (130 if at else 0), one
        if one == command:
            break


def test_make_compare(tmp_path):
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("make would set up an environment of its own, these tests run in another one")
    words = " ".join(options({**FEW, "components": 1, "out": tmp_path / "out"}))
    done = subprocess.run(
        [*shlex.split(the_only("make compare")), f"ARGS={words}"],
        cwd=ROOT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "faithful:waiting: n = 272, K = 1" in done.stdout
    assert (tmp_path / "out/report.html").is_file()


def test_targets_files_and_functions_are_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert {"test", "compare", *re.findall(r"`make ([a-z-]+)", TEXT)} <= set(targets)
    assert set(re.findall(r"pixi run ([a-z-]+)", TEXT)) <= set(PIXI["tasks"])
    for link in re.findall(r"\]\(([^)#:]+)[)#]|srcset=\"([^\"]+)|src=\"([^\"]+)", TEXT):
        assert (ROOT / "".join(link)).exists(), link
    for name in re.findall(r"ordered_mix\.([a-z_]+)\(", TEXT):
        assert callable(getattr(ordered_mix, name))


def test_the_picture_is_of_the_published_results():
    pictures = ROOT / "docs" / "pictures"
    script = runpy.run_path(str(pictures / "draw.py"))
    words = script["numbers"](script["rows"]())
    for theme in script["THEMES"]:
        svg = (pictures / f"labels-{theme}.svg").read_text(encoding="utf-8")
        assert words in svg and len(svg) < 200_000
