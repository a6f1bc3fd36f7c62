"""Are draws and standard errors right on average, also where two components overlap?

Simulation-based calibration (Cook, Gelman & Rubin 2006; Talts et al. 2018): a truth from the
prior of each parameterization, sorted, n = 50 points from it, and the rank of the truth among 31
sorted draws, nearly independent, of its posterior. Prior: means Normal(0, 2), variances
InverseGamma(2, 1), weights Dirichlet(2, 2): components overlap in most draws. Chains begin at
over-dispersed starts, not at the truth, which would hide that they do not mix. A run with an ESS
below twice the ranks is made once more, four times as long; what still is short, diverges or has
an R-hat above 1.05 is kept and counted, and a run that fails counts as the worst rank.

Then the 95% intervals of a fixed truth, equal weights at means +-separation/2 with unit scales,
n = 200: EM with the observed information (Louis 1982), and Laplace's approximation of the
posterior. The fits begin next to the truth, which is the best case. Without an interval, as after
a collapse, the truth counts as not covered.

The margin of 0.1 on an ECDF difference is what a posterior does that is shifted by a quarter of
its standard deviation, or 1.5 times too wide. 1,000 simulations resolve it: their interval
reaches 0.052 to either side, simultaneously over six quantities.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ordered_mix.data import Data, simulate
from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Array, Mixture
from ordered_mix.optima.laplace import laplace
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.passes.observed import observed_information
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import curves, heat, in_order, legend, looks, nothing, panels, short
from ordered_mix.study.effects import rows_of
from ordered_mix.study.sentences import Words, amounts, by_outcome, listed, paragraph
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
CHAINS = 2
ATTEMPTS = (NUTS(tune=400, draws=800), NUTS(tune=800, draws=3200))
PACK = {"nutpie": 25, "pymc": 5}
TRUTHS = 4000
HIGHEST_RHAT = 1.05
SEPARATIONS = (0.0, 0.5, 1.0, 2.0, 4.0)
DATA_SETS = 50
NOMINAL = 0.95
POINTS = {"lower_mean": "mean of the lower component", "mixture_mean": "mean of the mixture"}
INTERVALS = {
    "EM": ("em", "unordered"),
    "Laplace, unordered": ("laplace", "unordered"),
    "Laplace, relative log": ("laplace", "relative(link=log)"),
}
MARGIN, COVERAGE_MARGIN = 0.1, 0.05


def cell(
    seed: int, method: str, parameterization: str, separation: float | None, n: int, batch: int
) -> list[dict[str, Any]]:
    """Ranks of several truths, or intervals of several data sets."""
    model = _model(parameterization)
    if separation is None:
        which = range(batch * PACK[method], (batch + 1) * PACK[method])
        drawn = truths(parameterization)
        return [ranked(model, drawn[i % TRUTHS], n, method, seed + i) for i in which]
    truth = truth_at(separation)
    shared = {"separation": separation, "n": n, "batch": batch}
    sets = [
        simulate(truth, n, seed_of("data", **shared, number=number)) for number in range(DATA_SETS)
    ]
    starts = near(truth, sets, seed_of("starts", **shared))
    if method == "em":
        found = em_intervals(sets, starts)
    else:
        found = [laplace_interval(model, *pair) for pair in zip(sets, starts, strict=True)]
    return [covered(interval, separation) for interval in found]


@lru_cache
def _model(label: str) -> Parameterization:
    return catalog.parameterization(label, 2, PRIOR)


@lru_cache
def truths(label: str) -> Mixture:
    """Draws of the parameterization's own prior, as they come; batch shape (TRUTHS,)."""
    return _model(label).draw_prior(TRUTHS, seed_of("truths", label=label) % 2**31)


# --- ranks ----------------------------------------------------------------------------------------


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
        found = chain_measures(mixture.w, mixture.mu, mixture.sigma, diverging)
        if found.ess >= 2 * RANKS:
            break
    drawn, true = quantities(mixture, data), quantities(truth, data)
    for name, values in drawn.items():
        row[f"rank_{name}"] = rank(float(true[name]), thin(values, RANKS), rng)
    return row | {
        "attempts": attempt,
        "divergences": int(diverging.sum()),
        "ess": float(f"{found.ess:.4g}"),
        "rhat": float(f"{found.rhat:.4g}"),
    }


