"""Are draws of NUTS right on average, in every parameterization?

Simulation-based calibration (Cook, Gelman & Rubin 2006; Talts et al. 2018): a truth from the
prior of each parameterization, sorted, n = 50 points from it, and the rank of the truth among 31
sorted draws, nearly independent, of its posterior. Prior: means Normal(0, 2), variances
InverseGamma(2, 1), weights Dirichlet(2, 2): components overlap in most draws. Chains begin at
over-dispersed starts, not at the truth, which would hide that they do not mix. A run with an ESS
below twice the ranks is made once more, four times as long; what still is short, diverges or has
an R-hat above 1.05 is kept and counted, and a run that fails counts as the worst rank.

The margin of 0.1 on an ECDF difference is what a posterior does that is shifted by a quarter of
its standard deviation, or 1.5 times too wide. 1,000 simulations resolve it: their interval
reaches 0.052 to either side, simultaneously over six quantities. PyMC's NUTS, where a simulation
takes four seconds, has 680 in all (0.063), so that the study ends within half an hour.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, simulate
from ordered_mix.draws.chain_measures import sorted_convergence
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import BAND, heat, in_order, legend, looks, nothing, panels, short
from ordered_mix.study.experiment import four_digits
from ordered_mix.theory.calibration import band, largest_difference, rank, reach, thin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

MAIN = (
    "unordered", "signed", "moment", "ordered", "relative(link=log)", "centred", "resolved",
    "sheared",
)  # fmt: skip
COORDINATES = (*MAIN, "relative(link=softplus)", "relative(link=square)", "moment(signed=False)")
PRIOR = Prior(location=0.0, spread=2.0, scale=1.0)
QUANTITIES = ("mu_1", "mu_2", "sigma_1", "sigma_2", "w_1", "log_likelihood")
RANKS = 31
POINTS = 50
CHAINS = 2
ATTEMPTS = (NUTS(tune=400, draws=800), NUTS(tune=800, draws=3200))
PACK = {"nutpie": 25, "pymc": 5}
TRUTHS = 4000
HIGHEST_RHAT = 1.05
MARGIN = 0.1


def by_nuts(seed: int, parameterization: str, batch: int) -> list[dict[str, Any]]:
    """Ranks of several truths by nutpie."""
    return several("nutpie", seed, parameterization, batch)


def by_pymc(seed: int, parameterization: str, batch: int) -> list[dict[str, Any]]:
    """Ranks of several truths by PyMC's NUTS."""
    return several("pymc", seed, parameterization, batch)


def several(sampler: str, seed: int, label: str, batch: int) -> list[dict[str, Any]]:
    """Ranks of the truths of a batch."""
    model, drawn = _model(label), truths(label)
    which = range(batch * PACK[sampler], (batch + 1) * PACK[sampler])
    return [ranked(model, drawn[i % TRUTHS], POINTS, sampler, seed + i) for i in which]


@lru_cache
def _model(label: str) -> Parameterization:
    return catalog.parameterization(label, 2, PRIOR)


@lru_cache
def truths(label: str) -> Mixture:
    """Draws of the parameterization's own prior, as they come; batch shape (TRUTHS,)."""
    return _model(label).draw_prior(TRUTHS, seed_of("truths", label=label) % 2**31)


def ranked(
    model: Parameterization, truth: Mixture, n: int, sampler: str, seed: int
) -> dict[str, Any]:
    """One simulation: a rank for each quantity, None if the sampler refuses, and how it went."""
    rng = np.random.default_rng(seed)
    data = simulate(truth, n, seed)
    starts = initial_mixtures(data, 2, CHAINS, "random", seed)
    row: dict[str, Any] = {f"rank_{name}": None for name in (*QUANTITIES, "raw_mu_1")}
    for attempt, settings in enumerate(ATTEMPTS, start=1):
        nuts = replace(settings, sampler=sampler)
        try:
            draws = nuts.sample(model, data, starts, (seed + attempt) % 2**31)
        except ValueError as error:
            return row | {"attempts": attempt, "problem": str(error)}
        mixture, diverging = draws.mixture, draws.statistics["diverging"].to_numpy()
        rhat, ess = sorted_convergence(mixture.w, mixture.mu, mixture.sigma)
        if ess >= 2 * RANKS:
            break
    drawn, true = quantities(mixture, data), quantities(truth, data)
    for name, values in drawn.items():
        row[f"rank_{name}"] = rank(float(true[name]), thin(values, RANKS), rng)
    return row | {
        "attempts": attempt,
        "divergences": int(diverging.sum()),
        "ess": four_digits(ess),
        "rhat": four_digits(rhat),
    }


