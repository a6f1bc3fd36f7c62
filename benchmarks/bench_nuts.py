"""Effective draws of NUTS per second and per pass, against other ways to sample the same model.

    python benchmarks/bench_nuts.py [--quick]

Every contestant samples the same posterior (two components, reference prior, unordered means,
draws sorted by mean) from the same starts in a process of its own; compilation is not counted.
A pass is a leapfrog step. Where a peer cannot take the starts, it makes its own.
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
from typing import Any

import numpy as np
import tables

SIZES = (200, 1_000, 10_000)
REPEATS = 5
CHAINS = 4
DRAWS = 500
OWN = "ordered_mix"
ONE_CORE = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Row = dict[str, Any]
Draws = tuple[np.ndarray, np.ndarray, np.ndarray, float, int]  # w, mu, sigma, seconds, passes
Sampler = Callable[[int], Draws]


def problem(n: int) -> Any:
    """A standardised sample of two components three standard deviations apart."""
    from ordered_mix.data import simulate
    from ordered_mix.mixture import Mixture

    truth = Mixture([0.35, 0.65], [-1.5, 1.5], [1.0, 1.0])
    return simulate(truth, n, seed=n).standardized()


def shared() -> tuple[Any, Any]:
    """The parameterization and one start for each chain."""
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization.catalog import parameterization

    mu = [[-1.0, 1.0], [0.9, -0.8], [-0.5, 0.3], [0.2, -0.6]]
    starts = Mixture(np.full((CHAINS, 2), [0.45, 0.55]), mu, np.full((CHAINS, 2), 0.6))
    return parameterization("unordered", 2), starts


def own(data: Any) -> Sampler:
    """The fused pass through nutpie."""
    from ordered_mix.samplers.nuts import NUTS

    parameterization, starts = shared()

    def sample(seed: int) -> Draws:
        draws = NUTS(draws=DRAWS, tune=DRAWS, seed=seed).fit(parameterization, data, starts)
        mixture = draws.mixture
        return mixture.w, mixture.mu, mixture.sigma, draws.seconds, int(draws.passes.sum())

    return sample


def nutpie_normal_mixture(data: Any) -> Sampler:
    """`pm.NormalMixture` through nutpie."""
    import nutpie

    parameterization, _ = shared()
    compiled = nutpie.compile_pymc_model(parameterization.model(data))

    def sample(seed: int) -> Draws:
        begin = time.perf_counter()
        tree = nutpie.sample(
            compiled, draws=DRAWS, tune=DRAWS, chains=CHAINS, cores=1, seed=seed,
            progress_bar=False,
        )  # fmt: skip
        return _from_tree(tree, time.perf_counter() - begin)

    return sample


def pymc_default(data: Any) -> Sampler:
    """`pm.sample` of `pm.NormalMixture` with PyMC's own sampler; compilation is in its seconds."""
    import pymc as pm

    parameterization, _ = shared()
    model = parameterization.model(data)

    def sample(seed: int) -> Draws:
        with model:
            begin = time.perf_counter()
            tree = pm.sample(
                draws=DRAWS, tune=DRAWS, chains=CHAINS, cores=1, random_seed=seed,
                nuts_sampler="pymc", progressbar=False, compute_convergence_checks=False,
                quiet=True,
            )  # fmt: skip
        return _from_tree(tree, time.perf_counter() - begin)

    return sample


def numpyro_nuts(data: Any) -> Sampler:
    """The same model in NumPyro, means-first mixture through `MixtureSameFamily`."""
    import jax
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    numpyro.enable_x64()

    def model() -> None:
        w = numpyro.sample("w", dist.Dirichlet(np.full(2, 2.0)))
        mu = numpyro.sample("mu", dist.Normal(0.0, 2.0).expand([2]).to_event(1))
        variance = numpyro.sample("variance", dist.InverseGamma(2.0, 0.25).expand([2]).to_event(1))
        components = dist.Normal(mu, jax.numpy.sqrt(variance))
        mixture = dist.MixtureSameFamily(dist.Categorical(w), components)
        numpyro.sample("y", mixture, obs=data.y)

    mcmc = MCMC(
        NUTS(model), num_warmup=DRAWS, num_samples=DRAWS, num_chains=CHAINS,
        chain_method="sequential", progress_bar=False,
    )  # fmt: skip

    def sample(seed: int) -> Draws:
        begin = time.perf_counter()
        mcmc.run(jax.random.PRNGKey(seed), extra_fields=("num_steps",))
        drawn = {key: np.asarray(value) for key, value in mcmc.get_samples(True).items()}
        passes = int(np.sum(mcmc.get_extra_fields()["num_steps"]))
        seconds = time.perf_counter() - begin
        return drawn["w"], drawn["mu"], np.sqrt(drawn["variance"]), seconds, passes

    return sample


