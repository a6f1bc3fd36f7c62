"""Microseconds that a gradient of the posterior costs beside the pass over the data it needs.

    python benchmarks/bench_gradient.py [--quick]

Both are called in a compiled loop, in turns: the log density with its gradient as nutpie calls it,
and the pass alone. The medians of the differences are given.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numba
import numpy as np
from bench_kernels import own_compiled
from tables import table

from ordered_mix.data import Data, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.prior import default_prior
from ordered_mix.samplers.moves.density import posterior

COORDINATES = ("unordered", "ordered", "relative", "signed", "moment(gap=pooled)")
COMPONENTS = (2, 3)
SIZES = (200, 1_000)
CALLS, TURNS = 2_000, 41


def gradients(label: str, data: Data, k: int) -> Callable[[int], None]:
    """Calls of the log density and its gradient, so many."""
    prior = default_prior(data)
    model = parameterization(label, k, prior)
    compiled = posterior(model, data, 1.0)
    density = compiled.compiled_logp_func.ctypes
    point = model.start() + np.linspace(0.05, 0.1, model.dimension)
    gradient, value = np.empty(point.size), np.empty(1)

    @numba.njit
    def loop(point, gradient, value, given, times):
        for _ in range(times):
            density(point.size, point.ctypes, gradient.ctypes, value.ctypes, given.ctypes)

    arrays = (point, gradient, value, compiled.user_data)
    loop(*arrays, 1)
    if not np.isfinite([*value, *gradient]).all():
        raise SystemExit(f"{label}: the density is not finite")
    # the model holds the arrays that its data are the addresses of
    return lambda times, model=compiled: loop(*arrays, times)


def microseconds(call: Callable[[int], None]) -> float:
    """Of one of `CALLS` calls."""
    begin = time.perf_counter()
    call(CALLS)
    return (time.perf_counter() - begin) / CALLS * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two components, few turns")
    quick = parser.parse_args().quick
    rows = []
    for k in COMPONENTS[: 1 if quick else None]:
        for n in SIZES:
            truth = Mixture(np.full(k, 1 / k), np.linspace(-1.5, 1.5, k), np.ones(k))
            data = simulate(truth, n, seed=n).standardized()
            alone = own_compiled((data.y, truth.w, truth.mu, truth.sigma))
            for label in COORDINATES:
                whole = gradients(label, data, k)
                turns = range(5 if quick else TURNS)
                pairs = [(microseconds(whole), microseconds(alone)) for _ in turns]
                rows.append({
                    "coordinates": label, "K": k, "n": n,
                    "gradient": statistics.median(both for both, _ in pairs),
                    "pass": statistics.median(one for _, one in pairs),
                    "beside the pass": statistics.median(both - one for both, one in pairs),
                })  # fmt: skip
    print("Microseconds\n")
    print(table(rows, list(rows[0])))


if __name__ == "__main__":
    main()
