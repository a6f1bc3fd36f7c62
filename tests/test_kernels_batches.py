"""The fused pass in batches, threads, forks and folders, and what it refuses."""

import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ordered_mix.passes import batches, fused, kernels
from ordered_mix.passes.kernels import e_step, log_density, one_pass


def batch(k, seed=9, n=700):
    """Data (3, 1, n) and parameters (3, 4, k)."""
    rng = np.random.default_rng(seed)
    y, weight = rng.normal(size=(3, 1, n)), rng.random((3, 1, n))
    w, mu = rng.dirichlet(np.ones(k), (3, 4)), rng.normal(size=(3, 4, k))
    return y, w, mu, rng.uniform(0.5, 2, (3, 4, k)), weight


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_batch_is_the_loop_over_its_runs(k, weighted):
    y, w, mu, sigma, weight = batch(k)
    got = e_step(y, w, mu, sigma, weight if weighted else None)
    densities = log_density(y, w, mu, sigma)
    assert got.log_likelihood.shape == (3, 4) and got.s2.shape == (3, 4, k)
    for d, s in np.ndindex(3, 4):
        run = w[d, s], mu[d, s], sigma[d, s]
        q = weight[d, 0] if weighted else np.empty(0)
        for part, alone in zip(got, one_pass(y[d, 0], q, *run), strict=True):
            # compiled on its own, so a processor may round its sums in another order
            assert np.allclose(part[d, s], alone, rtol=1e-13, atol=1e-11)
        single = e_step(y[d, 0], *run, q if weighted else None)
        assert all(np.array_equal(a[d, s], b) for a, b in zip(got, single, strict=True))
        assert np.array_equal(densities[d, s], log_density(y[d, 0], *run))


def test_parameters_and_weights_broadcast_on_their_own():
    y, w, mu, sigma, weight = batch(2)
    got = e_step(y, w[0, 0], mu, sigma[:, :1], weight[0])
    full = e_step(
        y, np.broadcast_to(w[0, 0], mu.shape), mu, np.broadcast_to(sigma[:, :1], mu.shape),
        np.broadcast_to(weight[0], y.shape),
    )  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(got, full, strict=True))
    assert e_step(np.empty((0, 5)), w[0, 0], mu[0, 0], sigma[0, 0]).s1.shape == (0, 2)


def test_data_shared_by_runs_are_not_copied():
    y, mu = np.zeros((1, 100_000)), np.zeros((300, 2))
    e_step(y, [0.5, 0.5], mu, [1.0, 2.0])
    tracemalloc.start()
    e_step(y, [0.5, 0.5], mu, [1.0, 2.0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < y.nbytes


def test_any_layout_and_kind_of_array():
    y, w, mu, sigma, _ = batch(2)
    expected = e_step(y[:, 0], w[:, 0], mu[:, 0], sigma[:, 0])
    strided = np.repeat(y[:, 0], 2, axis=1)[:, ::2]
    frozen = strided.copy()
    frozen.flags.writeable = False
    for data in (strided, frozen, strided.tolist()):
        got = e_step(data, w[:, 0], mu[:, 0], sigma[:, 0])
        assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))
    assert len(batches.serial.signatures) <= 1


@pytest.mark.parametrize("k", [2, 3])
def test_threads_change_nothing(k, monkeypatch):
    y, w, mu, sigma, weight = batch(k, n=70_000)
    results = []
    for worth in (0, np.inf):
        monkeypatch.setattr(kernels, "WORTH_THREADS", worth)
        results.append((*e_step(y, w, mu, sigma, weight), log_density(y, w, mu, sigma)))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_callers_may_be_threads_themselves(monkeypatch):
    monkeypatch.setattr(kernels, "WORTH_THREADS", 0)
    y, w, mu, sigma, _ = batch(2)
    expected = e_step(y, w, mu, sigma).log_likelihood
    seen = []

    def call():
        seen.extend(e_step(y, w, mu, sigma).log_likelihood for _ in range(20))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(seen) == 80
    assert all(np.array_equal(value, expected) for value in seen)


FORK = """
import os
from ordered_mix.passes import kernels
kernels.WORTH_THREADS = 0
arguments = [[0.0, 1.0]] * 4, [0.5, 0.5], [0.0, 1.0], [1.0, 1.0]
expected = kernels.e_step(*arguments).log_likelihood
child = os.fork()
if child == 0:
    os._exit(0 if (kernels.e_step(*arguments).log_likelihood == expected).all() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_can_go_on():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=500)


CACHED = """
import numpy as np, fused
print(fused.one_pass(np.zeros(3), np.empty(0), *np.array([[1.0], [0.0], [1.0]]))[1][0])
print(fused._exact["cache"], sum(fused.one_pass.stats.cache_hits.values()))
"""


def isolated(folder, home, code=CACHED):
    """Run a copy of the compiled code in a folder without room for a cache, without a PATH."""
    (folder / "__pycache__").touch()
    if not (folder / "fused.py").exists():  # writing it again would make what is cached too old
        (folder / "fused.py").write_text(Path(fused.__file__).read_text())
    environment = {"HOME": str(home), "PATH": "", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(
        command, env=environment, check=True, timeout=500, text=True, capture_output=True
    )
    return done.stdout.split()


@pytest.mark.skipif(sys.platform == "win32", reason="the user's cache is found in another way")
def test_compiles_once_without_a_compiler_in_a_read_only_folder(tmp_path):
    folder, home = tmp_path / "package", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    assert isolated(folder, home) == ["3.0", "True", "0"]
    assert isolated(folder, home) == ["3.0", "True", "1"]


@pytest.mark.skipif(sys.platform == "win32", reason="the user's cache is found in another way")
def test_works_where_nothing_can_be_cached(tmp_path):
    code = "import fused; print(fused._exact['cache'])"
    assert isolated(tmp_path, "/dev/null/nowhere", code) == ["False"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 1.0}, "y is a scalar"),
        ({"w": [1.0]}, r"w has shape \(1,\) and mu \(2,\)"),
        ({"sigma": np.ones((4, 3))}, r"sigma has shape \(4, 3\) and mu \(2,\)"),
        ({"weight": np.ones(4)}, r"weight has shape \(4,\) and y \(3,\)"),
        ({"mu": np.zeros((2, 2)), "sigma": np.ones((3, 2))}, "must broadcast"),
        ({"w": [], "mu": [], "sigma": []}, "mu has no component"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    good = {"y": np.zeros(3), "w": [0.5, 0.5], "mu": [0.0, 1.0], "sigma": [1.0, 1.0]}
    with pytest.raises(ValueError, match=message):
        e_step(**(good | change))
