"""A pass in several dimensions, log likelihood and gradient, against matrix products of its size.

    python benchmarks/bench_dimensions.py [--quick]

The bound: whitening n points for K components is at least the product (n, D) (D, K D), and their
second moments the product (K D, n) (n, D). Both are timed in turn with the pass, on one core; the
ratio is that of the least times.
"""

import argparse
import os
import time
from collections.abc import Callable

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402 - the number of threads is read at the import
from tables import table  # noqa: E402

from ordered_mix.passes import points  # noqa: E402

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few turns")
    quick = parser.parse_args().quick
    counts, turns = (COUNTS[:2], 5) if quick else (COUNTS, 15)
    rows = [row(n, d, k, turns) for d, k in SIZES for n in counts]
    print(table(rows, list(rows[0])))


if __name__ == "__main__":
    main()
