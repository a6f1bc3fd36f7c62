"""Which sampler comes closest to the reference posteriors, at equal passes and equal seconds?

Every sampler of ``ordered_mix/references/entrants`` is given the name of a reference, a seed and a
budget, and gives back draws. Its error is the root mean square, over the label-invariant
functionals and the weights of modes, of what its means miss the reference by, in posterior
standard deviations. What a sampler says of itself, its effective sample size, is not asked.

    ordered-mix run references/samplers.py --out references/table
    python references/page.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.errors import SamplingFailed
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.references.entrant import Budget, enter
from ordered_mix.references.reference import load_reference
from ordered_mix.study import Study

POSTERIORS = ("means_0p5_200", "weight_0p01", "surplus_3", "galaxies_4", "acidity_3")
BUDGETS = {
    "5000 passes": Budget(passes=5e3),
    "20000 passes": Budget(passes=2e4),
    "a fifth of a second": Budget(seconds=0.2),
}
MOST = 8000
NUTS = tuple(
    f"nuts(coordinates={coordinates}, adaptation={adaptation})"
    for coordinates in catalog.names("parameterization")
    for adaptation in ("diagonal", "low_rank")
)
LAST = ("pymc_nuts",)  # compiles for minutes
OTHERS = tuple(name for name in catalog.names("entrant") if name not in ("nuts", *LAST))


def cell(seed: int, entrant: str, posterior: str, budget: str, replicate: int) -> Any:
    """The error of one run, and what it spent."""
    given = BUDGETS[budget]
    try:
        found = enter(entrant, posterior, seed % 2**31, given)
    except ValueError as reason:
        return [{"reason": str(reason)}]
    except SamplingFailed as reason:
        return [{"failed": str(reason)}]
    errors = load_reference(posterior).errors(thinned(found.draws))
    spent = max(found.passes / given.passes, found.seconds / given.seconds)
    return [{
        "rms": float(np.sqrt(np.mean(np.square(list(errors.values()))))),
        "worst": max(errors, key=lambda name: abs(errors[name])),
        "passes": found.passes, "seconds": found.seconds, "spent": spent, "reason": None,
    }]  # fmt: skip


def thinned(draws: Mixture) -> Mixture:
    """At most 8,000 of them, evenly spaced: enough for the error, and quicker."""
    flat = draws.reshape(-1)
    count = flat.batch_shape[0]
    return flat[np.linspace(0, count - 1, min(count, MOST)).astype(int)]


study = Study(
    name="sampler_table",
    question="Which sampler comes closest to the reference posteriors, at equal passes and equal "
    "seconds?",
    source="this project",
    factors={
        "replicate": range(20),
        "entrant": (*OTHERS, *NUTS, *LAST),
        "posterior": POSTERIORS,
        "budget": tuple(BUDGETS),
    },
    sizes={
        "smoke": {
            "entrant": ("gibbs", "smc", "never_crosses", "wrong_jacobian"),
            "posterior": ("means_0p5_200", "surplus_3"),
            "budget": ("20000 passes",),
            "replicate": range(2),
        },
        "laptop": {
            "replicate": range(1),
            "entrant": (*OTHERS, *NUTS),
            "posterior": ("means_0p5_200", "surplus_3", "galaxies_4"),
        },
        "cluster": {"replicate": range(20)},
    },
    cell=cell,
    time_limit=120.0,
)
