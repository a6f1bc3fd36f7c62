"""Where does EM for Gaussian mixtures go wrong, and what do remedies, constraints and limits cost?

The lecture notes among the sources show the likelihood's singularity (a component that shrinks
onto one point), fixed and tied parameters, and k-means as the limit of EM. Tasks: ``trace`` follows
EM to the singularity beyond the range of doubles; ``collapse`` counts how often random starts end
there and compares remedies; ``improper`` and ``nuts`` are its Bayesian version; ``constraints``
compares frozen, tied and restricted parameters in one and several dimensions; ``temperature`` lets
the known variance c go to 0, ``split`` is where it begins, and ``annealing`` compares k-means, its
hybrid with weights and variances, EM and annealed EM; ``frames`` keeps iterations to be drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ordered_mix.data import Data, load, population
from ordered_mix.estimators.em import EM, VariancePenalty
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.initial_means import initial_means
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.optima.optima import spurious
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.study import Claim, Effect, Opening, Study, seed_of
from ordered_mix.study.drawing import SHADES, dots, legend, lines, looks, mark, panels, plain_ticks
from ordered_mix.study.effects import exact, mean, paired, paired_ratio, rows_of, share
from ordered_mix.study.sentences import RATIO, Words, amounts, by_outcome, paragraph
from ordered_mix.theory.collapse import log_trace
from ordered_mix.theory.improper import decade_mass, half_normal, root_inverse_gamma

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]

NOTES = "the lecture notes on mixtures and EM among the sources"
PROJECT = "a question of this project"
METHODS = ("random", "kmeans++", "quantile")
STARTS = 20
STOP = Stop(log_likelihood=1e-6, passes=600)
TRUTH = Mixture(np.array([0.35, 0.65]), np.array([0.0, 3.0]), np.array([1.0, 0.5]))
MANY = Mixture(
    np.array([0.1, 0.3, 0.2, 0.15, 0.25]),
    np.array([0.0, 3.0, 7.0, 10.0, 14.0]),
    np.array([1.0, 0.5, 1.0, 0.5, 1.0]),
)
PLANE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.0, 0.0], [3.0, 2.0], [-1.0, 4.0]]),
    covariance=np.array(
        [[[1.0, 0.6], [0.6, 1.0]], [[0.5, -0.2], [-0.2, 0.3]], [[0.3, 0.0], [0.0, 1.2]]]
    ),
)
THREE = Data(np.array([-1.0, 1.0, 3.0]), name="three")
VARIANCES = (10.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
SETS = ("galaxies", "acidity", "enzyme", "faithful:waiting", "faithful:eruptions")
CLOSE = 0.01  # log likelihoods this near are one optimum


def sample(data: str, n: int, replicate: int) -> Data:
    """A shipped set by name, or a simulated one shared by all cells of these factors."""
    if data != "simulated":
        return THREE if data == "three" else load(data)
    return Data(labelled(TRUTH, n, replicate)[0], name=data)


def labelled(truth: Mixture, n: int, replicate: int) -> tuple[Array, NDArray[np.int64]]:
    """Simulated points, and the component of each."""
    seed = seed_of("em_pathologies data", k=truth.k, n=n, replicate=replicate)
    rng = np.random.default_rng(seed)
    component = rng.choice(truth.k, n, p=truth.w)
    return truth.mu[component] + truth.sigma[component] * rng.standard_normal(n), component


def points(data: str, n: int, replicate: int) -> Array:
    """Points in the plane, both coordinates in standard deviations."""
    if data == "faithful":
        y = np.column_stack([load(f"faithful:{name}").y for name in ("eruptions", "waiting")])
        return np.asarray((y - y.mean(axis=0)) / y.std(axis=0))
    rng = np.random.default_rng(seed_of("em_pathologies plane", n=n, replicate=replicate))
    return PLANE.sample(n, rng)


def starts_of(data: Data, k: int, seed: int) -> Mixture:
    """As many starts of each method."""
    parts = [initial_mixtures(data, k, STARTS, method, seed) for method in METHODS]
    return Mixture(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("w", "mu", "sigma")))


def degenerate(data: Data, fit: Fit, floor: float = 0.0) -> NDArray[np.bool_]:
    """Runs that ended at the singularity, at the floor, or narrower than the data's spacing."""
    failed = ~np.isin(fit.status, ("converged", "budget_exhausted"))
    lowest = fit.mixture.sigma.min(axis=-1)
    return failed | (lowest <= 1.001 * floor) | spurious(data, fit.mixture)


def best_of(fit: Fit, bad: NDArray[np.bool_]) -> tuple[int | None, NDArray[np.bool_]]:
    """The best regular run, and the runs that reach its log likelihood."""
    if bad.all():
        return None, np.zeros(len(bad), dtype=bool)
    value = np.where(bad, -np.inf, fit.log_likelihood)
    return int(value.argmax()), value > value.max() - CLOSE


def against_truth(mixture: Mixture, truth: Mixture = TRUTH) -> dict[str, float]:
    """Bias of the log scales, and excess loss in nats a point, of a simulated set's fit."""
    grid, found = population(truth, 0.05), mixture.sorted()
    loss = truth.log_density(grid.y) - found.log_density(grid.y)
    bias = np.log(found.sigma / truth.sigma).mean() if found.k == truth.k else np.nan
    return {"excess": float(np.asarray(grid.weight) @ loss), "scale_bias": float(bias)}


# --- tasks ----------------------------------------------------------------------------------------


def cell(seed: int, task: str, **factors: Any) -> Rows:
    """Rows of one task; see the module's text."""
    return [{"kind": task, **row} for row in TASKS[task](**factors)]


def trace(**unused: Any) -> Rows:
    """EM to the singularity from three starting scales of the narrow component."""
    rows = []
    for sigma in (0.01, 0.02, 0.8):
        log_variance = np.log([1.0, sigma**2])
        for number, state in enumerate(log_trace(THREE.y, [0.5, 0.5], [0, 3], log_variance, 40)):
            rows.append(
                {
                    "start_sigma": sigma,
                    "iteration": number,
                    "log_likelihood": state.log_likelihood,
                    "log10_variance": state.log_variance[1] / np.log(10),
                    "mean_0": state.mu[0],
                    "mean_1": state.mu[1],
                }
            )
    return rows


