"""A pass in several dimensions against matrix products, and a gradient against PyMC's mixture.

    python benchmarks/bench_dimensions.py [--quick]

The bound: whitening n points for K components is at least the product (n, D) (D, K D), and their
second moments the product (K D, n) (n, D). Both are timed in turn with the pass, on one core; the
ratio is that of the least times. The second table has the log posterior with its gradient as nutpie
calls it, of this package and of `pm.Mixture` of `pm.MvNormal`, which takes minutes to compile and
is left out by --quick.
"""

import argparse
import os
import time
from collections.abc import Callable
from ctypes import POINTER, c_double
from typing import Any

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402 - the number of threads is read at the import
from tables import table  # noqa: E402

from ordered_mix.data import Data  # noqa: E402
from ordered_mix.mixture import Mixture  # noqa: E402
from ordered_mix.multivariate import MultivariatePrior  # noqa: E402
from ordered_mix.parameterization import catalog  # noqa: E402
from ordered_mix.passes import points  # noqa: E402
from ordered_mix.samplers.moves.nuts_multivariate import posterior  # noqa: E402

SIZES = ((2, 2), (2, 3), (4, 3), (8, 5))
COUNTS = (1_000, 10_000, 100_000)
LEAST_SECONDS = 0.01


def contestants(n: int, d: int, k: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """The pass and its bound on the same points."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(n, d))
    w, mu = np.full(k, 1 / k), rng.normal(size=(k, d))
    root = np.linalg.cholesky(np.broadcast_to(np.eye(d) + 0.3, (k, d, d)))
    columns, unweighted = np.ascontiguousarray(y.T), np.empty(0)
    white, white_t = rng.normal(size=(d, k * d)), rng.normal(size=(k * d, n))
    z, z2 = np.empty((n, k * d)), np.empty((k * d, d))

    def bound() -> None:
        np.matmul(y, white, out=z)
        np.matmul(white_t, y, out=z2)

    return lambda: points.one_pass(columns, unweighted, w, mu, root), bound


def seconds(call: Callable[[], object], times: int) -> float:
    """Seconds for one call, of so many."""
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begin) / times


def row(n: int, d: int, k: int, turns: int) -> dict[str, object]:
    """Both in turn, as often as turns says."""
    calls = contestants(n, d, k)
    times = [max(1, int(LEAST_SECONDS / max(seconds(call, 3), 1e-9))) for call in calls]
    pairs = [tuple(map(seconds, calls, times)) for _ in range(turns)]
    own, bound = (min(column) for column in zip(*pairs, strict=True))
    return {"D": d, "K": k, "n": n, "ns a point": 1e9 * own / n, "over the products": own / bound}


def sample_of(n: int, d: int, k: int) -> Data:
    """Points about k means on a line."""
    rng = np.random.default_rng(0)
    return Data.of_points(rng.normal(size=(n, d)) + 2.0 * rng.integers(0, k, (n, 1)))


def own_gradient(data: Data, k: int, family: str) -> Callable[[], object]:
    """The density in unordered coordinates at a start."""
    d = data.d
    prior = MultivariatePrior([0.0] * d, [2.0] * d, [0.5] * d, 2.0, family)
    one = catalog.parameterization("unordered", k, prior)
    z = one.start(Mixture(np.full(k, 1 / k), data.y[:k], covariance=np.eye(d)))
    return as_nutpie_calls(posterior(one, data, 1.0)[0], z)


def as_nutpie_calls(model: Any, z: np.ndarray) -> Callable[[], object]:
    """A call of the compiled density at z, which has to give a number."""
    z, gradient, value = np.ascontiguousarray(z), np.empty(z.size), np.empty(1)
    arrays = [array.ctypes.data_as(POINTER(c_double)) for array in (z, gradient, value)]
    call, user = model.compiled_logp_func.ctypes, model.user_data.ctypes.data
    if call(z.size, *arrays, user) or not np.isfinite(gradient).all():
        raise RuntimeError("the density is not finite where it is timed")
    # what the addresses point to lives as long as the call
    return lambda: (model, z, gradient, value, call(z.size, *arrays, user))


def pymc_gradient(data: Data, k: int) -> Callable[[], object]:
    """The mixture of multivariate normals that people write, compiled by nutpie."""
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        w, mu = pm.Dirichlet("w", np.full(k, 2.0)), pm.Normal("mu", 0, 2, shape=(k, data.d))
        sd = pm.HalfNormal.dist(1.0, shape=data.d)
        factors = [pm.LKJCholeskyCov(f"c{j}", n=data.d, eta=2, sd_dist=sd)[0] for j in range(k)]
        normals = [pm.MvNormal.dist(mu[j], chol=factors[j]) for j in range(k)]
        pm.Mixture("y", w, normals, observed=data.y)
    compiled = nutpie.compile_pymc_model(model)
    return as_nutpie_calls(compiled, np.full(compiled.n_dim, 0.1))


def gradients(turns: int, quick: bool) -> list[dict[str, object]]:
    """Microseconds of a gradient at D = 4, K = 3, n = 1,000, all in turn."""
    data = sample_of(1_000, 4, 3)
    calls = {
        "ordered_mix, fixed prior": own_gradient(data, 3, "inverse_gamma"),
        "ordered_mix, adaptive prior": own_gradient(data, 3, "adaptive"),
    }
    if not quick:
        calls["pm.Mixture of pm.MvNormal"] = pymc_gradient(data, 3)
    times = [[seconds(call, 20) for call in calls.values()] for _ in range(10 * turns)]
    least = [min(column) for column in zip(*times, strict=True)]
    return [
        {"density": name, "us a gradient": 1e6 * one, "times the first": one / least[0]}
        for name, one in zip(calls, least, strict=True)
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few turns")
    quick = parser.parse_args().quick
    counts, turns = (COUNTS[:2], 5) if quick else (COUNTS, 15)
    rows = [row(n, d, k, turns) for d, k in SIZES for n in counts]
    print(table(rows, list(rows[0])), "\n")
    rows = gradients(turns, quick)
    print(table(rows, list(rows[0])))


if __name__ == "__main__":
    main()
