"""Does the prior of the scales keep the posterior of a mixture away from its singularity?

Where m values of the data are equal, the likelihood of a component that shrinks onto them grows
like scale^-m. A half-normal prior is positive at scale 0, so that the posterior mass of ever lower
decades of the scale grows without bound; inverse gamma variances vanish faster than any power.
``mass`` integrates the decades of one component's scale at the most tied value of the waiting times
of Old Faithful, on two grids; ``chains`` runs NUTS from a narrow component there, and from a
regular fit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, load
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import dots, legend, lines, looks, panels
from ordered_mix.study.effects import exact, rows_of, share
from ordered_mix.theory.improper import decade_mass, half_normal, root_inverse_gamma

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Rows = list[dict[str, Any]]

HALF = "improper with a prior that is positive at scale 0 (m - 2 powers of ten for m tied values)"
PRIORS = ("half_normal", "inverse_gamma")
SET = "faithful:waiting"
NARROW = 0.01  # scale of a component that is stuck, in that of the data


def tied() -> tuple[Data, float, int]:
    """The data, their most tied value, and how often they have it."""
    data = load(SET)
    values, counts = np.unique(data.y, return_counts=True)
    return data, float(values[counts.argmax()]), int(counts.max())


def mass(seed: int, prior: str) -> Rows:
    """Mass of each decade of a scale at the most tied value, on two grids."""
    drawn, center, ties = tied()
    scale = float(drawn.scale)
    one = Mixture(np.ones(1), np.array([float(drawn.location)]), np.array([scale]))
    rest = 0.5 * one.density(drawn.y)
    decades = np.log10(scale) - np.arange(1, 8)
    density = half_normal(scale) if prior == "half_normal" else root_inverse_gamma(0.5 * scale)
    arguments = drawn.y, rest, 0.5, center, density, decades
    fine, coarse = (decade_mass(*arguments, points=number) for number in (32, 16))
    return [
        {"decade": place + 1, "mass": a, "mass_coarse": b, "ties": ties}
        for place, (a, b) in enumerate(zip(fine, coarse, strict=True))
    ]


def chains(seed: int, prior: str, replicate: int) -> Rows:
    """One chain from a narrow component on the most tied value, and one from a regular fit."""
    drawn, center, _ = tied()
    scale = float(drawn.scale)
    means, scales = np.array([float(drawn.location), center]), np.array([scale, 1e-3 * scale])
    narrow = Mixture(np.array([0.95, 0.05]), means, scales)
    begin = initial_mixtures(drawn, 2, 1, "quantile", 0)
    regular = EM(scales="tied").fit(catalog.parameterization("unordered", 2), drawn, begin)
    starts = Mixture.stack([narrow, regular.mixture[0]])
    chosen = Prior(scale_family=prior).affine(float(drawn.location), scale)
    model = catalog.parameterization("unordered", 2, chosen)
    found = NUTS(draws=100, tune=150).sample(model, drawn, starts, seed % 2**31).mixture
    rows = []
    for place, chain in enumerate(("narrow", "regular")):
        lowest = found[place].sigma.min(axis=-1) / scale
        rows.append({"chain": chain, "narrow": np.mean(lowest < NARROW), "lowest": lowest.min()})
    return rows


def decade_growth(table: pd.DataFrame, prior: str) -> Effect:
    """Powers of ten by which the mass grows from a decade of the scale to the next lower one."""
    rows = rows_of(table, prior=prior).sort_values("decade")
    return exact(*(rows[name].diff().iloc[-4:].mean() for name in ("mass", "mass_coarse")))


def stuck(table: pd.DataFrame, prior: str) -> Effect:
    """Share of the chains from a narrow component that stay below 1% of the data's scale."""
    return share(rows_of(table, prior=prior, chain="narrow")["narrow"] > 0.5)


GROWTH, STUCK = ("powers of ten a decade", "share of chains")
CLAIMS = (
    Claim("half-normal is improper", "Tied data and half-normal scales: mass grows towards 0.",
          HALF, partial(decade_growth, prior="half_normal"), "above", 0.0, GROWTH, of=("mass",),
          words=("Half-normal scales do not: on tied values the posterior mass grows by 10^{0:.1f} "
                 "from a decade of the scale to the next lower one.",
                 "With half-normal scales the posterior mass does not grow towards scale 0.",
                 "Whether the posterior is improper with half-normal scales is undecided.")),
    Claim("inverse gamma is proper", "With inverse gamma variances the mass falls towards 0.",
          HALF, partial(decade_growth, prior="inverse_gamma"), "below", 0.0, GROWTH, of=("mass",),
          words=("Inverse gamma variances do: with them it falls.",
                 "With inverse gamma variances it grows, too, by 10^{0:.1f}.",
                 "Whether it falls with inverse gamma variances is undecided.")),
    Claim("half-normal chains stay", "NUTS from a narrow component stays there (half-normal).",
          HALF, partial(stuck, prior="half_normal"), "above", 0.5, STUCK, of=("chains",),
          words="Of NUTS's chains from a narrow component {0:.0%} [{1:.0%}, {2:.0%}] stay there "
          "with half-normal scales."),
    Claim("inverse gamma chains leave", "NUTS from a narrow component leaves it (inverse gamma).",
          HALF, partial(stuck, prior="inverse_gamma"), "below", 0.5, STUCK, of=("chains",),
          words="With inverse gamma variances {0:.0%} [{1:.0%}, {2:.0%}] of them stay there."),
)  # fmt: skip


def mass_figure(result: StudyResult) -> Figure:
    """Posterior mass by decade of one component's scale, at the most tied value of the data."""
    rows = result.tables["mass"].reindex(columns=["prior", "decade", "mass"])
    figure, ((axes,),) = panels(1, 1, (5.5, 3.4))
    lines(axes, rows.assign(place=-rows["decade"]), "place", "mass", "prior")
    axes.set(xlabel="log10 scale / scale of the data, upper end of the decade")
    axes.set_ylabel("log10 mass + constant")
    if len(rows):
        half = rows.loc[rows["prior"] == "half_normal", "mass"]
        axes.set_ylim(half.min() - 10, half.max() + 10)  # the other one soon is below 10^-1000
    return legend(figure, axes)


def chains_figure(result: StudyResult) -> Figure:
    """Share of draws with a scale below 1% of the data's, by where the chain starts."""
    rows = result.tables["chains"].reindex(columns=["prior", "chain", "narrow"])
    figure, ((axes,),) = panels(1, 1, (5.5, 2.4))
    dots(axes, rows, "narrow", "chain", looks(["narrow", "regular"]), "prior", PRIORS)
    axes.set(xlabel="share of draws with a scale below 1% of the data's", xlim=(-0.02, 1.02))
    return legend(figure, axes)


study = Study(
    name="scale_priors",
    question="Does the prior of the scales keep a mixture's posterior away from its singularity?",
    source="the lecture notes on mixtures and EM among the sources",
    experiments={
        "mass": Experiment(mass, {"prior": PRIORS}, {"smoke": {}, "laptop": {}, "cluster": {}}),
        "chains": Experiment(
            chains,
            {"prior": PRIORS, "replicate": range(20)},
            {"smoke": {"replicate": range(1)}, "laptop": {}, "cluster": {}},
            structure=("prior",),
        ),
    },
    claims=CLAIMS,
    figures={"mass": mass_figure, "chains": chains_figure},
    answer=("half-normal is improper", "inverse gamma is proper"),
    chief=("half-normal is improper", "inverse gamma is proper", "half-normal chains stay"),
)