def remedies(data: Data) -> dict[str, EM]:
    """Plain EM and what is done against its collapse."""
    scale = float(data.scale)
    return {
        "free": EM(stop=STOP, snapshots=2),
        "floor": EM(floor=0.05 * scale, stop=STOP, snapshots=2),
        "chen_tan": EM(penalty=VariancePenalty.chen_tan(1 / data.n, data), stop=STOP, snapshots=2),
        "inverse_gamma": EM(
            penalty=VariancePenalty.inverse_gamma(2.0, 0.25 * scale**2), stop=STOP, snapshots=2
        ),
        "tied": EM(scales="tied", stop=STOP, snapshots=2),
        "map": EM(posterior=True, stop=STOP, snapshots=2),
    }


def collapse(data: str, n: int, k: int, replicate: int) -> Rows:
    """How often each start degenerates, by remedy, and how good the best regular end is."""
    drawn = sample(data, n, replicate)
    seed = seed_of("em_pathologies starts", data=data, n=n, k=k, replicate=replicate)
    starts, rows = starts_of(drawn, k, seed), []
    prior = Prior().affine(float(drawn.location), float(drawn.scale))
    model = catalog.parameterization("unordered", k, prior)
    for name, em in remedies(drawn).items():
        fit = em.fit(model, drawn, starts)
        bad = degenerate(drawn, fit, em.floor)
        best, _ = best_of(fit, bad)
        row: dict[str, Any] = {"estimator": name, "passes": float(np.median(fit.passes))}
        for method, part in zip(METHODS, bad.reshape(len(METHODS), STARTS), strict=True):
            row[f"degenerate_{method}"] = part.mean()
        row["degenerate"] = bad.mean()
        row["collapsed"] = np.mean(fit.status == "variance_collapsed")
        if best is not None:
            row["log_likelihood"] = fit.log_likelihood[best] / drawn.n
            row |= against_truth(fit.mixture[best]) if data == "simulated" else {}
        rows.append(row)
    return rows


def improper(data: str, **unused: Any) -> Rows:
    """Mass of each decade of a scale at the most tied value, under two priors, on two grids."""
    drawn = load(data)
    values, counts = np.unique(drawn.y, return_counts=True)
    center, scale = float(values[counts.argmax()]), float(drawn.scale)
    rest = 0.5 * Mixture(np.ones(1), np.array([float(drawn.location)]), np.array([scale])).density(
        drawn.y
    )
    decades = np.log10(scale) - np.arange(1, 8)
    priors = {"half_normal": half_normal(scale), "inverse_gamma": root_inverse_gamma(0.5 * scale)}
    rows = []
    for name, prior in priors.items():
        arguments = drawn.y, rest, 0.5, center, prior, decades
        fine, coarse = (decade_mass(*arguments, points=number) for number in (32, 16))
        rows += [
            {"prior": name, "decade": place + 1, "mass": a, "mass_coarse": b, "ties": counts.max()}
            for place, (a, b) in enumerate(zip(fine, coarse, strict=True))
        ]
    return rows


def nuts(data: str, n: int, replicate: int, **unused: Any) -> Rows:
    """One chain from a narrow component on the most tied value, and one from a regular fit."""
    drawn = sample(data, n, replicate)
    values, counts = np.unique(drawn.y, return_counts=True)
    center, scale = float(values[counts.argmax()]), float(drawn.scale)
    means, scales = np.array([float(drawn.location), center]), np.array([scale, 1e-3 * scale])
    narrow = Mixture(np.array([0.95, 0.05]), means, scales)
    two, begin = (
        catalog.parameterization("unordered", 2),
        initial_mixtures(drawn, 2, 1, "quantile", 0),
    )
    regular = EM(scales="tied").fit(two, drawn, begin).mixture[0]
    starts, rows = Mixture.stack([narrow, regular]), []
    for family in ("half_normal", "inverse_gamma"):
        prior = Prior(scale_family=family).affine(float(drawn.location), scale)
        model = catalog.parameterization("unordered", 2, prior)
        seed = seed_of("nuts", replicate=replicate) % 2**31
        chains = NUTS(draws=100, tune=150).sample(model, drawn, starts, seed).mixture
        for place, chain in enumerate(("narrow", "regular")):
            lowest = chains[place].sigma.min(axis=-1) / scale
            row: dict[str, Any] = {"prior": family, "chain": chain}
            row |= predictive(chains[place]) if data == "simulated" else {}
            rows.append({**row, "narrow": np.mean(lowest < 0.01), "lowest": lowest.min()})
    return rows


def predictive(draws: Mixture) -> dict[str, float]:
    """Bias of the log scales, and excess loss of the posterior predictive, simulated sets."""
    grid, ascending = population(TRUTH, 0.05), draws.sorted()
    loss = TRUTH.log_density(grid.y) - np.log(ascending.density(grid.y).mean(axis=0))
    bias = np.mean(np.log(ascending.sigma / TRUTH.sigma))
    return {"excess": float(np.asarray(grid.weight) @ loss), "scale_bias": float(bias)}


def constraints(data: str, n: int, k: int, replicate: int) -> Rows:
    """What frozen and tied parameters cost in likelihood, and gain in passes and stability."""
    seed = seed_of("em_pathologies constraints", data=data, n=n, k=k, replicate=replicate)
    if data in ("plane", "faithful"):
        fits = plane_fits(points(data, n, replicate), k, seed)
    else:
        drawn = sample(data, n, replicate)
        fits = line_fits(drawn, k, starts_of(drawn, k, seed))
    rows: Rows = []
    for name, (fit, bad, count) in fits.items():
        best, reached = best_of(fit, bad)
        value = np.nan if best is None else fit.log_likelihood[best] / count
        row = {"estimator": name, "log_likelihood": value, "share_best": reached.mean()}
        rows.append({**row, "degenerate": bad.mean(), "passes": float(np.median(fit.passes))})
    return rows


