"""How singular is the Fisher information where components coincide, and what does a clearance buy?

In coordinates with the Jacobian J the information is ``J^T I J``: the length ds^2 of a displacement
is the same in all of them, but the smallest eigenvalue and the condition number, which bound the
speed of gradient ascent, are not. With c = w1 w2 the score of the gap at fixed mixture mean has the
variance ``2 c^2 gap^2``, so the information vanishes with the gap unless the coordinate stretches
it like 1 / gap, as the squared gap does. What cannot be told apart by a cumulant of the data costs
more powers: with the scale unknown the gap shows in the fourth cumulant for equal weights (four
powers more) and in the third otherwise (two more), and with the weight unknown ``gap^6 / 24`` is
left for every weight. The natural gradient (Amari 1998) divides by the information, in any
coordinates. A clearance (Esser & Nielsen 2022) keeps the gap above xi: against a truth that is one
component the best fit then loses ``c^2 xi^4 / 4``, and its condition number is that at a gap of xi.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import population
from ordered_mix.estimators.ecm import ECM
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.natural import NaturalGradient
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import MARKERS, SHADES, heat, legend, lines, looks, nothing, panels
from ordered_mix.study.effects import exact, rows_of
from ordered_mix.study.sentences import Words, by_outcome, paragraph
from ordered_mix.theory.coordinates import UNKNOWN, jacobian, predicted_exponents
from ordered_mix.theory.fisher import length_elements, spectrum
from ordered_mix.theory.mean_coordinates import COORDINATES
from ordered_mix.theory.singularity import loglog_slope

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

PAPER = "Esser & Nielsen 2022, section 3"
DERIVED = "expansion of the score in the gap"
GAPS = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
CLEARANCES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
STEPS = (0.04, 0.08)
MODELS: dict[str, dict[str, Any]] = {
    "unordered": {},
    "relative": {"link": "identity"},
    "centred": {},
    "signed": {},
    "resolved": {},
}
ASCENDED = tuple(name for name in MODELS if name != "centred")  # with equal weights it is signed
BRIEF = Stop(log_likelihood=1e-7, passes=300)
TIGHT = Stop(log_likelihood=1e-12, passes=300)
LONG = Stop(log_likelihood=1e-10, passes=2000)
FINE, COARSE = "natural, step 0.05", "natural, step 0.1"
ALGORITHMS: dict[str, GradientAscent | NaturalGradient] = {
    "gradient": GradientAscent("largest_stable", stop=LONG, snapshots=LONG.passes),
    "natural": NaturalGradient(stop=TIGHT, snapshots=TIGHT.passes),
    FINE: NaturalGradient(0.05, stop=BRIEF, snapshots=BRIEF.passes),
    COARSE: NaturalGradient(0.1, stop=BRIEF, snapshots=BRIEF.passes),
}
START_GAPS = (0.2, 2.0, 4.0)
LEVEL = 1e-5
EXACT = Stop(log_likelihood=0.0, parameters=1e-11, passes=20_000)


def cell(
    seed: int,
    measure: str,
    separation: float,
    weight: float,
    unknown: str,
    clearance: float,
    step: float,
) -> list[dict]:
    """One measure at one truth on the population; only the directions of ds^2 are random."""
    ends = separation * np.array([weight - 1, weight])
    truth = Mixture(np.array([weight, 1 - weight]), ends, np.ones(2))
    if measure == "spectrum":
        return _spectra(truth, unknown)
    if measure == "length":
        return _lengths(truth, unknown, seed)
    if measure == "natural":
        return _ascents(truth, unknown, step)
    return _clearance(truth, unknown, clearance, step)


def _jacobians(at: Mixture, unknown: str) -> dict[str, Array]:
    """Jacobians in all coordinates, those of the moments and the sphere where all is unknown."""
    found = {coordinates: jacobian(coordinates, at, unknown) for coordinates in COORDINATES}
    if unknown == "all":
        moment = catalog.parameterization("moment", 2)
        found["moment"] = moment.jacobian_free(moment.free(moment.unconstrain(at)))
    return found


def _spectra(truth: Mixture, unknown: str) -> list[dict]:
    """Smallest and largest eigenvalue of the information in every parameterization."""
    rows = []
    for coordinates, columns in _jacobians(truth, unknown).items():
        values = spectrum(truth, columns)
        rows.append({"coordinates": coordinates, "least": values[0], "largest": values[-1]})
    return rows


def _lengths(truth: Mixture, unknown: str, seed: int) -> list[dict]:
    """How much ds^2 of random displacements differs between coordinates, relative to its mean."""
    jacobians, rng = _jacobians(truth, unknown), np.random.default_rng(seed)
    rows = []
    for _ in range(5):
        columns = jacobians["signed"]
        tangent = columns @ rng.normal(size=columns.shape[1])
        lengths = np.array(list(length_elements(truth, jacobians, tangent).values()))
        rows.append({"coordinates": "all", "spread": float(np.ptp(lengths) / lengths.mean())})
    return rows


def _ascents(truth: Mixture, unknown: str, step: float) -> list[dict]:
    """Passes to an excess loss of 1e-5 from three starts off the centre; NaN if never."""
    data, rows = population(truth, step), []
    best = float(np.asarray(data.weight) @ truth.log_density(data.y))
    known = Prior(known_w=tuple(truth.w.tolist()), known_sigma=1.0)
    prior = Prior() if unknown == "all" else known
    gaps = np.array(START_GAPS)
    starts = Mixture(truth.w, 0.3 + gaps[:, None] * np.array([-0.5, 0.5]), truth.sigma)
    for coordinates in ASCENDED:
        model = catalog.parameterization(coordinates, 2, prior, **MODELS[coordinates])
        for name, algorithm in ALGORITHMS.items():
            if name in (FINE, COARSE) and (step != STEPS[0] or unknown == "all"):
                continue
            fit = algorithm.fit(model, data, starts)
            excess = best - fit.trace.log_likelihood
            for at, gap in enumerate(START_GAPS):
                passes = passes_to(fit.trace.passes[:, at], excess[:, at])
                row = {
                    "coordinates": coordinates,
                    "algorithm": name,
                    "start": gap,
                    "passes": passes,
                }
                rows.append({**row, "ended": str(fit.status[at])})
    return rows


def passes_to(passes: NDArray[np.int64], excess: Array) -> float:
    """Passes at which the excess loss falls to the level, log-linear between snapshots."""
    below = np.flatnonzero(excess <= LEVEL)
    if not below.size:
        return np.nan
    at = int(below[0])
    if at == 0:
        return float(passes[0])
    above, under = np.log(np.maximum(excess[at - 1 : at + 1], 1e-16) / LEVEL)
    return float(passes[at - 1] + (passes[at] - passes[at - 1]) * above / (above - under))


def _clearance(truth: Mixture, unknown: str, clearance: float, step: float) -> list[dict]:
    """The best fit with a gap of at least the clearance, its loss and its conditioning."""
    data = population(truth, step)
    frozen = ("w",) if unknown == "scale" else ("w", "sigma")
    search = ECM(frozen=frozen, scales="tied", stop=EXACT)
    separated = catalog.parameterization("relative", 2, link="identity", clearance=clearance)
    width = clearance + float(np.diff(truth.mu)[0])
    start = Mixture(truth.w, 0.2 + width * np.array([-truth.w[1], truth.w[0]]), truth.sigma)
    fit = search.fit(separated, data, start)
    if not fit.converged.all():
        raise RuntimeError(f"the best fit was not found: {fit.advice}")
    loss = np.asarray(data.weight) @ (truth.log_density(data.y) - fit.mixture.log_density(data.y))
    row = {
        "loss": float(loss),
        "gap": float(np.diff(fit.mixture.mu)[0]),
        "mean": float(fit.mixture.mean()),
        "sigma": float(fit.mixture.sigma[0]),
    }
    rows = []
    for coordinates in MODELS:
        values = spectrum(fit.mixture, jacobian(coordinates, fit.mixture, unknown))
        rows.append({**row, "coordinates": coordinates, "least": values[0], "largest": values[-1]})
    return rows


# --- effects --------------------------------------------------------------------------------------

COLUMNS = (
    "coordinates",
    "least",
    "largest",
    "algorithm",
    "start",
    "passes",
    "loss",
    "gap",
    "spread",
)
_rows = partial(rows_of, columns=COLUMNS)


def exponents(
    table: pd.DataFrame, unknown: str, weight: float = 0.5, column: str = "least"
) -> dict[str, tuple[float, float]]:
    """Exponent of the gap in all coordinates, extrapolated, and its distance to the last slope."""
    rows = _rows(table, measure="spectrum", unknown=unknown, weight=weight).sort_values(
        "separation"
    )
    rows = rows.assign(condition=rows["largest"] / rows["least"])
    found = {}
    for coordinates, part in rows.groupby("coordinates", sort=False):
        near = part.head(4)
        order = 1.0 if str(coordinates).endswith(("link=softplus)", "link=square)")) else 2.0
        slope = loglog_slope(near["separation"], near[column], order)
        found[str(coordinates)] = (slope.exponent, slope.error)
    if not found:
        raise ValueError(f"table must hold spectra with {unknown} unknown at weight {weight:g}")
    return found


def _expected(coordinates: str, unknown: str, weight: float) -> float:
    """Exponent of the smallest eigenvalue."""
    known = predicted_exponents(coordinates, weight)[0]
    return {"none": known, "scale": known + (4 if weight == 0.5 else 2), "weight": 6.0}[unknown]


def _missed(unknown: str) -> Callable[[pd.DataFrame], Effect]:
    """Largest error of the exponents over coordinates and weights; reach: extrapolation."""

    def effect(table: pd.DataFrame) -> Effect:
        rows, misses = _rows(table, measure="spectrum", unknown=unknown), []
        counts = rows.groupby("weight")["separation"].nunique()
        for weight in counts[counts > 3].index:
            found = exponents(table, unknown, weight)
            for coordinates in COORDINATES:
                miss = abs(found[coordinates][0] - _expected(coordinates, unknown, weight))
                misses.append((miss, miss + found[coordinates][1]))
        return exact(*np.max(misses, axis=0).tolist())

    return effect


def _condition_ratio(table: pd.DataFrame) -> Effect:
    """Condition number of relative for 1 of the original at the two smallest gaps."""
    rows = _rows(table, measure="spectrum", unknown="none", weight=0.5)
    rows = rows.assign(condition=rows["largest"] / rows["least"])
    wide = rows.pivot(index="separation", columns="coordinates", values="condition")
    ratio = (wide["relative"] / wide["unordered"]).sort_index().to_numpy()
    return exact(float(ratio[0]), float(ratio[1]))


def _resolved(unknown: tuple[str, ...]) -> Callable[[pd.DataFrame], Effect]:
    """Largest exponent of the smallest eigenvalue in the squared gap."""

    def effect(table: pd.DataFrame) -> Effect:
        found = max(exponents(table, name)["resolved"] for name in unknown)
        return exact(found[0], found[0] - found[1])

    return effect


def _spread(table: pd.DataFrame) -> Effect:
    """Largest relative difference of ds^2; all of it is rounding if they agree."""
    return exact(float(_rows(table, measure="length")["spread"].max()), 0.0)


def passes(table: pd.DataFrame, step: float = STEPS[0], unknown: str = "none") -> pd.DataFrame:
    """Passes by algorithm of every truth, start and coordinates; infinite if it never arrives."""
    rows = _rows(table, measure="natural", step=step, unknown=unknown)
    index = ["separation", "start", "coordinates"]
    return rows.pivot(index=index, columns="algorithm", values="passes").fillna(np.inf)


def _natural_gain(separation: float, coordinates: str) -> Callable[[pd.DataFrame], Effect]:
    """Passes of the natural gradient for 1 of the gradient, geometric mean over starts."""

    def ratio(table: pd.DataFrame, step: float) -> float:
        rows = passes(table, step).xs(
            (separation, coordinates), level=("separation", "coordinates")
        )
        return float(np.exp(np.log(rows["natural"] / rows["gradient"]).mean()))

    return lambda table: exact(*(ratio(table, step) for step in STEPS))


def _natural_lost(table: pd.DataFrame) -> Effect:
    """Number of truths, starts and parameterizations from which the line search never arrives."""
    return exact(*(float(np.isinf(passes(table, step)["natural"]).sum()) for step in STEPS))


def filtration(table: pd.DataFrame, step: float = STEPS[0], **where: Any) -> pd.DataFrame:
    """Best fits by clearance, one row for each parameterization."""
    chosen = {"separation": 0.0, "weight": 0.5, "unknown": "none", **where}
    rows = _rows(table, measure="clearance", step=step, **chosen)
    return rows.assign(condition=rows["largest"] / rows["least"]).sort_values("clearance")


def _exponent_of(column: str, predicted: float, **where: Any) -> Callable[[pd.DataFrame], Effect]:
    """Exponent of the clearance in a column, less the predicted one."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = filtration(table, **where)
        rows = rows[rows["coordinates"] == "relative"].head(3)
        slope = loglog_slope(rows["clearance"], rows[column])
        return exact(slope.exponent - predicted, float(slope.local[-1]) - predicted)

    return effect