CONTESTANTS: dict[str, tuple[Callable[[Any], Sampler], str]] = {
    OWN: (own, "nutpie"),
    "nutpie, NormalMixture": (nutpie_normal_mixture, "nutpie"),
    "pm.sample, NormalMixture": (pymc_default, "pymc"),
    "numpyro": (numpyro_nuts, "numpyro"),
}


def _from_tree(tree: Any, seconds: float) -> Draws:
    posterior = tree["posterior"]
    w, mu, sigma = (posterior[name].to_numpy() for name in ("w", "mu", "sigma"))
    return w, mu, sigma, seconds, int(tree["sample_stats"]["n_steps"].sum())


def measure(name: str, sizes: list[int], repeats: int) -> list[Row]:
    """Sample with one contestant in this process, once unmeasured."""
    from ordered_mix.draws.convergence import convergence
    from ordered_mix.draws.relabel.permute import sort_components

    prepare, module = CONTESTANTS[name]
    rows: list[Row] = []
    for n in sizes:
        row: Row = {"benchmark": "nuts", "contestant": name, "n": n}
        rows.append(row)
        if find_spec(module) is None:
            row["skipped"] = f"{module} is not installed"
            continue
        sample = prepare(problem(n))
        sample(0)
        results = []
        for seed in range(1, repeats + 1):
            w, mu, sigma, seconds, passes = sample(seed)
            ascending = sort_components(w, mu, sigma)
            table = convergence(
                {"w": ascending.w[..., 0], "mu": ascending.mu, "sigma": ascending.sigma},
                passes,
                seconds,
            )
            worst = table.loc[table["ess_bulk"].idxmin()]
            mean, error = ascending.mu[..., 0].mean(), table["mcse_mean"].iloc[1]
            results.append((worst["ess_per_second"], worst["ess_per_pass"], mean, error))
        per_second, per_pass, means, errors = map(list, zip(*results, strict=True))
        row["ess_per_second"] = float(statistics.median(per_second))
        row["ess_per_1000_passes"] = 1000 * float(statistics.median(per_pass))
        row["mean_mu1"] = float(np.mean(means))
        row["mcse_mu1"] = float(np.sqrt(np.sum(np.square(errors))) / len(errors))
    return rows


def run(sizes: tuple[int, ...] = SIZES, repeats: int = REPEATS) -> list[Row]:
    """Measure every contestant in its own process.

    Returns
    -------
    list of dict
        ``benchmark``, ``contestant``, ``n`` and either the medians ``ess_per_second`` and
        ``ess_per_1000_passes`` of the smallest sorted bulk ESS, ``ratio`` (ours over theirs, per
        second) and ``z`` (difference of the posterior mean of the first mean from ours, in
        Monte Carlo standard errors), or ``skipped``, the reason.
    """
    rows: list[Row] = []
    for name in CONTESTANTS:
        done = subprocess.run(
            [sys.executable, __file__, "--measure", json.dumps([name, sizes, repeats])],
            env={**os.environ, **ONE_CORE}, capture_output=True, check=True, text=True,
        )  # fmt: skip
        rows.extend(json.loads(done.stdout.splitlines()[-1]))
    ours = {row["n"]: row for row in rows if row["contestant"] == OWN}
    for row in rows:
        if "skipped" not in row:
            mine = ours[row["n"]]
            row["ratio"] = mine["ess_per_second"] / row["ess_per_second"]
            error = np.hypot(row["mcse_mu1"], mine["mcse_mu1"])
            row["z"] = float((row["mean_mu1"] - mine["mean_mu1"]) / error)
    return rows


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, two repeats")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*json.loads(arguments.measure))))
        return
    rows = run((200,), 2) if arguments.quick else run()
    columns = ("contestant", "n", "ess_per_second", "ratio", "ess_per_1000_passes", "z")
    print("Smallest sorted ESS; ratio: ordered_mix over the contestant, per second\n")
    print(tables.table(rows, columns))


if __name__ == "__main__":
    main()
