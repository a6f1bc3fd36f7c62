"""Do estimates in relative coordinates generalise better, and does a smaller norm say so?

Esser & Nielsen 2022 (section 5.2) argue that relative parameters have the smaller norm, hence the
smaller generalisation bound. The norm is not smaller: (mu1, mu2) = (-1, 1) has 1.414 and (mu1, gap)
= (-1, 2) has 2.236; for means iid around 0 and sorted it is smaller only where the direction lies
in 63.4 of 180 degrees. And a worst-case bound is a supremum over mixtures, the same in whatever
coordinates they are written; only a ball of another norm is another class. What can differ is where
an estimator stands after a given number of passes: its generalisation loss less the truth's, by
quadrature, from the same starts in all coordinates, for ascent at the largest stable step, with
one learning rate for all, for the natural gradient, for EM and for relative ECM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import curves, legend, looks, nothing, panels
from ordered_mix.study.effects import extreme, from_logs, mean, rows_of, share
from ordered_mix.study.grid import seed_of
from ordered_mix.study.sentences import Words, by_outcome, paragraph
from ordered_mix.theory.prediction import generalisation_loss

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

PAPER = "Esser & Nielsen 2022, section 5.2"
SETS, PAIRS = 20, 100
N, BUDGETS, COMPARED = 200, (30, 100, 1000), 100
HALVES, ONES, SPREAD = np.full(2, 0.5), np.ones(2), 2.0
BOX, NODES, ZOOMS = 3.0, 41, 5
KNOWN = ("w", "sigma")
MODELS: dict[str, dict[str, Any]] = {
    "unordered": {},
    "relative": {"link": "identity"},
    "signed": {},
    "resolved": {},
}
RUN = Stop(log_likelihood=0.0, passes=BUDGETS[-1])
KEPT = BUDGETS[-1]
ASCENTS: dict[str, GradientAscent | NaturalGradient] = {
    "fair step": GradientAscent("largest_stable", stop=RUN, snapshots=KEPT),
    "learning rate 0.5": GradientAscent(0.5, stop=RUN, snapshots=KEPT),
    "natural": NaturalGradient(stop=Stop(log_likelihood=1e-9, passes=KEPT), snapshots=KEPT),
}
SWEEPS: dict[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN, stop=RUN, snapshots=KEPT)),
    "ecm": ("relative", ECM(frozen=KNOWN, stop=RUN, snapshots=KEPT)),
}


def cell(seed: int, measure: str, separation: float, n: int, replicate: int) -> list[dict]:
    """One measure on a batch of data sets, or of pairs of means."""
    if measure == "norm":
        return _norms(seed)
    truth = Mixture(HALVES, separation * np.array([-0.5, 0.5]), ONES)
    rows = []
    units = [replicate * SETS + at for at in range(SETS)]
    samples = [
        simulate(truth, n, seed_of("data", separation=separation, n=n, replicate=unit))
        for unit in units
    ]
    if measure == "estimate":
        data = Data(np.stack([sample.y for sample in samples])[:, None])
        return _estimates(truth, data, units)
    for unit, sample in zip(units, samples, strict=True):
        rows += [{"unit": unit, **row} for row in _bounds(truth, sample)]
    return rows


def _norms(seed: int) -> list[dict]:
    """Sorted means, iid around 0."""
    means = np.sort(np.random.default_rng(seed).normal(0, SPREAD, (PAIRS, 2)), axis=1)
    return [{"mu1": first, "mu2": second} for first, second in means.tolist()]


def _bounds(truth: Mixture, data: Data) -> list[dict]:
    """Largest difference of training and generalisation loss over a class of mixtures."""
    grid = population(truth, 0.05)

    def deviation(mu: Array) -> Array:
        train = e_step(data.y, HALVES, mu, ONES).log_likelihood / data.n
        return np.abs(train - e_step(grid.y, HALVES, mu, ONES, grid.weight).log_likelihood)

    return [
        {"coordinates": name, "bound": supremum(deviation, reach)}
        for name, reach in CLASSES.items()
    ]


def _box(u: Array) -> Array:
    """Both means in [-3, 3]."""
    return BOX * (2 * u - 1)


def _relative_box(u: Array) -> Array:
    """The first mean in [-3, 3], the gap from 0 to what leaves the second one there."""
    first = BOX * (2 * u[:, 0] - 1)
    return np.stack([first, first + u[:, 1] * (BOX - first)], axis=1)


def _ball(u: Array) -> Array:
    """The means in a ball of radius 3 around 0."""
    angle = 2 * np.pi * u[:, 1]
    return BOX * u[:, :1] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _relative_ball(u: Array) -> Array:
    """The first mean and a positive gap in such a ball."""
    angle = np.pi * u[:, 1]
    first = BOX * u[:, 0] * np.cos(angle)
    return np.stack([first, first + BOX * u[:, 0] * np.sin(angle)], axis=1)


CLASSES = {
    "unordered": _box,
    "relative": _relative_box,
    "unordered ball": _ball,
    "relative ball": _relative_ball,
}


def supremum(value: Callable[[Array], Array], reach: Callable[[Array], Array]) -> float:
    """Largest value over a class given by a map of the unit square, by a grid that zooms in."""
    centre, half, best = np.full(2, 0.5), 0.5, -np.inf
    for _ in range(ZOOMS):
        axes = [np.clip(np.linspace(at - half, at + half, NODES), 0, 1) for at in centre]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        found = value(reach(nodes))
        at = int(found.argmax())
        best, centre, half = max(best, float(found[at])), nodes[at], half * 4 / (NODES - 1)
    return best


def _estimates(truth: Mixture, data: Data, units: list[int]) -> list[dict]:
    """Excess loss of every estimator at equal passes, from a narrow start and a wide one."""
    gaps = np.array([0.4, 4.0])
    starts = Mixture(HALVES, 0.5 + gaps[:, None] * np.array([-0.5, 0.5]), ONES)
    prior = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    rows = []
    for coordinates, options in MODELS.items():
        model = catalog.parameterization(coordinates, 2, prior, **options)
        for name, ascent in ASCENTS.items():
            # a squared gap has another unit, one learning rate for it and a gap means nothing
            if not (name == "learning rate 0.5" and coordinates == "resolved"):
                rows += _stopped(truth, ascent.fit(model, data, starts), units, name, coordinates)
    for name, (coordinates, sweep) in SWEEPS.items():
        model = catalog.parameterization(coordinates, 2)
        rows += _stopped(truth, sweep.fit(model, data, starts), units, name, coordinates)
    return rows


def _stopped(truth: Mixture, fit: Fit, units: list[int], name: str, coordinates: str) -> list[dict]:
    """Excess loss of each run at the last snapshot within each budget."""
    grid = population(truth, 0.05)
    weight, rows = np.asarray(grid.weight), []
    entropy = generalisation_loss(weight, truth.log_density(grid.y))
    for budget in BUDGETS:
        last = (fit.trace.passes <= budget).sum(axis=0) - 1
        mu = np.take_along_axis(fit.trace.mixture.mu, last[None, ..., None], axis=0)[0]
        for at, unit in enumerate(units):
            for start, means in zip(("narrow", "wide"), mu[at], strict=True):
                found = Mixture(HALVES, means, ONES).log_density(grid.y)
                loss = generalisation_loss(weight, found) - entropy
                row = {"unit": unit, "algorithm": name, "coordinates": coordinates, "start": start}
                ended = str(fit.status[at][0 if start == "narrow" else 1])
                rows.append({**row, "passes": budget, "excess": loss, "ended": ended})
    return rows


# --- effects --------------------------------------------------------------------------------------

COLUMNS = ("mu1", "mu2", "coordinates", "bound", "unit", "algorithm", "passes", "excess", "start")
_rows = partial(rows_of, columns=COLUMNS)


def norms(table: pd.DataFrame) -> tuple[Array, Array]:
    """Norm of (mu1, mu2) and of (mu1, gap) of every pair."""
    rows = _rows(table, measure="norm")
    original = np.hypot(rows["mu1"], rows["mu2"]).to_numpy()
    return original, np.hypot(rows["mu1"], rows["mu2"] - rows["mu1"]).to_numpy()


def _norm_smaller(table: pd.DataFrame) -> Effect:
    original, relative = norms(table)
    return share(relative <= original)


def _bound_ratio(kind: str) -> Callable[[pd.DataFrame], Effect]:
    """Bound in relative coordinates for 1 in the original ones, mean over separations by set."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = _rows(table, measure="bound", n=N)
        wide = rows.pivot(index=["unit", "separation"], columns="coordinates", values="bound")
        return _ratio(np.log(wide[f"relative{kind}"] / wide[f"unordered{kind}"]))

    return effect


