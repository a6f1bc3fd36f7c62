"""How many passes over the data do optimisers and NUTS need in each parameterization?

EM, ECM, gradient ascent (a fixed step and the fair one), natural gradient, MAP by L-BFGS with the
Jacobian on and off, Laplace's approximation and NUTS start from the same over-dispersed points, in
every parameterization where they apply. A pass is one evaluation of all responsibilities.

``passes_2``, ``passes_4`` and ``passes_8`` are what one success costs with restarts (expected
running time): the passes of all starts, each counted to where it comes within 1e-2, 1e-4 or 1e-8
nats of the best log likelihood (MAP: log posterior) or to its end, over the number of successes;
without any success all passes are charged, a lower bound. The best log likelihood is that of the
best interior optimum of EM from 60 starts (``reference``); a start that ends more than 1e-2 nats
above it has run off to a spurious maximum (``beyond``) and is no success. The best log posterior is
the best end of the starts and of further ones: the reference, the truth and four quantile slices.
``passes_rhat`` are NUTS's to a sorted R-hat of at most 1.01 with warm-up, all of them where it
does not get there; ``passes_per_1000`` those per 1,000 effective draws after warm-up.

Seconds differ from run to run, so the table has none: a cell's seconds (``timings.parquet``) over
its passes (``passes_of_cell`` where they are more than those of the starts) give the seconds of a
pass. Cells of one block of data sets run on one worker, the search for the reference first, a cell
of its own, so that in an uninterrupted run no other cell's seconds contain it.

Source: Esser & Nielsen 2022 for the relative coordinates; Ma, Chen, Jin, Flammarion & Jordan 2019,
PNAS 116, 20881-20885, for sampling against optimisation; Amari 1998 for the natural gradient.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import rankdata

from ordered_mix.data import Data, load, shipped, simulate
from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.rhat import reached, rhat_path
from ordered_mix.engine.tables import four_digits
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.hessian import HESSIAN_PASSES
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.map import MAP
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.optima.laplace import laplace
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import (
    SEPARATION,
    Look,
    brief,
    curves,
    heat,
    in_order,
    legend,
    looks,
    panels,
)
from ordered_mix.study.effects import bootstrap, extreme, paired, paired_ratio
from ordered_mix.study.sentences import Words, amounts, by_outcome, paragraph
from ordered_mix.theory.speed import (
    expected_passes,
    passes_to,
    shortfall,
    sorted_distance,
    wasserstein,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, sections 3 and 5"
SIMULATED = "simulated"
STARTS, CHAINS = 6, 4
SPREAD = 1.5  # of the starting means, in standard deviations of the data
STEP = 0.1  # stable in all coordinates: their limits at the singular point are 4 and 1.6
RUN = Stop(log_likelihood=1e-11, passes=2000)
DIGITS = (2, 4, 8)
BEYOND = 1e-2
MILESTONES = (3, 10, 30, 100, 300, 1000)
FIELDS = ("w", "mu", "sigma")
PARAMETERS = ("w_1", "mu_1", "mu_2", "sigma_1", "sigma_2")
PARAMETERIZATIONS = {
    "unordered": "unordered",
    "ordered": "ordered",
    "relative": "relative",
    "relative_softplus": "relative(link=softplus)",
    "relative_square": "relative(link=square)",
    "centred": "centred",
    "signed": "signed",
    "resolved": "resolved",
    "moment": "moment",
}
PAIR = ("unordered", "relative")
MODES = {"map": True, "map_no_jacobian": False}
FREE_COORDINATES = ("gradient_fixed", "gradient_fair")
LIKELIHOOD = ("em", "ecm", *FREE_COORDINATES, "gradient_unconstrained", "natural")
ESTIMATORS = ("reference", *LIKELIHOOD, *MODES, "laplace", "nuts")


class Block(NamedTuple):
    """Data sets that every estimator meets together; `batch` numbers blocks of `sets` of them."""

    data: str
    free: str
    separation: float | None
    n: int | None
    weight: float | None
    sets: int
    batch: int

    @property
    def replicates(self) -> range:
        return range(self.sets * self.batch, self.sets * (self.batch + 1))

    @property
    def prior(self) -> Prior:
        """The reference prior of standardised data; it knows what is not free."""
        if self.free == "all":
            return Prior()
        first = float(self.weight or 0)
        return Prior(known_w=(first, 1 - first), known_sigma=1.0)

    @property
    def frozen(self) -> tuple[str, ...]:
        return () if self.free == "all" else ("w", "sigma")

    @property
    def truth(self) -> Mixture | None:
        if self.data != SIMULATED:
            return None
        first, half = float(self.weight or 0), float(self.separation or 0) / 2
        ends = np.array([-half, half])
        return Mixture(np.array([first, 1 - first]), ends, np.ones(2))

    def seed(self, purpose: str, replicate: int) -> int:
        shared = {"data": self.data, "separation": self.separation, "n": self.n}
        return seed_of(purpose, **shared, weight=self.weight, replicate=replicate) % 2**31

    def limited(self, mixture: Mixture) -> Mixture:
        """These means with the known weights and scales, if those are known."""
        if self.free == "all":
            return mixture
        assert self.truth is not None
        return Mixture(self.truth.w, mixture.mu, self.truth.sigma)

    def starts(self, sample: Data, replicate: int) -> Mixture:
        """Over-dispersed starts, the same for every estimator; batch shape (starts,)."""
        rng = np.random.default_rng(self.seed("starts", replicate))
        scale, shape = float(sample.scale), (STARTS, 2)
        mu = float(sample.location) + SPREAD * scale * rng.standard_normal(shape)
        w = rng.dirichlet([5.0, 5.0], STARTS)
        sigma = 0.6 * scale * np.exp(0.3 * rng.standard_normal(shape))
        return self.limited(Mixture(w, mu, sigma))


@lru_cache(maxsize=4)
def samples(block: Block) -> tuple[Data, ...]:
    """The data sets of a block; a real one is standardised, for the sake of fixed steps."""
    if block.truth is None:
        return tuple(load(block.data).standardized() for _ in block.replicates)
    n = int(block.n or 0)
    return tuple(simulate(block.truth, n, block.seed("data", r)) for r in block.replicates)


class Reference(NamedTuple):
    """The best interior optimum of the likelihood, and what the search for it took."""

    mixture: Mixture
    log_likelihood: float
    passes: int
    share: float
    optima: int


@lru_cache(maxsize=4)
def references(block: Block) -> tuple[Reference, ...]:
    """The best optimum of each data set's likelihood, from EM with many starts."""
    return tuple(_reference(block, sample) for sample in samples(block))


