"""Which sampler comes closest to the reference posteriors, at equal passes and equal seconds?

Every sampler of ``ordered_mix/references/entrants`` is given the name of a reference, a seed and a
budget, and gives back draws. Its errors are what its means of the label-invariant functionals and
of the weights of modes miss the reference by, in posterior standard deviations: the table has the
largest of them and their root mean square. What a sampler says of itself, its effective sample
size, is not asked.

The order is decided at the largest budget of passes, where noise has become small and bias has
not: the score is the largest error, in the median over the runs, in the mean over the posteriors
that a sampler takes. This was fixed before the table was run.

    ordered-mix run references/samplers.py --out references/table
    python references/page.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.errors import SamplingFailed
from ordered_mix.parameterization import catalog
from ordered_mix.references.entrant import Budget, enter
from ordered_mix.references.reference import load_reference
from ordered_mix.study import Experiment, Study

POSTERIORS = (
    "means_1_200", "few_points", "galaxies_2", "galaxies_3", "surplus_3", "plane_2d_2",
    "weight_0p01", "acidity_3", "galaxies_4", "faithful_2d_3",
)  # fmt: skip
LAPTOP = 6  # of them: overlapping, few, unequal weights, modes, a surplus, two dimensions
BUDGETS = {
    "5000 passes": Budget(passes=5e3),
    "40000 passes": Budget(passes=4e4),
    "a fifth of a second": Budget(seconds=0.2),
}
MOST = 4000
NUTS = tuple(
    f"nuts(coordinates={coordinates}, adaptation={adaptation})"
    for adaptation in ("diagonal", "low_rank")
    for coordinates in catalog.names("parameterization")
)
AT_LAPTOP = (
    "never_crosses", "wrong_jacobian", "emcee", "smc", "gibbs", "random_walk",
    "tempering", "nutpie",
    *(f"nuts(coordinates={one}, adaptation=diagonal)"
      for one in ("unordered", "ordered", "signed", "relative", "centred", "moment")),
    *(f"nuts(coordinates={one}, adaptation=low_rank)"
      for one in ("unordered", "ordered", "signed", "relative")),
)  # fmt: skip
OTHERS = tuple(name for name in catalog.names("entrant") if name != "nuts")


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
        "largest": max(map(abs, errors.values())),
        "worst": max(errors, key=lambda name: abs(errors[name])),
        "passes": found.passes, "seconds": found.seconds, "spent": spent, "reason": None,
    }]  # fmt: skip


def thinned(draws: Any) -> Any:
    """At most 4,000 of them, evenly spaced: enough for the error, and quicker."""
    flat = draws.reshape(-1)
    count = flat.batch_shape[0]
    return flat[np.linspace(0, count - 1, min(count, MOST)).astype(int)]


study = Study(
    name="sampler_table",
    question="Which sampler comes closest to the reference posteriors, at equal passes and equal "
    "seconds?",
    source="this project",
    experiments={
        "sampler_table": Experiment(
            factors={
                "entrant": (*OTHERS, *NUTS),
                "posterior": POSTERIORS,
                "budget": tuple(BUDGETS),
                "replicate": range(20),
            },
            sizes={
                "smoke": {
                    "entrant": ("gibbs", "smc", "never_crosses", "wrong_jacobian"),
                    "posterior": ("means_1_200", "few_points"),
                    "budget": ("5000 passes",),
                    "replicate": range(3),
                },
                "laptop": {
                    "replicate": range(5),
                    "entrant": AT_LAPTOP,
                    "posterior": POSTERIORS[:LAPTOP],
                },
                "cluster": {"replicate": range(20)},
            },
            cell=cell,
            time_limit=120.0,
        )
    },
)