def _price(table: pd.DataFrame) -> Effect:
    """Loss at the smallest clearance relative to c^2 xi^4 / 4, less 1."""

    def ratio(step: float) -> float:
        row = filtration(table, step).iloc[0]
        return float(row["loss"] / (row["clearance"] ** 4 / 64) - 1)

    return exact(*map(ratio, STEPS))


def _free_above(table: pd.DataFrame) -> Effect:
    """Largest loss where the truth's own gap exceeds the clearance."""

    def largest(step: float) -> float:
        rows = _rows(table, measure="clearance", step=step)
        return float(rows.loc[rows["separation"] > rows["clearance"], "loss"].abs().max())

    return exact(*map(largest, STEPS))


def _emptied(table: pd.DataFrame) -> Effect:
    """Smallest eigenvalue at a gap of 1 and weight 0.01 for 1 at weight 0.5, weight unknown.

    The largest over parameterizations, on one grid: these integrands are smooth, and halving the
    step changes nothing that is shown.
    """
    rows = _rows(table, measure="spectrum", unknown="weight", separation=1.0)
    found = rows.pivot(index="coordinates", columns="weight", values="least")
    ratio = found[0.01] / found[0.5]
    return exact(float(ratio.max()), float(ratio.max()))


LOSS = "error of the exponent, the largest over parameterizations and weights"
CLAIMS = (
    Claim(
        "exponents of the information",
        "The smallest eigenvalue vanishes like the predicted power of the gap in all coordinates.",
        DERIVED,
        _missed("none"),
        "below",
        0.05,
        LOSS,
    ),
    Claim(
        "exponents with the scale unknown",
        "With a common unknown scale the powers are 4 more for equal weights, 2 for others.",
        DERIVED,
        _missed("scale"),
        "below",
        0.05,
        LOSS,
    ),
    Claim(
        "exponents with the weight unknown",
        "With the weight unknown the power is 6 in every parameterization.",
        DERIVED,
        _missed("weight"),
        "below",
        0.05,
        LOSS,
    ),
    Claim(
        "relative is better conditioned",
        "Near the singularity the information is better conditioned in relative coordinates.",
        "Esser & Nielsen 2022, valleys are reduced",
        _condition_ratio,
        "below",
        1.0,
        "condition number of relative for 1 of the original",
    ),
    Claim(
        "squared gap is regular",
        "With weights and scales known the information in the squared gap does not vanish.",
        DERIVED,
        _resolved(("none",)),
        "within",
        0.05,
        "exponent of the smallest eigenvalue",
    ),
    Claim(
        "squared gap stays regular",
        "With the scale, the weight or everything unknown the information in the squared gap does "
        "not vanish, either.",
        "a question of this project",
        _resolved(UNKNOWN[1:]),
        "within",
        0.05,
        "largest exponent of the smallest eigenvalue",
    ),
    Claim(
        "ds^2 is invariant",
        "The length of a displacement is the same in all coordinates.",
        "Amari 1998",
        _spread,
        "below",
        1e-6,
        "largest relative difference",
    ),
    Claim(
        "natural gradient leaves the plateau",
        "At the singularity the natural gradient needs fewer passes than the gradient, in original "
        "coordinates.",
        "Amari, Park & Ozeki 2006",
        _natural_gain(0.0, "unordered"),
        "below",
        1.0,
        "passes for 1 of the gradient at its largest stable step",
    ),
    Claim(
        "natural gradient pays far out",
        "At separation 2 the natural gradient needs fewer passes than the gradient, in original "
        "coordinates.",
        "Amari 1998",
        _natural_gain(2.0, "unordered"),
        "below",
        1.0,
        "passes for 1 of the gradient at its largest stable step",
    ),
    Claim(
        "natural gradient always arrives",
        "With a line search the natural gradient comes to the truth from every start in all "
        "coordinates.",
        "a question of this project",
        _natural_lost,
        "below",
        0.5,
        "truths, starts and coordinates without arrival",
    ),
    Claim(
        "price of a clearance",
        "The loss of the best fit to one component is c^2 xi^4 / 4 for a small clearance xi.",
        DERIVED,
        _price,
        "within",
        0.01,
        "relative error at the smallest clearance",
    ),
    Claim(
        "price is of eighth order",
        "With the scale unknown the loss of the best fit to one component goes like xi^8 for a "
        "small clearance xi.",
        DERIVED,
        _exponent_of("loss", 8.0, unknown="scale"),
        "within",
        0.05,
        "exponent less 8",
    ),
    Claim(
        "conditioning bought",
        "The condition number of relative coordinates at the best fit to one component goes like "
        "xi^-2 for a small clearance xi.",
        PAPER,
        _exponent_of("condition", -2.0),
        "within",
        0.05,
        "exponent plus 2",
    ),
    Claim(
        "no price above the clearance",
        "Where the truth's gap exceeds the clearance the best fit is the truth.",
        PAPER,
        _free_above,
        "below",
        1e-10,
        "loss",
    ),
    Claim(
        "a clearance of the gap is enough",
        "With the weight unknown a clearance of the gap is enough: at a gap of 1 the smallest "
        "eigenvalue of the information at weight 0.01 is at least half of that at equal weights in "
        "some parameterization.",
        "a question of this project",
        _emptied,
        "above",
        0.5,
        "smallest eigenvalue at weight 0.01 for 1 at 0.5, largest over parameterizations",
    ),
)