def quantities(mixture: Mixture, data: Data) -> dict[str, Array]:
    """What is ranked: sorted parameters, the log likelihood, and a mean as its label has it."""
    ascending = mixture.sorted()
    values = {"w_1": ascending.w[..., 0], "raw_mu_1": mixture.mu[..., 0]}
    for k in (0, 1):
        values |= {f"mu_{k + 1}": ascending.mu[..., k], f"sigma_{k + 1}": ascending.sigma[..., k]}
    terms = e_step(data.y, mixture.w, mixture.mu, mixture.sigma)
    return values | {"log_likelihood": terms.log_likelihood}


# --- effects of the claims ------------------------------------------------------------------------


def worst(table: pd.DataFrame, models: tuple[str, ...], names: Any = QUANTITIES) -> Effect:
    """Largest ECDF difference over quantities; the intervals of all of them hold together.

    Runs without ranks may lie anywhere, so that their share widens the interval.
    """
    rows = table[table["parameterization"].isin(models)]
    absent = sorted(set(models) - set(rows["parameterization"]))
    if absent:
        raise ValueError(f"the table holds no such runs of {', '.join(absent)}")
    ranks = rows[[f"rank_{name}" for name in names]].dropna()
    lost = 1 - len(ranks) / len(rows)
    found = max(largest_difference(ranks[name], RANKS) for name in ranks) * (1 - lost)
    slack = reach(len(rows), (1 - confidence()) / len(names))
    return Effect(found + lost, max(0.0, found - lost - slack), found + lost + slack, len(rows))


SBC = "Talts et al. 2018: the ranks of an exact sampler are uniform"
UNIT = "largest ECDF difference of the ranks"
REACH = "(largest ECDF difference {0:.3f} [{1:.3f}, {2:.3f}])"


def _calibration(name: str, experiment: str, models: tuple[str, ...], who: str, told: str) -> Claim:
    return Claim(
        name,
        f"{who}: the ECDF of every rank misses the uniform one by less than {MARGIN:g}.",
        SBC,
        partial(worst, models=models),
        "below",
        MARGIN,
        UNIT,
        of=(experiment,),
        words=(
            f"{told} is calibrated {REACH}.",
            f"{told} is not calibrated {REACH}.",
            f"Whether {told} is calibrated is undecided {REACH}.",
        ),
    )