def _ratio(logs: pd.Series) -> Effect:
    """Geometric mean over units, those within a unit averaged first; every unit complete."""
    counts = logs.groupby("unit").agg(["size", "count"])
    if counts.empty or (counts.to_numpy() != counts["size"].max()).any():
        raise ValueError("table must hold every run of every data set, it does not")
    return from_logs(mean(logs.groupby("unit").mean()))


Run = tuple[str, str]


def _log_ratios(
    table: pd.DataFrame, first: Run, second: Run, passes: int, separation: float | None = None
) -> pd.Series:
    """Log of the excess loss of the first (algorithm, coordinates) for 1 of the second."""
    rows = _rows(table, measure="estimate", n=N, passes=passes)
    rows = rows if separation is None else rows[rows["separation"] == separation]
    wide = rows.pivot(
        index=["unit", "separation", "start"],
        columns=["algorithm", "coordinates"],
        values="excess",
    )
    return np.log(wide[first] / wide[second])


def _excess_ratio(
    first: Run, second: Run, passes: int = COMPARED, separation: float | None = None
) -> Callable[[pd.DataFrame], Effect]:
    """Excess loss of the first for 1 of the second at equal passes, over all settings."""
    return lambda table: _ratio(_log_ratios(table, first, second, passes, separation))