# --- figures and findings -------------------------------------------------------------------------
SHOWN = {
    "none": "weights and scales known",
    "scale": "common scale unknown",
    "weight": "weight unknown",
    "all": "weights and scales unknown",
}


def spectrum_figure(result: StudyResult) -> Figure:
    """Smallest eigenvalue and condition number of the information against the gap, weight 1/2."""
    figure, axes = panels(2, len(UNKNOWN), (11.0, 6.0), sharex=True, sharey="row")
    for at, unknown in enumerate(UNKNOWN):
        rows = _rows(result.table, measure="spectrum", unknown=unknown, weight=0.5)
        rows = rows.assign(condition=rows["largest"] / rows["least"])
        for panel, value in zip(axes[:, at], ("least", "condition"), strict=True):
            lines(panel, rows, "separation", value, "coordinates")
            if len(rows):
                panel.set(xscale="log", yscale="log")
        axes[0, at].set_title(SHOWN[unknown], fontsize=9)
        axes[1, at].set_xlabel("gap / sigma")
    axes[0, 0].set_ylabel("smallest eigenvalue")
    axes[1, 0].set_ylabel("condition number")
    return legend(figure, axes, 6)


def exponents_figure(result: StudyResult) -> Figure:
    """Exponents of the gap in the smallest eigenvalue by coordinates and what is unknown."""
    figure, axes = panels(1, 2, (9.5, 3.8))
    for at, weight in enumerate((0.5, 0.3)):
        found = {}
        for unknown in UNKNOWN:
            try:
                powers = exponents(result.table, unknown, weight)
            except ValueError:
                continue
            found[unknown] = {coordinates: power for coordinates, (power, _) in powers.items()}
        grid = pd.DataFrame(found).reindex(index=[*COORDINATES, "moment"], columns=list(UNKNOWN))
        heat(axes[0, at], grid, lambda power: f"{abs(power):.2f}", limits=(0, 10))
        axes[0, at].set_title(f"first weight {weight:g}, unknown beside the means:", fontsize=9)
    return figure