def line_fits(
    drawn: Data, k: int, starts: Mixture
) -> dict[str, tuple[Fit, NDArray[np.bool_], int]]:
    """Fits of one dimension: equal weights, tied scales, both, and means frozen at k-means'."""
    equal = Mixture(np.full(k, 1 / k), starts.mu, starts.sigma)
    common = Mixture(equal.w, starts.mu, np.full(k, float(drawn.scale) / k))
    hard = EM(assignment="hard", frozen=("w", "sigma"), stop=STOP, snapshots=2)
    model = catalog.parameterization("unordered", k)
    centers = Mixture(starts.w, hard.fit(model, drawn, common).mixture.mu, starts.sigma)
    runs = {
        "free": (EM(stop=STOP, snapshots=2), starts),
        "equal weights": (EM(frozen=("w",), stop=STOP, snapshots=2), equal),
        "tied": (EM(scales="tied", stop=STOP, snapshots=2), starts),
        "tied, equal weights": (EM(scales="tied", frozen=("w",), stop=STOP, snapshots=2), equal),
        "frozen means": (EM(frozen=("mu",), stop=STOP, snapshots=2), centers),
    }
    fits = {name: em.fit(model, drawn, begin) for name, (em, begin) in runs.items()}
    return {name: (fit, degenerate(drawn, fit), drawn.n) for name, fit in fits.items()}


def plane_fits(y: Array, k: int, seed: int) -> dict[str, tuple[Fit, NDArray[np.bool_], int]]:
    """Fits of two dimensions: full, diagonal, spherical and tied covariances, equal weights."""
    drawn = Data.of_points(y)
    means = np.concatenate([initial_means(y, k, STARTS, m, seed) for m in ("random", "kmeans++")])
    starts = Mixture(np.full(k, 1 / k), means, covariance=np.cov(y.T) / k)
    none: tuple[str, ...] = ()
    named = {name: (name, none) for name in ("full", "diagonal", "spherical", "tied")}
    named["full, equal weights"] = ("full", ("w",))
    fits = {
        name: EM(frozen=frozen, stop=STOP, snapshots=2).fit(free(k, 2, shape), drawn, starts)
        for name, (shape, frozen) in named.items()
    }
    good = ("converged", "budget_exhausted")
    return {name: (fit, ~np.isin(fit.status, good), drawn.n) for name, fit in fits.items()}


def free(k: int, d: int, covariance: str = "full") -> Any:
    """Unordered coordinates; of the prior EM takes the kind of covariances only."""
    prior = MultivariatePrior([0.0] * d, [2.0] * d, [0.5] * d, covariance=covariance)
    return catalog.parameterization("unordered", k, prior)


def temperature(data: str, n: int, k: int, replicate: int) -> Rows:
    """Known variance c from large to small, next to k-means from the same start."""
    if data == "three":
        y, means = THREE.y[:, None], np.array([[0.0], [3.0]])
    elif data == "tie":
        y, means = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]])
    else:
        y = points(data, n, replicate)
        means = initial_means(y, k, 1, "kmeans++", seed_of("c", n=n, replicate=replicate))[0]
    drawn, w, d = Data.of_points(y), np.full(len(means), 1 / len(means)), y.shape[1]
    em = EM(frozen=("w", "sigma"), stop=Stop(0.0, parameters=1e-13, passes=5000))
    target = lloyd(y, means)
    rows = []
    for c in VARIANCES:
        start = Mixture(w, means, covariance=c * np.eye(d))
        fit = em.fit(free(len(means), d), drawn, start)
        r = fit.mixture.responsibilities(y)
        row = {"c": c, "distance": float(np.abs(fit.mixture.mu - target).max())}
        row |= {"certainty": float(r.max(axis=1).mean()), "passes": int(fit.passes)}
        rows.append(row | {f"mean_{j}": value for j, value in enumerate(fit.mixture.mu[:, 0])})
    return rows


def lloyd(y: Array, means: Array) -> Array:
    """Means of k-means from these, (k, d); a point between two goes to the first."""
    now = means
    while True:
        nearest = np.argmin(((y[:, None] - now) ** 2).sum(axis=2), axis=1)
        filled = [np.any(nearest == j) for j in range(len(now))]
        new = np.array([y[nearest == j].mean(0) if filled[j] else now[j] for j in range(len(now))])
        if np.array_equal(new, now):
            return new
        now = new


def split(data: str, **unused: Any) -> Rows:
    """Growth of a small gap at the merged point in one step of EM, next to variance / c."""
    drawn = sample(data, 0, 0)
    location, variance = float(drawn.location), float(drawn.scale) ** 2
    rows = []
    model = catalog.parameterization("unordered", 2)
    for c in (0.5, 0.9, 1.0, 1.1, 2.0):
        row: dict[str, Any] = {"c": c, "critical": variance}
        for name, nudge in (("growth", 1e-4), ("growth_coarse", 2e-4)):
            gap = nudge * np.sqrt(variance)
            means = [location - gap, location + gap]
            start = Mixture(np.full(2, 0.5), np.array(means), np.full(2, np.sqrt(c * variance)))
            em = EM(frozen=("w", "sigma"), stop=Stop(0.0, passes=2))
            row[name] = float(np.diff(em.fit(model, drawn, start).mixture.mu)[0] / (2 * gap))
        rows.append(row)
    return rows