def _extreme_ratio(
    first: Run, second: Run, pick: Callable[[Sequence[float]], float]
) -> Callable[[pd.DataFrame], Effect]:
    """The same in the least or most favourable separation and start: their signs differ."""

    def effect(table: pd.DataFrame) -> Effect:
        logs = _log_ratios(table, first, second, COMPARED)
        _ratio(logs)  # every run of every data set is there
        return from_logs(extreme([x for _, x in logs.groupby(["separation", "start"])], pick))

    return effect


def _less_one(effect: Callable[[pd.DataFrame], Effect]) -> Callable[[pd.DataFrame], Effect]:
    def moved(table: pd.DataFrame) -> Effect:
        found = effect(table)
        return Effect(found.estimate - 1, found.low - 1, found.high - 1, found.observations)

    return moved


FAIR, RATE, NATURAL = ASCENTS
ORIGINAL: Run = (FAIR, "unordered")
EXCESS = "excess loss for 1 of the other after 100 passes"
WORST = f"{EXCESS}, least favourable separation and start"
CLAIMS = (
    Claim(
        "relative norm is smaller",
        "The norm of (mu1, gap) is at most that of (mu1, mu2).",
        PAPER,
        _norm_smaller,
        "above",
        0.999,
        "share of sorted pairs of means",
    ),
    Claim(
        "bounds are equal",
        "The worst-case bound over the same mixtures is the same in both coordinates.",
        "the class of functions is the same",
        _less_one(_bound_ratio("")),
        "within",
        0.001,
        "relative difference",
    ),
    Claim(
        "ball of relative norm has the smaller bound",
        "Over a ball of equal norm the bound is smaller in relative coordinates.",
        PAPER,
        _bound_ratio(" ball"),
        "below",
        1.0,
        "bound for 1 in the original coordinates",
    ),
    Claim(
        "relative generalises better",
        "At each separation and from each start ascent at the largest stable step generalises "
        "better in relative than in original coordinates.",
        PAPER,
        _extreme_ratio((FAIR, "relative"), ORIGINAL, max),
        "below",
        1.0,
        WORST,
    ),
    Claim(
        "relative generalises better somewhere",
        "At some separation and start ascent at the largest stable step generalises better in "
        "relative than in original coordinates.",
        PAPER,
        _extreme_ratio((FAIR, "relative"), ORIGINAL, min),
        "below",
        1.0,
        f"{EXCESS}, most favourable separation and start",
    ),
    Claim(
        "relative generalises better at one learning rate",
        "At each separation and from each start ascent with the learning rate 0.5 generalises "
        "better in relative than in original coordinates.",
        PAPER,
        _extreme_ratio((RATE, "relative"), (RATE, "unordered"), max),
        "below",
        1.0,
        WORST,
    ),
    Claim(
        "ECM generalises better than EM",
        "Relative ECM generalises better than EM, by 5% of the excess loss or more.",
        PAPER,
        _excess_ratio(("ecm", "relative"), ("em", "unordered")),
        "below",
        0.95,
        EXCESS,
    ),
    Claim(
        "squared gap generalises better",
        "At each separation and from each start ascent in the mixture mean and the squared gap "
        "generalises better than in the original.",
        "a question of this project",
        _extreme_ratio((FAIR, "resolved"), ORIGINAL, max),
        "below",
        1.0,
        WORST,
    ),
    Claim(
        "natural gradient generalises better",
        "The natural gradient generalises better than ascent, both in original coordinates.",
        "Amari, Park & Ozeki 2006, on the speed of learning",
        _excess_ratio((NATURAL, "unordered"), ORIGINAL),
        "below",
        1.0,
        EXCESS,
    ),
    Claim(
        "nothing is left when converged",
        "At separation 2 relative and original ascent generalise the same after 1000 passes.",
        "the maximum of the likelihood is the same",
        _less_one(_excess_ratio((FAIR, "relative"), ORIGINAL, BUDGETS[-1], 2.0)),
        "within",
        0.01,
        "relative difference of the excess loss",
    ),
)