def quantities(mixture: Mixture, data: Data) -> dict[str, Array]:
    """What is ranked: sorted parameters, the log likelihood, and a mean as its label has it."""
    ascending = mixture.sorted()
    values = {"w_1": ascending.w[..., 0], "raw_mu_1": mixture.mu[..., 0]}
    for k in (0, 1):
        values |= {f"mu_{k + 1}": ascending.mu[..., k], f"sigma_{k + 1}": ascending.sigma[..., k]}
    terms = e_step(data.y, mixture.w, mixture.mu, mixture.sigma)
    return values | {"log_likelihood": terms.log_likelihood}


# --- intervals ------------------------------------------------------------------------------------


def truth_at(separation: float) -> Mixture:
    """Equal weights and unit scales; both quantities are known whatever the sample."""
    return Mixture(np.full(2, 0.5), separation * np.array([-0.5, 0.5]), np.ones(2))


def near(truth: Mixture, sets: list[Data], seed: int) -> list[Mixture]:
    """A start for each data set, close to the truth but not at equal means, a saddle."""
    shifts = 0.3 * np.random.default_rng(seed).normal(size=(len(sets), 2))
    return [
        Mixture(truth.w, truth.mu + data.scale * shift, truth.sigma)
        for data, shift in zip(sets, shifts, strict=True)
    ]


Interval = dict[str, tuple[float, float]]


def em_intervals(sets: list[Data], starts: list[Mixture]) -> list[Interval]:
    """Of each data set; empty where EM found no maximum inside the domain."""
    unordered = catalog.parameterization("unordered", 2)
    together = Data(np.stack([data.y for data in sets]))
    fit = EM().fit(unordered, together, Mixture.stack(starts))
    return [
        standard_errors(data, fit.mixture[at].sorted()) if fit.converged[at] else {}
        for at, data in enumerate(sets)
    ]


def standard_errors(data: Data, mixture: Mixture) -> Interval:
    """Estimates -+ 1.96 standard errors; empty if the information is not positive definite."""
    simplex = np.eye(6)[:, 1:]
    simplex[0, 0] = -1.0  # w_1 = 1 - w_2
    total = data.n * observed_information(mixture, data.y, jacobian=simplex)
    eigenvalues = np.linalg.eigvalsh(total)
    if not eigenvalues[0] > 1e-10 * eigenvalues[-1]:
        return {}
    (_, second), (low, high) = mixture.w, mixture.mu
    slopes = {
        "lower_mean": (low, np.array([0, 1, 0, 0, 0])),
        "mixture_mean": (mixture.mean(), np.array([high - low, 1 - second, second, 0, 0])),
    }
    found = {}
    for name, (estimate, slope) in slopes.items():
        error = 1.959964 * np.sqrt(slope @ np.linalg.solve(total, slope))
        found[name] = (float(estimate - error), float(estimate + error))
    return found


