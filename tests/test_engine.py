"""The engine, mostly on workers started by hand: misbehaving cells, kills, resuming."""

import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
from disks import enlarge, small_disk
from fleets import fleet, until
from project_files import ROOT

from ordered_mix.engine import cluster
from ordered_mix.engine.dispatch import Dispatch, Running
from ordered_mix.engine.progress import Progress
from ordered_mix.engine.run import load_study, run_study
from ordered_mix.engine.schedule import Batch
from ordered_mix.engine.store import Store
from ordered_mix.errors import RunError

HERE = Path(__file__).resolve().parent
RELIABILITY = str(HERE.parent / "tools" / "reliability.py")

HEADER = '''
"""A study made for a test."""
import ctypes, os, signal, time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ordered_mix.study import Claim, Experiment, Result, Study
from ordered_mix.study.effects import mean

HERE = Path({folder!r})

def log(line):
    with open(HERE / "log", "a") as file:
        file.write(f"{{line}}\\n")

'''
FOOTER = """
sizes = {{"smoke": {{}}, "laptop": {{}}, "cluster": {{}}}}
demo = Experiment(cell, {factors}, sizes, {settings})
study = Study(name="{name}", question="?", source="a test", experiments={{"{name}": demo}}, {more})
"""


def write(folder, cell, factors, more="", name="demo", settings=""):
    """A study file with this cell, loaded as the user's would be."""
    file = folder / f"{name}.py"
    body = HEADER.format(folder=str(folder)) + cell
    text = body + FOOTER.format(name=name, factors=factors, more=more, settings=settings)
    file.write_text(text, encoding="utf-8")
    return load_study(str(file))


def log_of(folder):
    return (folder / "log").read_text().split()


class Fleets:
    """A fleet for all tests, and another in its place if a test has cost it a worker for good.

    A nanny gives up on a worker that ends before it has connected.
    """

    def __init__(self, folders):
        self.folders, self.stack, self.found = folders, ExitStack(), None

    def address(self):
        if self.found is None or not self._complete():
            self.stack.close()
            _, self.found = self.stack.enter_context(fleet(self.folders.mktemp("fleet")))
        return self.found

    def _complete(self):
        try:
            with cluster.ClosingClient(self.found, timeout=20, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=20)
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def fleets(tmp_path_factory):
    found = Fleets(tmp_path_factory)
    with found.stack:
        yield found


@pytest.fixture
def address(fleets):
    return fleets.address()


@pytest.fixture
def run(address, tmp_path):
    def run(study, size="smoke", **changes):
        return run_study(study, size, **{"out": tmp_path / "out", "address": address, **changes})

    return run


# --- a study from end to end ----------------------------------------------------------------------


def test_em_rates_gives_its_verdicts(run, tmp_path):
    seen = []
    result = run(load_study("em_rates"), progress=seen.append)
    outcomes = {verdict.claim.name: verdict.outcome for verdict in result.verdicts}
    assert outcomes == {
        "rates as in theory": "holds",
        "ECM is faster": "fails",
        "slowdown is 1/p1": "holds",
        "plateau of EM": "holds",
    }
    assert result.verdicts[1].effect.estimate == pytest.approx(2.0025, abs=1e-3)
    written = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    assert {row["claim"]: row["outcome"] for row in written} == outcomes
    assert not len(result.failures) and not len(result.skipped)
    study = load_study("em_rates")
    (table,) = result.tables.values()
    for cell, (_, row) in zip(study.cells("smoke"), table.iterrows(), strict=True):
        assert dict(row[list(cell.factors)]) == cell.factors
    direct = study.experiments["em_rates"].cell(0, **cell.factors)[0]
    assert table.iloc[-1][list(direct)].to_dict() == direct
    assert seen[-1].left == 0 and seen[-1].done == len(table) == 16
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert result.study.figures["rates"](result).axes


def test_a_finished_study_is_not_computed_again(run, tmp_path):
    study = write(tmp_path, "def cell(seed, i): log(seed); return [{'x': seed}]", {"i": (1, 2)})
    first = run(study)
    table = (first.path / "tables/demo.parquet").read_bytes()
    second = run(study)
    assert (first.path / "tables/demo.parquet").read_bytes() == table
    assert len(log_of(tmp_path)) == 2
    pd.testing.assert_frame_equal(first.rows["demo"], second.rows["demo"])
    third = run(study, overrides={"i": [1, 3]})
    assert sorted(third.tables["demo"]["i"]) == [1, 3]
    assert len(log_of(tmp_path)) == 3
    run(study, force=True)
    assert len(log_of(tmp_path)) == 5


