"""Do two samplers that share no code give the same posteriors?

Each posterior of `ordered_mix.references.posteriors` is sampled by data augmentation in plain numpy
(``augmentation``) and by sequential Monte Carlo (``smc``), in five independent runs of sixteen
chains or islands each. Of every chain and island the table has the mean of each functional; of the
evidence it has an estimate from every island, and by bridge sampling from every four chains. Where
bridge sampling warns, because the proposal does not overlap, Chib's estimator takes its place under
the fixed prior of one dimension, else there is none. A run of ``augmentation`` keeps 2,000 draws.

    ordered-mix run references/certify.py --out results/references
    python references/write.py results/references
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.draws.bridge import bridge
from ordered_mix.draws.bridge_multivariate import bridge_points
from ordered_mix.draws.chib import chib
from ordered_mix.references.augmentation import augmentation
from ordered_mix.references.augmentation_points import augmentation_points
from ordered_mix.references.definition import Definition
from ordered_mix.references.functionals import functionals
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.reference import OF_POINTS, PARAMETERS
from ordered_mix.samplers.smc import SMC
from ordered_mix.study import Experiment, Result, Study

CHAINS, PUBLISHED = 16, 125
GROUP = 4  # chains of one estimate of the evidence
SLOW = {"galaxies_3_adaptive": 40}
MANY = {
    "faithful_2d_3": {"particles": 512},
    "iris_2d_3": {"particles": 512},
    "iris_4d_2": {"particles": 512, "leaps": 8},
}  # coordinates: 17, 17 and 29


def cell(seed: int, posterior: str, method: str, run: int) -> Result:
    """One run of one method: a row for each chain or island."""
    definition, seed = definitions()[posterior], seed % 2**31
    return (
        by_augmentation(definition, seed) if method == "augmentation" else by_smc(definition, seed)
    )


def by_augmentation(definition: Definition, seed: int) -> Result:
    """Sixteen chains, and the evidence by bridge sampling from every four."""
    thin, kept = thinning(definition), PUBLISHED if definition.data.n > 2000 else 400
    witness = augmentation if definition.d == 1 else augmentation_points
    draws = witness(definition, seed, CHAINS, kept, 100 * thin, thin)
    rows = means(definition, draws)
    for first in range(0, CHAINS, GROUP):
        rows[first] |= evidence(definition, draws[first : first + GROUP], seed + first)
    few = draws[:, np.linspace(0, kept - 1, PUBLISHED).astype(int)].reshape(-1)
    names = PARAMETERS if definition.d == 1 else OF_POINTS
    return Result(rows, {name: getattr(few, name) for name in names})


def by_smc(definition: Definition, seed: int) -> Result:
    """Sixteen islands, each with its own evidence."""
    sampler = sequential(definition)
    draws = sampler.sample(definition.parameterization(), definition.data, seed=seed)
    logs = draws.tree["warmup_sample_stats"]["log_ratio"].sum("draw").to_numpy()
    logs = logs - definition.data.n * np.sum(np.log(definition.data.scale))
    rows = means(definition, draws.mixture)
    return Result([row | {"log_evidence": float(one)} for row, one in zip(rows, logs, strict=True)])


def means(definition: Definition, draws: Any) -> list[dict[str, Any]]:
    """A row for each chain: its number, and its mean of every functional."""
    found = functionals(definition, draws)
    return [
        {"chain": i} | {name: float(values[i].mean()) for name, values in found.items()}
        for i in range(draws.batch_shape[0])
    ]


def evidence(definition: Definition, draws: Any, seed: int) -> dict[str, Any]:
    """Log evidence from draws; without one where every estimator warns."""
    given = definition.parameterization(), definition.data, draws
    found = (bridge if definition.d == 1 else bridge_points)(*given, seed=seed)
    if found.warning and definition.d == 1 and definition.prior.scale_family == "inverse_gamma":
        found = chib(*given, seed=seed)
    value = None if found.warning else found.log_evidence
    return {"log_evidence": value, "estimator": found.method, "warning": found.warning or None}


def thinning(definition: Definition) -> int:
    """Sweeps from one kept draw to the next: more where chains rarely change their mode."""
    if definition.name in SLOW:
        return SLOW[definition.name]
    return 3 if definition.split is None and definition.d == 1 else 10


def sequential(definition: Definition) -> SMC:
    """Fewer particles where a pass is long, more where there are many coordinates."""
    n, settings = definition.data.n, MANY.get(definition.name, {})
    particles = 64 if n > 2000 else 128 if n > 400 else 256
    return SMC(**{"particles": particles, "islands": CHAINS, **settings})


study = Study(
    name="references",
    question="Do two samplers that share no code give the same posteriors?",
    source="this project",
    experiments={
        "references": Experiment(
            factors={
                "posterior": tuple(definitions()),
                "method": ("augmentation", "smc"),
                "run": range(20),
            },
            sizes={
                "smoke": {"posterior": ("means_1_20", "few_points"), "run": range(2)},
                "laptop": {"run": range(5)},
                "cluster": {"run": range(20)},
            },
            cell=cell,
        )
    },
)