def _reference(block: Block, sample: Data) -> Reference:
    rough = EM(frozen=block.frozen, stop=Stop(log_likelihood=1e-9, passes=2000))
    search, model = MultiStart(estimator=rough), catalog.parameterization("unordered", 2)
    optima = search.fit(model, sample, block.limited(search.start(model, sample)))
    fine = EM(frozen=block.frozen, stop=Stop(log_likelihood=1e-12, passes=50_000), snapshots=2)
    fit = fine.fit(model, sample, optima.best)
    return Reference(
        fit.mixture,
        float(fit.log_likelihood),
        optima.passes + int(fit.passes),
        float(optima.hit_rate[optima.best_index]),
        len(optima.hits),
    )


@lru_cache(maxsize=2)
def modes(block: Block, parameterization: str, jacobian: bool) -> tuple[Fit, ...]:
    """MAP from the shared starts, then from further ones, for each data set."""
    fits = []
    for sample, best, replicate in zip(
        samples(block), references(block), block.replicates, strict=True
    ):
        further = initial_mixtures(sample, 2, 4, "quantile", block.seed("further", replicate))
        known = [best.mixture] + ([block.truth] if block.truth is not None else [])
        parts = [block.starts(sample, replicate), block.limited(further)]
        parts.append(Mixture.stack(known))
        starts = Mixture(*(np.concatenate([getattr(p, v) for p in parts]) for v in FIELDS))
        coordinates = _coordinates(block, parameterization, sample)
        fits.append(MAP(jacobian=jacobian).fit(coordinates, sample, starts))
    return tuple(fits)


def cell(seed: int, estimator: str, parameterization: str, **factors: Any) -> list[dict]:
    """One row for each data set of the block."""
    block = Block(**factors)
    if estimator == "reference":
        rows = [_reference_row(block, best) for best in references(block)]
    elif estimator in LIKELIHOOD:
        rows = _likelihood_rows(block, estimator, parameterization)
    elif estimator in MODES:
        fits = modes(block, parameterization, MODES[estimator])
        rows = [_mode_row(block, fit) for fit in fits]
    else:
        one = _laplace_row if estimator == "laplace" else _nuts_row
        rows = [one(block, parameterization, index) for index in range(block.sets)]
    return [{"replicate": r, **row} for r, row in zip(block.replicates, rows, strict=True)]


def skip(estimator: str, parameterization: str, **factors: Any) -> str | None:
    """Why a combination is left out."""
    block = Block(**factors)
    if block.data != SIMULATED:
        if (block.separation, block.n, block.weight) != (None, None, None):
            return "a real data set has no separation, size and weight to choose"
        if block.free != "all":
            return "the weights and scales of a real data set are not known"
    elif None in (block.separation, block.n, block.weight):
        return "simulated data need a separation, a size and a weight"
    try:
        _coordinates(block, parameterization)
    except NotApplicable as reason:
        return str(reason)
    return _same_as_another(estimator, parameterization)


def _same_as_another(estimator: str, parameterization: str) -> str | None:
    name, options = catalog.split(PARAMETERIZATIONS[parameterization])
    if estimator in ("reference", "em") and name != "unordered":
        return "EM visits the same mixtures in all coordinates: see unordered"
    if estimator == "ecm" and name in ("unordered", "ordered"):
        return "ECM on the means themselves is EM, on ordered means it is that of relative"
    if estimator == "ecm" and name == "moment":
        return "these coordinates have no closed conditional maxima"
    if estimator == "ecm" and options:
        return "a conditional maximum is the same for every link of the gap: see relative"
    if estimator in FREE_COORDINATES and name == "ordered":
        return "the free coordinates are the means themselves: see unordered"
    if estimator in FREE_COORDINATES and options:
        return "the free coordinate is the gap itself for every link: see relative"
    if estimator == "map_no_jacobian" and name == "resolved":
        return "the prior density of the squared gap is infinite at 0, so there is no maximum"
    return None


def _coordinates(block: Block, label: str, sample: Data | None = None) -> Parameterization:
    """Coordinates with the reference prior on the scale of a sample, which MAP and NUTS use."""
    prior = block.prior
    if sample is not None:
        known = {"known_w": prior.known_w, "known_sigma": prior.known_sigma}
        prior = replace(Prior().affine(float(sample.location), float(sample.scale)), **known)
    return catalog.parameterization(PARAMETERIZATIONS[label], 2, prior)