def test_published_results_are_computed_again_without_their_cells(run, tmp_path):
    text = "def cell(seed, i): log(i); return [{'x': seed}]"
    first = run(write(tmp_path, text, {"i": (1, 2)})).path
    copy = tmp_path / "clone"
    (copy / "tables").mkdir(parents=True)
    for name in ("study.json", "tables/demo.parquet", "verdicts.json", "provenance.json"):
        (copy / name).write_bytes((first / name).read_bytes())
    changed = write(tmp_path, text + "  # in other words", {"i": (1, 2)})
    again = run(changed, out=copy)
    assert len(log_of(tmp_path)) == 4
    tables = [path / "tables" / "demo.parquet" for path in (copy, first)]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    records = json.loads((copy / "provenance.json").read_text())["runs"]
    assert [record["computed"] for record in records] == [2, 2]
    assert run(changed, out=copy).rows["demo"].equals(again.rows["demo"])
    assert len(log_of(tmp_path)) == 4
    with pytest.raises(ValueError, match="another version of study"):
        run(changed, out=first)


def test_provenance_names_what_it_may(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    study = write(tmp_path, "def cell(seed, i): return []", {"i": (1, 2)})
    result = run(study, overrides={"i": [2]})
    run(study)
    text = (result.path / "provenance.json").read_text()
    runs = json.loads(text)["runs"]
    assert [(one["cells"], one["computed"]) for one in runs] == [(1, 1), (2, 1)]
    assert runs[0]["overrides"] == {"i": [2]}
    assert runs[0]["environment"]["PYTHONHASHSEED"] == "0"
    assert {"python", "ordered_mix", "numpy", "distributed"} <= runs[0]["versions"].keys()
    assert len(runs[0]["code"]) == 64
    assert runs[0]["hardware"]["processors"] >= 1
    assert runs[0]["seconds"] >= 0
    assert "hunter2" not in text


def test_skipped_cells_say_why_and_are_not_computed(run, tmp_path):
    study = write(
        tmp_path,
        "def cell(seed, i): log(i); return [{'x': i}]\n"
        "def skip(i): return 'two is not a number we like' if i == 2 else None",
        {"i": (1, 2, 3)},
        settings="skip=skip",
    )
    result = run(study)
    assert result.skipped.values.tolist() == [["demo", 2, "two is not a number we like"]]
    assert sorted(log_of(tmp_path)) == ["1", "3"]


def test_workers_compute_with_one_thread(run, tmp_path):
    code = """
def cell(seed, i):
    import numba
    import ordered_mix.passes.kernels
    return [{'threads': numba.config.NUMBA_NUM_THREADS}]
"""
    assert run(write(tmp_path, code, {"i": (1, 2)})).tables["demo"]["threads"].tolist() == [1, 1]


def test_workers_that_run_for_long_compute_the_file_of_today(run, tmp_path):
    for answer in (41, 42):
        study = write(tmp_path, f"def cell(seed, i): return [{{'x': {answer}}}]", {"i": (1,)})
        assert run(study, force=True).tables["demo"]["x"].tolist() == [answer]


def test_models_are_compiled_once_for_each_worker_that_needs_them(run, tmp_path):
    code = """
@lru_cache
def model(kind):
    log(kind)
    time.sleep(0.2)
    return kind

@dataclass
class Point:
    x: int

def cell(seed, kind, i):
    return [{'kind_of_model': model(kind), 'x': Point(i).x}]
"""
    factors = {"kind": ("a", "b", "c", "d"), "i": tuple(range(25))}
    result = run(write(tmp_path, code, factors, settings="structure=('kind',)"))
    assert len(result.tables["demo"]) == 100
    assert len(log_of(tmp_path)) <= 4 + 2  # 8 if the cells of a model were spread about


# --- cells that misbehave -------------------------------------------------------------------------

MISBEHAVING = """
def cell(seed, kind, i):
    if kind == "raise":
        raise ValueError("no such thing")
    if kind == "exit":
        raise SystemExit(3)
    if kind == "sleep":
        time.sleep(1000)
    if kind == "native":
        ctypes.PyDLL(None).sleep(1000)  # never gives back the interpreter's lock
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "memory":
        waste = bytearray(3 << 28)
        waste[::4096] = b"1" * len(waste[::4096])
        time.sleep(1000)
    return [{"x": i}]
"""


def test_misbehaving_cells_become_rows_and_take_no_other_with_them(run, tmp_path):
    factors = {"kind": ("fine", "raise", "exit", "sleep", "native"), "i": (0,)}
    study = write(tmp_path, MISBEHAVING, factors, settings="time_limit=1.5")
    result = run(study, overrides={"kind": ["fine", "raise"], "i": range(20)})
    assert len(result.tables["demo"]) == 20
    assert set(result.failures["error"]) == {"ValueError: no such thing"}
    result = run(study)
    errors = dict(zip(result.failures["kind"], result.failures["error"], strict=True))
    assert errors == {
        "raise": "ValueError: no such thing",
        "exit": "SystemExit: 3",
        "sleep": "TimeLimit: no result within 1.5 s",
        "native": "TimeLimit: no result within 1.5 s",
    }
    assert result.tables["demo"].values.tolist() == [["fine", 0, 0]]


def test_cells_that_kill_their_worker_are_given_up(run, tmp_path):
    study = write(tmp_path, MISBEHAVING, {"kind": ("fine", "crash", "memory"), "i": (0,)})
    result = run(study)
    assert result.tables["demo"]["kind"].tolist() == ["fine"]
    assert result.failures["kind"].tolist() == ["crash", "memory"]
    assert set(result.failures["error"]) == {
        "WorkerLost: its worker was lost 3 times: it crashes or exceeds the memory limit"
    }


def test_failed_cells_are_tried_again(run, tmp_path):
    code = """
def cell(seed, i):
    log(i)
    if i == 2 and not (HERE / "repaired").exists():
        raise RuntimeError("broken")
    return [{"x": i}]
"""
    study = write(tmp_path, code, {"i": (1, 2, 3)})
    result = run(study)
    assert result.failures["i"].tolist() == [2]
    (tmp_path / "repaired").touch()
    result = run(study)
    assert result.tables["demo"]["x"].tolist() == [1, 2, 3]
    assert not len(result.failures)
    assert sorted(log_of(tmp_path)) == ["1", "2", "2", "3"]


def test_a_damaged_cell_is_reported_and_computed_again(run, tmp_path):
    code = "def cell(seed, i): log(i); return Result([{'x': i}], {'a': np.arange(i)})"
    study = write(tmp_path, code, {"i": (1, 2)})
    table = (run(study).path / "tables/demo.parquet").read_bytes()
    victim = sorted((tmp_path / "out" / "cells").iterdir())[0]
    victim.write_bytes(b"PK" + bytes(200))
    result = run(study)
    assert len(result.set_aside) == 1
    assert (tmp_path / "out" / "tables/demo.parquet").read_bytes() == table
    assert len(log_of(tmp_path)) == 3


# --- kills ----------------------------------------------------------------------------------------

SLOW = """
def cell(seed, i):
    time.sleep(0.02)
    log(os.getpid())
    return [{"x": seed}]
"""


def test_workers_killed_while_they_compute(run, tmp_path):
    study = write(tmp_path, SLOW, {"i": tuple(range(150))})
    killed = set()

    def kill(progress):
        if progress.done > 40 * len(killed) and len(killed) < 2:
            victim = int(log_of(tmp_path)[-1])
            if victim not in killed:
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)

    result = run(study, progress=kill)
    assert len(killed) == 2
    assert result.tables["demo"]["x"].tolist() == [cell.seed for cell in study.cells()]
    again = len(log_of(tmp_path)) - 150
    assert 0 <= again <= 2 * 20  # the batch of each, of a quarter second