def natural_figure(result: StudyResult) -> Figure:
    """Passes to an excess loss of 1e-5 by algorithm and coordinates, one dot for each start."""
    kinds = _rows(result.table, measure="natural", step=STEPS[0])[["unknown", "separation"]]
    places = sorted(
        set(map(tuple, kinds.to_numpy())), key=lambda kind: (kind[0] != "none", kind[1])
    )
    figure, axes = panels(1, len(places), (max(4.0, 1.7 * len(places) + 1), 3.8), sharey=True)
    look = looks(ALGORITHMS)
    for at, (unknown, place) in enumerate(places):
        panel = axes[0, at]
        rows = passes(result.table, unknown=unknown).xs(place, level="separation")
        for name in rows:
            for line, coordinates in enumerate(ASCENDED):
                found = rows[name].xs(coordinates, level="coordinates").to_numpy()
                missing = np.isinf(found)
                style = {"color": look[name].color, "marker": look[name].marker, "ls": "none"}
                y = np.full(len(found), line + 0.17 * (list(ALGORITHMS).index(name) - 1.5))
                panel.plot(found[~missing], y[~missing], ms=5, alpha=0.8, label=name, **style)
                panel.plot(np.full(missing.sum(), 4e3), y[missing], ms=5, mfc="none", **style)
        panel.axvline(2e3, color="0.5", lw=0.8, ls="--")
        panel.set(xscale="log", xlim=(1, 1e4), xlabel="passes")
        title = f"separation {place:g}" + ("\nall unknown" if unknown == "all" else "")
        panel.set_title(title, fontsize=9)
        panel.set_yticks(range(len(ASCENDED)), ASCENDED)
        panel.set_ylim(len(ASCENDED) - 0.5, -0.5)
    if not places:
        nothing(axes[0, 0])
    return legend(figure, axes)


