"""A first run, which compiles, draws what every later run does, which loads what was compiled."""

import os
import subprocess
import sys

import pytest

DRAW = """
import hashlib, sys
import numpy as np
from ordered_mix.data import simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.samplers.nuts import NUTS

truth = Mixture([0.3, 0.3, 0.4], [-2.0, 0.1, 1.7], [0.5, 0.7, 0.6])
data = simulate(truth, 400, seed=3)
starts = Mixture(*(np.repeat(value[None], 2, axis=0) for value in (truth.w, truth.mu, truth.sigma)))
if sys.argv[1] == "pass first":
    e_step(data.y, truth.w, truth.mu, truth.sigma)
parameterization = catalog.parameterization("ordered", 3)
draws = NUTS(draws=200, tune=200).sample(parameterization, data, starts, seed=4)
mixture = draws.mixture
values = np.concatenate([mixture.w, mixture.mu, mixture.sigma], axis=-1)
print(hashlib.sha256(values.tobytes()).hexdigest(), draws.passes.sum())
"""


PASS = """
import hashlib
import numpy as np
from ordered_mix.passes.multivariate_pass import log_density, white_pass

for d in range(1, 7):
    for n in (37, 150, 700):
        rng = np.random.default_rng(n)
        y, w, mu = rng.normal(size=(n, d)), np.array([0.4, 0.35, 0.25]), rng.normal(size=(3, d))
        root = np.linalg.cholesky(0.3 + np.eye(d) * np.array([0.5, 1.0, 2.0])[:, None, None])
        values = [*white_pass(y, w, mu, root), log_density(y, w, mu, root)]
        print(d, n, [hashlib.sha256(value.tobytes()).hexdigest()[:8] for value in values])
"""


def printed(cache, code, *arguments):
    """What a process of its own prints, which compiles what this cache does not hold."""
    flags = f"base_compiledir={cache}/pytensor"
    environment = {**os.environ, "NUMBA_CACHE_DIR": f"{cache}/numba", "PYTENSOR_FLAGS": flags}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment, capture_output=True, text=True, check=True, timeout=500,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("order", ["draws first", "pass first"])
def test_cold_and_warm_runs_draw_the_same_bytes(tmp_path, order):
    cold = printed(tmp_path, DRAW, order)
    assert printed(tmp_path, DRAW, order) == cold
    other = "draws first" if order == "pass first" else "pass first"
    assert printed(tmp_path, DRAW, other) == cold


def test_cold_and_warm_passes_over_points_give_the_same_bytes(tmp_path):
    assert printed(tmp_path, PASS) == printed(tmp_path, PASS)
