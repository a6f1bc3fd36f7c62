"""Are optimisers and NUTS fast in the same parameterizations?

EM, gradient ascent with the fair step in the sampler's coordinates, MAP by L-BFGS with the Jacobian
on and off, and NUTS start from the same over-dispersed points, on data sets of 200 points with
everything free, MAP and NUTS under the prior that a user gets (adaptive), NUTS with a diagonal and
a dense mass matrix. A pass is one evaluation of all responsibilities.
``passes_4`` is what one success costs with restarts, as in `convergence_speed`, for MAP by the log
posterior; its best is the best end of the starts and of further ones: the best of EM, the truth and
four quantile slices. A run of NUTS is 4 chains of 1,000 + 2,000 draws. ``passes_rhat`` are its
passes to a sorted R-hat of at most 1.01 with warm-up, all of them where it does not get there;
``passes_per_1000`` those per 1,000 effective draws after warm-up, of which chains in different
places have few.

Source: Ma, Chen, Jin, Flammarion & Jordan 2019, PNAS 116, 20881-20885, for sampling against
optimisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ordered_mix.arrays import Array
from ordered_mix.data import Data
from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.rhat import reached, rhat_path
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.blocks import (
    PARAMETERIZATIONS,
    STARTS,
    Block,
    errors,
    references,
    samples,
    speed,
)
from ordered_mix.study.drawing import SEPARATION, brief, heat, in_order, panels
from ordered_mix.study.effects import bootstrap, extreme, paired_ratio, rows_of
from ordered_mix.study.experiment import four_digits
from ordered_mix.study.sentences import RATIO, worded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

CHAINS = 4
POINTS = 200
RUN = Stop(log_likelihood=1e-11, passes=2000)
SAMPLER = NUTS(draws=2000, tune=1000)
PRIOR, MATRICES = "adaptive", ("diagonal", "dense")
FIELDS = ("w", "mu", "sigma")
PARAMETERS = ("w_1", "mu_1", "mu_2", "sigma_1", "sigma_2")
Rows = list[dict[str, Any]]


# --- cells ----------------------------------------------------------------------------------------


def by_em(seed: int, separation: float, sets: int, batch: int) -> Rows:
    """EM from the shared starts, a row for each data set."""
    return climbed(Block(separation, POINTS, sets, batch), "unordered", EM(stop=RUN))


def by_gradient(seed: int, parameterization: str, separation: float, sets: int, batch: int) -> Rows:
    """Gradient ascent with the fair step in the sampler's coordinates."""
    ascent = GradientAscent(step="largest_stable", coordinates="unconstrained", stop=RUN)
    return climbed(Block(separation, POINTS, sets, batch), parameterization, ascent)


def climbed(block: Block, name: str, estimator: Any) -> Rows:
    """Measures of an optimiser of the likelihood."""
    starts = [block.starts(y, r) for y, r in zip(samples(block), block.replicates, strict=True)]
    data = Data(np.stack([y.y for y in samples(block)])[:, None])
    fit = estimator.fit(block.coordinates(name), data, Mixture.stack(starts))
    rows = []
    for at, best in enumerate(references(block)):
        trace = (fit.trace.passes[:, at], fit.trace.objective[:, at])
        row, pick = speed(*trace, fit.passes[at], fit.status[at], best.log_likelihood)
        rows.append(_numbered(block, at, row | errors(block, fit.mixture[at, pick])))
    return rows


def by_map(
    seed: int, parameterization: str, jacobian: bool, separation: float, sets: int, batch: int
) -> Rows:
    """MAP by L-BFGS with the Jacobian on or off."""
    block = Block(separation, POINTS, sets, batch)
    rows = []
    for at, fit in enumerate(modes(block, parameterization, jacobian)):
        trace = (fit.trace.passes[:, :STARTS], fit.trace.objective[:, :STARTS])
        best = float(fit.objective.max())
        row, pick = speed(*trace, fit.passes[:STARTS], fit.status[:STARTS], best)
        found = fit.mixture[pick]
        rows.append(_numbered(block, at, row | errors(block, found) | values(found)))
    return rows