def clearance_figure(result: StudyResult) -> Figure:
    """The filtration: loss, gap and condition number of the best fit against the clearance."""
    figure, axes = panels(1, 3, (10.5, 3.8))
    rows = _rows(result.table, measure="clearance", step=STEPS[0])
    kinds = rows[rows["coordinates"] == "relative"].groupby(["separation", "weight", "unknown"])
    for at, ((separation, weight, unknown), part) in enumerate(kinds):
        part = part.sort_values("clearance")
        words = f"truth's gap {separation:g}, weight {weight:g}"
        words += ", scale unknown" if unknown == "scale" else ""
        style = {"marker": MARKERS[at % len(MARKERS)], "color": SHADES[at % len(SHADES)], "ms": 4}
        cost = part["loss"].where(part["loss"] > 1e-13)
        axes[0, 0].plot(part["clearance"], cost, label=words, **style)
        bias = part["gap"] - part["separation"]
        axes[0, 1].plot(part["clearance"], bias, label=words, **style)
        condition = part["largest"] / part["least"]
        axes[0, 2].plot(part["clearance"], condition, label=words, **style)
    if rows.empty:
        for panel in axes[0]:
            nothing(panel)
        return figure
    axes[0, 0].set(xscale="log", yscale="log", ylabel="loss of the best fit / nats")
    axes[0, 1].set(xscale="log", ylabel="bias of the gap / sigma")
    axes[0, 2].set(xscale="log", yscale="log", ylabel="condition number, relative")
    for panel in axes[0]:
        panel.set_xlabel("clearance / sigma")
    return legend(figure, axes, 3)