def _likelihood_rows(block: Block, estimator: str, parameterization: str) -> list[dict]:
    starts = [block.starts(y, r) for y, r in zip(samples(block), block.replicates, strict=True)]
    data = Data(np.stack([y.y for y in samples(block)])[:, None])
    fit = _climb(block, estimator, parameterization, data, Mixture.stack(starts))
    rows = []
    for index, best in enumerate(references(block)):
        trace = (fit.trace.passes[:, index], fit.trace.objective[:, index])
        row, pick = _speed(*trace, fit.passes[index], fit.status[index], best.log_likelihood)
        rows.append(row | _errors(block, fit.mixture[index, pick]))
    return rows


def _climb(block: Block, estimator: str, name: str, data: Data, starts: Mixture) -> Fit:
    settings: dict[str, Any] = {"stop": RUN, "snapshots": 1000}
    if estimator in ("em", "ecm"):
        sweep = EM if estimator == "em" else ECM
        model = catalog.parameterization(PARAMETERIZATIONS[name], 2)
        return sweep(frozen=block.frozen, **settings).fit(model, data, starts)
    coordinates = _coordinates(block, name)
    if estimator == "natural":
        # the information is inverted at every iteration, which takes longer than a pass
        settings["stop"] = Stop(log_likelihood=1e-11, passes=100)
        ascent = NaturalGradient(damping=1e-3, coordinates="unconstrained", **settings)
        return ascent.fit(coordinates, data, starts)
    step = STEP if estimator == "gradient_fixed" else "largest_stable"
    kind = "free" if estimator in FREE_COORDINATES else "unconstrained"
    return GradientAscent(step=step, coordinates=kind, **settings).fit(coordinates, data, starts)


def _speed(
    passes: np.ndarray, objective: np.ndarray, spent: np.ndarray, status: np.ndarray, best: float
) -> tuple[dict[str, Any], int]:
    """Measures of the starts of one data set, and which start ended best, the spurious aside."""
    beyond = objective[-1] > best + BEYOND
    ended = np.isin(status, ("converged", "budget_exhausted"))
    row = {"passes": int(spent.sum()), "beyond": beyond.mean(), "failed": 1 - ended.mean()}
    for digits in DIGITS:
        to = np.where(beyond, np.inf, passes_to(passes, objective, best - 10.0**-digits))
        cost, share = expected_passes(to, spent)
        row |= {f"passes_{digits}": four_digits(cost), f"share_{digits}": four_digits(share)}
    for after in MILESTONES:
        below = np.where(beyond, np.inf, shortfall(passes, objective, best, after))
        row[f"short_{after}"] = four_digits(max(float(below.min()), 0.0))
    return row, int(np.argmax(np.where(beyond, -np.inf, objective[-1])))


def _errors(block: Block, mixture: Mixture) -> dict[str, float]:
    if block.truth is None:
        return {}
    return {
        "wasserstein": four_digits(wasserstein(mixture, block.truth)),
        "distance": four_digits(sorted_distance(mixture, block.truth)),
    }


def _values(mixture: Mixture, prefix: str = "") -> dict[str, float]:
    one = mixture.sorted()
    values = (one.w[..., 0], *np.moveaxis(one.mu, -1, 0), *np.moveaxis(one.sigma, -1, 0))
    return {
        prefix + name: four_digits(value) for name, value in zip(PARAMETERS, values, strict=True)
    }


def _reference_row(block: Block, best: Reference) -> dict[str, Any]:
    row = {"passes": best.passes, "share_2": four_digits(best.share), "optima": best.optima}
    return row | _errors(block, best.mixture)


def _mode_row(block: Block, fit: Fit) -> dict[str, Any]:
    best = float(fit.objective.max())
    trace = (fit.trace.passes[:, :STARTS], fit.trace.objective[:, :STARTS])
    row, pick = _speed(*trace, fit.passes[:STARTS], fit.status[:STARTS], best)
    row["passes_of_cell"] = int(fit.passes.sum())
    return row | _errors(block, fit.mixture[pick]) | _values(fit.mixture[pick])