# --- figures and findings -------------------------------------------------------------------------


def norm_figure(result: StudyResult) -> Figure:
    """Where the relative norm is smaller and where it is larger; worst-case bounds by data set."""
    figure, axes = panels(1, 2, (9.0, 4.0))
    rows, (original, relative) = _rows(result.table, measure="norm"), norms(result.table)
    for smaller, colour, words in (
        (True, "#0072b2", "norm of (mu1, gap) smaller"),
        (False, "#d55e00", "norm of (mu1, gap) larger"),
    ):
        part = rows[(relative <= original) == smaller]
        axes[0, 0].plot(part["mu1"], part["mu2"], ".", ms=4, color=colour, label=words)
    axes[0, 0].set(xlabel="mu1 / sigma", ylabel="mu2 / sigma", aspect="equal")
    bounds = _rows(result.table, measure="bound", n=N)
    wide = bounds.pivot(index=["unit", "separation"], columns="coordinates", values="bound")
    for kind, marker, words in (("", "o", "the same box"), (" ball", "x", "balls of norm 3")):
        if len(wide):
            pair = wide[f"unordered{kind}"], wide[f"relative{kind}"]
            axes[0, 1].plot(*pair, marker, ms=4, alpha=0.7, label=f"bound over {words}")
    if len(wide):
        axes[0, 1].axline((0.5, 0.5), slope=1, color="0.5", lw=0.8)
        axes[0, 1].set(xlabel="worst case, original / nats", ylabel="worst case, relative / nats")
    else:
        nothing(axes[0, 1])
    return legend(figure, axes, 2)


def excess_figure(result: StudyResult) -> Figure:
    """Excess generalisation loss against passes by coordinates, geometric means with intervals."""
    names = (*ASCENTS, "EM and ECM")
    rows = _rows(result.table, measure="estimate", n=N)
    rows = rows.assign(algorithm=rows["algorithm"].replace(dict.fromkeys(SWEEPS, names[-1])))
    places = sorted(rows["separation"].unique())
    figure, axes = panels(
        len(places), len(names), (11.0, max(3.0, 2.4 * len(places))), sharey="row"
    )
    for line, place in enumerate(places):
        for at, name in enumerate(names):
            part = rows[(rows["separation"] == place) & (rows["algorithm"] == name)]
            by_set = part.assign(excess=np.log(part["excess"])).groupby(
                ["coordinates", "passes", "unit"]
            )
            means = np.exp(by_set["excess"].mean()).reset_index()
            curves(
                axes[line, at], means, "excess", "coordinates", looks(MODELS), x="passes", log=True
            )
            axes[line, at].set_title(name if not line else "", fontsize=9)
        axes[line, 0].set_ylabel(f"separation {place:g}:\nexcess loss / nats")
    if not places:
        for panel in axes[0]:
            nothing(panel)
    return legend(figure, axes)