@lru_cache(maxsize=2)
def modes(block: Block, parameterization: str, jacobian: bool) -> tuple[Fit, ...]:
    """MAP from the shared starts, then from further ones, for each data set."""
    fits = []
    for sample, best, replicate in zip(
        samples(block), references(block), block.replicates, strict=True
    ):
        further = initial_mixtures(sample, 2, 4, "quantile", block.seed("further", replicate))
        parts = [block.starts(sample, replicate), further]
        parts.append(Mixture.stack([best.mixture, block.truth]))
        starts = Mixture(*(np.concatenate([getattr(p, v) for p in parts]) for v in FIELDS))
        coordinates = block.coordinates(parameterization, sample, PRIOR)
        fits.append(MAP(jacobian=jacobian).fit(coordinates, sample, starts))
    return tuple(fits)


def by_nuts(
    seed: int, adaptation: str, parameterization: str, separation: float, sets: int, batch: int
) -> Rows:
    """NUTS from the shared starts."""
    block = Block(separation, POINTS, sets, batch)
    given = (adaptation, parameterization)
    return [_numbered(block, at, sampled(block, at, *given)) for at in range(sets)]


def sampled(block: Block, at: int, adaptation: str, parameterization: str) -> dict[str, Any]:
    """What one run of NUTS takes to converge, and its posterior."""
    sample, replicate = samples(block)[at], block.replicates[at]
    starts = block.starts(sample, replicate)[:CHAINS]
    model = block.coordinates(parameterization, sample, PRIOR)
    sampler = replace(SAMPLER, adaptation=adaptation)
    drawn = sampler.sample(model, sample, starts, block.seed("nuts", replicate))
    ascending = drawn.mixture.sorted()
    quantities = {"w": ascending.w[..., 0], "mu": ascending.mu, "sigma": ascending.sigma}
    measured = convergence(quantities)
    warmup, after = float(drawn.warmup_passes.sum()), float(drawn.passes.sum())
    steps = drawn.statistics["n_steps"].to_numpy()
    there = reached(rhat_path(quantities, steps, warmup, points=12))
    effective = max(float(np.nan_to_num(measured["ess_bulk"].min())), CHAINS)
    spread = (ascending.mu.std((0, 1)), ascending.sigma.std((0, 1)))
    sds = (ascending.w[..., 0].std(), *np.concatenate(spread))
    return {
        "passes": int(warmup + after),
        "passes_rhat": warmup + after if there is None or there.passes is None else there.passes,
        "converged": there is not None,
        "rhat": four_digits(measured["rhat"].max()),
        "passes_per_1000": four_digits(1000 * after / effective),
        "divergences": int(drawn.statistics["diverging"].to_numpy().sum()),
        **{f"sd_{name}": four_digits(sd) for name, sd in zip(PARAMETERS, sds, strict=True)},
    }


def values(mixture: Mixture) -> dict[str, float]:
    """Sorted parameters by name."""
    one = mixture.sorted()
    found = (one.w[0], *one.mu, *one.sigma)
    return {name: four_digits(value) for name, value in zip(PARAMETERS, found, strict=True)}


def _numbered(block: Block, at: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"replicate": block.replicates[at], **row}


def skip(parameterization: str, jacobian: bool, **others: Any) -> str | None:
    """Why a combination is left out."""
    if parameterization == "resolved" and not jacobian:
        return "the prior density of the squared gap is infinite at 0, so there is no maximum"
    return None


# --- claims ---------------------------------------------------------------------------------------

UNIT = ["separation", "replicate"]


def agreement(optimiser: pd.DataFrame, nuts: pd.DataFrame) -> Effect:
    """Rank correlation, over parameterizations, of an optimiser's passes and NUTS's.

    Passes are geometric means over the data sets of one separation, Spearman's correlation is
    averaged over the separations, and data sets are resampled.
    """
    key = ["separation", "parameterization"]
    first, second = (
        np.log(part.pivot(index="replicate", columns=key, values=column))
        for part, column in ((optimiser, "passes_4"), (nuts, "passes_per_1000"))
    )
    shared = first.columns.union(second.columns)
    if len(shared.get_level_values(1).unique()) < 3:
        raise ValueError("a rank correlation needs at least 3 parameterizations")
    both = pd.concat([one.reindex(columns=shared) for one in (first, second)], axis=1)
    if both.isna().any(axis=None):
        raise ValueError(f"{int(both.isna().sum().sum())} runs are missing")
    at, width = shared.get_level_values(0), len(shared)
    groups = [at == separation for separation in at.unique()]

    def statistic(samples: Array) -> Array:
        average = samples.mean(axis=-2)
        one, other = average[:, :width], average[:, width:]
        return np.mean([spearman(one[:, group], other[:, group]) for group in groups], axis=0)

    return bootstrap(both.to_numpy(dtype=float), statistic)