SENTENCES: dict[str, Words] = {
    "exponents of the information": "The exponents of the smallest eigenvalue in the gap miss the "
    "predicted ones by at most {0:.3f} with weights and scales known.",
    "relative is better conditioned": "Near the singularity relative coordinates have {0:.2f} "
    "times the condition number of the original ones.",
    "squared gap is regular": "In the mixture mean and the squared gap the exponent is {0:.3f}.",
    "squared gap stays regular": "With scale, weight or both unknown it is up to {0:.2f}, so that "
    "what the squared gap gains depends on what is known.",
    "ds^2 is invariant": "The length of a displacement differs by at most {0:.1e} between "
    "coordinates.",
    "natural gradient leaves the plateau": "At the singularity the natural gradient takes {0:.3f} "
    "times the passes of the gradient.",
    "natural gradient pays far out": "At separation 2 it takes {0:.2f} times.",
    "natural gradient always arrives": (
        "It arrives from every start in all coordinates.",
        "Its line search never arrives in {0:.0f} of the runs.",
        "Whether its line search always arrives is open: it does not in {0:.0f} of the runs.",
    ),
    "a clearance of the gap is enough": (
        "With the weight unknown a clearance of the gap is enough to keep the information regular.",
        "With the weight unknown a clearance of the gap is not enough: at a gap of 1 and weight "
        "0.01 the smallest eigenvalue is at most {0:.1e} of that at equal weights.",
        "Whether a clearance of the gap is enough with the weight unknown is open.",
    ),
}