SENTENCES: dict[str, Words] = {
    "relative norm is smaller": "The norm of (mu1, gap) is the smaller one for {0:.1%} of sorted "
    "pairs of means.",
    "bounds are equal": (
        "Worst-case bounds over the same mixtures are equal in both coordinates, up to {0:.1e}.",
        "Worst-case bounds over the same mixtures differ by {0:.1e}.",
        "Worst-case bounds over the same mixtures differ by {0:.1e}, which leaves open if at all.",
    ),
    "ball of relative norm has the smaller bound": "Over balls of equal norm the relative bound is "
    "{0:.2f} times the original one.",
    "relative generalises better": "After 100 passes at the largest stable step the excess loss in "
    "relative coordinates is {0:.2f} [{1:.2f}, {2:.2f}] times that in the original ones where it "
    "is largest,",
    "relative generalises better somewhere": "and {0:.2f} [{1:.2f}, {2:.2f}] times where it is "
    "least.",
    "relative generalises better at one learning rate": "With one learning rate it is up to "
    "{0:.2f} [{1:.2f}, {2:.2f}] times.",
    "ECM generalises better than EM": "That of relative ECM is {0:.2f} [{1:.2f}, {2:.2f}] times "
    "that of EM.",
    "squared gap generalises better": "That of the squared gap is up to {0:.2f} [{1:.2f}, "
    "{2:.2f}] times that.",
    "natural gradient generalises better": "That of the natural gradient is {0:.2f} [{1:.2f}, "
    "{2:.2f}] times that of ascent in original coordinates.",
    "nothing is left when converged": "At separation 2 and 1000 passes relative and original "
    "ascent differ by {0:.1%}.",
}


def _singular(result: StudyResult) -> Iterator[str]:
    """How often the natural gradient met a singular information."""
    rows = _rows(result.table, measure="estimate", algorithm=NATURAL, passes=BUDGETS[-1])
    if len(rows):
        lost = (rows["ended"] == "singular_information").groupby(rows["coordinates"]).mean()
        worst = str(lost.idxmax())
        yield (
            f"The natural gradient ended at a singular information in up to {lost.max():.0%} of "
            f"the runs (in {worst} coordinates)."
            if lost.max() > 0
            else "The natural gradient never met a singular information."
        )


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, lambda one: by_outcome(one.verdicts, SENTENCES), _singular)


def _blocks(separations: tuple[float, ...], sizes: tuple[int, ...], batches: int) -> list[dict]:
    """Grids of all measures."""
    drawn = {"n": sizes, "replicate": range(batches)}
    return [
        {"measure": ("norm",), "separation": (0.0,), "n": (0,), "replicate": range(4)},
        {**drawn, "measure": ("bound",), "separation": separations[::2]},
        {**drawn, "measure": ("estimate",), "separation": separations},
    ]


OPENING = Opening(
    answer={
        "relative generalises better": (
            "Estimates in relative coordinates generalise better in every setting.",
            "Estimates in relative coordinates do not generalise better: where they do worst they "
            "have {0:.2f} [{1:.2f}, {2:.2f}] times the excess loss after 100 passes.",
            "Whether estimates in relative coordinates generalise better everywhere is undecided.",
        ),
        "relative norm is smaller": (
            "The norm is smaller, as claimed.",
            "The norm is no reason: it is the smaller one for {0:.0%} [{1:.0%}, {2:.0%}] of "
            "sorted pairs of means, not for all.",
            "Whether the norm is smaller is undecided.",
        ),
    },
    chief=("relative norm is smaller", "bounds are equal", "relative generalises better"),
)


study = Study(
    name="generalisation",
    question="Do estimates in relative coordinates generalise better, and is a norm the reason?",
    source=PAPER,
    factors={
        "measure": ("norm", "bound", "estimate"),
        "separation": (0.0, 1.0, 2.0, 4.0),
        "n": (0, 50, N, 800),
        "replicate": range(50),
    },
    sizes={
        "smoke": _blocks((0.0, 2.0), (N,), 1),
        "laptop": _blocks((0.0, 1.0, 2.0), (N,), 8),
        "cluster": _blocks((0.0, 1.0, 2.0, 4.0), (50, N, 800), 50),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={"norm": norm_figure, "excess": excess_figure},
    findings=findings,
)
