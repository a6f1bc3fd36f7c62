"""How slowly does learning end where the components coincide?

At the overlap singularity (truth Normal(0, 1), two components with known weights and unit scales,
both means free) the loss is flat: with c = w1 w2 the excess is ``c^2 gap^4 / 4``. Gradient flow
then closes the gap like a power of time that depends on the coordinates (Amari, Park & Ozeki 2006
found the plateaus; the exponents are derived here from ``gap' = -m(gap) c^2 gap^3``, where m is the
mobility of the gap in coordinates once the location has settled), EM and ECM like 1 / sqrt(sweeps)
(Dwivedi et al. 2018). With n points the gap cannot be told from 0 below n^(-1/4) (Chen 1995),
against n^(-1/2) for separated components, and EM needs n^(1/2) sweeps to get there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import population, simulate
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import (
    LOOKS,
    SHADES,
    legend,
    lines,
    looks,
    nothing,
    panels,
    plain_ticks,
    short,
)
from ordered_mix.study.effects import bootstrap, exact, rows_of
from ordered_mix.study.grid import seed_of
from ordered_mix.theory.gap_flow import EXPONENTIAL, gap_flow
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import two_normals

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

ALGEBRAIC = tuple(name for name in COORDINATES if name not in EXPONENTIAL)
KNOWN = ("w", "sigma")
ITERATIONS: dict[str, tuple[str, EM]] = {
    "em": ("unordered", EM(frozen=KNOWN)),
    "ecm": ("relative", ECM(frozen=KNOWN)),
    "em, weight unknown": ("unordered", EM(frozen=("sigma",))),
}
DERIVED = "the flow of the gap on the slow manifold"
SWEEP_GAP, SWEEPS = 1.0, 2 ** np.arange(7, 13)
ACCURATE = 0.05
TIGHT = Stop(log_likelihood=0.0, parameters=1e-8, passes=5_000)
LIMIT = 2 * np.pi**-0.25
"""Limit of the root mean square of n^(1/4) gap: gap^2 = 4 (s^2 - 1)_+ and s^2 ~ N(1, 2/n)."""


def flow_cell(seed: int, weight: float) -> list[dict]:
    """Gap and excess loss of the gradient flow in all coordinates, at times a factor of 2 apart."""
    return list(gap_flow(weight))


def iteration_cell(seed: int, weight: float) -> list[dict]:
    """Gap of EM and ECM on the population at sweeps a factor of 2 apart."""
    data, start = population(two_normals(0.0, weight)), two_normals(SWEEP_GAP, weight)
    stop = Stop(log_likelihood=0.0, passes=int(SWEEPS[-1]) + 1)
    rows = []
    for name, (label, estimator) in ITERATIONS.items():
        estimator = replace(estimator, stop=stop, snapshots=stop.passes)
        trace = estimator.fit(parameterization(label, 2), data, start).trace
        gaps = np.diff(trace.mixture.mu, axis=-1)[:, 0]
        at = np.searchsorted(trace.iteration, SWEEPS)
        for sweep, gap in zip(SWEEPS.tolist(), gaps[at].tolist(), strict=True):
            rows.append({"name": name, "time": float(sweep), "gap": gap})
    return rows


def sample_cell(
    seed: int, separation: float, weight: float, known: bool, n: int, replicate: int
) -> list[dict]:
    """Estimated gap from n points, and sweeps of EM and ECM to statistical accuracy."""
    truth = two_normals(separation, weight)
    shared = seed_of("data", separation=separation, weight=weight, n=n, replicate=replicate)
    data = simulate(truth, n, shared)
    start = Mixture(
        truth.w, data.location + np.array([-1.0, 1.0]) * max(1.0, separation), truth.sigma
    )
    rows = []
    for name in ("em", "ecm") if known else ("em",):
        label, estimator = ITERATIONS[name if known else "em, weight unknown"]
        estimator = replace(estimator, stop=TIGHT, snapshots=TIGHT.passes)
        fit = estimator.fit(parameterization(label, 2), data, start)
        missing = float(fit.log_likelihood) - fit.trace.log_likelihood
        found = float(np.diff(fit.mixture.mu)[0])
        row = {"name": name, "gap": found, "miss": abs(found - separation)}
        rows.append({**row, "sweeps": int(fit.trace.iteration[np.argmax(missing < ACCURATE)])})
    return rows


def predicted_power(name: str, weight: float) -> tuple[float, float]:
    """Exponent p and constant A of ``gap ~ (A / time)^p`` at the singularity.

    Where the location lies b from the mixture mean for a gap of 1 the mobility of the gap
    is ``g^2 / (1 + b^2 g^2)`` with g the stretch of the link.
    """
    p2, c = 1 - weight, weight * (1 - weight)
    if name == "em":
        return 0.5, 1 / (2 * c)
    if name == "ecm":
        return 0.5, 1 / (2 * c * weight)
    offsets = {"relative": p2, "centred": p2 - 0.5, "signed": 0.0}
    if name in offsets:
        return 0.5, (1 + offsets[name] ** 2) / (2 * c**2)
    return {
        "unordered": (0.5, (weight**2 + p2**2) / (2 * c**2)),
        "relative(link=log)": (0.25, 1 / (4 * c**2)),
        "relative(link=softplus)": (0.25, 1 / (4 * c**2)),
        "relative(link=square)": (1 / 3, 1 / (12 * c**2)),
        "relative, squared gap": (0.5, p2**2 / (2 * c**2)),
    }[name]


# --- effects --------------------------------------------------------------------------------------


def _paths(table: pd.DataFrame) -> list[tuple[str, float, pd.DataFrame]]:
    """Name, first weight and path of every flow or iteration on the population."""
    groups = table.groupby(["name", "weight"], sort=False)
    return [(name, weight, part.sort_values("time")) for (name, weight), part in groups]


def local_slopes(path: pd.DataFrame) -> Array:
    """Minus the log-log slopes of the gap in time, between neighbouring times."""
    return -np.diff(np.log(path["gap"])) / np.diff(np.log(path["time"]))


def _largest(errors: list[tuple[float, float]]) -> Effect:
    """The largest error at the end of the paths, and of those one step before the end."""
    last, before = np.abs(np.array(errors)).max(axis=0)
    return exact(float(last), float(before))


def _powers(names: tuple[str, ...], what: str) -> Callable[[pd.DataFrame], Effect]:
    """Errors of exponents or relative errors of constants of these paths."""

    def effect(table: pd.DataFrame) -> Effect:
        errors = []
        for name, weight, path in _paths(table):
            if name not in names:
                continue
            power, constant = predicted_power(name, weight)
            if what == "exponent":
                slopes = local_slopes(path)[-2:] - power
                errors.append((slopes[1], slopes[0]))
            else:
                measured = (path["gap"] ** (1 / power) * path["time"]).to_numpy()[-2:] / constant
                errors.append((measured[1] - 1, measured[0] - 1))
        return _largest(errors)

    return effect


def _excess(table: pd.DataFrame) -> Effect:
    """Largest relative error of the excess loss c^2 gap^4 / 4, gaps between 0.005 and 0.05."""
    errors = []
    for name, weight, path in _paths(table):
        inside = path[path["gap"].between(0.005, 0.05)]
        if name in COORDINATES and len(inside) >= 2:
            leading = (weight * (1 - weight)) ** 2 * inside["gap"] ** 4 / 4
            ratio = (inside["excess"] / leading - 1).to_numpy()[-2:]
            errors.append((ratio[1], ratio[0]))
    return _largest(errors)


def _slower(table: pd.DataFrame) -> Effect:
    """Time of the relative flow for 1 of the flow of the means themselves, to the same gap."""
    scaled = {}
    for name, weight, path in _paths(table):
        if weight == 0.5 and name in ("relative", "unordered"):
            scaled[name] = (path["gap"] ** 2 * path["time"]).to_numpy()[-2:]
    ratio = scaled["relative"] / scaled["unordered"]
    return exact(float(ratio[1]), float(ratio[0]))


def _sampled(table: pd.DataFrame, separation: float) -> pd.DataFrame:
    rows = rows_of(table, separation=separation, known=True, name="em", weight=0.5)
    if rows["n"].nunique() < 2:
        raise ValueError(f"table must hold two sizes n at separation {separation:g}, it does not")
    sizes = rows.groupby("replicate")["n"].nunique()
    if (sizes < rows["n"].nunique()).any():
        raise ValueError("table must hold every size n for every replicate, it does not")
    return rows


def _resampled(
    rows: pd.DataFrame, column: str, statistic: Callable[[Array, Array], Array]
) -> Effect:
    """A statistic of the sizes n and a column by replicate and n, replicates resampled."""
    wide = rows.pivot(index="replicate", columns="n", values=column)
    sizes = wide.columns.to_numpy(dtype=float)
    return bootstrap(wide.to_numpy(dtype=float), partial(statistic, sizes))


def root_mean_square(rows: pd.DataFrame) -> pd.Series:
    """Root mean square error of the gap by n."""
    return np.sqrt((rows["miss"] ** 2).groupby(rows["n"]).mean())


def _slope(sizes: Array, values: Array) -> Array:
    """Least-squares slope of the logarithms, of the values along the last axis."""
    at = np.log(sizes) - np.log(sizes).mean()
    return np.sum(np.log(values) * (at / np.sum(at**2)), axis=-1)


def _rate_of_error(separation: float, predicted: float) -> Callable[[pd.DataFrame], Effect]:
    """Exponent of n in the error of the gap, less the predicted one."""
    return lambda table: _resampled(
        _sampled(table, separation),
        "miss",
        lambda sizes, miss: _slope(sizes, np.sqrt(np.mean(miss**2, axis=-2))) - predicted,
    )


def _size_of_error(table: pd.DataFrame) -> Effect:
    """Root mean square gap times n^(1/4) at the largest n, relative to its limit."""
    rows = _sampled(table, 0.0)
    largest = rows[rows["n"] == rows["n"].max()]
    scale = float(largest["n"].iloc[0]) ** 0.25 / LIMIT
    return _resampled(
        largest, "miss", lambda _, miss: scale * np.sqrt(np.mean(miss**2, axis=(-2, -1))) - 1
    )


def _rate_of_sweeps(table: pd.DataFrame) -> Effect:
    """Exponent of n in the median number of sweeps to statistical accuracy, less 1/2."""

    def statistic(sizes: Array, sweeps: Array) -> Array:
        return _slope(sizes, np.median(sweeps, axis=-2)) - 0.5

    return _resampled(_sampled(table, 0.0), "sweeps", statistic)


CLAIMS = (
    Claim("exponents of gradient flow",
          "The gap of the flow decays with the predicted power of time in every parameterization.",
          DERIVED, _powers(ALGEBRAIC, "exponent"), "below", 0.02,
          "error of the exponent, the largest over parameterizations and weights", of=("flow",),
          words=(
              "Where components coincide the gap closes like a power of time, to {0:.3f} of the "
              "predicted one in each parameterization.",
              "Where components coincide the gap does not close like the predicted power of time: "
              "off by up to {0:.2f}.",
              "How the gap closes where components coincide is undecided ({0:.2f}).",
          )),
    Claim("constants of gradient flow",
          "The powers of time with which the gap of the flow decays have the predicted constants "
          "in every parameterization.",
          DERIVED, _powers(ALGEBRAIC, "constant"), "below", 0.05,
          "relative error, the largest over parameterizations and weights", of=("flow",),
          words="The constants of these powers are off by at most {0:.1%}."),
    Claim("exponents of EM and ECM",
          "The gap of EM and of relative ECM decays like 1 / sqrt(sweeps).",
          "Dwivedi et al. 2018; the local rates of EM and ECM",
          _powers(("em", "ecm"), "exponent"), "below", 0.02,
          "error of the exponent, the largest over weights", of=("iteration",),
          words=(
              "That of EM and of relative ECM closes like 1 / sqrt(sweeps), the exponent off by at "
              "most {0:.4f}.",
              "That of EM or of relative ECM does not close like 1 / sqrt(sweeps): the exponent is "
              "off by {0:.2f}.",
              "Whether that of EM and of relative ECM closes like 1 / sqrt(sweeps) is undecided "
              "({0:.2f}).",
          )),
    Claim("constants of EM and ECM",
          "gap^2 sweeps tends to 1 / (2 c) for EM and to 1 / (2 c p1) for ECM.",
          "the local rates of EM and ECM", _powers(("em", "ecm"), "constant"), "below", 0.05,
          "relative error, the largest over weights", of=("iteration",),
          words="For EM and ECM gap^2 sweeps is off its predicted limit by at most {0:.1%}."),
    Claim("loss is of fourth order",
          "The excess loss is c^2 gap^4 / 4, so its exponents are four times those of the gap.",
          "expansion of the loss at the singularity", _excess, "below", 0.01,
          "relative error, the largest over parameterizations and weights", of=("flow",),
          words="The excess loss differs from c^2 gap^4 / 4 by at most {0:.2%}."),
    Claim("relative leaves the plateau sooner",
          "At the singularity the relative flow comes to a given gap sooner than the original one.",
          "Esser & Nielsen 2022, valleys are reduced", _slower, "below", 1.0,
          "time of relative for 1 of the original", of=("flow",),
          words="The relative flow takes {0:.3f} times as long as the original one to a given "
          "gap."),
    Claim("gap to n^(-1/4)",
          "Where the truth is one component the error of the gap goes like n^(-1/4).",
          "Chen 1995", _rate_of_error(0.0, -0.25), "within", 0.05, "exponent less -1/4",
          of=("sample",),
          words="From n points the exponent of the gap's error exceeds -1/4 by {0:.3f} [{1:.3f}, "
          "{2:.3f}] where the truth is one component."),
    Claim("size of the gap",
          "Where the truth is one component the root mean square of the gap, times n^(1/4), is "
          "1.502251.",
          "gap^2 = 4 (s^2 - 1)_+ to leading order", _size_of_error, "within", 0.1,
          "relative error at the largest n", of=("sample",),
          words="At the largest n the root mean square of the gap is off its predicted size by "
          "{0:.1%} [{1:.1%}, {2:.1%}]."),
    Claim("separated gap to n^(-1/2)",
          "At separation 2 the error of the gap goes like n^(-1/2).",
          "regular maximum likelihood", _rate_of_error(2.0, -0.5), "within", 0.05,
          "exponent less -1/2", of=("sample",),
          words="At separation 2 the exponent of the gap's error exceeds -1/2 by {0:.3f} [{1:.3f}, "
          "{2:.3f}]."),
    Claim("sweeps like n^(1/2)",
          "At the singularity EM needs of the order of n^(1/2) sweeps to statistical accuracy.",
          "Dwivedi et al. 2018", _rate_of_sweeps, "within", 0.1,
          "exponent of the median less 1/2", of=("sample",),
          words="At the singularity the exponent of EM's sweeps to statistical accuracy exceeds "
          "1/2 by {0:.3f} [{1:.3f}, {2:.3f}]."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

STYLES = {
    **looks(COORDINATES),
    "em": LOOKS["unordered"],
    "em, weight unknown": LOOKS["unordered"],
    "ecm": LOOKS["relative"],
}


def powers_figure(result: StudyResult) -> Figure:
    """Measured local exponents along the paths, predicted ones as crosses.

    Large dots: last times, small ones: earlier. Upper row: weight 1/2, lower: others.
    """
    columns = ("name", "time", "gap")
    tables = (rows_of(result.tables[name], columns) for name in ("flow", "iteration"))
    paths = [path for table in tables for path in _paths(table)]
    figure, ((axes,),) = panels(1, 1, (7.5, 4.2))
    names = [*ALGEBRAIC, *ITERATIONS]
    for name, weight, path in paths:
        if name in names:
            slopes, color = local_slopes(path), STYLES[name].color
            height = -names.index(name) + (0.15 if weight == 0.5 else -0.15)
            axes.plot(slopes, np.full(len(slopes), height), "o", ms=3, color=color, alpha=0.35)
            axes.plot(slopes[-1:], [height], "o", ms=6, color=color)
            if name != "em, weight unknown":
                axes.plot(predicted_power(name, weight)[0], height, "kx", ms=9, mew=1.5)
    if not paths:
        nothing(axes)
    axes.set_yticks([-at for at in range(len(names))], [short(name) for name in names])
    axes.set(xlabel="exponent p of gap ~ time^(-p)")
    return figure


def decay_figure(result: StudyResult) -> Figure:
    """Gap against time for the coordinates in which it decays like a power, weight 1/2."""
    rows = rows_of(result.tables["flow"], ("name", "time", "gap"), weight=0.5)
    figure, ((axes,),) = panels(1, 1, (6.0, 4.2))
    lines(axes, rows[rows["name"].isin(ALGEBRAIC)], "time", "gap", "name")
    if len(rows):
        axes.set(xscale="log", yscale="log", xlabel="time of the flow", ylabel="gap / sigma")
    return legend(figure, axes)


def samples_figure(result: StudyResult) -> Figure:
    """Error of the gap and sweeps to statistical accuracy against n, with intervals."""
    rows = result.tables["sample"]
    figure, ((left, right),) = panels(1, 2, (8.5, 4.2))
    if rows.empty:
        nothing(left)
        nothing(right)
        return figure
    kinds = rows.groupby(["separation", "known", "weight"])
    for at, ((separation, known, weight), part) in enumerate(kinds):
        words = f"separation {separation:g}, weight {weight:g} {'known' if known else 'unknown'}"
        line: dict[str, Any] = {"ls": "-" if known else "--", "color": SHADES[at], "ms": 4}
        em = rows_of(part, name="em")
        size = root_mean_square(em)
        spread = (em["miss"] ** 2).groupby(em["n"]).sem() / (2 * size)
        left.errorbar(size.index, size, 1.96 * spread, marker="o", label=words, **line)
        for name, marker in (("em", "o"), ("ecm", "s")):
            found = rows_of(part, name=name)
            middle = found["sweeps"].groupby(found["n"]).median().clip(lower=1)
            if len(found):
                label = f"{name.upper()}, {words}"
                right.plot(middle.index, middle, label=label, marker=marker, **line)
    left.set(xlabel="n", ylabel="RMS error of the gap / sigma", xscale="log", yscale="log")
    right.set(xlabel="n", ylabel="sweeps to accuracy, median", xscale="log", yscale="log")
    for axes in (left, right):
        plain_ticks(axes.xaxis, sorted(set(rows["n"])))
    return legend(figure, right, 2)


def _samples(sizes: tuple[int, ...], replicates: int, others: int) -> list[dict]:
    """Data sets with equal known weights, and fewer with an unknown weight or an unequal one."""
    common = {"weight": (0.5,), "known": (True,), "n": sizes, "replicate": range(replicates)}
    few = {**common, "separation": (0.0,), "replicate": range(others)}
    return [common, {**few, "known": (False,)}, {**few, "weight": (0.3,)}]


WEIGHTS = {"smoke": {"weight": (0.5,)}, "laptop": {"weight": (0.5, 0.3)}, "cluster": {}}
study = Study(
    name="singular_rates",
    question="How slowly does learning end where components coincide?",
    source="Esser & Nielsen 2022; Dwivedi et al. 2018; Chen 1995",
    experiments={
        "flow": Experiment(cell=flow_cell, factors={"weight": (0.5, 0.3, 0.1)}, sizes=WEIGHTS),
        "iteration": Experiment(
            cell=iteration_cell, factors={"weight": (0.5, 0.3, 0.1)}, sizes=WEIGHTS
        ),
        "sample": Experiment(
            cell=sample_cell,
            factors={
                "separation": (0.0, 2.0),
                "weight": (0.5, 0.3),
                "known": (True, False),
                "n": (100, 400, 1600, 6400, 25600),
                "replicate": range(1000),
            },
            sizes={
                "smoke": _samples((100, 400), 6, 6),
                "laptop": _samples((100, 400, 1600, 6400), 200, 60),
                "cluster": _samples((100, 400, 1600, 6400, 25600), 1000, 200),
            },
        ),
    },
    claims=CLAIMS,
    figures={"powers": powers_figure, "decay": decay_figure, "samples": samples_figure},
    answer=("exponents of gradient flow", "exponents of EM and ECM"),
    chief=("exponents of EM and ECM", "relative leaves the plateau sooner", "gap to n^(-1/4)"),
)