def _laplace_row(block: Block, parameterization: str, index: int) -> dict[str, Any]:
    """The approximation at the best mode from the shared starts; its draws are independent."""
    sample, fit = samples(block)[index], modes(block, parameterization, True)[index]
    coordinates = _coordinates(block, parameterization, sample)
    pick = int(np.argmax(fit.objective[:STARTS]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        approximation = laplace(coordinates, sample, fit.mixture[pick])
    spent = int(fit.passes[:STARTS].sum()) + HESSIAN_PASSES * coordinates.dimension
    row = {"passes": spent, "positive_definite": approximation.positive_definite}
    if not approximation.positive_definite:
        return row
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            draws = approximation.sample(1000, seed=0).sorted()
    except ValueError:  # so wide that scales or weights leave the range of doubles
        return row | {"positive_definite": False}
    return row | _posterior(block, draws)


def _posterior(block: Block, draws: Mixture) -> dict[str, Any]:
    """Sorted posterior means and standard deviations, and the errors of the former."""
    flat = draws.reshape(-1)
    center = Mixture(*(getattr(flat, name).mean(axis=0) for name in FIELDS))
    columns = (flat.w[:, 0], *flat.mu.T, *flat.sigma.T)
    sds = {f"sd_{p}": four_digits(v.std()) for p, v in zip(PARAMETERS, columns, strict=True)}
    return _errors(block, center) | _values(center) | sds


def _nuts_row(block: Block, parameterization: str, index: int) -> dict[str, Any]:
    sample, replicate = samples(block)[index], block.replicates[index]
    starts = block.starts(sample, replicate)[:CHAINS]
    model, seed = _coordinates(block, parameterization, sample), block.seed("nuts", replicate)
    drawn = NUTS(draws=800, tune=400).sample(model, sample, starts, seed)
    ascending = drawn.mixture.sorted()
    quantities = {"w": ascending.w[..., 0], "mu": ascending.mu, "sigma": ascending.sigma}
    measured = convergence(quantities)
    warmup, after = float(drawn.warmup_passes.sum()), float(drawn.passes.sum())
    steps = drawn.statistics["n_steps"].to_numpy()
    there = reached(rhat_path(quantities, steps, warmup, points=12))
    effective = max(float(np.nan_to_num(measured["ess_bulk"].min())), CHAINS)
    row = {
        "passes": int(warmup + after),
        "passes_rhat": warmup + after if there is None or there.passes is None else there.passes,
        "converged": there is not None,
        "rhat": four_digits(measured["rhat"].max()),
        "passes_per_1000": four_digits(1000 * after / effective),
        "divergences": int(drawn.statistics["diverging"].to_numpy().sum()),
    }
    return row | _posterior(block, ascending)


# --- claims ---------------------------------------------------------------------------------------

NEAR = (0.0, 0.2, 0.5, 1.0)
MAIN = (0.0, 0.5, 2.0, 4.0)  # where every estimator runs
UNIT = ["separation", "replicate"]
Runner = tuple[str, str]


def _simulated(table: pd.DataFrame, free: str = "all") -> pd.DataFrame:
    """Simulated sets of 200 points with equal weights, on which the claims are tested."""
    chosen = (table["data"] == SIMULATED) & (table["free"] == free)
    return table[chosen & (table["n"] == 200) & (table["weight"] == 0.5)]


def _of(table: pd.DataFrame, runner: Runner) -> pd.DataFrame:
    estimator, parameterization = runner
    return table[
        (table["estimator"] == estimator) & (table["parameterization"] == parameterization)
    ]


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    """A column as floats, empty where no cell has it."""
    if name not in rows:
        return pd.Series(np.nan, index=rows.index)
    return rows[name].astype(float)


def slowdown(
    first: Runner,
    second: Runner,
    free: str = "all",
    separations: tuple[float, ...] | None = None,
    columns: tuple[str, str] = ("passes_4", "passes_4"),
) -> Callable[[pd.DataFrame], Effect]:
    """Effect: passes of the first runner for one of the second, geometric mean over data sets."""
    names = (" ".join(first), " ".join(second))

    def effect(table: pd.DataFrame) -> Effect:
        rows = _simulated(table, free)
        if separations is not None:
            rows = rows[rows["separation"].isin(separations)]
        rows = rows.assign(runner=rows["estimator"] + " " + rows["parameterization"])
        rows = rows[rows["runner"].isin(names)]
        cost = [_column(rows, name) for name in columns]
        rows = rows.assign(cost=cost[0].where(rows["runner"] == names[0], cost[1]))
        found = paired(rows, "runner", names, "cost", UNIT)
        return paired_ratio(found[names[0]], found[names[1]])

    return effect


def agreement(optimiser: str) -> Callable[[pd.DataFrame], Effect]:
    """Effect: rank correlation, over parameterizations, of an optimiser's passes and NUTS's.

    Passes are geometric means over the data sets of one separation, Spearman's correlation is
    averaged over the separations, and data sets are resampled.
    """

    def effect(table: pd.DataFrame) -> Effect:
        rows = _simulated(table)
        rows = rows[rows["separation"].isin(MAIN)]
        log_passes = []
        for estimator, column in ((optimiser, "passes_4"), ("nuts", "passes_per_1000")):
            part = rows[rows["estimator"] == estimator]
            key = ["separation", "parameterization"]
            log_passes.append(np.log(part.pivot(index="replicate", columns=key, values=column)))
        shared = log_passes[0].columns.union(log_passes[1].columns)
        if len(shared.get_level_values(1).unique()) < 3:
            raise ValueError("a rank correlation needs at least 3 parameterizations")
        wide = [part.reindex(columns=shared) for part in log_passes]
        both = pd.concat(wide, axis=1, keys=["first", "second"])
        if both.isna().any(axis=None):
            raise ValueError(f"{int(both.isna().sum().sum())} runs are missing")
        groups = [shared.get_level_values(0) == s for s in shared.get_level_values(0).unique()]
        unit = both.reset_index()
        width = len(shared)

        def statistic(sampled: pd.DataFrame) -> float:
            average = sampled.to_numpy(dtype=float)[:, 1:].mean(axis=0)
            first, second = average[:width], average[width:]
            return float(np.mean([_spearman(first[g], second[g]) for g in groups]))

        unit.columns = ["replicate", *map(str, range(2 * width))]
        return bootstrap(unit, statistic, "replicate")

    return effect


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    one, two = (rankdata(value) for value in (first, second))
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0  # no ranking at all agrees with none
    return float(np.corrcoef(one, two)[0, 1])


def largest_shift(table: pd.DataFrame) -> Effect:
    """Effect: by how many posterior sds the Jacobian moves the MAP where it moves it most.

    In each separation and parameterization, the mean over data sets of the largest of the shifts
    of the sorted parameters, in units of the posterior sd that the unordered NUTS run found;
    the intervals are simultaneous (Bonferroni), so that the largest may be picked.
    """
    rows = _simulated(table)
    cells = shifts(rows)
    if not len(cells):
        raise ValueError("no data set has MAP with and without the Jacobian and NUTS")
    groups = [part["shift"] for _, part in cells.groupby(["separation", "parameterization"])]
    return extreme(groups, max)._replace(observations=len(cells[UNIT].drop_duplicates()))


def shifts(rows: pd.DataFrame) -> pd.DataFrame:
    """Largest shift of a sorted parameter between the two MAPs, in posterior sds.

    Returns
    -------
    DataFrame
        Columns separation, replicate, parameterization, shift.
    """
    keys = [*UNIT, "parameterization"]
    names = list(PARAMETERS)
    if not {"sd_w_1", *names} <= set(rows.columns):
        return pd.DataFrame(columns=[*keys, "shift"])
    sds = rows[(rows["estimator"] == "nuts") & (rows["parameterization"] == "unordered")]
    sds = sds.set_index(UNIT)[[f"sd_{name}" for name in names]].set_axis(names, axis=1)
    on, off = (rows[rows["estimator"] == e].set_index(keys)[names] for e in MODES)
    moved = (on - off).abs().dropna().reset_index().set_index(UNIT)
    moved = moved[moved.index.isin(sds.index)]
    scaled = moved[names] / sds.loc[moved.index].to_numpy()
    return moved.assign(shift=scaled.max(axis=1)).reset_index()[[*keys, "shift"]]


PASSES = "passes for one, to 1e-4 nats, failures charged in full"
RANKS = "Spearman's correlation of passes to 1e-4 nats and passes for 1,000 effective draws"
LARGE = "this project; 0.5 is Cohen's large correlation"


def _gradients(step: str, *where: Any) -> Callable[[pd.DataFrame], Effect]:
    return slowdown((f"gradient_{step}", "relative"), (f"gradient_{step}", "unordered"), *where)


CLAIMS = (
    Claim("relative gradient, fixed step",
          "With means free and the paper's fixed step, gradient ascent in relative coordinates "
          "needs fewer passes near the singularity (separation <= 1).",
          PAPER, _gradients("fixed", "means", NEAR), "below", 1.0, PASSES),
    Claim("relative gradient, fair step",
          "With means free and the fair step, a share of the stability limit of each coordinate "
          "system, gradient ascent in relative coordinates needs fewer passes near the "
          "singularity (separation <= 1).",
          PAPER, _gradients("fair", "means", NEAR), "below", 1.0, PASSES),
    Claim("relative ECM near the singularity",
          "With means free, relative ECM needs fewer iterations than EM (separation <= 1).",
          PAPER, slowdown(("ecm", "relative"), ("em", "unordered"), "means", NEAR),
          "below", 1.0, PASSES),
    Claim("relative ECM, all free",
          "With weights and scales free too, relative ECM needs fewer iterations than EM "
          "(separation <= 1).",
          PAPER, slowdown(("ecm", "relative"), ("em", "unordered"), "all", NEAR),
          "below", 1.0, PASSES),
    Claim("one ranking for L-BFGS and NUTS",
          "Parameterizations rank the same for MAP by L-BFGS and for NUTS.",
          LARGE, agreement("map"), "above", 0.5, RANKS),
    Claim("one ranking for gradient ascent and NUTS",
          "Parameterizations rank the same for gradient ascent with the fair step, in the "
          "sampler's coordinates, and for NUTS.",
          LARGE, agreement("gradient_unconstrained"), "above", 0.5, RANKS),
    Claim("the Jacobian moves the MAP",
          "In some cell the MAP with the Jacobian is more than one posterior sd from that without.",
          "this project", largest_shift, "above", 1.0,
          "posterior sds, in the cell with the largest shift"),
    Claim("sampling is faster than optimisation",
          "NUTS (unordered) has a sorted R-hat of 1.01 after fewer passes than EM with restarts "
          "takes to the global optimum (1e-2 nats).",
          "Ma, Chen, Jin, Flammarion & Jordan 2019",
          slowdown(("nuts", "unordered"), ("em", "unordered"), "all", MAIN,
                   ("passes_rhat", "passes_2")),
          "below", 1.0, "passes of NUTS for one of EM"),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

LABELS = {
    "em": "EM",
    "ecm": "ECM",
    "gradient_fixed": "gradient, fixed step",
    "gradient_fair": "gradient, fair step",
    "gradient_unconstrained": "gradient, fair, sampler's coordinates",
    "natural": "natural gradient",
    "map": "MAP, Jacobian",
    "map_no_jacobian": "MAP, no Jacobian",
    "laplace": "Laplace",
    "nuts": "NUTS",
}
LINES: tuple[Runner, ...] = (
    ("em", "unordered"),
    ("ecm", "relative"),
    ("gradient_fair", "unordered"),
    ("gradient_fair", "relative"),
    ("natural", "unordered"),
    ("map", "unordered"),
    ("laplace", "unordered"),
    ("nuts", "unordered"),
)
TITLE = {
    runner: LABELS[runner[0]] if runner[0] not in ("ecm", "gradient_fair")
    else f"{LABELS[runner[0]]}, {runner[1]}"
    for runner in LINES
}  # fmt: skip
STYLES = looks(TITLE.values())
COSTS = "passes to 1e-4 nats (NUTS: to R-hat 1.01)"
FLOOR, CEILING = 1e-9, 1e3


def _costs(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with what a success costs, and the name of the line that they belong to, if any."""
    runners = zip(rows["estimator"], rows["parameterization"], strict=True)
    sampled = rows["estimator"] == "nuts"
    cost = _column(rows, "passes_4").where(~sampled, _column(rows, "passes_rhat"))
    return rows.assign(cost=cost, line=[TITLE.get(runner) for runner in runners])


def traces_figure(result: StudyResult) -> Figure:
    """Nats that the best start is short of the best: medians and quartiles over data sets."""
    rows = _costs(_simulated(result.table))
    found = sorted(rows["separation"].unique())
    chosen = [s for s in (0.5, 2.0, 4.0) if s in found] or found[:3]
    figure, grid = panels(1, len(chosen), (9, 4.2), sharey=True)
    for axes, separation in zip(grid[0], chosen, strict=False):
        part = rows[rows["separation"] == separation]
        for line, look in STYLES.items():
            _trace(axes, part[part["line"] == line], line, look)
        axes.set(xscale="log", yscale="log", xlabel="passes of each start")
        axes.set_title(f"separation {separation:g} sigma", fontsize="medium")
    grid[0, 0].set_ylabel(f"nats below the best, best of {STARTS} starts")
    return legend(figure, grid)


def _trace(axes: Axes, rows: pd.DataFrame, line: str, look: Look) -> None:
    short = [_column(rows, f"short_{after}").dropna() for after in MILESTONES]
    if not all(len(values) for values in short):
        return
    # infinite values stay apart
    levels = [np.quantile(values, [0.25, 0.5, 0.75], method="nearest") for values in short]
    low, middle, high = np.clip(levels, FLOOR, CEILING).T
    axes.fill_between(MILESTONES, low, high, color=look.color, alpha=0.12, linewidth=0)
    axes.plot(MILESTONES, middle, **look._asdict(), ms=4, lw=1.1, label=line)


def curves_figure(result: StudyResult) -> Figure:
    """Passes for one success against the separation, with 95% intervals over data sets."""
    figure, grid = panels(1, 2, (9, 4.6), sharey=True)
    for axes, free in zip(grid[0], ("all", "means"), strict=True):
        rows = _costs(_simulated(result.table, free))
        curves(axes, rows, "cost", "line", STYLES, log=True)
        known = "all parameters free" if free == "all" else "means free"
        axes.set_title(f"{known}, n = 200, equal weights", fontsize="medium")
    grid[0, 0].set_ylabel(COSTS)
    return legend(figure, grid)


def quality_figure(result: StudyResult) -> Figure:
    """Share of the starts that reach the best optimum, and the error, against the separation."""
    rows = _costs(_simulated(result.table))
    figure, grid = panels(1, 2, (9, 4.6))
    left, right = grid[0]
    curves(left, rows, "share_2", "line", STYLES)
    left.set(ylabel="share of starts within 1e-2 nats of the best", ylim=(-0.03, 1.03))
    curves(right, rows, "wasserstein", "line", STYLES)
    right.set_ylabel("Wasserstein distance to the truth / sigma")
    right.set_ylim(bottom=0)
    return legend(figure, grid)


def map_figure(result: StudyResult) -> Figure:
    """Passes of every parameterization over the separations, geometric means over data sets."""
    rows = _simulated(result.table)
    kinds = ("gradient_fair", "gradient_unconstrained", "map", "nuts")
    figure, grid = panels(2, 2, (9, 7.2))
    for axes, estimator in zip(grid.flat, kinds, strict=True):
        sampler = estimator == "nuts"
        part = rows[rows["estimator"] == estimator]
        logs = np.log10(_column(part, "passes_per_1000" if sampler else "passes_4"))
        means = logs.groupby([part["parameterization"], part["separation"]]).mean().unstack()
        heat(axes, means.reindex(in_order(means.index)), _passes, "viridis_r")
        unit = "for 1,000 effective draws" if sampler else "to 1e-4 nats"
        axes.set_title(f"{LABELS[estimator]}\npasses {unit}", fontsize="medium")
        axes.set_xlabel(SEPARATION)
    return figure


def _passes(log_passes: float) -> str:
    return brief(10**log_passes)


RATIOS: dict[str, tuple[Runner, Runner]] = {
    f"{LABELS[one]}: relative / unordered": ((one, "relative"), (one, "unordered"))
    for one in ("gradient_fair", "gradient_unconstrained", "map")
}
RATIOS = {"ECM, relative / EM": (("ecm", "relative"), ("em", "unordered")), **RATIOS}


def ratio_figure(result: StudyResult) -> Figure:
    """Passes of relative coordinates for one of the others, over separation and n."""
    table = result.table
    rows = table[(table["data"] == SIMULATED) & (table["free"] == "all") & (table["weight"] == 0.5)]
    figure, grid = panels(2, 2, (9, 5))
    for axes, (title, runners) in zip(grid.flat, RATIOS.items(), strict=True):
        parts = [_of(rows, runner).set_index(["n", *UNIT]) for runner in runners]
        top, bottom = (np.log2(_column(part, "passes_4")) for part in parts)
        ratio = (top - bottom).groupby(["n", "separation"]).mean().unstack()
        heat(axes, ratio, lambda value: f"{2**value:.2g}", "RdBu_r", (-3, 3))
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel=SEPARATION, ylabel="n")
    return figure


REAL_RUNNERS: tuple[Runner, ...] = (
    *LINES[:2], ("gradient_fixed", "unordered"), *LINES[2:6], ("map", "relative"),
    ("nuts", "unordered"), ("nuts", "relative"),
)  # fmt: skip


def real_figure(result: StudyResult) -> Figure:
    """Passes on the real data sets; a star where no start succeeds or R-hat stays above 1.01."""
    rows = _costs(result.table[result.table["data"] != SIMULATED])
    missed = _column(rows, "share_4").where(rows["estimator"] != "nuts", _column(rows, "converged"))
    stars = np.where(missed == 0, "*", "")
    texts = [f"{brief(cost)}{star}" for cost, star in zip(rows["cost"], stars, strict=True)]
    rows = rows.assign(logs=np.log10(rows["cost"]), text=texts)
    values, words = {}, {}
    for runner in REAL_RUNNERS:
        part = _of(rows, runner).set_index("data")
        name = f"{LABELS[runner[0]]}, {runner[1]}"
        values[name], words[name] = part["logs"], part["text"]
    figure, grid = panels(1, 1, (9, 4.6))
    heat(grid[0, 0], pd.DataFrame(values).T, pd.DataFrame(words).T, "viridis_r")
    grid[0, 0].set_title(COSTS, fontsize="medium")
    return figure


def seconds_figure(result: StudyResult) -> Figure:
    """Seconds for one success on one core: a cell's seconds over its passes, times the passes.
    Medians and quartiles over the blocks of 200 points, all parameters free.
    """
    cost = seconds(result)
    figure, grid = panels(1, 1, (9, 4.4))
    axes = grid[0, 0]
    names = [name for name in LABELS if name in set(cost["estimator"])]
    for shift, (parameterization, look) in zip((-0.16, 0.16), looks(PAIR).items(), strict=True):
        part = cost[cost["parameterization"] == parameterization]
        for name, values in part.groupby("estimator")["seconds"]:
            low, middle, high = values.quantile([0.25, 0.5, 0.75])
            at = names.index(name) + shift
            axes.plot([low, high], [at, at], color=look.color, lw=2)
            axes.plot(middle, at, look.marker, color=look.color, label=parameterization)
    axes.set_yticks(range(len(names)), [LABELS[name] for name in names])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel=COSTS.replace("passes", "seconds"))
    return legend(figure, axes)


def seconds(result: StudyResult) -> pd.DataFrame:
    """Seconds of one success by block of data sets, from the cells' times and passes.

    Laplace is left out: its cell finds the mode in the worker's cache.

    Returns
    -------
    DataFrame
        Columns estimator, parameterization, seconds_per_pass, seconds.
    """
    table = _costs(_simulated(result.table))
    table = table[~table["estimator"].isin(("reference", "laplace"))]
    keys = [*result.study.factors]
    spent = _column(table, "passes_of_cell").fillna(table["passes"])
    cells = (
        table.assign(passes=spent)
        .groupby(keys, as_index=False)
        .agg(passes=("passes", "sum"), cost=("cost", "mean"))
    )
    merged = cells.merge(result.timings[[*keys, "seconds"]], on=keys)
    per_pass = merged["seconds"] / merged["passes"]
    merged = merged.assign(seconds_per_pass=per_pass, seconds=per_pass * merged["cost"])
    return merged[["estimator", "parameterization", "seconds_per_pass", "seconds"]]


# --- findings -------------------------------------------------------------------------------------

PASSES_FOR_ONE = "{0:.2g} passes [{1:.2g}, {2:.2g}]"


def _compared(subject: str, other: str) -> Words:
    start = f"{subject} in relative coordinates takes {PASSES_FOR_ONE} for one of {other} at "
    start += "separations up to 1: "
    return f"{start}fewer.", f"{start}more.", f"{start}no clear difference."


def _ranking(optimiser: str) -> Words:
    start = f"The ranking of parameterizations for {optimiser}"
    end = "that for NUTS (rank correlation {0:.2f} [{1:.2f}, {2:.2f}])."
    words = ("predicts", "does not predict", "does not reliably predict")
    holds, fails, undecided = (f"{start} {word} {end}" for word in words)
    return holds, fails, undecided


SAMPLING = f"NUTS takes {PASSES_FOR_ONE} to R-hat 1.01 for one that EM with restarts takes to the "
SAMPLING += "global optimum: "
MOVED = "The Jacobian moves the MAP by up to {0:.2g} posterior sds: "
SENTENCES: dict[str, Words] = {
    "relative gradient, fixed step": _compared(
        "With means free and a fixed step, gradient ascent", "the means themselves"
    ),
    "relative gradient, fair step": _compared("With the fair step, ascent", "the means themselves"),
    "relative ECM near the singularity": _compared("ECM", "EM"),
    "sampling is faster than optimisation": (
        f"{SAMPLING}sampling is the faster.",
        f"{SAMPLING}optimisation is the faster.",
        f"{SAMPLING}no clear difference.",
    ),
    "one ranking for L-BFGS and NUTS": _ranking("L-BFGS"),
    "one ranking for gradient ascent and NUTS": _ranking("gradient ascent"),
    "the Jacobian moves the MAP": (
        f"{MOVED}more than one.",
        f"{MOVED}less than one.",
        f"{MOVED}not clearly one.",
    ),
}


def findings(result: StudyResult) -> str:
    """What the table and the verdicts say, in one paragraph."""
    return paragraph(
        result,
        lambda result: by_outcome(result.verdicts, SENTENCES),
        _on_success,
        _on_failures,
    )


def _on_success(result: StudyResult) -> Iterator[str]:
    rows = _costs(_simulated(result.table))
    for separation in sorted({rows["separation"].min(), rows["separation"].max()} - {np.nan}):
        part = rows[rows["separation"] == separation]
        shares = _column(part, "share_2").groupby(part["line"]).mean().dropna()
        told = amounts(shares.reindex([line for line in STYLES if line in shares]))
        if told:
            yield (
                f"At a separation of {separation:g} the share of starts that reach the best "
                f"optimum is: {told}."
            )


def _on_failures(result: StudyResult) -> Iterator[str]:
    rows = _simulated(result.table)
    failed = _column(rows[rows["estimator"] == "gradient_fixed"], "failed").mean()
    if failed > 0:
        yield (
            f"With everything free, {failed:.0%} of the starts of the fixed step leave the domain "
            "or collapse."
        )
    converged = _column(rows[rows["estimator"] == "nuts"], "converged")
    if len(converged):
        yield f"NUTS reaches a sorted R-hat of 1.01 in {converged.mean():.0%} of its runs."


# --- sizes ----------------------------------------------------------------------------------------

SEPARATIONS = (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0)
SIZES_OF_SETS = (50, 200, 1000)
FIRST = ("reference", "em", "ecm", *FREE_COORDINATES)
SAMPLED = ("gradient_unconstrained", "map", "laplace", "nuts")
LIGHT = ("reference", "em", "ecm", "gradient_fair", "gradient_unconstrained", "map")
LINEAR = (*PAIR, "centred", "signed")
REAL = {
    "data": tuple(shipped()),
    "free": ("all",),
    "separation": (None,),
    "n": (None,),
    "weight": (None,),
    "sets": (1,),
    "batch": (0,),
}


def _grid(**changes: Any) -> dict[str, Any]:
    """A grid of simulated sets: 200 points of equal weights, everything free, ten at a time."""
    usual = {"data": (SIMULATED,), "free": ("all",), "separation": MAIN, "n": (200,)}
    return {**usual, "weight": (0.5,), "sets": (10,), "batch": (0,), **changes}


MEANS = {"free": ("means",), "separation": (*NEAR, 2.0, 4.0), "batch": (0, 1)}
SMOKE = {"separation": (0.5,), "sets": (4,), "parameterization": PAIR}
# What is slow (MAP without the Jacobian, the natural gradient, the coordinates that are no linear
# function of the means) has ten data sets where everything else has twenty.
LAPTOP = (
    _grid(batch=(0, 1), estimator=FIRST, parameterization=LINEAR),
    _grid(batch=(0, 1), estimator=SAMPLED),
    _grid(estimator=("map_no_jacobian",)),
    _grid(batch=(1,), estimator=("map_no_jacobian",), parameterization=PAIR),
    _grid(separation=(0.5, 2.0), estimator=LIKELIHOOD),
    _grid(separation=(0.2, 1.0, 1.5, 3.0, 8.0), estimator=LIGHT, parameterization=PAIR),
    _grid(n=(50, 1000), estimator=LIGHT, parameterization=PAIR),
    _grid(weight=(0.3, 0.1), separation=(0.5, 1.0, 2.0), estimator=LIGHT, parameterization=PAIR),
    _grid(**MEANS, estimator=(*FIRST, "gradient_unconstrained"), parameterization=PAIR),
    _grid(**{**MEANS, "separation": (0.5, 2.0), "batch": (0,)}, estimator=LIKELIHOOD),
    REAL,
)
CLUSTER = (
    _grid(separation=SEPARATIONS, n=SIZES_OF_SETS, weight=(0.5, 0.3, 0.1), batch=range(10)),
    _grid(**{**MEANS, "batch": range(10)}, n=SIZES_OF_SETS),
    REAL,
)

OPENING = Opening(
    answer={
        "relative ECM near the singularity": (
            "Near the singularity relative coordinates save passes of EM ({0:.2f} for one).",
            "Near the singularity relative coordinates cost passes: ECM takes {0:.2f} [{1:.2f}, "
            "{2:.2f}] for one of EM.",
            "Whether relative coordinates save passes of EM near the singularity is undecided.",
        ),
        "sampling is faster than optimisation": (
            "NUTS is converged sooner than EM with restarts.",
            "NUTS needs {0:.0f} [{1:.0f}, {2:.0f}] passes to converge for one that EM with "
            "restarts takes to the global optimum.",
            "Whether NUTS or EM with restarts is sooner is undecided.",
        ),
    },
    chief=(
        "relative gradient, fair step",
        "relative ECM near the singularity",
        "sampling is faster than optimisation",
    ),
)


study = Study(
    name="convergence_speed",
    question="How many passes do optimisers and NUTS need in each parameterization?",
    source="Esser & Nielsen 2022; Ma et al. 2019; Amari 1998",
    factors={
        "data": (SIMULATED, *shipped()),
        "free": ("all", "means"),
        "separation": (*SEPARATIONS, None),
        "n": (*SIZES_OF_SETS, None),
        "weight": (0.5, 0.3, 0.1, None),
        "sets": (1, 4, 10),
        "batch": tuple(range(10)),
        "parameterization": tuple(PARAMETERIZATIONS),
        "estimator": ESTIMATORS,
    },
    sizes={
        "smoke": (
            _grid(**{**SMOKE, "parameterization": ("unordered",)}),
            _grid(**SMOKE, estimator=("ecm", *FREE_COORDINATES, "natural")),
            _grid(
                **SMOKE, free=("means",), estimator=("reference", "em", "ecm", *FREE_COORDINATES)
            ),
        ),
        "laptop": LAPTOP,
        "cluster": CLUSTER,
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "traces": traces_figure,
        "passes against separation": curves_figure,
        "success and error": quality_figure,
        "passes by parameterization": map_figure,
        "relative against unordered": ratio_figure,
        "real data": real_figure,
        "seconds": seconds_figure,
    },
    findings=findings,
    skip=skip,
    structure=("data", "free", "separation", "n", "weight", "batch"),
)