def test_a_scheduler_that_dies_costs_nothing_that_was_finished(tmp_path):
    study = write(tmp_path, SLOW, {"i": tuple(range(2000))})
    with fleet(tmp_path, workers=1) as (scheduler, found):

        def kill(progress):
            if progress.done > 10:
                scheduler.kill()

        with pytest.raises(RunError, match="the Dask scheduler is lost"):
            run_study(study, "smoke", out=tmp_path / "out", address=found, progress=kill)
    assert len(list((tmp_path / "out" / "cells").iterdir())) > 10


def test_a_wait_that_distributed_cancels_is_waited_for_again(tmp_path, monkeypatch):
    study = write(tmp_path, "def cell(seed, i): return []", {"i": (1,)})
    (cell,) = study.cells()
    dispatch = Dispatch(study, Store(tmp_path, "demo"), [cell], 0, 0, lambda progress: None)
    answers = iter([UnboundLocalError("result"), TimeoutError(), ["outcome"]])

    def result(timeout):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    future = SimpleNamespace(status="finished", result=result)
    item = Running(future, Batch([cell], cell.structure), "w", 0.0)
    dispatch.running["w"] = item
    monkeypatch.setattr(dispatch, "_look", lambda client: None)
    assert dispatch._gather(None, item) == ["outcome"]