def annealing(n: int, k: int, replicate: int, **unused: Any) -> Rows:
    """k-means, its hybrid with weights and variances, EM and annealed EM from the same starts."""
    truth = TRUTH if k == TRUTH.k else MANY
    y, component = labelled(truth, n, replicate)
    drawn = Data(y)
    seed = seed_of("em_pathologies annealing", n=n, k=k, replicate=replicate)
    begin = initial_mixtures(drawn, k, STARTS, "random", seed)
    penalty = VariancePenalty.chen_tan(1 / n, drawn)
    common: dict[str, Any] = {"penalty": penalty, "stop": STOP, "snapshots": 2}
    methods = {
        "kmeans": EM(assignment="hard", frozen=("w", "sigma"), stop=STOP, snapshots=2),
        "hybrid": EM(assignment="hard", **common),
        "em": EM(**common),
        "annealed from 2": EM(temperature=tuple(np.geomspace(2, 1, 30)), **common),
    }
    model = catalog.parameterization("unordered", k)
    fits = {name: em.fit(model, drawn, begin) for name, em in methods.items()}
    passes = {name: float(np.median(fit.passes)) for name, fit in fits.items()}
    for name, known in (("annealed, perturbed", False), ("cooled variance", True)):
        perturbed, cost = cooled(drawn, begin, common, seed, known)
        fits[name] = methods["em"].fit(model, drawn, perturbed)
        passes[name] = cost + float(np.median(fits[name].passes))
    hard = ("kmeans", "hybrid")
    top = max(fit.objective.max() for name, fit in fits.items() if name not in hard)
    rows: Rows = []
    for name, fit in fits.items():
        objective = fit.objective
        mixture = fit.mixture[int(objective.argmax())]
        if name == "kmeans":  # weights and variances of its clusters
            once = EM(assignment="hard", penalty=penalty, stop=Stop(0.0, passes=2))
            mixture = once.fit(model, drawn, mixture).mixture
        best = objective.max() if name in hard else top
        row = {"estimator": name, "share_best": np.mean(objective > best - CLOSE)}
        row |= {"passes": passes[name], "log_likelihood": log_score(mixture, y)}
        row |= {"accuracy": accuracy(mixture, y, component), **against_truth(mixture, truth)}
        rows.append(row)
    return rows


def accuracy(mixture: Mixture, y: Array, component: NDArray[np.int64]) -> float:
    """Share of the points in their component, under the best matching of the labels."""
    assigned = mixture.responsibilities(y).argmax(axis=1)
    table = np.zeros((mixture.k, mixture.k))
    np.add.at(table, (assigned, component), 1.0)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(y))


def cooled(
    drawn: Data, begin: Mixture, common: dict[str, Any], seed: int, known: bool
) -> tuple[Mixture, float]:
    """Where starts are after cooling, means perturbed at every step so that merged ones can part.

    Cooled is the temperature from 10 to 1 with all parameters free (Ueda & Nakano 1998), or a
    known common variance from 1.5 times that of the data to its 1 / k^2, weights equal (Rose,
    Gurewitz & Fox 1990).
    """
    rng, passes, now, scale = np.random.default_rng(seed), 0.0, begin, float(drawn.scale)
    few, model = Stop(1e-6, passes=30), catalog.parameterization("unordered", begin.k)
    for value in np.geomspace(10.0, 1.0, 15)[:-1]:
        mu = now.mu + 0.01 * scale * rng.standard_normal(now.mu.shape)
        w, sigma = now.w, now.sigma
        em = EM(temperature=float(value), **{**common, "stop": few})
        if known:
            share = np.log10(value)  # from 1 to 0
            ratio = 1.5**share * float(begin.k) ** (-2 * (1 - share))
            w, sigma = np.full(begin.k, 1 / begin.k), np.full(begin.k, scale * np.sqrt(ratio))
            em = EM(frozen=("w", "sigma"), stop=few, snapshots=2)
        fit = em.fit(model, drawn, Mixture(w, mu, sigma))
        passes, now = passes + float(np.median(fit.passes)), fit.mixture
    return now, passes


def log_score(mixture: Mixture, y: Array) -> float:
    """Log likelihood for one point."""
    return float(mixture.log_density(y).mean())


def frames(data: str, n: int, k: int, replicate: int) -> Rows:
    """Components at each iteration, of EM with full covariances and of its k-means limit."""
    y = points(data, n, replicate)
    drawn, stop = Data.of_points(y), Stop(0.0, passes=FRAMES + 1)
    means = y[np.argsort(y[:, 0], kind="stable")[:k]] + 0.1 * np.arange(k)[:, None]
    starts = {
        "EM": (EM(stop=stop), np.eye(2) / 4),
        "k-means": (EM(frozen=("w", "sigma"), stop=stop), 1e-3 * np.eye(2)),
    }
    rows = []
    for name, (em, covariance) in starts.items():
        begin = Mixture(np.full(k, 1 / k), means, covariance=covariance)
        path: Any = em.fit(free(k, 2), drawn, begin).trace
        for place, iteration in enumerate(np.ravel(path.iteration)):
            one = path.mixture[place]
            for j in range(k):
                row = {"estimator": name, "iteration": int(iteration), "component": j}
                row |= {"mean_0": one.mu[j, 0], "mean_1": one.mu[j, 1], "w": one.w[j]}
                row |= {"xx": one.covariance[j, 0, 0], "xy": one.covariance[j, 0, 1]}
                rows.append({**row, "yy": one.covariance[j, 1, 1]})
    return rows


FRAMES = 15
TASKS: dict[str, Callable[..., Rows]] = {
    "trace": trace,
    "collapse": collapse,
    "improper": improper,
    "nuts": nuts,
    "constraints": constraints,
    "temperature": temperature,
    "split": split,
    "annealing": annealing,
    "frames": frames,
}


# --- claims ---------------------------------------------------------------------------------------

KEPT = ("inverse_gamma", "tied", "map")


def of(table: pd.DataFrame, task: str, **where: Any) -> pd.DataFrame:
    """Rows of one task with these values; an error if there are none."""
    rows = table[table["kind"] == task]
    for name, value in where.items():
        rows = rows[rows[name] == value] if name in rows else rows.iloc[:0]
    if rows.empty:
        raise ValueError(f"the table holds no rows of {task} with {where}")
    return rows


def law(table: pd.DataFrame) -> Effect:
    """One step of EM from scale 1/100: log(1/v') v / 2, less 1; scale 1/50 as the coarse one."""
    found = []
    for sigma in (0.01, 0.02):
        rows = of(table, "trace", start_sigma=sigma).set_index("iteration")["log10_variance"]
        found.append(-rows.loc[1] * np.log(10) * sigma**2 / 2 - 1)
    return exact(*found)