def _filtered(result: StudyResult) -> Iterator[str]:
    """What the best fit costs and gains at the smallest and the largest clearance."""
    rows = filtration(result.table)
    rows = rows[rows["coordinates"] == "relative"]
    if len(rows) > 1:
        first, last = rows.iloc[0], rows.iloc[-1]
        yield (
            f"Against one component a clearance of {first['clearance']:g} costs "
            f"{first['loss']:.3g} nats and leaves a condition number of {first['condition']:.0f}, "
            f"one of {last['clearance']:g} costs {last['loss']:.3g} nats and leaves "
            f"{last['condition']:.1f}."
        )


def _everything_unknown(result: StudyResult) -> Iterator[str]:
    """From how many starts the ascents arrive with weights and scales unknown, too."""
    reached = np.isfinite(passes(result.table, unknown="all"))
    if len(reached):
        yield (
            f"With weights and scales unknown, too, the natural gradient arrives in "
            f"{reached['natural'].mean():.0%} of the runs, the gradient in "
            f"{reached['gradient'].mean():.0%}."
        )


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(
        result, lambda one: by_outcome(one.verdicts, SENTENCES), _everything_unknown, _filtered
    )


def _blocks(weights: tuple[float, ...], truths: tuple[float, ...], steps: int) -> list[dict]:
    """Grids of all measures."""
    base = {"clearance": (0.0,), "step": STEPS[:1], "unknown": ("none",), "weight": (0.5,)}
    free = {"measure": ("clearance",), "step": STEPS, "clearance": CLEARANCES[:steps]}
    return [
        {
            **base, "measure": ("spectrum",), "separation": GAPS, "weight": weights,
            "unknown": UNKNOWN,
        },
        {
            **base, "measure": ("spectrum",), "separation": (1.0,), "unknown": ("weight",),
            "weight": (0.01,),
        },
        {
            **base, "measure": ("length",), "separation": GAPS[2:], "weight": weights,
            "unknown": ("none", "all"),
        },
        {**base, "measure": ("natural",), "separation": truths, "step": STEPS},
        *(
            {**base, "measure": ("natural",), "separation": (place,), "unknown": ("all",)}
            for place in truths[3:]
        ),
        {**base, **free, "separation": (0.0, 0.5, 1.0), "weight": weights},
        {**base, **free, "separation": (0.0,), "unknown": ("scale",)},
    ]  # fmt: skip


OPENING = Opening(
    answer={
        "relative is better conditioned": (
            "Relative coordinates condition the information better near the singularity.",
            "Where components coincide the information is singular, and relative coordinates "
            "condition it worse: {0:.2f} times the condition number.",
            "How relative coordinates condition the information is undecided.",
        ),
        "squared gap is regular": (
            "The squared gap removes the singularity, as long as weights and scales are known.",
            "The squared gap does not remove the singularity.",
            "Whether the squared gap removes the singularity is undecided.",
        ),
    },
    chief=(
        "relative is better conditioned",
        "squared gap stays regular",
        "natural gradient leaves the plateau",
    ),
)


study = Study(
    name="fisher",
    question="How singular is the information where components coincide, and what removes that?",
    source="Esser & Nielsen 2022, section 3; Amari, Park & Ozeki 2006",
    factors={
        "measure": ("spectrum", "length", "natural", "clearance"),
        "separation": (0.0, *GAPS),
        "weight": (0.5, 0.3, 0.1, 0.01),
        "unknown": UNKNOWN,
        "clearance": (0.0, *CLEARANCES),
        "step": STEPS,
    },
    sizes={
        "smoke": _blocks((0.5,), (0.0, 2.0), 6),
        "laptop": _blocks((0.5, 0.3), (0.0, 0.5, 1.0, 2.0, 4.0), 8),
        "cluster": _blocks((0.5, 0.3, 0.1), (0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0), 8),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "spectrum": spectrum_figure,
        "exponents": exponents_figure,
        "natural": natural_figure,
        "clearance": clearance_figure,
    },
    findings=findings,
)
