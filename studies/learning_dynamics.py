"""Do relative coordinates make gradients larger and valleys shorter, and Appendix D describe them?

Esser & Nielsen 2022 (Figure 1, Appendix D, after Park & Ozeki 2009) draw the average learning
dynamics of a two-component mixture in the (mu1, mu2) plane for the truths (0, 0) and (20, 20),
weight 1/2: gradients are larger in the coordinates (mu1, gap), and the valley along the overlap
singularity is reduced. Gradient ascent in coordinates with the Jacobian J moves the means along
``J J^T gradient``, here by quadrature, in the means themselves (the paper's original), (mu1, gap),
(midpoint, gap), (mixture mean, gap) and (mixture mean, squared gap). A flow can be made as fast as
one likes by rescaling its coordinates, and an algorithm's step is bounded by the largest curvature,
so the fair speed divides the flow by the largest curvature at the singular point.

Appendix D expands the log density in ``u = mu1 - mu2`` around the mixture mean w, with y = x - w:
``dl/du = c u He2(y) + c (1 - 2v) u^2 He3(y) / 2`` and so on; as printed in the version we read, its
third-order terms are three times too large. The flow as printed has further slips, in the Jacobian,
in the sign of u and in which derivative stands where; it is run exactly so (eta = 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ordered_mix.data import Data, population
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import Claim, Effect, Opening, Study
from ordered_mix.study.drawing import legend, looks, panels
from ordered_mix.study.effects import exact, rows_of, share_of_grid
from ordered_mix.study.sentences import Words, by_outcome, chained, paragraph, tally
from ordered_mix.theory.dynamics import (
    curvature,
    derivatives,
    expanded,
    mean_slope,
    printed_flow,
    times_to,
    velocity,
)

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

Array = NDArray[np.float64]

PAPER = "Esser & Nielsen 2022, Figure 1"
APPENDIX = "Esser & Nielsen 2022, Appendix D"
COORDINATES = ("unordered", "relative", "centred", "signed", "resolved")
LABELS = {
    "unordered": "original (mu1, mu2)",
    "relative": "relative (mu1, gap)",
    "centred": "centred (midpoint, gap)",
    "signed": "signed (mixture mean, gap)",
    "resolved": "resolved (mixture mean, squared gap)",
}
PAPER_PLANES = ((0.0, 2.0), (20.0, 10.0))  # both means of the truth, half width of the plane
STEPS = (0.02, 0.04)
LEVELS = (1e-2, 1e-3, 1e-4)
FORMS = {"corrected": 1.0, "printed": 3.0}
NEAR, SMALL = 0.1, 0.01
LONGEST = 1e4
RELEASE = 1e-3
TRAPPED = 1e-3


def cell(
    seed: int,
    measure: str,
    mean1: float,
    mean2: float,
    weight: float,
    sigma2: float,
    span: float,
    points: int,
    step: float,
) -> list[dict]:
    """One measure at one truth on the population; nothing is random."""
    truth = Mixture(
        np.array([weight, 1 - weight]), np.array([mean1, mean2]), np.array([1.0, sigma2])
    )
    return MEASURES[measure](truth, population(truth, step), span, points)


def field(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Gradient in the means on a square of points around the truth."""
    plane = _plane(truth, span, points)
    slope = mean_slope(plane, data.y, data.weight)
    names = ("mu1", "mu2", "slope1", "slope2")
    values = np.concatenate([plane.mu, slope], axis=1)
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def valley(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Curvatures at the singular point and along the slow line on which the mean is right."""
    rows = []
    for gap in (0.0, *np.geomspace(NEAR, span, points).tolist()):
        for coordinates in COORDINATES:
            # the squared gap has no derivative at 0, its curvature there is a limit
            separated = gap or (SMALL if coordinates == "resolved" else 0.0)
            ends = truth.mean() + separated * np.array([-truth.w[1], truth.w[0]])
            at = Mixture(truth.w, ends, truth.sigma)
            low, high = curvature(coordinates, at, data.y, data.weight).tolist()
            rows.append({"coordinates": coordinates, "gap": gap, "least": low, "largest": high})
    return rows


def descent(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Time of the flow from starts with a positive gap to given excess losses; NaN if never."""
    starts = _plane(truth, span, points).mu
    rows = []
    for start in starts[starts[:, 1] > starts[:, 0]]:
        for coordinates in COORDINATES:
            times = times_to(LEVELS, coordinates, truth, start, data.y, data.weight, LONGEST)
            for level, time in zip(LEVELS, times, strict=True):
                row = {"coordinates": coordinates, "mu1": start[0], "mu2": start[1]}
                rows.append({**row, "level": level, "time": time})
    return rows


def projection(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Where ascent in (mu1, gap >= clearance) ends, from starts with a positive gap."""
    grid = _plane(truth, span, points)
    starts = grid[grid.mu[:, 1] > grid.mu[:, 0]]
    prior = Prior(known_w=tuple(truth.w.tolist()), known_sigma=float(truth.sigma[0]))
    best = float(np.asarray(data.weight) @ truth.log_density(data.y))
    ascent = GradientAscent(step=0.5, stop=Stop(log_likelihood=0.0, gradient=1e-7, passes=2000))
    rows = []
    for clearance in (0.0, RELEASE):
        options = {"link": "identity", "clearance": clearance}
        relative = catalog.parameterization("relative", 2, prior, **options)
        fit = ascent.fit(relative, data, starts)
        for start, end, reached in zip(
            starts.mu.tolist(), fit.mixture.mu.tolist(), fit.log_likelihood.tolist(), strict=True
        ):
            row = {
                "coordinates": "relative",
                "clearance": clearance,
                "mu1": start[0],
                "mu2": start[1],
            }
            rows.append({**row, "end1": end[0], "end2": end[1], "excess": best - reached})
    return rows


def expansion(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Error of Appendix D at the difference u, the mixture mean half a sigma off the truth's."""
    centre = float(truth.mean()) + 0.5
    rows = []
    for u in np.geomspace(span / 1000, span, points):
        at = Mixture(truth.w, centre + u * np.array([truth.w[1], -truth.w[0]]), truth.sigma)
        right = derivatives(at, data.y, data.weight)
        for form, third in FORMS.items():
            wrong = expanded(at, data.y, data.weight, third)
            error = np.abs(wrong - right)
            row = dict(zip(("error_v", "error_u", "error_w"), error.tolist(), strict=True))
            rows.append({"form": form, "u": u, **row})
    return rows


def truncation(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Gradient in the means on a square of points, exact and as Appendix D expands it."""
    plane = _plane(truth, span, points)
    v = truth.w[0]
    found = {"exact": derivatives(plane, data.y, data.weight)}
    found |= {form: expanded(plane, data.y, data.weight, third) for form, third in FORMS.items()}
    rows = []
    for form, (_, by_u, by_w) in ((form, value.T) for form, value in found.items()):
        slope = np.stack([by_u + v * by_w, (1 - v) * by_w - by_u], axis=1)
        values = np.concatenate([plane.mu, slope], axis=1).tolist()
        names = ("mu1", "mu2", "slope1", "slope2")
        rows += [{"form": form, **dict(zip(names, row, strict=True))} for row in values]
    return rows


def printed(truth: Mixture, data: Data, span: float, points: int) -> list[dict]:
    """Flow of the means as Appendix D prints it on a square of points, in both coordinates."""
    plane = _plane(truth, span, points)
    rows = []
    for coordinates in ("unordered", "relative"):
        flow = printed_flow(coordinates, plane, data.y, data.weight)
        values = np.concatenate([plane.mu, flow], axis=1).tolist()
        names = ("mu1", "mu2", "slope1", "slope2")
        rows += [
            {"coordinates": coordinates, **dict(zip(names, row, strict=True))} for row in values
        ]
    return rows


MEASURES = {
    "field": field,
    "valley": valley,
    "descent": descent,
    "projection": projection,
    "expansion": expansion,
    "truncation": truncation,
    "printed": printed,
}


def _plane(truth: Mixture, span: float, points: int) -> Mixture:
    """Means on a square around those of the truth."""
    axis = np.linspace(-span, span, points)
    centre = truth.mu.mean()
    mu1, mu2 = np.meshgrid(centre + axis, centre + axis, indexing="ij")
    return Mixture(truth.w, np.stack([mu1.ravel(), mu2.ravel()], axis=1), truth.sigma)


# --- effects --------------------------------------------------------------------------------------

COLUMNS = (
    "coordinates", "gap", "least", "largest", "mu1", "mu2", "level", "time", "form", "u", "error_u",
)  # fmt: skip
_rows = partial(rows_of, columns=COLUMNS)


def _paper(table: pd.DataFrame, measure: str, plane: tuple[float, float]) -> pd.DataFrame:
    """Rows of a measure at one of the paper's truths."""
    mean, span = plane
    which = (table["measure"] == measure) & (table["mean1"] == mean) & (table["mean2"] == mean)
    which &= (table["weight"] == 0.5) & (table["sigma2"] == 1)
    if measure in ("field", "descent", "truncation", "printed"):
        which &= table["span"] == span
    found = table[which].dropna(axis=1, how="all")
    if found.empty:
        raise ValueError(f"table must hold the {measure} at the truth {plane}, it does not")
    return found


def _every_other(table: pd.DataFrame) -> pd.DataFrame:
    """Every other point of the grid of means in both directions, half the resolution."""
    kept = np.union1d(table["mu1"], table["mu2"])[::2]
    return table[table["mu1"].isin(kept) & table["mu2"].isin(kept)]


def _both(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table, _every_other(table)


def flows(table: pd.DataFrame, coordinates: str) -> Array:
    """Velocity of the means at the points of a field in coordinates; NaN where they have a pole."""
    at = table[["mu1", "mu2"]].to_numpy()
    w = np.stack([table["weight"], 1 - table["weight"]], axis=1)
    sigma = np.stack([np.ones(len(table)), table["sigma2"]], axis=1)
    slope = table[["slope1", "slope2"]].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return velocity(coordinates, Mixture(w, at, sigma), slope)


def lengths(table: pd.DataFrame, coordinates: str) -> Array:
    """Speed of the means at the points of a field in a parameterization."""
    return np.linalg.norm(flows(table, coordinates), axis=1)


def _longer(table: pd.DataFrame) -> float:
    return float(lengths(table, "relative").mean() / lengths(table, "unordered").mean())


def _where_longer(table: pd.DataFrame) -> NDArray[np.bool_]:
    return np.asarray(lengths(table, "relative") > lengths(table, "unordered"))


def _share_longer(table: pd.DataFrame) -> Effect:
    """The smaller share of the two planes of the paper."""
    planes = [_paper(table, "field", plane) for plane in PAPER_PLANES]
    shares = [share_of_grid(*map(_where_longer, _both(plane))) for plane in planes]
    return min(shares, key=lambda effect: effect.estimate)


def _on_planes(statistic: Callable[[pd.DataFrame], float]) -> Callable[[pd.DataFrame], Effect]:
    """The smaller one at the paper's two truths; its interval is what half the resolution moves."""

    def effect(table: pd.DataFrame) -> Effect:
        planes = [_paper(table, "field", plane) for plane in PAPER_PLANES]
        fine = min(statistic(plane) for plane in planes)
        return exact(fine, min(statistic(_every_other(plane)) for plane in planes))

    return effect


def _slow_line(table: pd.DataFrame, step: float, gap: float) -> pd.DataFrame:
    rows = _paper(table, "valley", PAPER_PLANES[0])
    rows = rows[(rows["step"] == step) & np.isclose(rows["gap"], gap)]
    return rows.set_index("coordinates")[["least", "largest"]]


def _largest(table: pd.DataFrame, step: float = STEPS[0]) -> pd.Series:
    """Largest curvature at the singular point, by parameterization."""
    return _slow_line(table, step, 0.0)["largest"]


def _longer_fair(table: pd.DataFrame) -> Effect:
    raw, largest = _on_planes(_longer)(table), _largest(table)
    fair = float(largest["unordered"] / largest["relative"])
    return Effect(fair * raw.estimate, fair * raw.low, fair * raw.high)


def _condition_ratio(coordinates: str) -> Callable[[pd.DataFrame], Effect]:
    def ratio(table: pd.DataFrame, step: float) -> float:
        rows = _slow_line(table, step, NEAR)
        condition = rows["largest"] / rows["least"]
        return float(condition[coordinates] / condition["unordered"])

    return lambda table: exact(*(ratio(table, step) for step in STEPS))


def _times(table: pd.DataFrame, plane: tuple[float, float]) -> pd.DataFrame:
    """Times to the smallest excess loss by start and coordinates, infinite where it is stuck."""
    rows = _paper(table, "descent", plane)
    rows = rows[rows["level"] == LEVELS[-1]]
    times = rows.pivot(index=["mu1", "mu2"], columns="coordinates", values="time")
    return times.fillna(np.inf).reset_index()


def _time_ratio(coordinates: str, fair: bool) -> Callable[[pd.DataFrame], Effect]:
    """Geometric mean over the starts near the singularity, all of which arrive."""

    def effect(table: pd.DataFrame) -> Effect:
        times, largest = _times(table, PAPER_PLANES[0]), _largest(table)
        scale = largest[coordinates] / largest["unordered"] if fair else 1.0
        ratios = (
            float(scale * np.exp(np.log(part[coordinates] / part["unordered"]).mean()))
            for part in _both(times)
        )
        return exact(*ratios)

    return effect


def _sooner_from_afar(table: pd.DataFrame) -> Effect:
    """Share of starts of the wide plane from which relative is sooner, of those that arrive."""
    times = _times(table, PAPER_PLANES[1])
    times = times[np.isfinite(times[["relative", "unordered"]]).any(axis=1)]
    sooner = times["relative"] < times["unordered"]
    return share_of_grid(sooner, sooner[_every_other(times).index])


def _trapped(clearance: float) -> Callable[[pd.DataFrame], Effect]:
    """Share of starts from which the projection ends at the merged point, not at the truth."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = table[(table["measure"] == "projection") & (table["clearance"] == clearance)]
        return share_of_grid(*(part["excess"] > TRAPPED for part in _both(rows)))

    return effect


def _order_of_error(form: str) -> Callable[[pd.DataFrame], Effect]:
    """Power of u in the error of dl/du, from the two smallest u, and from the next two."""

    def effect(table: pd.DataFrame) -> Effect:
        rows = table[(table["measure"] == "expansion") & (table["form"] == form)]
        rows = rows[rows["weight"] == rows["weight"].min()].sort_values("u")
        local = np.diff(np.log(rows["error_u"])) / np.diff(np.log(rows["u"]))
        return exact(float(local[0]), float(local[1]))

    return effect


def truncation_error(table: pd.DataFrame, form: str = "corrected") -> float:
    """Median over the plane of the relative error of an expanded gradient."""
    columns = ["slope1", "slope2"]
    right = table[table["form"] == "exact"].set_index(["mu1", "mu2"])[columns]
    wrong = table[table["form"] == form].set_index(["mu1", "mu2"])[columns]
    size = np.linalg.norm(right, axis=1)
    error = np.linalg.norm(wrong - right, axis=1)
    return float(np.median(error[size > 1e-9] / size[size > 1e-9]))


def _describes(table: pd.DataFrame) -> Effect:
    """The smaller median error at the paper's two truths."""
    planes = [_paper(table, "truncation", plane) for plane in PAPER_PLANES]
    fine = min(truncation_error(plane, "printed") for plane in planes)
    coarse = min(truncation_error(_every_other(plane), "printed") for plane in planes)
    return exact(fine, coarse)


def _moves_with_the_data(table: pd.DataFrame) -> Effect:
    """Mean speed of the relative flow as printed around the truth 20, for 1 around the truth 0."""

    def relative(mean: float) -> pd.DataFrame:
        rows = _paper(table, "printed", (mean, PAPER_PLANES[0][1]))
        return rows[rows["coordinates"] == "relative"]

    def ratio(rows: list[pd.DataFrame]) -> float:
        there, here = (float(np.hypot(one["slope1"], one["slope2"]).mean()) for one in rows)
        return there / here

    planes = [relative(mean) for mean in (PAPER_PLANES[1][0], PAPER_PLANES[0][0])]
    return exact(ratio(planes), ratio([_every_other(plane) for plane in planes]))


CLAIMS = (
    Claim(
        "larger gradients",
        "On both planes of Figure 1 the mean gradient is larger in relative coordinates.",
        PAPER,
        _on_planes(_longer),
        "above",
        1.0,
        "mean speed of relative for 1 of the original, the smaller of the two truths",
    ),
    Claim(
        "larger everywhere",
        "The gradient is larger in relative coordinates at (nearly) every point of both planes.",
        PAPER,
        _share_longer,
        "above",
        0.95,
        "share of the grid's points, the smaller of the two truths",
    ),
    Claim(
        "larger at a fair step",
        "With steps in units of what the curvature allows the mean gradient is larger in "
        "relative coordinates.",
        f"{PAPER}, with the largest curvature at the singular point",
        _longer_fair,
        "above",
        1.0,
        "mean speed over largest curvature, for 1 of the original",
    ),
    Claim(
        "valleys reduced",
        "On the slow line at gap 0.1 relative coordinates have a smaller condition number than the "
        "original ones.",
        PAPER,
        _condition_ratio("relative"),
        "below",
        1.0,
        "condition number of relative for 1 of the original",
    ),
    Claim(
        "valley removed by the squared gap",
        "On the slow line at gap 0.1 resolved coordinates have a smaller condition number than the "
        "original ones.",
        "Fisher information of (mixture mean, squared gap), regular at the singularity",
        _condition_ratio("resolved"),
        "below",
        1.0,
        "condition number of resolved for 1 of the original",
    ),
    Claim(
        "sooner at the truth",
        "Near the singularity the relative flow comes to an excess loss of 1e-4 sooner than the "
        "original one.",
        PAPER,
        _time_ratio("relative", fair=False),
        "below",
        1.0,
        "time of relative for 1 of the original, geometric mean over starts",
    ),
    Claim(
        "sooner at a fair step",
        "Near the singularity the relative flow comes to an excess loss of 1e-4 in fewer steps of "
        "a fair size than the original one.",
        f"{PAPER}, with the largest curvature at the singular point",
        _time_ratio("relative", fair=True),
        "below",
        1.0,
        "time times largest curvature, for 1 of the original",
    ),
    Claim(
        "sooner from afar",
        "From most starts of the wide plane of Figure 1 the relative flow comes to an excess loss "
        "of 1e-4 sooner than the original one.",
        PAPER,
        _sooner_from_afar,
        "above",
        0.5,
        "share of the grid's starts from which one of them arrives",
    ),
    Claim(
        "squared gap sooner at a fair step",
        "Near the singularity the resolved flow comes to an excess loss of 1e-4 in fewer steps of "
        "a fair size than the original one.",
        "exponential decay of the gap in (mixture mean, squared gap)",
        _time_ratio("resolved", fair=True),
        "below",
        1.0,
        "time times largest curvature, for 1 of the original",
    ),
    Claim(
        "projection sets no trap",
        "Ascent in (mu1, gap >= 0) comes to a separated truth from every start with a gap.",
        "Esser & Nielsen 2022, section 2, constrained optimisation with positive gaps",
        _trapped(0.0),
        "below",
        0.01,
        "share of the grid's starts that end at the merged point",
    ),
    Claim(
        "clearance releases",
        "Ascent in (mu1, gap >= 0.001) comes to a separated truth from every start with a gap.",
        "the merged point is absorbing under projection and repels beyond it",
        _trapped(RELEASE),
        "below",
        0.01,
        "share of the grid's starts that end at the merged point",
    ),
    Claim(
        "printed expansion is of third order",
        "The error of the printed dl/du vanishes like the third power of u.",
        APPENDIX,
        _order_of_error("printed"),
        "above",
        2.5,
        "power of u",
    ),
    Claim(
        "corrected expansion is of third order",
        "The error of the corrected dl/du vanishes like the third power of u.",
        f"{APPENDIX}, third-order terms divided by three",
        _order_of_error("corrected"),
        "above",
        2.5,
        "power of u",
    ),
    Claim(
        "expansion describes Figure 1",
        "The truncated expansion is within 10% of the exact field on a plane of Figure 1.",
        APPENDIX,
        _describes,
        "below",
        0.1,
        "median relative error, the smaller of the two truths",
    ),
    Claim(
        "printed flow moves with the data",
        "The relative flow of Appendix D as printed is as fast around the truth 20 as around 0.",
        APPENDIX,
        _moves_with_the_data,
        "below",
        1.01,
        "mean speed at 20 for 1 at 0, planes of half width 2",
    ),
)


# --- figures and findings -------------------------------------------------------------------------

INK = "#222222"
WORDS = {"exact": "exact", "corrected": "corrected expansion", "printed": "expansion as printed"}


def fields_figure(result: StudyResult) -> Figure:
    """Figure 1 of the paper: speed and streamlines, original above relative, for both truths."""
    planes = [_paper_or_none(result.table, plane) for plane in PAPER_PLANES]
    several = ("unordered", "relative")
    return _streams(
        [[(plane, coordinates) for plane in planes] for coordinates in several], by="column"
    )


def coordinates_figure(result: StudyResult) -> Figure:
    """Flows for every other truth, weight and scale, in all coordinates."""
    table = result.table
    rows = _rows(table, measure="field")
    rows = rows[rows["mean2"] > rows["mean1"]]
    planes = _planes(rows, ["mean1", "mean2", "sigma2", "weight", "span"])
    return _streams(
        [[(plane, coordinates) for coordinates in COORDINATES] for plane in planes], by="row"
    )


def truncation_figure(result: StudyResult) -> Figure:
    """Appendix D: the exact field, the corrected expansion and the printed one, side by side."""
    table = result.table
    planes = _planes(_rows(table, measure="truncation"), ["span", "weight"])
    panels = [
        [(None if plane is None else plane[plane["form"] == form], form) for form in WORDS]
        for plane in planes
    ]
    return _streams(panels, by="row")


def _planes(rows: pd.DataFrame, keys: list[str]) -> list[pd.DataFrame | None]:
    """The planes of a table, the largest weight first; one that is missing if there are none."""
    if rows.empty:
        return [None]
    order = [key != "weight" for key in keys]
    rows = rows.sort_values(keys, ascending=order, kind="stable")
    return [part for _, part in rows.groupby(keys, sort=False)]


def _paper_or_none(table: pd.DataFrame, plane: tuple[float, float]) -> pd.DataFrame | None:
    try:
        return _paper(table, "field", plane)
    except ValueError:
        return None


def _streams(panels: list[list[tuple[pd.DataFrame | None, str]]], by: str) -> Figure:
    """Speed as colour, one scale for the row or column of a truth, with streamlines."""
    rows, columns = len(panels), len(panels[0])
    width, density = {2: (7.0, 0.7), 3: (9.0, 0.45)}.get(columns, (9.0, 0.33))
    figure = Figure(figsize=(width, (width / columns + 0.3) * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for row, line in enumerate(panels):
        for column, (plane, name) in enumerate(line):
            axes, below, right = grid[row, column], row == rows - 1, column == columns - 1
            axes.set_title(_title(plane, name, row), fontsize=8)
            axes.tick_params(labelsize=7)
            axes.set(
                xlabel="mu1 / sigma1" if below else "", ylabel="" if column else "mu2 / sigma1"
            )
            if plane is None or plane.empty:
                continue
            reference = plane if line[0][0] is None or by == "column" else line[0][0]
            filled = _stream(axes, plane, name, _levels(reference), density)
            if below if by == "column" else right:
                group = grid[:, column] if by == "column" else grid[row, :]
                place = "bottom" if by == "column" else "right"
                _speed_bar(figure, filled, list(group), place)
    return figure


def _levels(plane: pd.DataFrame) -> Array:
    """Speeds at which the colour changes, up to what relative coordinates make of the slopes."""
    top = 2.6 * np.linalg.norm(plane[["slope1", "slope2"]], axis=1).max()
    return np.geomspace(top / 1e3, top, 10)


def _title(plane: pd.DataFrame | None, name: str, row: int) -> str:
    coordinates = LABELS.get(name, "").partition(" (")[0] or WORDS[name]
    if plane is None or plane.empty:
        return coordinates
    first = plane.iloc[0]
    kind = "" if first["weight"] == 0.5 else f"\nfirst weight {first['weight']:g}"
    return coordinates + kind + ("" if first["sigma2"] == 1 else f"\nsigma2 = {first['sigma2']:g}")


def _speed_bar(figure: Figure, filled: Any, group: list[Axes], place: str) -> None:
    bar = figure.colorbar(filled, ax=group, location=place, shrink=0.8, aspect=30)
    bar.set_ticks(filled.levels[::4], labels=[f"{level:.2g}" for level in filled.levels[::4]])
    bar.ax.tick_params(labelsize=7)
    bar.set_label("speed of (mu1, mu2)", fontsize=8)


def _stream(axes: Axes, plane: pd.DataFrame, name: str, levels: Array, density: float) -> Any:
    plane = plane.sort_values(["mu2", "mu1"])
    side = plane["mu1"].nunique()
    axis = plane["mu1"].to_numpy()[:side]
    flow = flows(plane, name if name in COORDINATES else "unordered")
    flow = np.where(np.isfinite(flow), flow, 0.0)
    speed = np.clip(np.linalg.norm(flow, axis=1), levels[0], levels[-1]).reshape(side, side)
    filled = axes.contourf(axis, axis, speed, levels=levels, cmap="Blues", norm=LogNorm())
    filled.set_rasterized(True)
    parts = flow.T.reshape(2, side, side)
    streams = axes.streamplot(
        axis, axis, parts[0], parts[1], density=density, arrowsize=0.7, color=INK
    )
    for path in streams.lines.get_segments():
        thinned = np.concatenate([path[:-1:5], path[-1:]])  # for a small file
        axes.plot(*thinned.T, color=INK, linewidth=0.7)
    streams.lines.remove()
    axes.plot(axis[[0, -1]], axis[[0, -1]], "--", color="#d55e00", linewidth=0.9)
    truth = plane.iloc[0][["mean1", "mean2"]].tolist()
    axes.plot(*truth, "*", color="#d55e00", markersize=9, markeredgecolor="white")
    axes.set(aspect="equal", xlim=axis[[0, -1]], ylim=axis[[0, -1]])
    return filled


def valley_figure(result: StudyResult) -> Figure:
    """Condition number on the slow line, and times to an excess loss at a fair step."""
    table = result.table
    figure, ((left, right),) = panels(1, 2, (8.5, 3.6))
    rows = _rows(table, measure="valley")
    rows = rows[(rows["step"] == STEPS[0]) & (rows["gap"] > 0)]
    rows = rows[(rows["mean1"] == rows["mean2"]) & (rows["weight"] == 0.5)]
    style = looks(COORDINATES)
    for coordinates, look in style.items():
        part = rows[rows["coordinates"] == coordinates].sort_values("gap")
        condition = part["largest"] / part["least"].where(part["least"] > 0)
        left.plot(part["gap"], condition, ms=4, label=LABELS[coordinates], **look._asdict())
    left.set(xlabel="gap / sigma", ylabel="condition number", **_logarithmic(rows))
    right.axvline(1, color="0.6", linewidth=0.8)
    for at, coordinates in enumerate(COORDINATES[1:]):
        for offset, fair in ((0.15, False), (-0.15, True)):
            ratios = _ratios(table, coordinates, fair)
            right.plot(
                ratios,
                np.full(len(ratios), -at + offset),
                "o" if fair else "|",
                color=style[coordinates].color,
                alpha=0.5,
                markersize=4 if fair else 7,
            )
    right.set_yticks([-at for at in range(len(COORDINATES) - 1)], COORDINATES[1:])
    right.set_xscale("log")
    right.set(xlabel=f"time to an excess loss of {LEVELS[-1]:g}, original = 1")
    right.plot([], [], "|", color="0.4", label="time of the flow, by start")
    right.plot([], [], "o", ms=4, color="0.4", label="the same at a fair step")
    return legend(figure, [left, right], 3)


def _logarithmic(rows: pd.DataFrame) -> dict[str, Any]:
    """Scales of both axes; without rows a logarithmic one has no limits."""
    return {} if rows.empty else {"xscale": "log", "yscale": "log"}


def _ratios(table: pd.DataFrame, coordinates: str, fair: bool) -> Array:
    """Times to the smallest excess loss relative to the original's, of all starts that arrive."""
    rows = _rows(table, measure="descent")
    rows = rows[rows["level"] == LEVELS[-1]]
    if rows.empty or (fair and _rows(table, measure="valley")["gap"].isna().all()):
        return np.empty(0)
    index = ["mean1", "span", "mu1", "mu2"]
    times = rows.pivot(index=index, columns="coordinates", values="time")
    scale = 1.0
    if fair:
        largest = _largest(table)
        scale = float(largest[coordinates] / largest["unordered"])
    return (scale * times[coordinates] / times["unordered"]).dropna().to_numpy()


def expansion_figure(result: StudyResult) -> Figure:
    """Error of dl/du as Appendix D expands it, printed and corrected, against u."""
    table = result.table
    rows = _rows(table, measure="expansion")
    figure, ((axes,),) = panels(1, 1, (6, 4.2))
    style = looks(FORMS)
    for (form, weight), part in rows.groupby(["form", "weight"]):
        part = part.sort_values("u")
        words: dict[str, Any] = {"label": f"{WORDS[form]}, first weight {weight:g}"}
        words |= {"alpha": 1.0 if weight < 0.5 else 0.4}
        axes.plot(part["u"], part["error_u"], **words, **style[form]._asdict())
    axes.set(xlabel="u = mu1 - mu2, in sigma", **_logarithmic(rows))
    axes.set_ylabel("error of the mean dl/du")
    return legend(figure, axes, 2)


PHRASES: dict[str, Words] = {
    "larger gradients": "On the two planes of Figure 1 the mean gradient in relative coordinates "
    "is at least {0:.3f} times that of the original ones",
    "larger everywhere": "it is the larger one at {0:.1%} of the points or more",
    "larger at a fair step": "divided by the largest curvature, which bounds the step, it is "
    "{0:.3f} times as large",
    "valleys reduced": "On the slow line at gap 0.1 the condition number of relative coordinates "
    "is {0:.3f} times that of the original ones",
    "valley removed by the squared gap": "that of the mixture mean and the squared gap {0:.3f} "
    "times",
    "sooner at the truth": "Near the singularity the relative flow takes {0:.3f} times as long to "
    "an excess loss of 1e-4",
    "sooner at a fair step": "{0:.3f} times as long at a fair step",
    "sooner from afar": "on the wide plane it is the sooner one from {0:.0%} of the starts",
    "squared gap sooner at a fair step": "the resolved flow takes {0:.3f} times as long",
    "projection sets no trap": "Projection on a gap of at least 0 ends at the merged point from "
    "{0:.1%} of the starts",
    "clearance releases": "with a clearance of 0.001 from {0:.1%}",
    "printed expansion is of third order": "The error of dl/du as printed in Appendix D vanishes "
    "like u to the power {0:.2f}",
    "corrected expansion is of third order": "corrected like u to the power {0:.2f}",
    "expansion describes Figure 1": "on the planes of Figure 1 the truncated expansion is off by "
    "{0:.0%} or more in the median",
    "printed flow moves with the data": "The relative flow as printed is {0:.0f} times as fast "
    "around the truth 20 as around the truth 0, for the same data moved",
}


def _phrases(result: StudyResult) -> Iterator[str]:
    return chained(by_outcome(result.verdicts, PHRASES))


def findings(result: StudyResult) -> str:
    """What the table says, in one paragraph."""
    return paragraph(result, _phrases, tally)


def _blocks(starts: int, planes: int, gaps: int, others: tuple[dict, ...]) -> list[dict]:
    """Grids of all measures."""
    base = {"weight": (0.5,), "sigma2": (1.0,), "step": STEPS[:1]}
    zero = {"mean1": (0.0,), "mean2": (0.0,)}
    blocks: list[dict] = []
    for mean, span in PAPER_PLANES:
        place = {"mean1": (mean,), "mean2": (mean,), "span": (span,)}
        for measure, points in (("field", 41), ("truncation", planes), ("descent", starts)):
            blocks.append({**base, **place, "measure": (measure,), "points": (points,)})
    blocks.append(
        {**base, **zero, "measure": ("valley",), "span": (4.0,), "points": (gaps,), "step": STEPS}
    )
    for weight in (0.5, 0.3):
        change = {"weight": (weight,), "span": (2.0,)}
        blocks.append(
            {
                **base,
                **zero,
                **change,
                "measure": ("expansion",),
                "points": (gaps,),
                "step": STEPS[:1],
            }
        )
    blocks.append(
        {
            **base,
            **zero,
            "weight": (0.3,),
            "measure": ("truncation",),
            "span": (2.0,),
            "points": (planes,),
        }
    )
    for mean, _ in PAPER_PLANES:
        place = {"mean1": (mean,), "mean2": (mean,), "span": (PAPER_PLANES[0][1],)}
        blocks.append({**base, **place, "measure": ("printed",), "points": (planes,)})
    separated = {"mean1": (-1.0,), "mean2": (1.0,), "span": (3.0,)}
    blocks.append({**base, **separated, "measure": ("projection",), "points": (planes,)})
    blocks += [
        {**base, **separated, "measure": ("field",), "points": (planes,), **one} for one in others
    ]
    return blocks


OTHERS: tuple[dict, ...] = ({}, {"weight": (0.3,)}, {"sigma2": (2.0,)})


OPENING = Opening(
    answer={
        "larger gradients": (
            "Gradients are larger in relative coordinates, {0:.2f} times on average, because the "
            "unit is another one.",
            "Gradients are not larger in relative coordinates.",
            "Whether gradients are larger in relative coordinates is undecided.",
        ),
        "sooner at a fair step": (
            "At a fair step the truth is sooner reached in them.",
            "At a fair step they are {0:.2f} times as far from the truth in steps as the original "
            "ones.",
            "Which is sooner at a fair step is undecided.",
        ),
    },
    chief=("larger at a fair step", "valleys reduced", "sooner at a fair step"),
)


study = Study(
    name="learning_dynamics",
    question="Are gradients larger and valleys shorter in relative coordinates, at fair steps too?",
    source="Esser & Nielsen 2022, Figure 1 and Appendix D; Park & Ozeki 2009",
    factors={
        "measure": tuple(MEASURES),
        "mean1": (0.0, 20.0, -1.0),
        "mean2": (0.0, 20.0, 1.0),
        "weight": (0.5, 0.3),
        "sigma2": (1.0, 2.0),
        "span": (2.0, 10.0, 3.0, 4.0),
        "points": (5, 7, 9, 13, 21, 31, 41),
        "step": STEPS,
    },
    sizes={
        "smoke": _blocks(5, 21, 7, OTHERS[:1]),
        "laptop": _blocks(21, 21, 13, OTHERS),
        "cluster": _blocks(41, 41, 31, OTHERS),
    },
    opening=OPENING,
    cell=cell,
    claims=CLAIMS,
    figures={
        "fields": fields_figure,
        "valley": valley_figure,
        "coordinates": coordinates_figure,
        "truncation": truncation_figure,
        "expansion": expansion_figure,
    },
    findings=findings,
)
