"""Kill runs of a study and comparisons at random moments, resume them, and look at what they leave.

    python tools/reliability.py --runner 20 --worker 10 --compare 20

Each round starts a run of a small study in a process of its own. A runner killed with SIGKILL is
started again, with 1, 2 or 4 workers; a run whose worker was killed has to finish by itself. Either
way the table must equal, byte for byte, that of a run with one worker left alone, and no cell that
was stored before the kill may be computed again: every computation leaves a line in a log.

A comparison is killed up to four times in a row, with 1 or 2 cores, and then left alone: its table
must equal, byte for byte, that of one that was never killed, its draws must be the same, and no
draws file that was there after a kill may have been written again.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

WORKERS = (4, 1, 2)
STARTING = 20.0  # a fifth of this, at most, is waited for a kill before the first cell

STUDY = '''
"""Busy for a moment; every computation leaves a line in a log."""
import os
import time

from ordered_mix.study import Experiment, Result, Study


def cell(seed, kind, i):
    end = time.process_time() + {seconds}
    while time.process_time() < end:
        pass
    with open({log!r}, "a") as log:
        log.write(f"{{seed}}\\n")
    rows = [{{"value": seed / 7, "part": part}} for part in range(2)]
    return Result(rows, {{"seeds": [seed, i]}}) if kind == "arrays" else rows


study = Study(
    name="busy", question="Is anything lost?", source="none",
    experiments={{"busy": Experiment(
        cell, factors={{"kind": ("scalars", "arrays"), "i": range({cells} // 2)}},
        sizes={{"smoke": {{"i": (0,)}}, "laptop": {{}}, "cluster": {{}}}}, structure=("kind",),
    )}},
)
'''


def run(file, out, workers):
    """Run the study in this process, the one that gets killed."""
    from ordered_mix.engine.run import load_study, run_study

    # jobs in the background of a shell inherit an ignored SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    result = run_study(load_study(file), out=out, workers=workers)
    if len(result.failures):
        raise SystemExit(f"failures:\n{result.failures.to_string()}")


class Bench:
    """A study in a temporary folder, and what an undisturbed run of it leaves."""

    def __init__(self, folder, cells, seconds):
        self.folder, self.log, self.cells = folder, folder / "log", cells
        self.file = folder / "busy.py"
        text = STUDY.format(log=str(self.log), cells=cells, seconds=seconds)
        self.file.write_text(text, encoding="utf-8")
        self.reference = self.finish(self.start("reference", 1), "reference")
        self.check_log([], "the undisturbed run")

    def start(self, name, workers=2):
        arguments = ["--run", str(self.file), str(self.folder / name), str(workers)]
        # semaphores that a killed process leaves behind are no news here
        quiet = {"PYTHONWARNINGS": "ignore::UserWarning:multiprocessing.resource_tracker"}
        return subprocess.Popen([sys.executable, __file__, *arguments], env={**os.environ, **quiet})

    def table(self, name):
        """Where a run leaves the table of the study's experiment."""
        return self.folder / name / "tables" / "busy.parquet"

    def finish(self, process, name):
        """Wait for a run, and return the hash of its table."""
        if process.wait(timeout=300) != 0:
            raise SystemExit(f"{name}: the run ended with status {process.returncode}")
        return hashlib.sha256(self.table(name).read_bytes()).hexdigest()

    def stored(self, name):
        """Seeds of the cells whose files are there."""
        folder = self.folder / name / "cells"
        names = {file.name.split(".")[0] for file in folder.glob("[!.]*")}
        return {seed for key, seed in self.seeds().items() if key in names}

    def seeds(self):
        from ordered_mix.engine.run import load_study

        return {cell.key: cell.seed for cell in load_study(str(self.file)).cells()}

    def check_log(self, stored, name):
        """Every cell was computed, and those stored before the kill were computed once."""
        counts = Counter(map(int, self.log.read_text().split()))
        self.log.write_text("")
        twice = [seed for seed in stored if counts[seed] > 1]
        if twice or len(counts) != self.cells:
            raise SystemExit(f"{name}: {len(twice)} stored cells computed again, {len(counts)} run")
        return counts.total() - self.cells

    def check(self, name, table, stored):
        again = self.check_log(stored, name)
        if table != self.reference:
            raise SystemExit(f"{name}: the table differs from that of the undisturbed run")
        left = [item.name for item in (self.folder / name).rglob(".*") if item.name != ".lock"]
        if left:
            raise SystemExit(f"{name}: left behind {left}")
        return again

    def wait(self, process, name, moment):
        """Until a share of the cells is stored; a negative moment is one of the start."""
        if moment < 0:
            time.sleep(-moment * STARTING)
            return
        folder = self.folder / name / "cells"
        while process.poll() is None:
            if folder.is_dir() and len(os.listdir(folder)) >= moment * self.cells:
                break
            time.sleep(0.01)

    def kill_runner(self, number, moment):
        name = f"runner-{number}"
        process = self.start(name)
        self.wait(process, name, moment)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        alive = psutil.wait_procs(family, timeout=30)[1]
        if alive:
            raise SystemExit(f"{name}: workers outlive their runner: {alive}")
        stored = self.stored(name)
        workers = WORKERS[number % len(WORKERS)]
        again = self.check(name, self.finish(self.start(name, workers), name), stored)
        found = f"killed with {len(stored)} of {self.cells} cells stored"
        return f"{found}, resumed with {workers} workers, {again} computed again"

    def kill_worker(self, number, moment, rng):
        name = f"worker-{number}"
        process = self.start(name)
        while not (family := workers_of(process.pid)) and process.poll() is None:
            time.sleep(0.01)
        self.wait(process, name, moment)
        stored = self.stored(name)
        victim = rng.choice(workers_of(process.pid) or family)
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        again = self.check(name, self.finish(process, name), stored)
        return f"killed with {len(stored)} of {self.cells} cells stored, {again} computed again"


