"""JAGS (Plummer 2003), where the program is installed: Gibbs sampling with allocations."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.mixture import Mixture
from ordered_mix.references.entrant import Budget, Clock, Sampled, one_column, within
from ordered_mix.references.reference import Reference, load_reference

MODEL = """model {
  for (i in 1:n) { z[i] ~ dcat(w); y[i] ~ dnorm(mu[z[i]], tau[z[i]]) }
  for (k in 1:K) { mu[k] ~ dnorm(location, 1 / spread^2) }
"""
FREE_W = "  for (k in 1:K) { alpha[k] <- concentration }\n  w ~ ddirch(alpha)\n"
FREE_TAU = "  for (k in 1:K) { tau[k] ~ dgamma(2, scale^2) }\n"


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """A third of the sweeps are warm-up; compilation is timed, it is JAGS's own."""
    reference, prior = load_reference(name), load_reference(name).definition.prior
    if shutil.which("jags") is None:
        raise ValueError("entrant jags needs the program jags, which is not installed")
    one_column("jags", reference)
    if prior.known_sigma is None and prior.scale_family != "inverse_gamma":
        raise ValueError(f"prior must have inverse-gamma scales for jags, {name} has others")

    def run(size: int) -> Sampled:
        clock = Clock()
        with TemporaryDirectory() as folder:
            draws = _run(reference, seed, size, Path(folder))
        return Sampled(draws, size + size // 2, clock.seconds())

    return within(budget, run, first=200)


def _run(reference: Reference, seed: int, size: int, folder: Path) -> Mixture:
    prior, k = reference.definition.prior, reference.definition.k
    known = {"w": prior.known_w, "tau": prior.known_sigma and np.full(k, prior.known_sigma**-2.0)}
    model = MODEL + FREE_W * (known["w"] is None) + FREE_TAU * (known["tau"] is None) + "}\n"
    used = {"n": reference.data.n, "K": k, "y": reference.data.y, **prior.numbers()}
    given: dict[str, Any] = {
        key: value for key, value in {**used, **known}.items() if value is not None
    }
    (folder / "model.bug").write_text(model)
    dumped = [_dumped(name, value) for name, value in given.items()]
    (folder / "data.R").write_text("\n".join(dumped) + "\n")
    kind = '".RNG.name" <- "base::Mersenne-Twister"\n'
    mu = np.random.default_rng(seed).choice(reference.data.y, k)
    (folder / "starts.R").write_text(kind + _dumped(".RNG.seed", seed) + "\n" + _dumped("mu", mu))
    free = ["mu", *(key for key, value in known.items() if value is None)]
    lines = ['model in "model.bug"', 'data in "data.R"', "compile, nchains(1)",
             'parameters in "starts.R"', "initialize", f"update {size // 2}",
             *(f"monitor {one}" for one in free), f"update {size}", "coda *"]  # fmt: skip
    (folder / "script").write_text("\n".join(lines) + "\n")
    subprocess.run(["jags", "script"], cwd=folder, check=True, capture_output=True)
    drawn = {key: np.tile(value, (size, 1)) for key, value in known.items() if value is not None}
    values = np.loadtxt(folder / "CODAchain1.txt")[:, 1]
    columns = np.split(values, len(values) // size)
    for i, one in enumerate(free):
        drawn[one] = np.stack(columns[i * k : (i + 1) * k], axis=-1)
    w = drawn["w"] / drawn["w"].sum(axis=-1, keepdims=True)
    return Mixture(w, drawn["mu"], drawn["tau"] ** -0.5)


def _dumped(name: str, value: ArrayLike) -> str:
    numbers = ", ".join(f"{number:.12g}" for number in np.atleast_1d(value))
    return f'"{name}" <- c({numbers})' if "," in numbers else f'"{name}" <- {numbers}'
