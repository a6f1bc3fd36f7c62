"""What the study engine costs: overhead of a cell, EM cells a minute, busy workers, memory.

    python benchmarks/bench_engine.py [--quick]

Two workers; each figure stands beside its target. Other load on the machine makes all of them
worse. The time of the workers' start is part of every figure but that of busy workers.
"""

import argparse
import tempfile
import time
from pathlib import Path

import psutil
import tables

from ordered_mix.engine.run import load_study, run_study

EMPTY = '''
"""Nothing to compute."""
from ordered_mix.study import Experiment, Study

def cell(seed, i):
    return [{{"value": seed % 1000}}]
'''
EM = '''
"""EM on 200 simulated points."""
import numpy as np

from ordered_mix.data import simulate
from ordered_mix.estimators.em import EM
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Experiment, Study

TRUTH = Mixture(np.array([0.5, 0.5]), np.array([-1.5, 1.5]), np.ones(2))
START = Mixture(np.array([0.5, 0.5]), np.array([-0.5, 1.0]), np.ones(2))

def cell(seed, i):
    fit = EM().fit(parameterization("unordered", 2), simulate(TRUTH, 200, seed), START)
    return [{{"log_likelihood": float(fit.log_likelihood), "passes": int(fit.passes)}}]
'''
BUSY = '''
"""Work that takes 30 ms of a processor."""
import time
from ordered_mix.study import Experiment, Study

def cell(seed, i):
    end = time.process_time() + 0.03
    while time.process_time() < end:
        pass
    return [{{"value": 1}}]
'''
TAIL = """
sizes = {{"smoke": {{"i": range(2)}}, "laptop": {{}}, "cluster": {{}}}}
experiment = Experiment(cell=cell, factors={{"i": range({cells})}}, sizes=sizes)
experiments = {{"{name}": experiment}}
study = Study(name="{name}", question="?", source="a benchmark", experiments=experiments)
"""


def measure(folder, name, text, cells):
    """Seconds of a whole run, its result, and the runner's memory along the way (MiB by cells)."""
    file = folder / f"{name}.py"
    file.write_text((text + TAIL).format(name=name, cells=cells), encoding="utf-8")
    runner, memory = psutil.Process(), {}

    def look(progress):
        memory[progress.done] = runner.memory_info().rss / 2**20

    begin = time.perf_counter()
    result = run_study(load_study(str(file)), out=folder / f"{name}-out", progress=look)
    return time.perf_counter() - begin, result, memory


def run(scale=1):
    """Rows of figures; a scale of 10 computes a tenth of the cells."""
    rows = []

    def add(figure, value, target):
        rows.append({"figure": figure, "measured": value, "target": target})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = 2000 // scale
        seconds, _, _ = measure(folder, "empty", EMPTY, cells)
        add(f"ms a cell, {cells:,} empty cells", 1000 * seconds / cells, "at most 5 for 2,000")
        cells = 1000 // scale
        _, result, _ = measure(folder, "busy", BUSY, cells)
        ends, inside = result.timings["finished"], result.timings["seconds"]
        share = inside.sum() / (2 * (ends.max() - (ends - inside).min()))
        add(f"share of their time that workers compute, {cells:,} cells of 30 ms", share, "0.9")
        cells = 10_000 // scale
        seconds, result, memory = measure(folder, "em", EM, cells)
        add(f"seconds for {cells:,} EM cells", seconds, "at most 60 for 10,000")
        inside = result.timings["seconds"].sum() / 2
        add("of which two workers compute", inside, "")
        early = next(value for done, value in memory.items() if done >= cells // 5)
        growth = memory[max(memory)] - early
        add("MiB that the runner grows from the first fifth to the last EM cell", growth, "flat")
    return rows


def main():
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cells")
    arguments = parser.parse_args()
    load = psutil.getloadavg()[0]
    rows = run(10 if arguments.quick else 1)
    print(tables.table(rows, ("figure", "measured", "target")))
    print(f"\nLoad average before the start: {load:.1f} on {psutil.cpu_count()} processors.")


if __name__ == "__main__":
    main()