class Comparisons:
    """Comparisons of a shipped data set, and what an undisturbed one leaves."""

    def __init__(self, folder, parameterizations, components):
        self.folder = folder
        settings = ["--parameterizations", parameterizations, "--components", str(components)]
        settings += ["--draws", "400", "--tune", "300", "--chains", "2", "--estimators", "em,nuts"]
        self.call = ["-m", "ordered_mix.cli", "compare", "faithful:waiting", *settings]
        begin = time.monotonic()
        self.reference = self.finish("compare-whole", 1)
        self.seconds = time.monotonic() - begin

    def start(self, name, cores):
        given = ["--out", str(self.folder / name), "--cores", str(cores), "--quiet"]
        environment = {**os.environ, "NUMBA_NUM_THREADS": str(cores)}
        return subprocess.Popen([sys.executable, *self.call, *given], env=environment)

    def finish(self, name, cores):
        """Run to the end; the hash of the table and the draws of every file."""
        process = self.start(name, cores)
        try:
            status = process.wait(timeout=300)
        finally:
            process.kill()
        if status != 0:
            raise SystemExit(f"{name}: the comparison ended with status {status}")
        table = (self.folder / name / "table.parquet").read_bytes()
        return hashlib.sha256(table).hexdigest(), self.draws(name)

    def draws(self, name):
        """Means of every draws file."""
        import xarray

        found = {}
        for file in sorted((self.folder / name).glob("draws-*.nc")):
            with xarray.open_datatree(file, engine="h5netcdf") as tree:
                found[file.name] = tree["posterior"]["mu"].to_numpy().tobytes()
        return found

    def whole(self, name):
        """Draws files that are there, and which files they are on the disk."""
        return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns)
                for file in (self.folder / name).glob("draws-*.nc")}  # fmt: skip

    def kill(self, name, moment, cores):
        """Kill at a share of the time that a whole one takes; whether it was still running."""
        process = self.start(name, cores)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moment * self.seconds)
        ended = process.poll() is not None
        process.kill()
        process.wait()
        return not ended

    def rounds(self, kills, rng):
        """Kill so many times, and say of each comparison what became of it."""
        number = 0
        while kills > 0:
            number += 1
            name, whole, killed = f"compare-{number}", {}, []
            for _ in range(min(kills, rng.randint(1, 4))):
                moment = rng.uniform(0.05, 0.95)
                if self.kill(name, moment, rng.choice((1, 2))):
                    killed.append(moment)
                now = self.whole(name)
                self.check_kept(name, whole, now)
                whole = now
            kills -= len(killed)
            self.check(name, self.finish(name, 2), whole)
            moments = ", ".join(f"{moment:.0%}" for moment in killed)
            what = f"killed at {moments} of its time" if killed else "ended before it was killed"
            yield f"{what}, {len(whole)} draws files kept"

    def check_kept(self, name, before, after):
        if not before.items() <= after.items():
            raise SystemExit(f"{name}: finished draws were lost or computed again")

    def check(self, name, left, whole):
        self.check_kept(name, whole, self.whole(name))
        if left != self.reference:
            raise SystemExit(f"{name}: it differs from the undisturbed comparison")
        hidden = [item.name for item in (self.folder / name).rglob(".*")]
        if hidden:
            raise SystemExit(f"{name}: left behind {hidden}")


def workers_of(pid):
    """Worker processes of a runner."""
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runner", type=int, default=20, help="kills of a run")
    parser.add_argument("--worker", type=int, default=10, help="kills of a worker")
    parser.add_argument("--compare", type=int, default=20, help="kills of a comparison")
    parser.add_argument("--parameterizations", default="unordered,ordered,relative")
    parser.add_argument("--components", type=int, default=2)
    parser.add_argument("--cells", type=int, default=240)
    parser.add_argument("--seconds", type=float, default=0.02, help="that a cell takes")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        return run(chosen.run[0], chosen.run[1], int(chosen.run[2]))
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.runner or chosen.worker:
            bench = Bench(Path(folder), chosen.cells, chosen.seconds)
        for number in range(chosen.runner):
            moment = rng.uniform(-0.2, 0.98)
            print(f"runner {number + 1}: {bench.kill_runner(number, moment)}", flush=True)
        for number in range(chosen.worker):
            moment = rng.uniform(-0.1, 0.9)
            print(f"worker {number + 1}: {bench.kill_worker(number, moment, rng)}", flush=True)
        if chosen.compare:
            given = (chosen.parameterizations, chosen.components)
            comparisons = Comparisons(Path(folder), *given)
            for line in comparisons.rounds(chosen.compare, rng):
                print(f"compare: {line}", flush=True)
    counts = {name: getattr(chosen, name) for name in ("runner", "worker", "compare")}
    print(json.dumps({**counts, "lost": 0}))
    return None


if __name__ == "__main__":
    main()
