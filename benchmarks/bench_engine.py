"""What the study engine costs: overhead of a cell, EM cells a minute, busy workers, memory.

    python benchmarks/bench_engine.py [--cells 10000]

Prints each figure with its target. Other load on the machine makes all of them worse, and the
time of the workers' start is part of every figure.
"""

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from ordered_mix.study.engine import load_study, run_study

EMPTY = '''
"""Nothing to compute."""
from ordered_mix.study import Study

def cell(seed, i):
    return [{{"value": seed % 1000}}]
'''
EM = '''
"""EM on 200 simulated points."""
import numpy as np

from ordered_mix.data import simulate
from ordered_mix.estimators.em import EM
from ordered_mix.mixture import Mixture
from ordered_mix.study import Study

TRUTH = Mixture(np.array([0.5, 0.5]), np.array([-1.5, 1.5]), np.ones(2))
START = Mixture(np.array([0.5, 0.5]), np.array([-0.5, 1.0]), np.ones(2))

def cell(seed, i):
    fit = EM().fit(simulate(TRUTH, 200, seed), START)
    return [{{"log_likelihood": float(fit.log_likelihood), "passes": int(fit.passes)}}]
'''
BUSY = '''
"""Work that takes 30 ms of a processor."""
import time
from ordered_mix.study import Study

def cell(seed, i):
    end = time.process_time() + 0.03
    while time.process_time() < end:
        pass
    return [{{"value": 1}}]
'''
TAIL = """
study = Study(name="{name}", question="?", source="a benchmark", factors={{"i": range({cells})}},
              sizes={{"smoke": {{"i": range(2)}}, "laptop": {{}}, "cluster": {{}}}}, cell=cell)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000, help="EM cells")
    chosen = parser.parse_args()
    print(f"2 workers; load of the machine before the start {psutil.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, _, _ = measure(folder, "empty", EMPTY, 2000)
        print(f"2,000 empty cells: {1000 * seconds / 2000:.2f} ms a cell (target 5)")
        seconds, result, _ = measure(folder, "busy", BUSY, 1000)
        # Seconds inside of cells against seconds that two workers had, their start left out.
        timings = result.timings
        ends, inside = timings["finished"], timings["seconds"]
        span = ends.max() - (ends - inside).min()
        print(
            f"1,000 cells of 30 ms: workers compute {inside.sum() / (2 * span):.1%} of their time "
            f"(target 90%), {inside.sum() / (2 * seconds):.1%} with start, table and end"
        )
        seconds, _, memory = measure(folder, "em", EM, chosen.cells)
        print(f"{chosen.cells:,} EM cells: {seconds:.1f} s (target 60 for 10,000)")
        early = next(value for done, value in memory.items() if done >= chosen.cells // 5)
        late = memory[max(memory)]
        print(f"memory of the runner: {early:.0f} MiB at a fifth, {late:.0f} MiB at the last cell")


if __name__ == "__main__":
    main()
