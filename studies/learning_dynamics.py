"""Is learning faster in relative coordinates, also at a fair step?

Esser & Nielsen 2022 (Figure 1, after Park & Ozeki 2009) draw the average learning dynamics of a
two-component mixture in the (mu1, mu2) plane for the truths (0, 0) and (20, 20), weight 1/2:
gradients are larger in the coordinates (mu1, gap), and the valley along the overlap singularity is
reduced. Gradient ascent in coordinates with the Jacobian J moves the means along ``J J^T
gradient``, here by quadrature, in the means themselves (the paper's original), (mu1, gap),
(midpoint, gap), (mixture mean, gap) and (mixture mean, squared gap). A flow can be made as fast as
one likes by rescaling its coordinates, and an algorithm's step is bounded by the largest curvature,
so the fair speed divides the flow by the largest curvature at the singular point.

``field`` has the gradient on squares of means, ``valley`` the curvatures on the slow line on which
the mixture mean is right, ``descent`` the times from starts with a positive gap to excess losses,
and ``projection`` where ascent in (mu1, gap >= clearance) ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.data import Data, population
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import legend, looks, panels
from ordered_mix.study.effects import exact, rows_of, share_of_grid
from ordered_mix.study.streams import Flow, every_other, square, streams
from ordered_mix.theory.dynamics import curvature, mean_slope, times_to, velocity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

Rows = list[dict[str, Any]]

PAPER = "Esser & Nielsen 2022, Figure 1"
FAIR = f"{PAPER}, with the largest curvature at the singular point"
LABELS = {
    "unordered": "original (mu1, mu2)",
    "relative": "relative (mu1, gap)",
    "centred": "centred (midpoint, gap)",
    "signed": "signed (mixture mean, gap)",
    "resolved": "resolved (mixture mean, squared gap)",
}
COORDINATES = tuple(LABELS)


class Plane(NamedTuple):
    """A truth and half the width of the square of means around it."""

    truth: Mixture
    span: float

    def data(self, step: float = 0.02) -> Data:
        """The population of the truth on a grid of this step."""
        return population(self.truth, step)


def _plane(means: tuple[float, float], span: float, weight: float = 0.5, sigma: float = 1) -> Plane:
    w, sigmas = np.array([weight, 1 - weight]), np.array([1.0, sigma])
    return Plane(Mixture(w, np.array(means), sigmas), span)


APART = (-1.0, 1.0)
PLANES = {
    "truth at 0": _plane((0.0, 0.0), 2.0),
    "truth at 20": _plane((20.0, 20.0), 10.0),
    "apart": _plane(APART, 3.0),
    "apart, first weight 0.3": _plane(APART, 3.0, weight=0.3),
    "apart, sigma2 = 2": _plane(APART, 3.0, sigma=2.0),
}
NEAR_PLANE, WIDE_PLANE, *OTHERS = PLANES
PAPER_PLANES = (NEAR_PLANE, WIDE_PLANE)
STEPS = (0.02, 0.04)
LEVELS = (1e-2, 1e-3, 1e-4)
NEAR, SMALL, FAR = 0.1, 0.01, 4.0
LONGEST = 1e4
RELEASE = TRAPPED = 1e-3


def field(seed: int, plane: str, points: int) -> Rows:
    """Gradient in the means on a square of points around the truth; nothing is random."""
    return slopes(PLANES[plane], points)


def slopes(plane: Plane, points: int, step: float = STEPS[0]) -> Rows:
    """The same with a step of the quadrature."""
    at, data = square(*plane, points), plane.data(step)
    values = np.concatenate([at.mu, mean_slope(at, data.y, data.weight)], axis=1).tolist()
    return [dict(zip(("mu1", "mu2", "slope1", "slope2"), row, strict=True)) for row in values]


def valley(seed: int, points: int, step: float) -> Rows:
    """Curvatures at the singular point and along the slow line on which the mean is right."""
    truth, data = PLANES[NEAR_PLANE].truth, PLANES[NEAR_PLANE].data(step)
    rows = []
    for gap in (0.0, *np.geomspace(NEAR, FAR, points).tolist()):
        for coordinates in COORDINATES:
            # the squared gap has no derivative at 0, its curvature there is a limit
            separated = gap or (SMALL if coordinates == "resolved" else 0.0)
            ends = truth.mean() + separated * np.array([-truth.w[1], truth.w[0]])
            at = Mixture(truth.w, ends, truth.sigma)
            low, high = curvature(coordinates, at, data.y, data.weight).tolist()
            rows.append({"coordinates": coordinates, "gap": gap, "least": low, "largest": high})
    return rows


def descent(seed: int, plane: str, points: int) -> Rows:
    """Time of the flow from starts with a positive gap to given excess losses; NaN if never."""
    truth, data, rows = PLANES[plane].truth, PLANES[plane].data(), []
    for start in _starts(plane, points).mu:
        for coordinates in COORDINATES:
            times = times_to(LEVELS, coordinates, truth, start, data.y, data.weight, LONGEST)
            for level, time in zip(LEVELS, times, strict=True):
                row = {"coordinates": coordinates, "mu1": start[0], "mu2": start[1]}
                rows.append({**row, "level": level, "time": time})
    return rows


def projection(seed: int, clearance: float, points: int) -> Rows:
    """Where ascent in (mu1, gap >= clearance) ends, from starts with a positive gap."""
    truth, data = PLANES["apart"].truth, PLANES["apart"].data()
    prior = Prior(known_w=tuple(truth.w.tolist()), known_sigma=float(truth.sigma[0]))
    best = float(np.asarray(data.weight) @ truth.log_density(data.y))
    ascent = GradientAscent(step=0.5, stop=Stop(log_likelihood=0.0, gradient=1e-7, passes=2000))
    options = {"link": "identity", "clearance": clearance}
    starts = _starts("apart", points)
    fit = ascent.fit(catalog.parameterization("relative", 2, prior, **options), data, starts)
    lost = best - np.atleast_1d(fit.log_likelihood)
    values = np.column_stack([starts.mu, fit.mixture.mu, lost]).tolist()
    names = ("mu1", "mu2", "end1", "end2", "excess")
    return [dict(zip(names, row, strict=True)) for row in values]


def _starts(plane: str, points: int) -> Mixture:
    grid = square(*PLANES[plane], points)
    return grid[grid.mu[:, 1] > grid.mu[:, 0]]


# --- effects --------------------------------------------------------------------------------------


def at_plane(table: pd.DataFrame, plane: str) -> pd.DataFrame:
    """Rows of a plane; ValueError if there are none."""
    found = rows_of(table, plane=plane)
    if found.empty:
        raise ValueError(f"the table holds no plane {plane!r}")
    return found


def _both(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table, every_other(table)


def flows(rows: pd.DataFrame, coordinates: str) -> Array:
    """Velocity of the means at the points of one plane; NaN where coordinates have a pole."""
    truth = PLANES[rows["plane"].iloc[0]].truth
    at = Mixture(truth.w, rows[["mu1", "mu2"]].to_numpy(), truth.sigma)
    with np.errstate(divide="ignore", invalid="ignore"):
        return velocity(coordinates, at, rows[["slope1", "slope2"]].to_numpy())


def lengths(rows: pd.DataFrame, coordinates: str) -> Array:
    """Speed of the means at the points of one plane in a parameterization."""
    return np.linalg.norm(flows(rows, coordinates), axis=1)


def longer(fields: pd.DataFrame) -> Effect:
    """Mean speed of relative for 1 of the original, the smaller of the paper's two truths.

    Its interval is what half the resolution moves.
    """

    def ratio(rows: pd.DataFrame) -> float:
        return float(lengths(rows, "relative").mean() / lengths(rows, "unordered").mean())

    planes = [_both(at_plane(fields, plane)) for plane in PAPER_PLANES]
    fine, coarse = (min(map(ratio, rows)) for rows in zip(*planes, strict=True))
    return exact(fine, coarse)


def share_longer(fields: pd.DataFrame) -> Effect:
    """Share of the points at which relative is faster, the smaller of the two planes."""

    def where(rows: pd.DataFrame) -> NDArray[np.bool_]:
        return np.asarray(lengths(rows, "relative") > lengths(rows, "unordered"))

    shares = [share_of_grid(*map(where, _both(at_plane(fields, one)))) for one in PAPER_PLANES]
    return min(shares, key=lambda effect: effect.estimate)


def slow_line(valleys: pd.DataFrame, step: float, gap: float) -> pd.DataFrame:
    """Curvatures by parameterization at one gap."""
    rows = valleys[(valleys["step"] == step) & np.isclose(valleys["gap"], gap)]
    if rows.empty:
        raise ValueError(f"the table holds no valley at gap {gap} and step {step}")
    return rows.set_index("coordinates")[["least", "largest"]]


def largest(valleys: pd.DataFrame) -> pd.Series:
    """Largest curvature at the singular point, by parameterization."""
    return slow_line(valleys, STEPS[0], 0.0)["largest"]


def longer_fair(fields: pd.DataFrame, valleys: pd.DataFrame) -> Effect:
    """Mean speed over largest curvature, for 1 of the original."""
    raw, curvatures = longer(fields), largest(valleys)
    fair = float(curvatures["unordered"] / curvatures["relative"])
    return Effect(fair * raw.estimate, fair * raw.low, fair * raw.high)


def condition_ratio(coordinates: str) -> Callable[[pd.DataFrame], Effect]:
    """Condition number on the slow line for 1 of the original."""

    def ratio(valleys: pd.DataFrame, step: float) -> float:
        rows = slow_line(valleys, step, NEAR)
        condition = rows["largest"] / rows["least"]
        return float(condition[coordinates] / condition["unordered"])

    return lambda valleys: exact(*(ratio(valleys, step) for step in STEPS))


def times(descents: pd.DataFrame, plane: str) -> pd.DataFrame:
    """Times to the smallest excess loss by start and coordinates, infinite where it is stuck."""
    rows = rows_of(at_plane(descents, plane), level=LEVELS[-1])
    found = rows.pivot(index=["mu1", "mu2"], columns="coordinates", values="time")
    return found.fillna(np.inf).reset_index()


def time_ratio(coordinates: str, fair: bool) -> Callable[..., Effect]:
    """Geometric mean over the starts near the singularity, all of which arrive."""

    def effect(descents: pd.DataFrame, valleys: pd.DataFrame) -> Effect:
        curvatures = largest(valleys)
        scale = curvatures[coordinates] / curvatures["unordered"] if fair else 1.0
        parts = _both(times(descents, NEAR_PLANE))
        logs = (np.log(part[coordinates] / part["unordered"]).mean() for part in parts)
        return exact(*(float(scale * np.exp(one)) for one in logs))

    return effect


def sooner_from_afar(descents: pd.DataFrame) -> Effect:
    """Share of starts of the wide plane from which relative is sooner, of those that arrive."""
    found = times(descents, WIDE_PLANE)
    found = found[np.isfinite(found[["relative", "unordered"]]).any(axis=1)]
    sooner = found["relative"] < found["unordered"]
    return share_of_grid(sooner, sooner[every_other(found).index])


def trapped(clearance: float) -> Callable[[pd.DataFrame], Effect]:
    """Share of starts from which the projection ends at the merged point, not at the truth."""

    def effect(projections: pd.DataFrame) -> Effect:
        rows = rows_of(projections, clearance=clearance)
        return share_of_grid(*(part["excess"] > TRAPPED for part in _both(rows)))

    return effect


TRAPS = "share of the grid's starts that end at the merged point"
FIELD: dict[str, Any] = {"of": ("field",)}
VALLEY: dict[str, Any] = {"of": ("valley",)}
TIMED: dict[str, Any] = {"of": ("descent", "valley")}
CLAIMS = (
    Claim("larger gradients",
          "On both planes of Figure 1 the mean gradient is larger in relative coordinates.",
          PAPER, longer, "above", 1.0,
          "mean speed of relative for 1 of the original, the smaller of the two truths", **FIELD,
          words=("Gradients are larger in relative coordinates, {0:.2f} times on average, because "
                 "the unit is another one.",
                 "Gradients are not larger in relative coordinates, {0:.2f} times those of the "
                 "original ones.",
                 "Whether gradients are larger in relative coordinates is undecided.")),
    Claim("larger everywhere",
          "The gradient is larger in relative coordinates at (nearly) every point of both planes.",
          PAPER, share_longer, "above", 0.95,
          "share of the grid's points, the smaller of the two truths", **FIELD,
          words="They are the larger ones at {0:.1%} of the points or more."),
    Claim("larger at a fair step",
          "With steps in units of what the curvature allows the mean gradient is larger in "
          "relative coordinates.",
          FAIR, longer_fair, "above", 1.0,
          "mean speed over largest curvature, for 1 of the original", of=("field", "valley"),
          words="Divided by the largest curvature, which bounds the step, the mean gradient is "
          "{0:.3f} times that of the original ones."),
    Claim("valleys reduced",
          "On the slow line at gap 0.1 relative coordinates have a smaller condition number than "
          "the original ones.",
          PAPER, condition_ratio("relative"), "below", 1.0,
          "condition number of relative for 1 of the original", **VALLEY,
          words="On the slow line at gap 0.1 the condition number of relative coordinates is "
          "{0:.3f} times that of the original ones."),
    Claim("valley removed by the squared gap",
          "On the slow line at gap 0.1 resolved coordinates have a smaller condition number than "
          "the original ones.",
          "Fisher information of (mixture mean, squared gap), regular at the singularity",
          condition_ratio("resolved"), "below", 1.0,
          "condition number of resolved for 1 of the original", **VALLEY,
          words="That of the mixture mean and the squared gap is {0:.3f} times as large."),
    Claim("sooner at the truth",
          "Near the singularity the relative flow comes to an excess loss of 1e-4 sooner than the "
          "original one.",
          PAPER, time_ratio("relative", fair=False), "below", 1.0,
          "time of relative for 1 of the original, geometric mean over starts", **TIMED,
          words="Near the singularity the relative flow takes {0:.3f} times as long to an excess "
          "loss of 1e-4."),
    Claim("sooner at a fair step",
          "Near the singularity the relative flow comes to an excess loss of 1e-4 in fewer steps "
          "of a fair size than the original one.",
          FAIR, time_ratio("relative", fair=True), "below", 1.0,
          "time times largest curvature, for 1 of the original", **TIMED,
          words=("At a fair step the truth is sooner reached in them, in {0:.2f} times the steps.",
                 "At a fair step they are {0:.2f} times as far from the truth in steps as the "
                 "original ones.",
                 "Which is sooner at a fair step is undecided.")),
    Claim("sooner from afar",
          "From most starts of the wide plane of Figure 1 the relative flow comes to an excess "
          "loss of 1e-4 sooner than the original one.",
          PAPER, sooner_from_afar, "above", 0.5,
          "share of the grid's starts from which one of them arrives", of=("descent",),
          words="On the wide plane it is the sooner one from {0:.0%} of the starts."),
    Claim("squared gap sooner at a fair step",
          "Near the singularity the resolved flow comes to an excess loss of 1e-4 in fewer steps "
          "of a fair size than the original one.",
          "exponential decay of the gap in (mixture mean, squared gap)",
          time_ratio("resolved", fair=True), "below", 1.0,
          "time times largest curvature, for 1 of the original", **TIMED,
          words="At a fair step the resolved flow takes {0:.3f} times as long as the original "
          "one."),
    Claim("projection sets no trap",
          "Ascent in (mu1, gap >= 0) comes to a separated truth from every start with a gap.",
          "Esser & Nielsen 2022, section 2, constrained optimisation with positive gaps",
          trapped(0.0), "below", 0.01, TRAPS, of=("projection",),
          words="Projection on a gap of at least 0 ends at the merged point from {0:.1%} of the "
          "starts."),
    Claim("clearance releases",
          "Ascent in (mu1, gap >= 0.001) comes to a separated truth from every start with a gap.",
          "the merged point is absorbing under projection and repels beyond it",
          trapped(RELEASE), "below", 0.01, TRAPS, of=("projection",),
          words="With a clearance of 0.001 it does so from {0:.1%}."),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------


def fields_figure(result: StudyResult) -> Figure:
    """Figure 1 of the paper: speed and streamlines, original above relative, for both truths."""
    several = ("unordered", "relative")
    return streams([[_flow(result, one, name) for one in PAPER_PLANES] for name in several],
                   by="column")  # fmt: skip


def coordinates_figure(result: StudyResult) -> Figure:
    """Flows for every other truth, weight and scale, in all coordinates."""
    return streams([[_flow(result, one, name) for name in COORDINATES] for one in OTHERS],
                   by="row")  # fmt: skip


def _flow(result: StudyResult, plane: str, coordinates: str) -> Flow | None:
    rows = rows_of(result.tables["field"], plane=plane)
    if rows.empty:
        return None
    kind = "" if plane in PAPER_PLANES else plane.partition(", ")[2]
    title = LABELS[coordinates].partition(" (")[0] + (f"\n{kind}" if kind else "")
    # up to what relative coordinates make of the slopes
    top = 2.6 * float(lengths(rows, "unordered").max())
    at = rows[["mu1", "mu2"]].to_numpy()
    return Flow(title, at, flows(rows, coordinates), PLANES[plane].truth.mu, top)


def valley_figure(result: StudyResult) -> Figure:
    """Condition number on the slow line, and times to an excess loss at a fair step."""
    figure, ((left, right),) = panels(1, 2, (8.5, 3.6))
    valleys, style = result.tables["valley"], looks(COORDINATES)
    if len(valleys):
        rows = valleys[(valleys["step"] == STEPS[0]) & (valleys["gap"] > 0)]
        for coordinates, look in style.items():
            part = rows[rows["coordinates"] == coordinates].sort_values("gap")
            condition = part["largest"] / part["least"].where(part["least"] > 0)
            left.plot(part["gap"], condition, ms=4, label=LABELS[coordinates], **look._asdict())
        left.set(xscale="log", yscale="log")
        _time_ratios(right, result.tables["descent"], largest(valleys), style)
    left.set(xlabel="gap / sigma", ylabel="condition number")
    right.axvline(1, color="0.6", linewidth=0.8)
    right.set_yticks([-at for at in range(len(COORDINATES) - 1)], COORDINATES[1:])
    right.set_xscale("log")
    right.set(xlabel=f"time to an excess loss of {LEVELS[-1]:g}, original = 1")
    right.plot([], [], "|", color="0.4", label="time of the flow, by start")
    right.plot([], [], "o", ms=4, color="0.4", label="the same at a fair step")
    return legend(figure, [left, right], 3)


def _time_ratios(axes: Any, descents: pd.DataFrame, curvatures: pd.Series, style: Any) -> None:
    """Times relative to the original's, of all starts that arrive."""
    if descents.empty:
        return
    rows = rows_of(descents, level=LEVELS[-1])
    found = rows.pivot(index=["plane", "mu1", "mu2"], columns="coordinates", values="time")
    for at, name in enumerate(COORDINATES[1:]):
        ratios = (found[name] / found["unordered"]).dropna().to_numpy()
        fair = curvatures[name] / curvatures["unordered"]
        look: dict[str, Any] = {"color": style[name].color, "alpha": 0.5}
        axes.plot(ratios, np.full(len(ratios), 0.15 - at), "|", ms=7, **look)
        axes.plot(fair * ratios, np.full(len(ratios), -0.15 - at), "o", ms=4, **look)