CLAIMS = (
    *(
        _calibration(f"NUTS, {short(c)}", "nuts", (c,), f"NUTS in {short(c)}",
                     f"NUTS in {short(c)} coordinates")
        for c in MAIN
    ),
    _calibration("PyMC's NUTS", "pymc", MAIN, "PyMC's NUTS, all parameterizations together",
                 "PyMC's NUTS, all parameterizations together,"),
    Claim(
        name="labels as they come",
        statement="Without sorting, the ranks of unordered NUTS are off by more than 0.1.",
        source="chains rarely visit all labellings (Celeux, Hurn & Robert 2000)",
        effect=partial(worst, models=("unordered",), names=("raw_mu_1",)),
        direction="above",
        margin=MARGIN,
        unit="largest ECDF difference of the rank of the first mean",
        of=("nuts",),
        words=(
            f"Labels as unordered chains leave them are off {REACH}.",
            f"Labels as unordered chains leave them are not off by the margin {REACH}.",
            f"Whether labels as unordered chains leave them are off is undecided {REACH}.",
        ),
    ),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def difference_figure(result: StudyResult) -> Figure:
    """ECDF of the ranks less the uniform one, with ArviZ's 95% band for a line as a whole.
    Dashed: the margin of the claims. Above 0 truths are too low in their posterior; an S is a
    posterior too wide or too narrow.
    """
    rows = result.tables["nuts"]
    models = in_order(rows["parameterization"].unique())
    figure, axes = panels(2, 3, (8.4, 5.4), sharex=True, sharey=True)
    for panel, name in zip(axes.ravel(), QUANTITIES, strict=True):
        for model, look in looks(models).items():
            ranks = rows.loc[rows["parameterization"] == model, f"rank_{name}"].dropna()
            if ranks.size:
                at = np.arange(RANKS + 2) / (RANKS + 1)
                ecdf = np.searchsorted(np.sort(ranks), np.arange(RANKS + 2) - 0.5) / len(ranks)
                drawn = {"color": look.color, "linestyle": look.linestyle, "lw": 1.0}
                panel.plot(at, ecdf - at, **drawn, label=short(model))
        size = min((len(part) for _, part in rows.groupby("parameterization")), default=0)
        if size:
            inside = band(size)
            every = slice(None, None, max(1, size // 60))
            panel.fill_between(
                inside.at[every], inside.low[every], inside.high[every], color=BAND, zorder=0
            )
        for margin in (-MARGIN, MARGIN):
            panel.axhline(margin, color="0.5", lw=0.8, ls="--", zorder=0)
        panel.set_title(name.replace("_", " "), fontsize="medium")
    for panel in axes[1]:
        panel.set_xlabel("rank of the truth / draws")
    for panel in axes[:, 0]:
        panel.set_ylabel("ECDF of the ranks - uniform")
    return legend(figure, axes)


def largest_figure(result: StudyResult) -> Figure:
    """Largest ECDF difference in percent, by quantity and coordinates; margin of the claims: 10.
    Raw mu 1 is a mean as its label has it.
    """
    names = (*QUANTITIES, "raw_mu_1")
    grid = {}
    for name, words in (("nuts", "{}"), ("pymc", "PyMC's NUTS, {}")):
        part = result.tables[name]
        groups = in_order(part["parameterization"].unique()) if name == "nuts" else ["all"]
        for model in groups:
            runs = part[(part["parameterization"] == model) | (model == "all")]
            ranks = {name: runs[f"rank_{name}"].dropna() for name in names if len(runs)}
            grid[words.format(short(model))] = {
                name.replace("_", " "): 100 * largest_difference(values, RANKS)
                for name, values in ranks.items()
                if len(values)
            }
    figure, axes = panels(1, 1, (7.2, 4.2))
    heat(axes[0, 0], pd.DataFrame(grid).T, "{:.1f}".format, limits=(0, 20))
    return figure


def flags(rows: pd.DataFrame) -> pd.DataFrame:
    """Which simulations were retried, and which stayed short, unmixed or divergent."""
    return pd.DataFrame(
        {
            "made again": rows["attempts"] > 1,
            "ESS too small": ~(rows["ess"] >= 2 * RANKS),
            "R-hat too large": ~(rows["rhat"] <= HIGHEST_RHAT),
            "a divergence": rows["divergences"] > 0,
            "refused": rows["rank_mu_1"].isna(),
        }
    )


def flag_figure(result: StudyResult) -> Figure:
    """Percentage of simulations that were made again, and of those that stayed suspect."""
    rows = result.tables["nuts"]
    figure, axes = panels(1, 1, (7.0, 4.0))
    if rows.empty:
        nothing(axes[0, 0])
        return figure
    grid = 100 * flags(rows).groupby(rows["parameterization"]).mean()
    grid = grid.loc[in_order(grid.index)]
    heat(axes[0, 0], grid, "{:.1f}".format, limits=(0, 60))
    return figure


# --- the grids ------------------------------------------------------------------------------------


def _experiment(sampler: str, laptop: int, cluster: int) -> Experiment:
    """So many simulations of each parameterization."""
    pack = PACK[sampler]
    smoke = {"parameterization": ("signed",), "batch": (0,)}
    return Experiment(
        cell=by_nuts if sampler == "nutpie" else by_pymc,
        factors={"parameterization": COORDINATES, "batch": range(800)},
        sizes={
            "smoke": smoke if sampler == "nutpie" else [],
            "laptop": {"parameterization": MAIN, "batch": range(laptop // pack)},
            "cluster": {"batch": range(cluster // pack)},
        },
        structure=("parameterization",),
    )


study = Study(
    name="calibration",
    question="Are draws of NUTS right on average, in every parameterization?",
    source="Talts, Betancourt, Simpson, Vehtari & Gelman 2018; Säilynoja et al. 2022",
    experiments={
        "nuts": _experiment("nutpie", 1000, 4000),
        "pymc": _experiment("pymc", 85, 1000),
    },
    claims=CLAIMS,
    figures={
        "differences": difference_figure,
        "largest": largest_figure,
        "suspects": flag_figure,
    },
    answer=("NUTS, unordered", "labels as they come"),
    chief=("NUTS, unordered", "PyMC's NUTS", "labels as they come"),
)