def collapse_change(table: pd.DataFrame, factor: str, **where: Any) -> Effect:
    """Share of degenerate starts of plain EM, largest less smallest value of a factor."""
    rows = of(table, "collapse", estimator="free", data="simulated", **where)
    values = sorted(rows[factor].unique())
    if len(values) < 2:
        raise ValueError(f"the table holds one value of {factor} only")
    found = paired(rows, factor, values, "degenerate", ["replicate"])
    return mean(found[values[-1]] - found[values[0]])


def change_with_k(table: pd.DataFrame) -> Effect:
    """Between 4 and 2 components fitted, smallest n."""
    rows = of(table, "collapse", data="simulated")
    return collapse_change(table, "k", n=rows["n"].min())


def remedied(table: pd.DataFrame) -> Effect:
    """Share of data sets where a start degenerates under a penalty, tied scales or the prior."""
    rows = of(table, "collapse", data="simulated")
    rows = rows[rows["estimator"].isin(KEPT)]
    return share(rows.groupby(["n", "k", "replicate"])["degenerate"].max() > 0)


def price(table: pd.DataFrame) -> Effect:
    """Excess loss of the inverse gamma penalty less that of the best regular plain optimum."""
    rows = of(table, "collapse", data="simulated", k=2)
    rows = rows[rows["n"] == rows["n"].max()]
    found = paired(rows, "estimator", ("inverse_gamma", "free"), "excess", ["replicate"])
    return mean(found["inverse_gamma"] - found["free"])


def decade_growth(table: pd.DataFrame, prior: str) -> Effect:
    """Powers of ten by which the mass grows from a decade of the scale to the next lower one."""
    rows = of(table, "improper", prior=prior).sort_values("decade")
    return exact(*(rows[name].diff().iloc[-4:].mean() for name in ("mass", "mass_coarse")))


def stuck(table: pd.DataFrame, prior: str) -> Effect:
    """Share of the chains from a narrow component that stay below 1% of the data's scale."""
    rows = of(table, "nuts", prior=prior, chain="narrow", data="faithful:waiting")
    return share(rows["narrow"] > 0.5)