def _sizes(make: Callable[[int, int, int], Any]) -> dict[str, Any]:
    """Grids for these numbers of starts along an axis, points of other planes, and gaps."""
    return {"smoke": make(5, 21, 7), "laptop": make(21, 21, 13), "cluster": make(41, 41, 31)}


POINTS = (5, 7, 13, 21, 31, 41)
FIELDS = _sizes(lambda starts, points, gaps: (
    {"plane": PAPER_PLANES, "points": (41,)}, {"plane": OTHERS, "points": (points,)},
))  # fmt: skip

study = Study(
    name="learning_dynamics",
    question="Is learning faster in relative coordinates, also at a fair step?",
    source="Esser & Nielsen 2022, Figure 1; Park & Ozeki 2009",
    experiments={
        "field": Experiment(field, {"plane": tuple(PLANES), "points": POINTS}, FIELDS),
        "valley": Experiment(
            valley, {"points": POINTS, "step": STEPS},
            _sizes(lambda starts, points, gaps: {"points": (gaps,)}),
        ),
        "descent": Experiment(
            descent, {"plane": PAPER_PLANES, "points": POINTS},
            _sizes(lambda starts, points, gaps: {"points": (starts,)}),
        ),
        "projection": Experiment(
            projection, {"clearance": (0.0, RELEASE), "points": POINTS},
            _sizes(lambda starts, points, gaps: {"points": (points,)}),
        ),
    },
    claims=CLAIMS,
    figures={"fields": fields_figure, "valley": valley_figure, "coordinates": coordinates_figure},
    answer=("larger gradients", "sooner at a fair step"),
    chief=("larger at a fair step", "valleys reduced", "sooner at a fair step"),
)  # fmt: skip