def map_agreement(modes: pd.DataFrame, nuts: pd.DataFrame, adaptation: str) -> Effect:
    """The same of MAP with the Jacobian."""
    return agreement(rows_of(modes, jacobian=True), rows_of(nuts, adaptation=adaptation))


def ascent_agreement(gradient: pd.DataFrame, nuts: pd.DataFrame, adaptation: str) -> Effect:
    """The same of gradient ascent."""
    return agreement(gradient, rows_of(nuts, adaptation=adaptation))


def passes_of(table: pd.DataFrame, name: str, **where: Any) -> Effect:
    """Passes of starts that arrive, in these coordinates for one in unordered ones."""
    rows = rows_of(table, ("arrived_4",), **where)
    wide = rows.pivot(index=UNIT, columns="parameterization", values="arrived_4")
    both = wide.reindex(columns=[name, "unordered"]).astype(float).dropna()
    return paired_ratio(both[name], both["unordered"])


def spearman(first: Array, second: Array) -> Array:
    """Rank correlation along the last axis; no ranking at all agrees with none."""
    one, two = (rankdata(values, axis=-1) for values in (first, second))
    one, two = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (one, two))
    share = 1 / (one.shape[-1] - 1)
    covariance = share * np.sum(one * two, axis=-1)
    variances = (share * np.sum(ranks**2, axis=-1) for ranks in (one, two))
    one_sd, other_sd = (np.sqrt(np.where(values > 0, values, np.inf)) for values in variances)
    return covariance / one_sd / other_sd


def shifts(modes: pd.DataFrame, nuts: pd.DataFrame) -> pd.DataFrame:
    """Largest shift of a sorted parameter between the two MAPs, in posterior sds."""
    keys, names = [*UNIT, "parameterization"], list(PARAMETERS)
    sds = rows_of(nuts, adaptation="dense", parameterization="unordered")
    sds = sds.set_index(UNIT)[[f"sd_{name}" for name in names]].set_axis(names, axis=1)
    with_it = modes["jacobian"].astype(bool)
    on, off = (modes[which].set_index(keys)[names] for which in (with_it, ~with_it))
    moved = (on - off).abs().dropna().reset_index().set_index(UNIT)
    moved = moved[moved.index.isin(sds.index)]
    scaled = moved[names] / sds.loc[moved.index].to_numpy()
    return moved.assign(shift=scaled.max(axis=1)).reset_index()[[*keys, "shift"]]


def largest_shift(modes: pd.DataFrame, nuts: pd.DataFrame) -> Effect:
    """By how many posterior sds the Jacobian moves the MAP where it moves it most.

    In each separation and parameterization, the mean over data sets of the largest of the shifts
    of the sorted parameters, in units of the posterior sd that the unordered NUTS run found;
    the intervals are simultaneous (Bonferroni), so that the largest may be picked.
    """
    cells = shifts(modes, nuts)
    if not len(cells):
        raise ValueError("no data set has MAP with and without the Jacobian and NUTS")
    groups = [part["shift"] for _, part in cells.groupby(["separation", "parameterization"])]
    return extreme(groups, max)._replace(observations=len(cells[UNIT].drop_duplicates()))


def sampling_for_optimising(em: pd.DataFrame, nuts: pd.DataFrame, adaptation: str) -> Effect:
    """Passes of unordered NUTS to a sorted R-hat of 1.01 for one of EM to the best optimum."""
    plain = rows_of(nuts, adaptation=adaptation, parameterization="unordered")
    both = plain.merge(em, on=UNIT, how="outer", suffixes=("_nuts", ""))
    if lost := int(both[["passes_rhat", "passes_2"]].isna().any(axis=1).sum()):
        raise ValueError(f"{lost} of {len(both)} data sets have no run of EM and of NUTS")
    return paired_ratio(both["passes_rhat"], both["passes_2"])


