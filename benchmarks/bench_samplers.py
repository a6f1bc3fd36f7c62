"""Gibbs sampling against JAGS, and what the evidence costs by sequential Monte Carlo.

    python benchmarks/bench_samplers.py [--quick]

JAGS (the program `jags`, optional) and our Gibbs sampler draw from the same posterior of
standardised data from the same starts, one chain after the other on one core. ESS is the smaller
of the log likelihood's and of the smallest scale's, which no relabelling changes. JAGS reads,
compiles and writes files: what is timed is the difference of a long and a short run. On galaxies
a chain of either stays now and then in a second mode, and its ESS is small: the median over
chains is compared.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import arviz_stats
import numpy as np
import tables

from ordered_mix.data import Data, load, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC

CHAINS = 4
TUNE = 500
DRAWS = 4000
REPEATS = 3
MODEL = """model {
  for (i in 1:n) { z[i] ~ dcat(w); y[i] ~ dnorm(mu[z[i]], tau[z[i]]) }
  for (k in 1:K) { mu[k] ~ dnorm(location, 1 / spread^2); tau[k] ~ dgamma(2, scale^2)
                   alpha[k] <- concentration }
  w ~ ddirch(alpha)
}
"""

Row = dict[str, Any]


def cases(quick: bool) -> dict[str, tuple[Data, int]]:
    """Data sets with a number of components."""
    two = Mixture([0.35, 0.65], [-1.5, 1.5], [1.0, 1.0])
    found = {"galaxies": (load("galaxies").standardized(), 3)}
    for n in (1_000,) if quick else (1_000, 10_000):
        found[f"two components, n = {n:,}"] = (simulate(two, n, seed=n).standardized(), 2)
    return found


def starts(k: int) -> Mixture:
    """Spread means and unit scales, one for each chain."""
    mu = np.random.default_rng(k).normal(0, 1, (CHAINS, k))
    return Mixture(np.full(k, 1 / k), mu, np.full((CHAINS, k), 0.5))


def typical_ess(data: Data, draws: Mixture) -> float:
    """Of a chain, the smaller of two label-invariant quantities; median over chains."""
    log_likelihood = e_step(data.y, draws.w, draws.mu, draws.sigma).log_likelihood
    chains = zip(log_likelihood, np.log(draws.sigma.min(axis=-1)), strict=True)
    own = [min(float(arviz_stats.ess(value[None], chain_axis=0, draw_axis=1)) for value in pair)
           for pair in chains]  # fmt: skip
    return float(np.median(own))


def own(data: Data, k: int, seed: int, draws: int) -> tuple[Mixture, float]:
    """Draws of ours, and the seconds of all sweeps after warm-up."""
    parameterization = catalog.parameterization("unordered", k)
    found = Gibbs(draws=draws, tune=TUNE).sample(parameterization, data, starts(k), seed)
    return found.mixture, found.seconds * draws / (draws + TUNE)


def jags(data: Data, k: int, seed: int, draws: int) -> tuple[Mixture, float]:
    """Draws of JAGS, and the seconds that its sweeps take."""
    chains = [_jags_chain(data, k, seed, chain, draws) for chain in range(CHAINS)]
    seconds = sum(chain[1] for chain in chains)
    w, mu, tau = (np.stack([chain[0][name] for chain in chains]) for name in ("w", "mu", "tau"))
    return Mixture(w / w.sum(axis=-1, keepdims=True), mu, tau**-0.5), seconds


def _jags_chain(
    data: Data, k: int, seed: int, chain: int, draws: int
) -> tuple[dict[str, np.ndarray], float]:
    prior, start = Prior(), starts(k)[chain]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "model.bug").write_text(MODEL)
        numbers = {"n": data.n, "K": k, "location": prior.location, "spread": prior.spread,
                   "scale": prior.scale, "concentration": prior.concentration}  # fmt: skip
        (path / "data.R").write_text(_dumped({**numbers, "y": data.y}))
        first = {"mu": start.mu, "tau": start.sigma**-2, ".RNG.seed": 1000 * seed + chain}
        name = '".RNG.name" <- "base::Mersenne-Twister"\n'
        (path / "starts.R").write_text(name + _dumped(first))
        seconds = _timed(path, TUNE + draws, 0) - _timed(path, TUNE, 0)
        _timed(path, TUNE, draws)
        return _read_coda(path, k), seconds


def _timed(folder: Path, silent: int, kept: int) -> float:
    """Seconds of a run of the program with so many sweeps, of which the last are written."""
    lines = ['model in "model.bug"', 'data in "data.R"', "compile, nchains(1)",
             'parameters in "starts.R"', "initialize", f"update {silent}"]  # fmt: skip
    if kept:
        lines += [*(f"monitor {name}" for name in ("w", "mu", "tau")), f"update {kept}", "coda *"]
    (folder / "script").write_text("\n".join(lines) + "\n")
    begin = time.perf_counter()
    subprocess.run(["jags", "script"], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def _read_coda(folder: Path, k: int) -> dict[str, np.ndarray]:
    """Draws of each variable, shape (draw, k)."""
    values = np.loadtxt(folder / "CODAchain1.txt")[:, 1]
    found = {}
    for line in (folder / "CODAindex.txt").read_text().splitlines():
        name, first, last = line.split()
        found[name] = values[int(first) - 1 : int(last)]
    return {
        name: np.stack([found[f"{name}[{i + 1}]"] for i in range(k)], axis=-1)
        for name in ("w", "mu", "tau")
    }


def _dumped(values: dict[str, Any]) -> str:
    lines = []
    for name, value in values.items():
        array = np.atleast_1d(value)
        text = ", ".join(f"{number:.17g}" for number in array)
        lines.append(f'"{name}" <- c({text})' if array.size > 1 else f'"{name}" <- {text}')
    return "\n".join(lines) + "\n"


def against_jags(quick: bool) -> list[Row]:
    """Median ESS per second of both, and how far their means of the log likelihood differ."""
    rows: list[Row] = []
    contestants = {"ordered_mix": own, "JAGS": jags}
    for case, (data, k) in cases(quick).items():
        mine = 0.0
        for name, sample in contestants.items():
            row: Row = {"contestant": name, "data": case, "components": k}
            rows.append(row)
            if name == "JAGS" and shutil.which("jags") is None:
                row["skipped"] = "the program jags is not installed"
                continue
            sample(data, k, 0, 50)
            draws = DRAWS if data.n < 500 else DRAWS // 4
            seeds = range(1, 2 if quick else REPEATS + 1)
            results = [sample(data, k, seed, draws) for seed in seeds]
            rates = [CHAINS * typical_ess(data, mixture) / took for mixture, took in results]
            row["ess_per_second"] = float(statistics.median(rates))
            sweeps = [CHAINS * draws / seconds for _, seconds in results]
            row["sweeps_per_second"] = float(statistics.median(sweeps))
            mine = mine or row["ess_per_second"]
            row["ratio"] = mine / row["ess_per_second"]
            row |= _mean(data, [mixture for mixture, _ in results])
    return rows


def _mean(data: Data, draws: list[Mixture]) -> Row:
    values = [e_step(data.y, one.w, one.mu, one.sigma).log_likelihood for one in draws]
    joined = np.concatenate(values)
    error = arviz_stats.mcse(joined, method="mean", chain_axis=0, draw_axis=1)
    return {"log_likelihood": float(joined.mean()), "mcse": float(error)}


def linear(quick: bool) -> list[Row]:
    """Nanoseconds of a sweep for each point: the cost is linear in n."""
    rows = []
    for n in (1_000, 100_000) if quick else (1_000, 10_000, 100_000, 1_000_000):
        truth = Mixture([0.3, 0.3, 0.4], [-2.0, 0.0, 3.0], [1.0, 1.0, 0.5])
        data = simulate(truth, n, seed=n).standardized()
        parameterization = catalog.parameterization("unordered", 3)
        sampler = Gibbs(draws=max(4, 4_000_000 // n), tune=1)
        begin = starts(3)[:1]
        seconds = sampler.sample(parameterization, data, begin, 1).seconds
        rows.append({"n": n, "ns_per_point": 1e9 * seconds / (n * (sampler.draws + 1))})
    return rows


def evidence(quick: bool) -> list[Row]:
    """Seconds and standard error of the evidence of galaxies, K = 3, on two cores."""
    data = load("galaxies")
    prior = Prior().affine(float(data.location), float(data.scale))
    parameterization = catalog.parameterization("unordered", 3, prior)
    SMC(particles=64).sample(parameterization, data)
    rows = []
    for seed in range(2 if quick else 10):
        draws = SMC(cores=2).sample(parameterization, data, seed=seed)
        found = draws.tree.attrs
        passes = int(draws.passes.sum() + draws.warmup_passes.sum())
        rows.append({"seed": seed, "log_evidence": found["log_evidence"],
                     "standard_error": found["log_evidence_se"], "passes": passes,
                     "seconds": draws.seconds})  # fmt: skip
    spread = float(np.std([row["log_evidence"] for row in rows], ddof=1))
    middle = {name: float(np.median([row[name] for row in rows]))
              for name in ("standard_error", "passes", "seconds")}  # fmt: skip
    mean = float(np.mean([row["log_evidence"] for row in rows]))
    return [{"runs": len(rows), "log_evidence": mean, "spread": spread, **middle}]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat")
    quick = parser.parse_args().quick
    print("Gibbs: label-invariant ESS of a typical chain; ratio: ordered_mix over the contestant\n")
    columns = ("contestant", "data", "components", "ess_per_second", "ratio", "sweeps_per_second",
               "log_likelihood", "mcse")  # fmt: skip
    print(tables.table(against_jags(quick), columns))
    print("\nGibbs, three components: the cost of a sweep\n")
    print(tables.table(linear(quick), ("n", "ns_per_point")))
    print("\nSequential Monte Carlo: the evidence of galaxies, three components (medians)\n")
    columns = ("runs", "log_evidence", "spread", "standard_error", "passes", "seconds")
    print(tables.table(evidence(quick), columns))


if __name__ == "__main__":
    main()
