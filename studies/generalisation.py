"""Do estimates in relative coordinates generalise better?

Esser & Nielsen 2022 (section 5.2) argue so from a bound. What can differ between coordinates is
where an estimator stands after a given number of passes: here its generalisation loss less the
truth's, by quadrature, from the same starts in all coordinates, for ascent at the largest stable
step, with one learning rate for all, for the natural gradient, for EM and for relative ECM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix.data import Data, population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import curves, legend, looks, panels
from ordered_mix.study.effects import extreme, from_logs, geometric_mean, less, rows_of
from ordered_mix.study.grid import seed_of
from ordered_mix.theory.prediction import generalisation_loss
from ordered_mix.theory.singularity import two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, section 5.2"
SETS = 20
N, BUDGETS, COMPARED = 200, (30, 100, 1000), 100
HALVES, ONES = np.full(2, 0.5), np.ones(2)
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


def cell(seed: int, separation: float, n: int, replicate: int) -> list[dict]:
    """Excess loss of every estimator at equal passes, from a narrow start and a wide one."""
    truth = two_normals(separation)
    units = range(replicate * SETS, (replicate + 1) * SETS)
    seeds = [seed_of("data", separation=separation, n=n, replicate=unit) for unit in units]
    data = Data(np.stack([simulate(truth, n, one).y for one in seeds])[:, None])
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


def _stopped(
    truth: Mixture, fit: Fit, units: Sequence[int], name: str, coordinates: str
) -> list[dict]:
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

COLUMNS = ("unit", "algorithm", "coordinates", "start", "passes", "excess")
Run = tuple[str, str]


def _ratios(
    table: pd.DataFrame, first: Run, second: Run, passes: int = COMPARED, **where: Any
) -> pd.Series:
    """Excess loss of the first (algorithm, coordinates) for 1 of the second."""
    rows = rows_of(table, n=N, passes=passes, **where)
    index, columns = ["unit", "separation", "start"], ["algorithm", "coordinates"]
    wide = rows.pivot(index=index, columns=columns, values="excess")
    return wide[first] / wide[second]


def _excess_ratio(first: Run, second: Run) -> Callable[[pd.DataFrame], Effect]:
    """Excess loss of the first for 1 of the second at equal passes, over all settings."""
    return lambda table: geometric_mean(_ratios(table, first, second), "unit")


def _extreme_ratio(
    first: Run, second: Run, pick: Callable[[Sequence[float]], float]
) -> Callable[[pd.DataFrame], Effect]:
    """The same in the least or most favourable separation and start: their signs differ."""

    def effect(table: pd.DataFrame) -> Effect:
        ratios = _ratios(table, first, second)
        geometric_mean(ratios, "unit")  # every run of every data set is there
        groups = np.log(ratios).groupby(["separation", "start"])
        return from_logs(extreme([logs for _, logs in groups], pick))

    return effect


def _left(table: pd.DataFrame) -> Effect:
    """What relative and original ascent differ by at separation 2 after the most passes."""
    ratios = _ratios(table, (FAIR, "relative"), ORIGINAL, BUDGETS[-1], separation=2.0)
    return less(geometric_mean(ratios, "unit"), 1)


FAIR, RATE, NATURAL = ASCENTS
ORIGINAL: Run = (FAIR, "unordered")
EXCESS = "excess loss for 1 of the other after 100 passes"
WORST = f"{EXCESS}, least favourable separation and start"
RATIO = "{0:.2f} [{1:.2f}, {2:.2f}]"
CLAIMS = (
    Claim("relative generalises better",
          "At each separation and from each start ascent at the largest stable step generalises "
          "better in relative than in original coordinates.",
          PAPER, _extreme_ratio((FAIR, "relative"), ORIGINAL, max), "below", 1.0, WORST,
          words=(
              f"Estimates in relative coordinates generalise better in every setting: with {RATIO} "
              "times the excess loss after 100 passes where they do worst.",
              "Estimates in relative coordinates do not generalise better: where they do worst "
              f"they have {RATIO} times the excess loss after 100 passes.",
              "Whether estimates in relative coordinates generalise better everywhere is "
              f"undecided: {RATIO} times the excess loss after 100 passes.",
          )),
    Claim("relative generalises better somewhere",
          "At some separation and start ascent at the largest stable step generalises better in "
          "relative than in original coordinates.",
          PAPER, _extreme_ratio((FAIR, "relative"), ORIGINAL, min), "below", 1.0,
          f"{EXCESS}, most favourable separation and start",
          words=f"Where relative coordinates do best they have {RATIO} times the excess loss."),
    Claim("relative generalises better at one learning rate",
          "At each separation and from each start ascent with the learning rate 0.5 generalises "
          "better in relative than in original coordinates.",
          PAPER, _extreme_ratio((RATE, "relative"), (RATE, "unordered"), max), "below", 1.0, WORST,
          words="With one learning rate for both, relative coordinates have up to "
          f"{RATIO} times the excess loss of the original ones."),
    Claim("ECM generalises better than EM",
          "Relative ECM generalises better than EM, by 5% of the excess loss or more.",
          PAPER, _excess_ratio(("ecm", "relative"), ("em", "unordered")), "below", 0.95, EXCESS,
          words=f"The excess loss of relative ECM is {RATIO} times that of EM."),
    Claim("squared gap generalises better",
          "At each separation and from each start ascent in the mixture mean and the squared gap "
          "generalises better than in the original.",
          "a question of this project", _extreme_ratio((FAIR, "resolved"), ORIGINAL, max),
          "below", 1.0, WORST,
          words=f"The excess loss of ascent in the squared gap is up to {RATIO} times that in the "
          "original coordinates."),
    Claim("natural gradient generalises better",
          "The natural gradient generalises better than ascent, both in original coordinates.",
          "Amari, Park & Ozeki 2006, on the speed of learning",
          _excess_ratio((NATURAL, "unordered"), ORIGINAL), "below", 1.0, EXCESS,
          words=f"The excess loss of the natural gradient is {RATIO} times that of ascent, both in "
          "original coordinates."),
    Claim("nothing is left when converged",
          "At separation 2 relative and original ascent generalise the same after 1000 passes.",
          "the maximum of the likelihood is the same", _left, "within", 0.01,
          "relative difference of the excess loss",
          words=(
              "At separation 2 nothing of the difference is left after 1000 passes ({0:.1%}).",
              "At separation 2 relative and original ascent still differ by {0:.1%} of the excess "
              "loss after 1000 passes.",
              "Whether a difference is left at separation 2 after 1000 passes is undecided "
              "({0:.1%} [{1:.1%}, {2:.1%}]).",
          )),
)  # fmt: skip


def excess_figure(result: StudyResult) -> Figure:
    """Excess generalisation loss against passes by coordinates, geometric means with intervals."""
    names = (*ASCENTS, "EM and ECM")
    rows = rows_of(result.tables["generalisation"], COLUMNS, n=N)
    rows = rows.assign(algorithm=rows["algorithm"].replace(dict.fromkeys(SWEEPS, names[-1])))
    rows = rows.assign(excess=np.log(rows["excess"].astype(float)))
    places = sorted(rows["separation"].unique()) or [0.0]
    figure, grid = panels(
        len(places), len(names), (11.0, max(3.0, 2.4 * len(places))), sharey="row"
    )
    for line, place in zip(grid, places, strict=True):
        for axes, name in zip(line, names, strict=True):
            part = rows[(rows["separation"] == place) & (rows["algorithm"] == name)]
            logs = part.groupby(["coordinates", "passes", "unit"])["excess"].mean()
            means = np.exp(logs).reset_index()
            curves(axes, means, "excess", "coordinates", looks(MODELS), x="passes", log=True)
        line[0].set_ylabel(f"separation {place:g}:\nexcess loss / nats")
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name, fontsize=9)
    return legend(figure, grid)


study = Study(
    name="generalisation",
    question="Do estimates in relative coordinates generalise better?",
    source=PAPER,
    experiments={
        "generalisation": Experiment(
            cell=cell,
            factors={
                "separation": (0.0, 1.0, 2.0, 4.0),
                "n": (50, N, 800),
                "replicate": range(50),
            },
            sizes={
                "smoke": {"separation": (0.0, 2.0), "n": (N,), "replicate": range(1)},
                "laptop": {"separation": (0.0, 1.0, 2.0), "n": (N,), "replicate": range(8)},
                "cluster": {},
            },
        )
    },
    claims=CLAIMS,
    figures={"excess": excess_figure},
    answer=("relative generalises better", "ECM generalises better than EM"),
    chief=(
        "relative generalises better",
        "natural gradient generalises better",
        "nothing is left when converged",
    ),
)