def test_ctrl_c_stops_cleanly_and_resumes(run, tmp_path):
    code = SLOW.replace("0.02", "0.02 if i < 30 else 0.3")
    study = write(tmp_path, code, {"i": tuple(range(34))})
    out, cells = tmp_path / "out", tmp_path / "out" / "cells"
    command = [sys.executable, RELIABILITY, "--run", str(tmp_path / "demo.py"), str(out), "2"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        until(lambda: cells.is_dir() and len(list(cells.glob("[!.]*"))) >= 5, process)
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        try:
            stderr = process.communicate(timeout=500)[1]
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert stderr.count("Traceback") == 1 and stderr.rstrip().endswith("KeyboardInterrupt")
    assert not psutil.wait_procs(family, timeout=100)[1]
    kept = len(list(cells.iterdir()))
    assert 5 <= kept < 34
    assert not list(cells.glob(".*"))
    assert run(study).tables["demo"]["x"].tolist() == [cell.seed for cell in study.cells()]
    assert len(log_of(tmp_path)) <= 34 + 2 * 13  # the two batches in flight, a quarter second each


def test_killed_runs_leave_the_same_table():
    chosen = ["--runner", "1", "--worker", "1", "--compare", "0", "--cells", "100", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, RELIABILITY, *chosen],
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == '{"runner": 1, "worker": 1, "compare": 0, "lost": 0}'


# --- one clear sentence ---------------------------------------------------------------------------


def test_a_client_that_cannot_be_opened_is_closed():
    with pytest.raises(ValueError, match="unknown address scheme") as raised:
        cluster.ClosingClient("nonsense://x", timeout=0.2, set_as_default=False)
    frames = [frame for frame, _ in traceback.walk_tb(raised.tb)]
    found = {id(frame.f_locals.get("self")): frame.f_locals.get("self") for frame in frames}
    clients = [one for one in found.values() if isinstance(one, cluster.ClosingClient)]
    assert [one.status for one in clients] == ["closed"]


def test_no_scheduler_at_the_address(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    study = write(tmp_path, "def cell(seed, i): return []", {"i": (1,)})
    with pytest.raises(RunError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        run(study, address="tcp://127.0.0.1:9")
    with pytest.raises(RunError, match="no Dask scheduler answers at 'nonsense://x'"):
        run(study, address="nonsense://x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "huge"}, "size must be one of"),
        ({"overrides": {"j": [1]}}, "factor must be one of i, got 'j'"),
        ({"address": None, "workers": 0}, "workers must be at least 1, got 0"),
        ({"slurm": Path("x.toml")}, "address and slurm exclude each other"),
        ({"resume": True, "force": True}, "resume and force exclude each other"),
    ],
)
def test_bad_arguments(run, tmp_path, changes, message):
    study = write(tmp_path, "def cell(seed, i): return []", {"i": (1,)})
    with pytest.raises(ValueError, match=message):
        run(study, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def cell(:\n", r"bad\.py' cannot be run: .*line 1"),
        ("import nothing_of_this_name\n", "cannot be run: No module named"),
        ("x = 1\n", "must define `study = Study"),
        (None, "does not exist"),
    ],
)
def test_bad_study_files(tmp_path, text, message):
    file = tmp_path / "bad.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_study(str(file))
    assert "\n" not in str(error.value)


def test_an_unknown_study_has_a_near_match():
    with pytest.raises(ValueError, match="did you mean 'em_rates'"):
        load_study("em_rate")


def test_a_study_that_workers_cannot_load(run, tmp_path):
    code = """
if os.getpid() != int((HERE / "pid").read_text()):
    raise ImportError("only here")
def cell(seed, i): return []
"""
    (tmp_path / "pid").write_text(str(os.getpid()))
    study = write(tmp_path, code, {"i": (1,)})
    with pytest.raises(RunError, match="workers cannot compute study 'demo': ImportError: only"):
        run(study)


def test_a_full_disk_is_one_sentence_and_loses_nothing(run, tmp_path):
    code = """
def cell(seed, i):
    log(seed)
    return Result([{"x": i}], {"a": np.full(1000, seed)})
"""
    study = write(tmp_path, code, {"i": tuple(range(30))})
    with small_disk(tmp_path / "disk", "200k") as disk:
        with pytest.raises(RunError, match=r"cannot be written: No space left on device; \d+"):
            run(study, out=disk)
        kept = list((disk / "cells").iterdir())
        assert 5 < len(kept) < 30
        assert not list((disk / "cells").glob(".*"))
        enlarge(disk)
        assert run(study, out=disk).tables["demo"]["x"].tolist() == list(range(30))
        seeds = {cell.key: cell.seed for cell in study.cells()}
        for file in kept:
            assert log_of(tmp_path).count(str(seeds[file.stem])) == 1


# --- SLURM ----------------------------------------------------------------------------------------

QUEUE = """#!/bin/sh
echo "$0 $*" >> {folder}/calls
for last; do :; done
[ "$(basename $0)" = sbatch ] || exit 0
cp "$last" {folder}/script
setsid sh {folder}/script > {folder}/job.log 2>&1 &
echo 4711
"""


def test_a_slurm_queue_runs_the_same_way(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "scancel"):
        (programs / name).write_text(QUEUE.format(folder=tmp_path))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    settings = tmp_path / "slurm.toml"
    settings.write_text(
        'jobs = 1\n[cluster]\ncores = 2\nprocesses = 2\nmemory = "2 GiB"\ninterface = "lo"\n'
        f'local_directory = "{tmp_path}"\nscheduler_options = {{dashboard_address = ":0"}}\n'
    )
    study = write(tmp_path, SLOW, {"i": tuple(range(20))})
    result = run_study(study, "smoke", out=tmp_path / "out", slurm=settings)
    assert len(result.tables["demo"]) == 20
    script = (tmp_path / "script").read_text()
    assert "export NUMBA_NUM_THREADS=1" in script
    assert "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False" in script
    assert "sbatch" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize("text", ["jobs = 1", "[cluster]\ncores = 1", "jobs = ", None])
def test_bad_slurm_files(tmp_path, text):
    pytest.importorskip("dask_jobqueue")
    file = tmp_path / "slurm.toml"
    if text is not None:
        file.write_text(text)
    study = write(tmp_path, "def cell(seed, i): return []", {"i": (1,)})
    with pytest.raises(ValueError, match="slurm must be a TOML file with `jobs` and a table"):
        run_study(study, "smoke", out=tmp_path / "out", slurm=file)


# --- progress -------------------------------------------------------------------------------------


def test_progress_in_words():
    text = str(Progress(10_000, 1204, 2, 10, 2, 35.21, 34.2))
    assert text.startswith("1,204 of 10,000 cells, 35.2 a second, 2 failed, 10 skipped, 2 workers")
    assert "ends about" in text
    waiting = Progress(10, 0, 0, 0, 0, 0.0, 1.0)
    assert str(waiting) == "0 of 10 cells, 0 a second, waiting for workers"
    assert waiting.expected_end is None


@pytest.mark.parametrize("name", ["EMPTY", "EM", "BUSY"])
def test_studies_of_the_benchmark_are_studies(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    bench = import_module("bench_engine")
    path = tmp_path / "timed.py"
    path.write_text((getattr(bench, name) + bench.TAIL).format(name="timed", cells=3))
    [experiment] = load_study(str(path)).experiments.values()
    assert len(experiment.cell(1, i=0)) == 1