RANKS = "Spearman's correlation of passes to 1e-4 nats and passes for 1,000 effective draws"
LARGE = "this project; 0.5 is Cohen's large correlation"
MOVED = "The Jacobian moves the MAP by up to {0:.2g} [{1:.2g}, {2:.2g}] posterior sds: "
FIRST = "diagonal"
SAID: dict[str, str | tuple[str, str, str]] = {
    "the Jacobian moves the MAP": (
        f"{MOVED}more than one.", f"{MOVED}less than one.", f"{MOVED}not clearly one.",
    ),
    f"sampling is faster than optimisation, {FIRST}": (
        f"NUTS is converged sooner than EM with restarts ({RATIO} passes for one).",
        "NUTS needs {0:.0f} [{1:.0f}, {2:.0f}] passes to converge for one that EM with "
        "restarts takes to the global optimum.",
        f"Whether NUTS or EM with restarts is sooner is undecided ({RATIO} passes for one).",
    ),
    "MAP takes more passes in relative coordinates": "L-BFGS takes "
    f"{RATIO} times the passes in relative coordinates of those in unordered ones.",
    "gradient ascent takes more passes in relative coordinates": "Gradient ascent in the sampler's "
    f"coordinates takes {RATIO} times the passes in relative ones.",
}  # fmt: skip


def _ranking(optimiser: str) -> tuple[str, str, str]:
    start = f"The ranking of parameterizations for {optimiser}"
    end = "that for NUTS (rank correlation {0:.2f} [{1:.2f}, {2:.2f}])."
    words = ("predicts", "does not predict", "does not reliably predict")
    holds, fails, undecided = (f"{start} {word} {end}" for word in words)
    return holds, fails, undecided


OPTIMISERS = {
    "L-BFGS": ("MAP by L-BFGS", map_agreement, ("modes", "nuts")),
    "gradient ascent": (
        "gradient ascent with the fair step, in the sampler's coordinates,", ascent_agreement,
        ("gradient", "nuts"),
    ),
}  # fmt: skip
SAID |= {f"one ranking for {name} and NUTS, {FIRST}": _ranking(name) for name in OPTIMISERS}


def _of_nuts(adaptation: str) -> Iterator[Claim]:
    given, where = {"adaptation": adaptation}, f"with a {adaptation} mass matrix"
    for name, (words, effect, tables) in OPTIMISERS.items():
        yield Claim(
            f"one ranking for {name} and NUTS, {adaptation}",
            f"Parameterizations rank the same for {words} and for NUTS {where}.",
            LARGE, partial(effect, **given), "above", 0.5, RANKS, of=tables,
        )  # fmt: skip
    yield Claim(
        f"sampling is faster than optimisation, {adaptation}",
        f"NUTS (unordered, {where}) has a sorted R-hat of 1.01 after fewer passes than EM with "
        "restarts takes to the global optimum (1e-2 nats).",
        "Ma, Chen, Jin, Flammarion & Jordan 2019", partial(sampling_for_optimising, **given),
        "below", 1.0, "passes of NUTS for one of EM", of=("em", "nuts"),
    )  # fmt: skip


def _of_modes() -> Iterator[Claim]:
    yield Claim(
        "the Jacobian moves the MAP",
        "In some cell the MAP with the Jacobian is more than one posterior sd from that without.",
        "this project", largest_shift, "above", 1.0,
        "posterior sds, in the cell with the largest shift", of=("modes", "nuts"),
    )  # fmt: skip
    for name in ("relative", "ordered"):
        yield Claim(
            f"MAP takes more passes in {name} coordinates",
            f"MAP by L-BFGS takes more passes in {name} coordinates than in unordered ones, of "
            "starts that arrive.", "this project",
            partial(passes_of, name=name, jacobian=True), "above", 1.0,
            f"passes, {name} / unordered", of=("modes",),
        )  # fmt: skip


