"""EM on many small data sets, against scikit-learn, mclust and mixtools, and batches of ascents.

    python benchmarks/bench_em.py [--quick]

Two components with free weights, means and scales, the same data and starts for all. Every
contestant runs in its own process; peers go through the data sets one by one. R's packages are
timed inside R, without its start.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tables

OWN, ONE_CORE = "ordered_mix", "ordered_mix, one core"
SETS, POINTS, ITERATIONS, REPEATS = 2_000, 200, 50, 5
PEER_SETS = 100  # peers take as long for each set, however many there are
TOLERANCE = 1e-6  # of the mean log likelihood
RUNS = 10_000
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Row = dict[str, Any]

R_SCRIPT = """
suppressMessages(library({package}))
y <- as.matrix(read.csv("y.csv", header = FALSE))
one <- function(x) {{ {call} }}
invisible(capture.output(suppressWarnings({{
    one(y[1, ])
    seconds <- replicate({repeats}, system.time(for (i in 1:nrow(y)) one(y[i, ]))[["elapsed"]])
}})))
cat(median(seconds) / nrow(y), "\\n")
"""

MCLUST = """em(modelName = "V", data = x, control = emControl(tol = c({tolerance}, 0),
    itmax = c({iterations}, 1), eps = 0), parameters = list(pro = c(.5, .5), mean = c(-1, 1),
    variance = list(modelName = "V", d = 1, G = 2, sigmasq = c(1, 1))))"""

MIXTOOLS = """normalmixEM(x, lambda = c(.5, .5), mu = c(-1, 1), sigma = c(1, 1),
    epsilon = {tolerance}, maxit = {iterations})"""


def problem(sets: int) -> np.ndarray:
    """Data sets in rows, from a mixture that is neither merged nor well separated."""
    rng = np.random.default_rng(0)
    second = rng.random((sets, POINTS)) < 0.6
    return rng.normal(np.where(second, 1.5, -1.0), np.where(second, 1.0, 0.7))


def own(y: np.ndarray, rule: str) -> Callable[[], object]:
    """All data sets in one batch."""
    from ordered_mix.data import Data
    from ordered_mix.estimators.em import EM
    from ordered_mix.estimators.loop.stop import Stop
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization.catalog import parameterization

    model = parameterization("unordered", 2)
    stop = (
        Stop(log_likelihood=0, passes=ITERATIONS + 1)
        if rule == "iterations"
        else Stop(log_likelihood=TOLERANCE * POINTS)
    )
    start = Mixture(
        np.full((len(y), 2), 0.5), np.tile([-1.0, 1.0], (len(y), 1)), np.ones((len(y), 2))
    )
    return lambda: EM(stop=stop).fit(model, Data(y), start)


def scikit_learn(y: np.ndarray, rule: str) -> Callable[[], object]:
    """`GaussianMixture` on one data set after the other."""
    from sklearn.mixture import GaussianMixture

    iterations = ITERATIONS if rule == "iterations" else 10_000
    model = GaussianMixture(
        2, tol=0 if rule == "iterations" else TOLERANCE, reg_covar=0, max_iter=iterations,
        weights_init=[0.5, 0.5], means_init=[[-1.0], [1.0]], precisions_init=np.ones((2, 1, 1)),
    )  # fmt: skip

    def call() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for row in y:
                model.fit(row[:, None])

    return call


def in_r(y: np.ndarray, rule: str, package: str, repeats: int) -> Row:
    """Median seconds for each data set with one of R's packages, or the reason to skip it."""
    if shutil.which("Rscript") is None:
        return {"skipped": "Rscript is not installed"}
    call = MCLUST if package == "mclust" else MIXTOOLS
    # mclust's tolerance is relative to the log likelihood, mixtools' is absolute
    tolerance = TOLERANCE / 1.7 if package == "mclust" else TOLERANCE * POINTS
    off = "0" if package == "mclust" else "-1"
    call = call.format(
        tolerance=off if rule == "iterations" else tolerance,
        iterations=ITERATIONS if rule == "iterations" else 10_000,
    )
    script = R_SCRIPT.format(package=package, call=call, repeats=repeats)
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(Path(folder) / "y.csv", y, delimiter=",")
        done = subprocess.run(
            ["Rscript", "-e", script], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode:
        return {"skipped": f"{package} is not installed or fails"}
    return {"seconds_per_set": float(done.stdout.split()[-1])}


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median over the repeats, after one call unmeasured."""
    call()
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def measure(name: str, rule: str, sets: int, repeats: int) -> Row:
    """Measure one contestant in this process."""
    row: Row = {"contestant": name, "rule": rule, "n": POINTS}
    if name in ("mclust", "mixtools"):
        return row | in_r(problem(min(sets, PEER_SETS)), rule, name, repeats)
    count = sets if name in (OWN, ONE_CORE) else min(sets, PEER_SETS)
    prepare = own if name in (OWN, ONE_CORE) else scikit_learn
    seconds = median_seconds(prepare(problem(count), rule), repeats)
    return row | {"seconds_per_set": seconds / count}


def measure_runs(repeats: int) -> list[Row]:
    """Seconds for 10,000 EM runs of 200 iterations on one data set of 200 points."""
    from ordered_mix.data import Data
    from ordered_mix.estimators.em import EM
    from ordered_mix.estimators.loop.stop import Stop
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization.catalog import parameterization

    y, rng = problem(1)[0], np.random.default_rng(1)
    starts = Mixture([0.5, 0.5], rng.normal(0, 2, (RUNS, 2)), [1.0, 1.0])
    em, model = EM(stop=Stop(log_likelihood=0, passes=201)), parameterization("unordered", 2)
    seconds = median_seconds(lambda: em.fit(model, Data(y), starts), repeats)
    return [{"what": f"{RUNS:,} EM runs of 200 iterations, n = 200", "seconds": seconds}]


def measure_ascent(repeats: int) -> list[Row]:
    """1,000 gradient ascents of 200 iterations, against their passes alone, taken in turns."""
    from ordered_mix.data import Data
    from ordered_mix.estimators.gradient import GradientAscent
    from ordered_mix.estimators.loop.stop import Stop
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization import catalog
    from ordered_mix.passes.kernels import e_step
    from ordered_mix.prior import Prior

    rows, rng = [], np.random.default_rng(0)
    cases = (
        ("relative, means", Prior(known_w=(0.5, 0.5), known_sigma=1.0), "free"),
        ("relative, all unknown", Prior(), "unconstrained"),
    )
    ascent = partial(GradientAscent, step=0.05, stop=Stop(log_likelihood=0, passes=201))
    for n in (200, 1_000, 2_000):
        y = Data(rng.normal(0, 1.5, (1_000, n)))
        starts = Mixture([0.5, 0.5], rng.normal([-1, 1], 0.5, (1_000, 2)), [1.0, 1.0]).sorted()
        z = y.standardized().y

        def passes(z=z, starts=starts) -> None:
            for _ in range(201):
                e_step(z, starts.w, starts.mu, starts.sigma)

        for label, prior, coordinates in cases:
            system = catalog.parameterization("relative", 2, prior)
            climb = ascent(coordinates=coordinates)
            pairs = [
                (
                    median_seconds(partial(climb.fit, system, y, starts), 1),
                    median_seconds(passes, 1),
                )
                for _ in range(repeats)
            ]
            what = f"1,000 ascents of 200 iterations, {label}, n = {n:,}"
            ratio = statistics.median(one / other for one, other in pairs)
            seconds = statistics.median(one for one, _ in pairs)
            rows.append({"what": what, "seconds": seconds, "over passes": ratio})
    return rows


def run(sets: int = SETS, repeats: int = REPEATS) -> list[Row]:
    """Measure every contestant in its own process.

    Returns
    -------
    list of dict
        ``contestant``, ``rule`` (``iterations``: 50 of them; ``tolerance``: a change of the mean
        log likelihood below 1e-6), ``n`` and either ``seconds_per_set`` with ``ratio`` (its time
        over that of ordered_mix) or ``skipped``, the reason.
    """
    rows = [
        _in_new_process("measure", name, rule, sets, repeats)
        for rule in ("iterations", "tolerance")
        for name in (OWN, ONE_CORE, "scikit-learn", "mclust", "mixtools")
    ]
    base = {row["rule"]: row["seconds_per_set"] for row in rows if row["contestant"] == OWN}
    for row in rows:
        if "seconds_per_set" in row:
            row["ratio"] = row["seconds_per_set"] / base[row["rule"]]
    return rows


def run_batches(repeats: int = REPEATS) -> list[Row]:
    """Seconds of large batches: EM runs, and gradient ascents with ``over passes``."""
    return [
        *_in_new_process("measure_runs", repeats),
        *_in_new_process("measure_ascent", repeats),
    ]


def _in_new_process(function: str, *arguments: Any) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if function == "measure" and arguments[0] != OWN:
        environment |= dict.fromkeys(THREADS, "1")
    request = json.dumps([function, *arguments])
    done = subprocess.run(
        [sys.executable, __file__, "--measure", request],
        env=environment, capture_output=True, check=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the tables, or with --measure the rows of one contestant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="200 data sets, one repeat")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        function, *arguments = json.loads(options.measure)
        print(json.dumps(globals()[function](*arguments)))
        return
    sets, repeats = (200, 1) if options.quick else (SETS, REPEATS)
    columns = ["contestant", "rule", "n", "seconds_per_set", "ratio"]
    print(tables.table(run(sets, repeats), columns), "\n")
    print(tables.table(run_batches(repeats), ["what", "seconds", "over passes"]))


if __name__ == "__main__":
    main()