def tied_and_free(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """A column of the constraints on simulated sets, tied and free, by replicate."""
    rows = of(table, "constraints", data="simulated")
    return paired(rows, "estimator", ("tied", "free"), value, ["n", "k", "replicate"])


def tied_passes(table: pd.DataFrame) -> Effect:
    """Passes with tied scales for one with free ones."""
    found = tied_and_free(table, "passes")
    return paired_ratio(found["tied"], found["free"])


def tied_stability(table: pd.DataFrame, k: int) -> Effect:
    """Share of starts at the best optimum, tied less free scales; their signs differ by K."""
    found = tied_and_free(table[table["k"] == k], "share_best")
    return mean(found["tied"] - found["free"])


def tied_cost(table: pd.DataFrame) -> Effect:
    """Log likelihood a point lost by tied scales, on the shipped set that loses least.

    The shipped sets are no sample, so the cost has no interval.
    """
    rows = of(table, "constraints", k=3)
    rows = rows[rows["data"].isin(SETS)]
    found = paired(rows, "estimator", ("free", "tied"), "log_likelihood", ["data"])
    least = float((found["free"] - found["tied"]).min())
    return exact(least, least)


def limit(table: pd.DataFrame, data: str = "three") -> Effect:
    """Distance of the means from those of k-means at the two smallest c."""
    rows = of(table, "temperature", data=data).set_index("c")["distance"].sort_index()
    return exact(*rows.iloc[:2])


def critical(table: pd.DataFrame) -> Effect:
    """Largest deviation of growth times c over the variance from 1."""
    rows = of(table, "split")
    names = ("growth", "growth_coarse")
    return exact(*((rows[name] * rows["c"] - 1).abs().max() for name in names))


def annealed(table: pd.DataFrame, value: str, one: str, other: str, k: int) -> Effect:
    """Difference of two methods on the same data sets."""
    found = paired(
        of(table, "annealing", k=k), "estimator", (one, other), value, ["n", "replicate"]
    )
    return mean(found[one] - found[other])


def claim(name: str, statement: str, source: str, effect: Any, wanted: str, unit: str) -> Claim:
    """A claim; wanted is its direction and margin."""
    direction, margin = wanted.split()
    return Claim(name, statement, source, effect, direction, float(margin), unit)


HALF = "improper with a prior that is positive at scale 0 (m - 2 powers of ten for m tied values)"
CLAIMS = (
    claim("law of the collapse", "Near a point the variance falls like ln(1/v') = 2 / v a step.",
          NOTES, law, "within 0.01", "relative error"),
    claim("collapse falls with n", "With more data fewer starts degenerate (4 fitted).",
          PROJECT, partial(collapse_change, factor="n", k=4),
          "below 0", "share of starts, largest n less smallest"),
    claim("collapse rises with K", "With more components more starts degenerate.",
          PROJECT, change_with_k, "above 0", "share of starts, 4 less 2 components"),
    claim("remedies work", "A penalty, tied scales or the prior prevent degenerate ends.",
          "Day 1969; Hathaway 1985; Ciuperca, Ridolfi & Idier 2003", remedied, "below 0.05",
          "share of data sets with any"),
    claim("remedies are cheap", "The penalty costs little where plain EM has a good optimum.",
          "Chen & Tan 2009, consistency", price, "within 0.005", "nats a point"),
    claim("half-normal is improper", "Tied data and half-normal scales: mass grows towards 0.",
          HALF, partial(decade_growth, prior="half_normal"), "above 0", "powers of ten a decade"),
    claim("inverse gamma is proper", "With inverse gamma variances the mass falls towards 0.",
          HALF, partial(decade_growth, prior="inverse_gamma"), "below 0", "powers of ten a decade"),
    claim("half-normal chains stay", "NUTS from a narrow component stays there (half-normal).",
          HALF, partial(stuck, prior="half_normal"), "above 0.5", "share of chains"),
    claim("inverse gamma chains leave", "NUTS from a narrow component leaves it (inverse gamma).",
          HALF, partial(stuck, prior="inverse_gamma"), "below 0.5", "share of chains"),
    claim("tied scales save passes", "Tied scales need fewer passes than free ones.",
          PROJECT, tied_passes, "below 1", "passes for one with free scales"),
    *(claim(f"tied scales are stable, K = {k}",
            f"With tied scales more starts reach the best optimum, {k} components fitted.",
            PROJECT, partial(tied_stability, k=k), "above 0", "share of starts") for k in (2, 3)),
    claim("tied scales cost fit",
          "Tied scales cost more than 0.001 nats a point on each of the shipped data sets (K = 3).",
          PROJECT, tied_cost, "above 0.001", "nats a point, on the set that loses least"),
    claim("k-means is the limit", "As c goes to 0 EM's means become those of k-means.",
          NOTES, limit, "below 1e-6", "distance"),
    claim("a tie stays shared",
          "A point between two means stays shared as c goes to 0, where k-means gives it to one.",
          NOTES, partial(limit, data="tie"), "above 0.1", "distance of EM's means from k-means'"),
    claim("first split", "The merged point loses its hold where c is the data's variance.",
          "Rose, Gurewitz & Fox 1990; EM eigenvalue variance / c", critical, "below 0.001",
          "relative error"),
    claim("annealing finds the optimum", "Annealed EM reaches the best optimum more often than EM.",
          "Ueda & Nakano 1998",
          partial(annealed, value="share_best", one="annealed, perturbed", other="em", k=5),
          "above 0", "share of starts"),
    claim("cooling finds the optimum",
          "EM after cooling a known variance reaches the best optimum more often than EM alone.",
          "Rose, Gurewitz & Fox 1990",
          partial(annealed, value="share_best", one="cooled variance", other="em", k=5),
          "above 0", "share of starts"),
    claim("EM is more accurate", "EM assigns more points rightly than k-means.",
          PROJECT,
          partial(annealed, value="accuracy", one="em", other="kmeans", k=2),
          "above 0", "share of points"),
    claim("hybrid shrinks scales", "Hard assignment makes scales too small.",
          "Bryant & Williamson 1978",
          partial(annealed, value="scale_bias", one="hybrid", other="em", k=2),
          "below 0", "log scale, hybrid less EM"),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

SHOWN = (0, 1, 2, 4, 8, 15)
COLUMNS = (
    "estimator", "iteration", "start_sigma", "log10_variance", "prior", "decade", "mass", "chain",
    "narrow", "degenerate", "c", "distance", "certainty", "log_likelihood", "passes", "share_best",
)  # fmt: skip


def kind(result: StudyResult, task: str) -> pd.DataFrame:
    """Rows of one task, if any."""
    return rows_of(result.table, COLUMNS, kind=task)


def drawn_points(rows: pd.DataFrame) -> Array:
    """The points that frames were computed on."""
    first = rows.iloc[0]
    return points(first["data"], int(first["n"]), int(first["replicate"]))


def draw_frame(axes: Any, y: Array, rows: pd.DataFrame) -> None:
    """Points, and an ellipse of two standard deviations for each component."""
    axes.plot(*y.T, ".", color="0.6", ms=2, rasterized=True)
    for _, row in rows.iterrows():
        values, vectors = np.linalg.eigh([[row["xx"], row["xy"]], [row["xy"], row["yy"]]])
        color = SHADES[int(row["component"])]
        center = (row["mean_0"], row["mean_1"])
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        wide_, high = 4 * np.sqrt(values[::-1])
        ellipse = Ellipse(center, wide_, high, angle=angle, fill=False, color=color, lw=1.5)
        axes.add_patch(ellipse)
        axes.plot(*center, "+", color=color, ms=8, mew=2)
    low, high_ = y.min(axis=0) - 0.7, y.max(axis=0) + 0.7
    axes.set(xlim=(low[0], high_[0]), ylim=(low[1], high_[1]))


def frames_figure(result: StudyResult) -> Figure:
    """Old Faithful: components of EM, and centres of its k-means limit, by iteration."""
    rows = kind(result, "frames")
    figure, grid = panels(2, len(SHOWN), (9, 3.6), sharex=True, sharey=True)
    for line, name in zip(grid, ("EM", "k-means"), strict=True):
        for axes, iteration in zip(line, SHOWN, strict=True):
            part = rows[(rows["estimator"] == name) & (rows["iteration"] == iteration)]
            if len(part):
                draw_frame(axes, drawn_points(part), part)
            axes.set_title(f"{name}, {iteration}", fontsize="small")
    figure.supxlabel("eruption / standard deviations", fontsize="small")
    figure.supylabel("waiting / standard deviations", fontsize="small")
    return figure


def frames_animation(result: StudyResult, name: str = "EM") -> FuncAnimation:
    """The iterations of EM on Old Faithful, one after the other."""
    rows = kind(result, "frames")
    rows = rows[rows["estimator"] == name]
    iterations = sorted(rows["iteration"].unique()) if len(rows) else [0]
    figure = Figure(figsize=(3.6, 3.4), dpi=80)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15, 0.14, 0.82, 0.77))

    def update(iteration: int) -> list[Any]:
        axes.clear()
        if len(rows):
            draw_frame(axes, drawn_points(rows), rows[rows["iteration"] == iteration])
        axes.set(title=f"{name}, iteration {iteration:g}", xlabel="eruption", ylabel="waiting")
        return []

    return FuncAnimation(figure, update, frames=iterations, blit=False)