def _of_ascent() -> Iterator[Claim]:
    for name in ("relative", "ordered"):
        yield Claim(
            f"gradient ascent takes more passes in {name} coordinates",
            f"Gradient ascent with the fair step takes more passes in {name} coordinates of the "
            "sampler than in unordered ones, of starts that arrive.", "this project",
            partial(passes_of, name=name), "above", 1.0, f"passes, {name} / unordered",
            of=("gradient",),
        )  # fmt: skip


MADE = (
    *(claim for adaptation in MATRICES for claim in _of_nuts(adaptation)),
    *_of_modes(),
    *_of_ascent(),
)  # fmt: skip
CLAIMS = worded(MADE, SAID)


# --- the figure -----------------------------------------------------------------------------------


def passes_figure(result: StudyResult) -> Figure:
    """Passes of every parameterization over the separations, geometric means over data sets."""
    tables = result.tables
    modes = tables["modes"]
    parts: dict[str, tuple[pd.DataFrame, str]] = {
        "gradient, fair step": (tables["gradient"], "passes_4"),
        "MAP by L-BFGS, Jacobian": (rows_of(modes, jacobian=True), "passes_4"),
    }
    for matrix in MATRICES:
        drawn = rows_of(tables["nuts"], adaptation=matrix)
        parts[f"NUTS, {matrix}"] = (drawn, "passes_per_1000")
    figure, grid = panels(4, 1, (7, 12))
    for axes, (title, (part, column)) in zip(grid[:, 0], parts.items(), strict=True):
        means = pd.DataFrame()
        if len(part):
            logs = np.log10(part[column])
            means = logs.groupby([part["parameterization"], part["separation"]]).mean().unstack()
            means = means.loc[in_order(means.index)]
        heat(axes, means, _passes, "viridis_r")
        unit = "for 1,000 effective draws" if title.startswith("NUTS") else "to 1e-4 nats"
        axes.set_title(f"{title}: passes {unit}", fontsize="medium")
        axes.set_xlabel(SEPARATION)
    return figure


def _passes(log_passes: float) -> str:
    return brief(10**log_passes)


# --- sizes ----------------------------------------------------------------------------------------

SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
SETS = {"separation": SEPARATIONS, "sets": (4, 10), "batch": range(10)}
MAIN = {"separation": (0.0, 0.5, 2.0, 4.0), "sets": (10,), "batch": (0, 1)}
LARGEST = {"sets": (10,)}
SMOKE = {"separation": (0.5,), "sets": (4,), "batch": (0,)}
LABELS = tuple(PARAMETERIZATIONS)
PLAIN: dict[str, Any] = {"parameterization": ("unordered",)}


def _experiment(
    cell: Callable[..., Rows],
    first: dict[str, Any],
    laptop: Any,
    smoke: dict[str, Any],
    **more: Any,
) -> Experiment:
    return Experiment(
        cell=cell,
        factors={**first, **SETS},
        sizes={"smoke": {**SMOKE, **smoke}, "laptop": laptop, "cluster": LARGEST},
        structure=("separation", "batch"),
        **more,
    )


IN_ALL = {"parameterization": LABELS}
BOTH = {**IN_ALL, "jacobian": (True, False)}
# MAP without the Jacobian is slow: ten data sets where everything else has twenty
MODES = (
    {**MAIN, "jacobian": (True,)},
    {**MAIN, "jacobian": (False,), "batch": (0,)},
)

study = Study(
    name="optimising_and_sampling",
    question="Are optimisers and NUTS fast in the same parameterizations?",
    source="Ma et al. 2019, and this project",
    experiments={
        "em": _experiment(by_em, {}, MAIN, {}),
        "gradient": _experiment(by_gradient, IN_ALL, MAIN, PLAIN),
        "modes": _experiment(by_map, BOTH, MODES, PLAIN, skip=skip),
        "nuts": _experiment(by_nuts, {"adaptation": MATRICES, **IN_ALL}, MAIN, PLAIN),
    },
    claims=CLAIMS,
    figures={"passes by parameterization": passes_figure},
    answer=(
        f"one ranking for L-BFGS and NUTS, {FIRST}",
        f"sampling is faster than optimisation, {FIRST}",
    ),
    chief=(
        f"one ranking for L-BFGS and NUTS, {FIRST}",
        "the Jacobian moves the MAP",
        "MAP takes more passes in relative coordinates",
    ),
)
