"""Nanoseconds per point of one pass over the data, against the E-steps of other libraries.

    python benchmarks/bench_kernels.py [--quick]

Every contestant runs in its own process, on one core. A pass gives the log likelihood and three
moments per component; where a column says so, a peer is asked for the log likelihood only, and
scikit-learn for log likelihood and responsibilities.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
COMPONENTS = (2, 3, 8)
REPEATS = 7
OWN = "ordered_mix"
LEAST_SECONDS = 0.02  # per repeat
LARGEST_TABLE = 40_000_000  # points times components: the peers hold several such tables
ONE_CORE = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)

Row = dict[str, Any]
Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Contestant = Callable[[Problem], Callable[[int], object]]


def problem(n: int, k: int) -> Problem:
    """Return y (n), w, mu and sigma (k): overlapping components of unequal scale."""
    rng = np.random.default_rng(k)
    mu, sigma = np.linspace(-2.0, 2.0, k), np.linspace(1.0, 1.5, k)
    component = rng.integers(0, k, n)
    return rng.normal(mu[component], sigma[component]), np.full(k, 1 / k), mu, sigma


def many_times(call: Callable[[], object]) -> Callable[[int], object]:
    """Return a function that calls the given one so many times."""

    def loop(times: int) -> None:
        for _ in range(times):
            call()

    return loop


def own_compiled(data: Problem) -> Callable[[int], object]:
    """The pass from compiled code by its address, as the samplers call it."""
    import numba

    from ordered_mix.passes.batches import single
    from ordered_mix.passes.fused import pass_address

    @numba.njit
    def loop(address, y, weight, w, mu, sigma, times):
        total = 0.0
        for _ in range(times):
            total += single(address, y, weight, w, mu, sigma)[0]
        return total

    y, w, mu, sigma = data
    address = pass_address(mu.size == 2)
    return lambda times: loop(address, y, np.empty(0), w, mu, sigma, times)


def own_python(data: Problem) -> Callable[[int], object]:
    """`e_step` of a single run from Python."""
    from ordered_mix.passes.kernels import e_step

    return many_times(lambda: e_step(*data))


def log_terms(data: Problem) -> np.ndarray:
    """Return the logarithms of the terms of the mixture density, (k, n)."""
    y, w, mu, sigma = data
    constant = np.log(w) - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    return constant[:, None] - 0.5 * ((y - mu[:, None]) / sigma[:, None]) ** 2


def numpy_likelihood(data: Problem) -> Callable[[int], object]:
    """The log likelihood alone, by log-sum-exp over a (k, n) table, numpy's faster layout."""

    def call() -> float:
        terms = log_terms(data)
        top = terms.max(axis=0)
        return float(np.sum(top + np.log(np.exp(terms - top).sum(axis=0))))

    return many_times(call)


def numpy_pass(data: Problem) -> Callable[[int], object]:
    """Log likelihood and moments, by log-sum-exp over a (k, n) table."""
    y, _, mu, _ = data

    def call() -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        terms = log_terms(data)
        top = terms.max(axis=0)
        terms = np.exp(terms - top)
        total = terms.sum(axis=0)
        terms /= total
        d = y - mu[:, None]
        first = terms * d
        log_likelihood = float(np.sum(top + np.log(total)))
        return log_likelihood, terms.sum(axis=1), first.sum(axis=1), (first * d).sum(axis=1)

    return many_times(call)


def scipy_log_sum_exp(data: Problem) -> Callable[[int], object]:
    """The log likelihood by `scipy.special.logsumexp`."""
    from scipy.special import logsumexp

    return many_times(lambda: float(np.sum(logsumexp(log_terms(data), axis=0))))


def scikit_learn(data: Problem) -> Callable[[int], object]:
    """The E-step of `GaussianMixture`, without its input checks."""
    from sklearn.mixture import GaussianMixture

    y, w, mu, sigma = data
    model = GaussianMixture(w.size, covariance_type="diag")
    model.weights_, model.means_, model.covariances_ = w, mu[:, None], sigma[:, None] ** 2
    model.precisions_cholesky_ = 1 / sigma[:, None]
    table = y[:, None]
    return many_times(lambda: model._estimate_log_prob_resp(table))


CONTESTANTS: dict[str, tuple[Contestant, str]] = {
    OWN: (own_compiled, "numba"),
    f"{OWN} e_step": (own_python, "numba"),
    "numpy": (numpy_pass, "numpy"),
    "numpy, likelihood only": (numpy_likelihood, "numpy"),
    "scipy, likelihood only": (scipy_log_sum_exp, "scipy"),
    "scikit-learn": (scikit_learn, "sklearn"),
}


def median_seconds(loop: Callable[[int], object], repeats: int) -> float:
    """Return the median over the repeats of the seconds per call, after one call unmeasured."""
    loop(1)
    start = time.perf_counter()
    loop(1)
    times = max(1, int(LEAST_SECONDS / (time.perf_counter() - start)))
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        loop(times)
        samples.append((time.perf_counter() - start) / times)
    return statistics.median(samples)


def measure(name: str, sizes: list[int], components: list[int], repeats: int) -> list[Row]:
    """Measure one contestant in this process."""
    prepare, module = CONTESTANTS[name]
    rows: list[Row] = []
    for k in components:
        for n in sizes:
            row: Row = {"benchmark": "kernels", "contestant": name, "k": k, "n": n}
            if find_spec(module) is None:
                row["skipped"] = f"{module} is not installed"
            elif not name.startswith(OWN) and n * k > LARGEST_TABLE:
                row["skipped"] = "its tables would take several GB"
            else:
                row["ns_per_point"] = median_seconds(prepare(problem(n, k)), repeats) / n * 1e9
            rows.append(row)
    return rows


def run(
    sizes: tuple[int, ...] = SIZES,
    components: tuple[int, ...] = COMPONENTS,
    repeats: int = REPEATS,
) -> list[Row]:
    """Measure every contestant in its own process.

    Returns
    -------
    list of dict
        ``benchmark``, ``contestant``, ``k``, ``n`` and either ``ns_per_point`` with ``ratio`` (its
        time over that of ordered_mix) or ``skipped``, the reason.
    """
    rows: list[Row] = []
    path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    for name in CONTESTANTS:
        request = json.dumps([name, sizes, components, repeats])
        done = subprocess.run(
            [sys.executable, __file__, "--measure", request],
            env={**os.environ, **ONE_CORE, "PYTHONPATH": path},
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        rows.extend(json.loads(done.stdout.splitlines()[-1]))
    own = {(r["k"], r["n"]): r["ns_per_point"] for r in rows if r["contestant"] == OWN}
    for row in rows:
        if "ns_per_point" in row:
            row["ratio"] = row["ns_per_point"] / own[row["k"], row["n"]]
    return rows


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table: nanoseconds per point, and how often ours."""
    names = list(dict.fromkeys(row["contestant"] for row in rows))
    cells = {(row["contestant"], row["k"], row["n"]): row for row in rows}
    lines = ["| K | n | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for k, n in dict.fromkeys((row["k"], row["n"]) for row in rows):
        texts = []
        for name in names:
            row = cells[name, k, n]
            time_text = f"{row.get('ns_per_point', 0):.2f} ({row.get('ratio', 0):.1f})"
            texts.append(time_text if "ratio" in row else row["skipped"])
        lines.append(f"| {k} | {n:,} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or with --measure the rows of one contestant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 points only")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*json.loads(options.measure))))
        return
    print("Nanoseconds per point and pass (times ordered_mix)\n")
    print(table(run(SIZES[:3] if options.quick else SIZES)))


if __name__ == "__main__":
    main()