def trace_figure(result: StudyResult) -> Figure:
    """EM on the data -1, 1, 3 from a narrow component at 3: log10 variance by iteration."""
    rows = kind(result, "trace")
    figure, grid = panels(1, 1, (5.5, 3.4))
    axes = grid[0, 0]
    names = [f"from sigma = {sigma:g}" for sigma in rows["start_sigma"]]
    rows = rows.assign(size=-rows["log10_variance"], name=names)
    lines(axes, rows, "iteration", "size", "name")
    mark(axes, 323, "smallest\ndouble")
    axes.set(xlabel="iteration", ylabel="- log10 variance", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return legend(figure, axes)


def collapse_figure(result: StudyResult) -> Figure:
    """Share of starts of plain EM that degenerate, by method; means over data sets with 95%."""
    rows = kind(result, "collapse")
    rows = rows[rows["estimator"] == "free"]
    places = [
        f"{d}, n = {n}, K = {k}" if d == "simulated" else f"{d}, K = {k}"
        for d, n, k in zip(rows["data"], rows["n"], rows["k"], strict=True)
    ]
    labels = list(dict.fromkeys(places))
    columns = {f"degenerate_{method}": method for method in METHODS}
    rows = rows.assign(place=places).rename(columns=columns).reindex(columns=["place", *METHODS])
    figure, grid = panels(1, 1, (7, 1.6 + 0.28 * len(labels)))
    axes = grid[0, 0]
    rows = rows.melt("place", METHODS, "method")
    dots(axes, rows, "value", "method", looks(METHODS), "place", labels)
    axes.set(xlabel="share of starts that degenerate", xlim=(-0.02, 1.02))
    return legend(figure, axes)


def compared(
    rows: pd.DataFrame, by: str, columns: dict[str, str], height: float
) -> tuple[Figure, NDArray[Any]]:
    """A panel for each column: means over data sets with 95%, an estimator a line."""
    names = list(dict.fromkeys(rows["estimator"])) if len(rows) else []
    figure, grid = panels(1, len(columns), (8, height), sharey=True)
    series = looks(dict.fromkeys(rows[by]))
    for axes, (column, label) in zip(grid[0], columns.items(), strict=True):
        dots(axes, rows, column, by, series, "estimator", names)
        axes.set_xlabel(label)
    return legend(figure, grid[0, 0]), grid[0]


def remedies_figure(result: StudyResult) -> Figure:
    """Remedies on simulated data: degenerate starts, excess loss and bias of the log scales."""
    table = result.table[(result.table["data"] == "simulated") & (result.table["k"] == 2)]
    rows, chains = table[table["kind"] == "collapse"], table[table["kind"] == "nuts"]
    if len(chains):
        chains = chains[(chains["prior"] == "inverse_gamma") & (chains["chain"] == "regular")]
        chains = chains.assign(estimator="nuts", degenerate=chains["narrow"])
        rows = pd.concat([rows, chains])
    rows = rows.sort_values("n", kind="stable")
    rows = rows.assign(series=[f"n = {n}" for n in rows["n"]])
    columns = {
        "degenerate": "share of starts\nthat degenerate",
        "excess": "excess loss / nats a point",
        "scale_bias": "bias of log scale",
    }
    figure, axes = compared(rows, "series", columns, 3.4)
    for one in axes:
        one.axvline(0, color="0.8", zorder=0)
    return figure


def improper_figure(result: StudyResult) -> Figure:
    """Posterior mass by decade of one component's scale, at the most tied value of the data."""
    rows = kind(result, "improper")
    rows = rows.assign(place=-rows["decade"])
    figure, grid = panels(1, 1, (5.5, 3.4))
    axes = grid[0, 0]
    lines(axes, rows, "place", "mass", "prior")
    axes.set(xlabel="log10 scale / scale of the data, upper end of the decade")
    axes.set_ylabel("log10 mass + constant")
    if len(rows):
        half = rows.loc[rows["prior"] == "half_normal", "mass"]
        axes.set_ylim(half.min() - 10, half.max() + 10)  # the other one soon is below 10^-1000
    return legend(figure, axes)


def constraints_figure(result: StudyResult) -> Figure:
    """Cost and gain of constraints: log likelihood lost, passes, and starts at the best optimum."""
    rows = kind(result, "constraints")
    best = rows.groupby(["data", "n", "k", "replicate"])["log_likelihood"].transform("max")
    rows = rows.assign(lost=best - rows["log_likelihood"])
    columns = {
        "lost": "log likelihood lost / nats a point",
        "passes": "passes (median of starts)",
        "share_best": "share of starts\nat the best optimum",
    }
    figure, axes = compared(rows, "data", columns, 4.8)
    if len(rows):
        axes[1].set_xscale("log")
        plain_ticks(axes[1].xaxis, [10, 30, 100, 300])
    return figure


def temperature_figure(result: StudyResult) -> Figure:
    """From EM to k-means: distance of the means, and certainty of assignments, as c falls."""
    columns = ["distance", "certainty"]
    rows = kind(result, "temperature").groupby(["data", "c"], as_index=False)[columns].median()
    figure, grid = panels(1, 2, (7.5, 3.6))
    far, sure = grid[0]
    lines(far, rows.assign(distance=rows["distance"].clip(lower=1e-16)), "c", "distance", "data")
    lines(sure, rows, "c", "certainty", "data")
    far.set(xscale="log", yscale="log", xlabel="c", ylabel="distance to the means of k-means")
    sure.set(xscale="log", xlabel="c", ylabel="mean of the largest responsibility")
    return legend(figure, far)


def annealing_figure(result: StudyResult) -> Figure:
    """k-means, hybrid, EM and annealed EM on simulated data; means over data sets with 95%."""
    rows = kind(result, "annealing")
    rows = rows.assign(series=[f"K = {k}" for k in rows["k"]])
    columns = {
        "accuracy": "share of points\nin their component",
        "share_best": "share of starts\nat the best optimum",
        "passes": "passes",
    }
    return compared(rows, "series", columns, 3.4)[0]


# --- findings -------------------------------------------------------------------------------------

SENTENCES: dict[str, Words] = {
    "tied scales save passes": f"Tied scales take {RATIO} passes for one with free scales.",
}


def findings(result: StudyResult) -> str:
    """What the table shows, in numbers."""
    return paragraph(
        result,
        _on_collapse,
        _on_tied_values,
        lambda result: by_outcome(result.verdicts, SENTENCES),
        _on_annealing,
    )


def _on_collapse(result: StudyResult) -> Iterator[str]:
    steps = of(result.table, "trace", start_sigma=0.01).set_index("iteration")
    before, after = steps["log_likelihood"].loc[0], steps["log_likelihood"].loc[1]
    yield (
        "From a component of scale 1/100 at the point 3 one step of EM takes the log likelihood "
        f"from {before:.4f} to {after:.2f} and the variance to "
        f"10^{steps['log10_variance'].loc[1]:.2f}."
    )
    rows = of(result.table, "collapse", data="simulated")
    free = rows[rows["estimator"] == "free"].groupby(["n", "k"])["degenerate"].mean()
    told = amounts(free, "{1:.1%} at n = {0[0]}, K = {0[1]}")
    yield f"Of plain EM's starts on simulated data degenerate {told}."
    ends = rows.groupby("estimator")["degenerate"].mean().reindex(list(remedies(THREE)))
    yield f"Over all simulated sets these are {amounts(ends, '{1:.1%} with {0}')}."


def _on_tied_values(result: StudyResult) -> Iterator[str]:
    masses = of(result.table, "improper")
    half, gamma = (decade_growth(masses, p).estimate for p in ("half_normal", "inverse_gamma"))
    yield (
        f"On {int(masses['ties'].max())} tied values the posterior mass changes by 10^{half:.1f} "
        "from a decade of the scale to the next lower one with half-normal scales, and "
        f"{'falls' if gamma < 0 else 'grows'} with inverse gamma variances."
    )
    chains = of(result.table, "nuts", data="faithful:waiting", chain="narrow")
    told = amounts(chains.groupby("prior")["narrow"].mean(), "{1:.0%} with {0} scales")
    yield (
        "In chains that start narrow the smaller scale stays below 1% of the data's in "
        f"{told} (share of draws)."
    )


def _on_annealing(result: StudyResult) -> Iterator[str]:
    found = of(result.table, "annealing").groupby(["k", "estimator"])["share_best"].mean()
    told = found.drop(["kmeans", "hybrid"], level="estimator")
    told = amounts(told, "{1:.0%} ({0[1]}, K = {0[0]})")
    yield f"The best optimum is reached by {told} of the starts."
    if found.loc[:, "annealed, perturbed"].min() < found.loc[:, "em"].min():
        yield (
            "With free variances the merged point holds at every temperature T above 1 (its EM "
            "eigenvalue is 1 / T), so annealing from high temperatures begins at the saddle."
        )


NONE = {"n": (0,), "replicate": (0,)}
SINGLE: tuple[dict[str, Any], ...] = (
    {**NONE, "task": ("trace", "split"), "data": ("three",), "k": (2,)},
    {**NONE, "task": ("improper",), "data": ("faithful:waiting",), "k": (2,)},
    {**NONE, "task": ("temperature",), "data": ("three", "tie", "faithful"), "k": (2,)},
    {**NONE, "task": ("frames",), "data": ("faithful",), "k": (2,)},
)
SIMULATED = {"data": ("simulated",)}
SMOKE = (
    *SINGLE,
    {**SIMULATED, "task": ("collapse",), "n": (50, 100), "k": (2, 4), "replicate": range(2)},
    {**SIMULATED, "task": ("constraints",), "n": (100,), "k": (2,), "replicate": range(2)},
    {**SIMULATED, "task": ("annealing",), "n": (100,), "k": (2, 5), "replicate": range(2)},
    {**NONE, "task": ("constraints",), "data": ("galaxies", "acidity"), "k": (3,)},
)
LAPTOP = (
    *SINGLE,
    {**SIMULATED, "task": ("collapse",), "n": (50, 200, 1000), "k": (2, 4),
     "replicate": range(20)},
    {**NONE, "task": ("collapse", "constraints"), "data": SETS, "k": (2, 3, 5)},
    {**SIMULATED, "task": ("constraints",), "n": (200,), "k": (2, 3), "replicate": range(20)},
    {"task": ("constraints",), "data": ("plane",), "n": (300,), "k": (3,), "replicate": range(20)},
    {**NONE, "task": ("constraints",), "data": ("faithful",), "k": (2, 3)},
    {"task": ("temperature",), "data": ("plane",), "n": (300,), "k": (3,), "replicate": range(20)},
    {**SIMULATED, "task": ("annealing",), "n": (200, 1000), "k": (2, 5), "replicate": range(20)},
    {"task": ("nuts",), "data": ("faithful:waiting",), "n": (0,), "k": (2,),
     "replicate": range(20)},
    {**SIMULATED, "task": ("nuts",), "n": (200,), "k": (2,), "replicate": range(20)},
)  # fmt: skip

OPENING = Opening(
    answer={
        "remedies work": (
            "EM collapses onto points; a penalty, tied scales or the prior prevent it (at most "
            "{2:.0%} of data sets degenerate).",
            "Remedies do not prevent EM's collapse on {0:.0%} of the data sets.",
            "Whether remedies prevent EM's collapse is undecided.",
        ),
        "cooling finds the optimum": (
            "Where optima abound, cooling a known variance finds the best one more often than EM "
            "alone, by {0:.0%} [{1:.0%}, {2:.0%}] of the starts.",
            "Cooling a known variance does not find the best optimum more often than EM alone.",
            "Whether cooling a known variance finds the best optimum more often is undecided.",
        ),
    },
    chief=("collapse falls with n", "remedies work", "annealing finds the optimum"),
)


study = Study(
    name="em_pathologies",
    question="Where does EM for mixtures go wrong, and what do remedies and limits cost?",
    source=NOTES,
    factors={
        "task": tuple(TASKS),
        "data": ("simulated", "plane", "three", "tie", *SETS, "faithful"),
        "n": (0, 50, 100, 200, 300, 1000),
        "k": (2, 3, 4, 5),
        "replicate": range(20),
    },
    sizes={
        "smoke": SMOKE,
        "laptop": LAPTOP,
        "cluster": (
            *LAPTOP,
            {**SIMULATED, "task": ("collapse",), "n": (50, 100, 200, 1000), "k": (2, 3, 4, 5),
             "replicate": range(500)},
            {**SIMULATED, "task": ("annealing",), "n": (200, 1000), "k": (2, 5),
             "replicate": range(500)},
        ),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "frames": frames_figure,
        "animation": frames_animation,
        "trace": trace_figure,
        "collapse": collapse_figure,
        "remedies": remedies_figure,
        "improper": improper_figure,
        "constraints": constraints_figure,
        "temperature": temperature_figure,
        "annealing": annealing_figure,
    },
    findings=findings,
    structure=("task",),
)  # fmt: skip
