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
draws = NUTS(draws=200, tune=200, seed=4).fit(parameterization, data, starts)
mixture = draws.mixture
values = np.concatenate([mixture.w, mixture.mu, mixture.sigma], axis=-1)
print(hashlib.sha256(values.tobytes()).hexdigest(), draws.passes.sum())
"""


def drawn(cache, order):
    """Hash of the draws of a process of its own, and its passes."""
    flags = f"base_compiledir={cache}/pytensor"
    environment = {**os.environ, "NUMBA_CACHE_DIR": f"{cache}/numba", "PYTENSOR_FLAGS": flags}
    done = subprocess.run(
        [sys.executable, "-c", DRAW, order],
        env=environment, capture_output=True, text=True, check=True, timeout=500,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("order", ["draws first", "pass first"])
def test_cold_and_warm_runs_draw_the_same_bytes(tmp_path, order):
    cold = drawn(tmp_path, order)
    assert drawn(tmp_path, order) == cold
    assert drawn(tmp_path, "draws first" if order == "pass first" else "pass first") == cold