def laplace_interval(model: Parameterization, data: Data, start: Mixture) -> Interval:
    """Central intervals of sorted draws of the normal approximation at the mode."""
    fit = MAP().fit(model, data, Mixture.stack([start]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is none is counted
        found = laplace(model, data, fit.mixture[0])
    if not found.positive_definite:
        return {}
    ascending = found.sample(2000, seed=1).sorted()
    both = {"lower_mean": ascending.mu[:, 0], "mixture_mean": ascending.mean()}
    return {name: tuple(np.quantile(values, (0.025, 0.975))) for name, values in both.items()}


def covered(interval: Interval, separation: float) -> dict[str, Any]:
    """Whether the intervals hold the truth; no interval does not."""
    truth = {"lower_mean": -separation / 2, "mixture_mean": 0.0}
    row: dict[str, Any] = {"interval": bool(interval)}
    for name, value in truth.items():
        low, high = interval.get(name, (np.inf, -np.inf))
        row[f"covers_{name}"] = bool(low <= value <= high)
    return row


# --- effects of the claims ------------------------------------------------------------------------


def worst(table: pd.DataFrame, method: str, models: tuple[str, ...], names: Any) -> Effect:
    """Largest ECDF difference over quantities; the intervals of all of them hold together.

    Runs without ranks may lie anywhere, so that their share widens the interval.
    """
    rows = rows_of(table, method=method, parameterization=models)
    absent = sorted(set(models) - set(rows["parameterization"]))
    if absent:
        raise ValueError(f"the table holds no such runs of {', '.join(absent)}")
    ranks = rows[[f"rank_{name}" for name in names]].dropna()
    lost = 1 - len(ranks) / len(rows)
    found = max(largest_difference(ranks[name], RANKS) for name in ranks) * (1 - lost)
    slack = reach(len(rows), (1 - confidence()) / len(names))
    return Effect(found + lost, max(0.0, found - lost - slack), found + lost + slack, len(rows))


def ranked_by(method: str, models: tuple[str, ...], names: Any = QUANTITIES) -> Any:
    """`worst` as the effect of a claim."""
    return partial(worst, method=method, models=models, names=names)


def departure(table: pd.DataFrame, series: str, point: str, separations: Any) -> Effect:
    """Largest distance of the coverage from 95% over separations, intervals together."""
    method, model = INTERVALS[series]
    rows = rows_of(table, method=method, parameterization=model)
    ends, alpha = [], (1 - confidence()) / len(separations)
    for separation in separations:
        hits = rows.loc[rows["separation"] == separation, f"covers_{point}"].astype(bool)
        if hits.empty:
            raise ValueError(f"the table holds no such runs at separation {separation:g}")
        test = stats.binomtest(int(hits.sum()), len(hits))
        low, high = np.array(test.proportion_ci(1 - alpha, method="exact")) - NOMINAL
        nearest = max(0.0, low, -high)
        ends.append((abs(hits.mean() - NOMINAL), nearest, max(abs(low), abs(high)), len(hits)))
    estimate, low, high, _ = np.max(ends, axis=0).tolist()
    return Effect(estimate, low, high, min(end[-1] for end in ends))


def of_interval(series: str, point: str, separations: Any) -> Any:
    """`departure` as the effect of a claim."""
    return partial(departure, series=series, point=point, separations=separations)


SBC = "Talts et al. 2018: the ranks of an exact sampler are uniform"
UNIT = "largest ECDF difference of the ranks"
APART, OVERLAP = (4.0,), (0.0, 0.5, 1.0)
SINGULAR = "Watanabe 2009: no normal limit where the Fisher information is singular"
REGULAR = "asymptotic normality where the Fisher information is regular (Cramér 1946)"


def _calibration(name: str, method: str, models: tuple[str, ...], words: str) -> Claim:
    statement = f"{words}: the ECDF of every rank misses the uniform one by less than {MARGIN:g}."
    return Claim(name, statement, SBC, ranked_by(method, models), "below", MARGIN, UNIT)


def _coverage(series: str) -> Iterator[Claim]:
    cases = (
        ("apart", "lower_mean", APART, "below", REGULAR, "cover 95% give or take 5 points"),
        ("in the overlap", "lower_mean", OVERLAP, "above", SINGULAR, "miss 95% by more than 5"),
    )
    for where, point, separations, direction, source, words in cases:
        yield Claim(
            f"{series} {where}",
            f"{series}: {where}, intervals of the lower mean {words}.",
            source,
            of_interval(series, point, separations),
            direction,
            COVERAGE_MARGIN,
            "largest distance of the coverage from 0.95",
        )
    yield Claim(
        f"{series}, mean of the mixture",
        f"{series}: intervals of the mixture's mean cover 95% give or take 5 points everywhere.",
        "the mean of the mixture is determined by the data also at equal components",
        of_interval(series, "mixture_mean", SEPARATIONS),
        "below",
        COVERAGE_MARGIN,
        "largest distance of the coverage from 0.95, over separations",
    )


CLAIMS = (
    *(_calibration(f"NUTS, {short(c)}", "nutpie", (c,), f"NUTS in {short(c)}") for c in MAIN),
    _calibration("PyMC's NUTS", "pymc", MAIN, "PyMC's NUTS, all parameterizations together"),
    Claim(
        name="labels as they come",
        statement="Without sorting, the ranks of unordered NUTS are off by more than 0.1.",
        source="chains rarely visit all labellings (Celeux, Hurn & Robert 2000)",
        effect=ranked_by("nutpie", ("unordered",), ("raw_mu_1",)),
        direction="above",
        margin=MARGIN,
        unit="largest ECDF difference of the rank of the first mean",
    ),
    *(claim for series in INTERVALS for claim in _coverage(series)),
)


# --- figures and findings -------------------------------------------------------------------------


def difference_figure(result: StudyResult) -> Figure:
    """ECDF of the ranks less the uniform one, with ArviZ's 95% band for a line as a whole.
    Dashed: the margin of the claims. Above 0 truths are too low in their posterior; an S is a
    posterior too wide or too narrow.
    """
    rows = rows_of(result.table, method="nutpie")
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
                inside.at[every], inside.low[every], inside.high[every], color="0.85", zorder=0
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
    for method, words in (("nutpie", "{}"), ("pymc", "PyMC's NUTS, {}")):
        part = rows_of(result.table, method=method)
        groups = in_order(part["parameterization"].unique()) if method == "nutpie" else ["all"]
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
    rows = rows_of(result.table, method="nutpie")
    figure, axes = panels(1, 1, (7.0, 4.0))
    if rows.empty:
        nothing(axes[0, 0])
        return figure
    grid = 100 * flags(rows).groupby(rows["parameterization"]).mean()
    grid = grid.loc[in_order(grid.index)]
    heat(axes[0, 0], grid, "{:.1f}".format, limits=(0, 60))
    return figure


def coverage_figure(result: StudyResult) -> Figure:
    """Share of data sets whose 95% interval holds the truth, with 95% intervals over data sets."""
    figure, axes = panels(1, 2, (8.4, 3.8), sharey=True)
    rows = result.table[result.table["separation"].notna()]
    which = dict(zip(INTERVALS.values(), INTERVALS, strict=True))
    pairs = zip(rows["method"], rows["parameterization"], strict=True)
    rows = rows.assign(series=[which.get(pair, "other") for pair in pairs])
    for panel, (point, words) in zip(axes[0], POINTS.items(), strict=True):
        curves(panel, rows, f"covers_{point}", "series", looks(INTERVALS))
        panel.set_title(words, fontsize="medium")
        if panel.axison:
            panel.axhline(NOMINAL, color="0.5", lw=0.8, ls="--", zorder=0)
    axes[0, 0].set_ylabel("coverage")
    return legend(figure, axes)


SENTENCES: dict[str, Words] = {
    "PyMC's NUTS": (
        "PyMC's NUTS, all coordinates together, is calibrated, too ({0:.3f} [{1:.3f}, {2:.3f}]).",
        "PyMC's NUTS is not calibrated ({0:.3f} [{1:.3f}, {2:.3f}]).",
        "For PyMC's NUTS the simulations are too few to tell ({0:.3f} [{1:.3f}, {2:.3f}]).",
    ),
    "labels as they come": (
        "Labels as unordered chains leave them are off: {0:.3f} [{1:.3f}, {2:.3f}] in the first "
        "mean.",
        "Labels as unordered chains leave them are not off by the margin: {0:.3f} [{1:.3f}, "
        "{2:.3f}] in the first mean.",
        "Whether labels as unordered chains leave them are off is undecided: {0:.3f} [{1:.3f}, "
        "{2:.3f}] in the first mean.",
    ),
}


def _ranks(result: StudyResult) -> Iterator[str]:
    """Which coordinates are calibrated, how well that is known, and which runs are suspect."""
    found = {verdict.claim.name: verdict for verdict in result.verdicts}
    nuts = {short(model): found[f"NUTS, {short(model)}"] for model in MAIN}
    judged = {name: one for name, one in nuts.items() if one.effect is not None}
    words = {
        "holds": "calibrated within the margin of {margin:g}",
        "fails": "off by more than {margin:g}",
        "undecided": "undecided at that margin",
    }
    for outcome, phrase in words.items():
        names = [name for name, one in judged.items() if one.outcome == outcome]
        if names:
            effects = [judged[name].effect for name in names]
            differences = [effect.estimate for effect in effects if effect is not None]
            yield (
                f"NUTS is {phrase.format(margin=MARGIN)} in {listed(names)} (largest ECDF "
                f"difference {min(differences):.3f} to {max(differences):.3f})."
            )
    rows = rows_of(result.table, method="nutpie")
    sizes = rows.groupby("parameterization").size()
    slack = reach(int(sizes.min()), (1 - confidence()) / len(QUANTITIES))
    yield (
        f"With {sizes.min()} simulations each, each difference is known to {slack:.3f}, all six "
        "quantities together."
    )
    marked = flags(rows)
    bad = marked[["ESS too small", "R-hat too large", "refused"]].any(axis=1)
    shares = pd.DataFrame({"divergence": marked["a divergence"], "bad": bad})
    shares = shares.groupby(rows["parameterization"]).mean()
    shares = shares.loc[in_order(shares.index)]
    yield (
        f"All runs count, also those with a divergence ({amounts(shares['divergence'])}) and those "
        "that stay short or unmixed after a second attempt, which "
        f"{marked['made again'].mean():.1%} of the runs got "
        f"({amounts(shares['bad'], '{0} {1:.1%}')})."
    )


def _intervals(result: StudyResult) -> Iterator[str]:
    """Coverage of the lower mean at the ends of the range, and of the mixture's mean."""
    for series, (method, model) in INTERVALS.items():
        rows = rows_of(result.table, method=method, parameterization=model)
        rows = rows[rows["separation"].notna()]
        if rows.empty:
            continue
        low = rows.groupby("separation")["covers_lower_mean"].mean()
        whole = rows.groupby("separation")["covers_mixture_mean"].mean()
        none = 1 - rows.groupby("separation")["interval"].mean()
        ends = f"{low.iloc[0]:.0%} at separation {low.index[0]:g}"
        if len(low) > 1:
            ends += f" and {low.iloc[-1]:.0%} at {low.index[-1]:g}, at least {low.min():.0%}"
        lack = f"up to {none.max():.0%} have none, at {none.idxmax():g}"
        yield (
            f"{series}: 95% intervals of the lower mean cover {ends}; those of the mixture's mean "
            f"at least {whole.min():.0%}; {lack if none.max() > 0 else 'all data sets have one'}."
        )


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(
        result, _ranks, lambda found: by_outcome(found.verdicts, SENTENCES), _intervals
    )


def _size(ranks: int, models: tuple[str, ...], pymc: int, sets: int) -> list[dict[str, Any]]:
    """Simulations of each of the models, of PyMC's NUTS, and packs of data sets."""
    fixed = {"n": (200,), "separation": SEPARATIONS, "batch": range(sets)}
    drawn: dict[str, Any] = {"n": (50,), "separation": (None,)}
    packs = range(-(-ranks // PACK["nutpie"]))
    grids = [{**drawn, "method": ("nutpie",), "parameterization": models, "batch": packs}]
    grids += [
        {**fixed, "method": (method,), "parameterization": (model,)}
        for method, model in INTERVALS.values()
    ]
    slow = {"method": ("pymc",), "parameterization": models, "batch": range(pymc // PACK["pymc"])}
    return [*grids, {**drawn, **slow}] if pymc else grids


SMOKE: list[dict[str, Any]] = [
    {"method": ("nutpie",), "parameterization": ("signed",), "separation": (None,), "n": (50,)},
    {"method": ("em",), "parameterization": ("unordered",), "separation": (0.0, 4.0), "n": (200,)},
]

OPENING = Opening(
    answer={
        "NUTS, unordered": (
            "NUTS in unordered means is calibrated, also where components overlap.",
            "NUTS is not calibrated in unordered means.",
            "Whether NUTS is calibrated in unordered means is undecided.",
        ),
        "EM in the overlap": (
            "Standard errors of EM are not right there: the coverage of 95% intervals misses by "
            "up to {0:.0%} [{1:.0%}, {2:.0%}].",
            "Standard errors of EM are right there, too.",
            "Whether standard errors of EM are right there is undecided.",
        ),
    },
    chief=("NUTS, unordered", "EM in the overlap", "Laplace, unordered in the overlap"),
)


study = Study(
    name="calibration",
    question="Are draws and standard errors right on average, also where components overlap?",
    source="Talts, Betancourt, Simpson, Vehtari & Gelman 2018; Säilynoja et al. 2022",
    factors={
        "method": ("nutpie", "pymc", "em", "laplace"),
        "parameterization": COORDINATES,
        "separation": (None, *SEPARATIONS),
        "n": (50, 200),
        "batch": range(800),
    },
    sizes={
        "smoke": [{**grid, "batch": (0,)} for grid in SMOKE],
        "laptop": _size(1000, MAIN, 125, 8),
        "cluster": _size(4000, COORDINATES, 1000, 40),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "differences": difference_figure,
        "largest": largest_figure,
        "suspects": flag_figure,
        "coverage": coverage_figure,
    },
    findings=findings,
    structure=("method", "parameterization"),
)
