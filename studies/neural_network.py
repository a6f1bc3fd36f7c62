"""Do relative incoming weights shorten the plateaus of a network, as they are said to for mixtures?

Hidden units can be permuted as components can, and learning stalls where they coincide (Amari, Park
& Ozeki 2006). Esser & Nielsen 2022 order components by relative coordinates; for a network with one
hidden layer of tanh units that is ``weight_i = weight_{i-1} + d_{i-1}^2 + clearance``, which orders
units and not entries. Two experiments, both on the exact squared loss for standard normal inputs:

*overlap*: the teacher is ``tanh(x)``, the student has two units of output 1/2 and no bias. With the
best mean weight the loss is ``B gap^4 / 2``, so on the slow manifold ``gap' = -2 m B gap^3`` with m
the mobility of the gap in the coordinates: the power laws of the mixture, but for the constants.

*learning*: teacher and start are drawn, all weights are learned. Time is the sum of step times
largest curvature. A plateau is the longest time in which the loss does not halve, before it is
1e-4 of the teacher's power; without arriving there, until the end, so that ratios of plateaus are
then nearer to 1 than they should be, on the same side of it. The square root of a squared gap has
no derivative at 0: where two units differ in more than their weights, the loss has a slope there,
and the flow in squared gaps runs into that wall, where the curvature leaves only tiny steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ordered_mix.mixture import Array
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.drawing import BAND, INK, legend, looks, medians, nothing, panels
from ordered_mix.study.effects import exact, median, paired, share
from ordered_mix.study.sentences import RATIO
from ordered_mix.theory.network import (
    Network,
    coordinates_of,
    expand_in,
    loss,
    normal_inputs,
    response,
    sorted_units,
)
from ordered_mix.theory.network_flow import (
    flow,
    largest_curvature,
    nearness,
    overlap_constants,
    plateau,
)

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

PAPER = "Esser & Nielsen 2022, relative coordinates applied to hidden units"
MIXTURE = "the mixture's flow at the overlap singularity"
AMARI = "Amari, Park & Ozeki 2006"
PLAIN, SQUARE = "unordered", "relative square"
LEARNING = (PLAIN, "relative", SQUARE, "relative clearance", "resolved")
MOBILITY = {PLAIN: 2.0, "relative": 0.8, "centred": 1.0}
POWER = {**dict.fromkeys(MOBILITY, 1 / 2), SQUARE: 1 / 3}
FIRST_GAP = 0.4
INPUTS = normal_inputs()
QUARTIC, DECAY = overlap_constants(INPUTS)
LONGEST, TARGET, FLOOR = 1e5, 1e-4, 1e-12  # losses as shares of the teacher's power
TIMES = np.concatenate([[0.0], np.geomspace(1.0, LONGEST, 137)])
CHECKPOINTS = slice(1, None, 8)
LOSSES = [f"loss_{number}" for number in range(len(TIMES[CHECKPOINTS]))]
LEAST_GAP = 0.05
KINDS = {"overlap": 0.25, "elimination": 0.05, "dependence": 1e-3}  # how near counts as there
ELSEWHERE = "none"


def overlap(seed: int, coordinates: str) -> list[dict]:
    """Gap, loss and curvature of the flow of two units towards each other; nothing is random."""
    one = Network(np.ones(1), np.ones(1), np.zeros(1))
    target, rows = response(one, INPUTS.x), []
    ends = 1 + FIRST_GAP / 2 * np.array([-1.0, 1.0])
    two = Network(np.full(2, 0.5), ends, np.zeros(2))
    decays = coordinates == "resolved"
    times = np.arange(1e3, 1e4, 1e3) if decays else np.exp2(np.arange(14.0, 25.0))
    path = flow(coordinates, two, one, INPUTS, times, fair=False, frozen=("output", "bias"))
    for time, weight, left in zip(times, path.network.weight, path.loss, strict=True):
        z = coordinates_of(coordinates, two._replace(weight=weight))
        hessian = expand_in(coordinates, z, target, INPUTS).hessian[2:4, 2:4]
        row = {"time": float(time), "gap": float(weight[1] - weight[0]), "loss": float(left)}
        rows.append({**row, "curvature": largest_curvature(hessian)})
    return rows


def learning(seed: int, teacher: int, width: int, start: str, replicate: int) -> list[dict]:
    """The plateau and its place, and losses at checkpoints, from one start in all coordinates."""
    rng = np.random.default_rng(seed)
    taught, first = draw_teacher(rng, teacher), draw_start(rng, width, start)
    silent = Network(*np.zeros((3, 1)))
    power = float(loss(silent, response(taught, INPUTS.x), INPUTS))
    rows: list[dict] = []
    for coordinates in LEARNING:
        path = flow(coordinates, first, taught, INPUTS, TIMES)
        flat = plateau(path, TARGET * power)
        middle = int(np.searchsorted(TIMES, flat.start + flat.length / 2).clip(0, len(TIMES) - 1))
        there = Network(*(part[middle] for part in path.network))
        left = np.maximum(np.minimum.accumulate(path.loss / power), FLOOR)
        row = {"coordinates": coordinates, "plateau": flat.length, "arrived": flat.left}
        row |= {"final": left[-1], "exponent": late_exponent(left)}
        row |= nearness(there, INPUTS, np.sqrt(2 * power))._asdict()
        losses = zip(LOSSES, left[CHECKPOINTS].tolist(), strict=True)
        rows.append(row | dict(losses))
    return rows


def draw_teacher(rng: np.random.Generator, units: int) -> Network:
    """A teacher whose outputs are not near 0 and whose weights are positive."""
    sign = rng.choice([-1.0, 1.0], units)
    output, weight = sign * rng.uniform(0.5, 1.5, units), rng.uniform(0.5, 2.5, units)
    return Network(output, weight, rng.normal(0.0, 1.0, units))


def draw_start(rng: np.random.Generator, units: int, kind: str) -> Network:
    """A start with ascending positive weights at least 0.05 apart, far apart or nearly equal."""
    near = kind == "overlap"
    centre = rng.normal(0.0, 1.5, (2, 1)) if near else np.zeros((2, 1))
    incoming = centre + rng.normal(0.0, 0.1 if near else 1.5, (2, units))
    ordered = sorted_units(Network(rng.normal(0.0, 1.0, units), *incoming))
    return ordered._replace(weight=ordered.weight + LEAST_GAP * np.arange(units))


def late_exponent(left: Array) -> float:
    """Minus the log-log slope of the loss in time, over the last factor of 4 above the floor."""
    last = max(int(np.searchsorted(-left, -FLOOR)) - 1, 2)
    first = max(int(np.searchsorted(TIMES, TIMES[last] / 4)), 1)
    return float(-np.log(left[last] / left[first]) / np.log(TIMES[last] / TIMES[first]))


def predicted_gap(coordinates: str, time: Array) -> Array:
    """Gap at late times in a parameterization with a power law."""
    # the square has d' = -dloss/dd, so its mobility is 4 gap
    rate = 24 * QUARTIC if coordinates == SQUARE else 4 * QUARTIC * MOBILITY[coordinates]
    return (rate * time) ** -POWER[coordinates]


# --- effects --------------------------------------------------------------------------------------


def _overlap(table: pd.DataFrame, coordinates: str) -> pd.DataFrame:
    rows = table[table["coordinates"] == coordinates].sort_values("time")
    if len(rows) < 3:
        raise ValueError(f"table must hold the overlap in {coordinates!r}, it does not")
    return rows


def _slopes(rows: pd.DataFrame, by: Array) -> Array:
    return -np.diff(np.log(rows["gap"])) / np.diff(by)


def _largest(errors: list[Array]) -> Effect:
    """The largest error at the end of the paths; the interval is its change in the last step."""
    before, last = np.abs(np.array([error[-2:] for error in errors])).max(axis=0)
    return exact(float(last), float(before))


def _exponents(table: pd.DataFrame) -> Effect:
    paths = {coordinates: _overlap(table, coordinates) for coordinates in POWER}
    return _largest(
        [_slopes(p, np.log(p["time"])) - POWER[coordinates] for coordinates, p in paths.items()]
    )


def _decay(table: pd.DataFrame) -> Effect:
    rows = _overlap(table, "resolved")
    return _largest([_slopes(rows, rows["time"].to_numpy()) / DECAY - 1])


def _quartic(table: pd.DataFrame) -> Effect:
    paths = [_overlap(table, coordinates) for coordinates in POWER]
    return _largest([(p["loss"] / p["gap"] ** 4 / (QUARTIC / 2) - 1).to_numpy() for p in paths])


def _leaves_later(table: pd.DataFrame) -> Effect:
    """Fair time of the relative flow for 1 of the plain one, to the same gap."""
    late = [(p["gap"] ** 2 * p["time"] * p["curvature"]).to_numpy()
            for p in (_overlap(table, "relative"), _overlap(table, PLAIN))]  # fmt: skip
    ratio = late[0] / late[1]
    return exact(float(ratio[-1]), float(ratio[-2]))


def _wide(rows: pd.DataFrame, column: str, start: str | None = None) -> pd.DataFrame:
    """Values by cell and parameterization."""
    rows = rows if start is None else rows[rows["start"] == start]
    return paired(rows, "coordinates", LEARNING, column, ("teacher", "width", "start", "replicate"))


def _ratio(
    column: str, coordinates: str, start: str | None = None
) -> Callable[[pd.DataFrame], Effect]:
    """Median over teachers and starts of a parameterization's value for 1 of the plain one."""

    def effect(table: pd.DataFrame) -> Effect:
        values = _wide(table, column, start)
        return median(values[coordinates] / values[PLAIN])

    return effect


def _lower(table: pd.DataFrame) -> Effect:
    """Share of the runs in which the final loss is lower, of those in which it differs."""
    values = _wide(table, "final")
    values = values[values[SQUARE] != values[PLAIN]]
    return share(values[SQUARE] < values[PLAIN])


def _trainable(table: pd.DataFrame) -> Effect:
    """Share of plain runs with one unit too many whose loss falls like time to the power -2."""
    rows = table[(table["teacher"] == 1) & (table["width"] == 2)]
    rows = rows[rows["coordinates"] == PLAIN]
    return share((rows["exponent"] - 2).abs() < 0.2)


def kind(rows: pd.DataFrame) -> pd.Series:
    """The singularity beside which a plateau lies, the first of those near enough."""
    near = [rows[name] < bound for name, bound in KINDS.items()]
    return pd.Series(np.select(near, list(KINDS), ELSEWHERE), index=rows.index)


def _at_overlap(table: pd.DataFrame) -> Effect:
    return share(kind(table[table["coordinates"] == PLAIN]) == "overlap")


ALONE: dict[str, Any] = {"of": ("overlap",)}
LEARNED: dict[str, Any] = {"of": ("learning",)}


def _shorter(
    name: str, coordinates: str, what: str, words: str | tuple[str, str, str],
    start: str | None = None,
) -> Claim:  # fmt: skip
    return Claim(
        name,
        f"Plateaus are a tenth shorter or more {what}, at equal step times largest curvature.",
        PAPER, _ratio("plateau", coordinates, start), "below", 0.9,
        "plateau for 1 of the plain weights, median over teachers and starts",
        words=words, **LEARNED,
    )  # fmt: skip


CLAIMS = (
    Claim("exponents carry over",
          "Gaps of two units close with the exponents of the mixture: 1/2, and 1/3 with a square.",
          MIXTURE, _exponents, "below", 0.02, "largest error of an exponent", **ALONE,
          words="Two units that should be one meet with the mixture's exponents, the largest error "
          "is {0:.4f}."),
    Claim("squared gap has no plateau",
          "With mean weight and squared gap the gap decays exponentially, at the predicted rate.",
          MIXTURE, _decay, "below", 0.02, "relative error of the rate", **ALONE,
          words="With mean weight and squared gap the gap decays exponentially, at a rate off by "
          "{0:.1e}."),
    Claim("loss is quartic in the gap",
          "On the slow manifold the loss is B gap^4 / 2.",
          "the loss expanded in the gap", _quartic, "below", 0.02, "largest relative error",
          **ALONE),
    Claim("relative leaves overlap sooner",
          "Towards two units that coincide, relative weights need less time at a fair step.",
          PAPER, _leaves_later, "below", 1.0, "time for 1 of the plain weights, to the same gap",
          **ALONE, words="At a fair step relative weights take {0:.3f} times as long to the same "
          "gap."),
    _shorter("plateaus shorter, free gap", "relative", "with first weight and free gaps",
             f"With everything learned, the median ratio of plateaus is {RATIO} with first weight "
             "and free gaps."),
    _shorter("plateaus shorter, square", SQUARE, "with first weight and gap = d^2", (
             "Relative incoming weights shorten plateaus by a tenth or more: the median ratio is "
             f"{RATIO} with gap = d^2.",
             "Relative incoming weights do not shorten plateaus by a tenth: the median ratio is "
             f"{RATIO} with gap = d^2.",
             "Whether relative incoming weights shorten plateaus by a tenth is undecided: the "
             f"median ratio is {RATIO} with gap = d^2.")),
    _shorter("plateaus shorter, clearance", "relative clearance", "with gap = d^2 + clearance",
             f"It is {RATIO} with a clearance."),
    _shorter("plateaus shorter from overlap", SQUARE,
             "with gap = d^2 from starts near overlap",
             f"From starts near overlap it is {RATIO} with gap = d^2.", "overlap"),
    _shorter("plateaus shorter, squared gap", "resolved", "with mean weight and squared gaps",
             f"With mean weight and squared gaps it is {RATIO}."),
    Claim("lower final loss",
          "With first weight and gap = d^2 the final loss is lower in most runs that end apart.",
          PAPER, _lower, "above", 0.5, "share of the runs whose final losses differ", **LEARNED,
          words="The final loss with gap = d^2 is lower in {0:.0%} [{1:.0%}, {2:.0%}] of the runs "
          "that end apart."),
    Claim("exponents carry over to free outputs",
          "With outputs and biases learned too, the loss falls like time to the power -2 +- 0.2.",
          MIXTURE, _trainable, "above", 0.5,
          "share of runs with one unit too many, plain weights", **LEARNED,
          words="With one unit too many {0:.0%} [{1:.0%}, {2:.0%}] of plain runs end with the "
          "exponent of two units that meet."),
    Claim("plateaus lie at overlap",
          "Most plateaus of plain weights lie beside an overlap of two units.",
          AMARI, _at_overlap, "above", 0.5, "share of runs", **LEARNED,
          words=(
              "Most plateaus lie beside an overlap of two units.",
              "Only {0:.0%} [{1:.0%}, {2:.0%}] of the plateaus lie beside an overlap of two units, "
              "which is what the mixture's theory is about.",
              "Where most plateaus lie is undecided.")),
)  # fmt: skip


# --- figures --------------------------------------------------------------------------------------

LOOKS = looks((*LEARNING, "centred"))
KIND_COLOURS = {"overlap": "#332288", "elimination": "#88ccee", "dependence": "#ddcc77"}
KIND_COLOURS[ELSEWHERE] = BAND
STARTS = {"wide": "wide starts", "overlap": "starts near overlap"}


def singular_figure(result: StudyResult) -> Figure:
    """Gap of two units that should be one: markers measured, lines predicted."""
    figure, ((left, right),) = panels(1, 2, (8.5, 3.8))
    rows = result.tables["overlap"]
    if rows.empty:
        nothing(left)
        nothing(right)
        return figure
    for coordinates, part in rows.groupby("coordinates", sort=False):
        color, marker, _ = LOOKS[coordinates]
        time = part["time"].to_numpy()
        if coordinates == "resolved":
            line = part["gap"].iloc[-1] * np.exp(DECAY * (time[-1] - time))
        else:
            line = predicted_gap(coordinates, time)
        left.plot(time, line, color=color, lw=0.9)
        left.plot(time, part["gap"], marker, ms=5, color=color, label=coordinates)
        right.plot(part["gap"], part["loss"], marker, ms=5, color=color)
    gaps = np.geomspace(rows["gap"].min(), rows["gap"].max(), 2)
    right.plot(gaps, QUARTIC * gaps**4 / 2, color="0.4", lw=0.9)
    left.set(xscale="log", yscale="log", xlabel="time of the flow", ylabel="gap")
    right.set(xscale="log", yscale="log", xlabel="gap", ylabel="loss")
    return legend(figure, left, columns=5)


def curves_figure(result: StudyResult) -> Figure:
    """Loss against time at a fair step: medians over teachers and starts, two with intervals.

    The clearance is left out, it hardly differs from none.
    """
    rows = _losses(result.tables["learning"])
    shapes = sorted(set(zip(rows["teacher"], rows["width"], strict=True)))
    figure, grid = panels(2, len(shapes), (9, 4.8), sharex=True, sharey=True)
    for line, start in zip(grid, STARTS, strict=True):
        for axes, (teacher, width) in zip(line, shapes, strict=False):
            part = rows[(rows["teacher"] == teacher) & (rows["width"] == width)]
            part = part[part["start"] == start]
            axes.set_title(f"teacher {teacher}, student {width}\n{STARTS[start]}", fontsize=8)
            for coordinates in (name for name in LEARNING if name != "relative clearance"):
                values = part[part["coordinates"] == coordinates]
                if len(values):
                    look, band = LOOKS[coordinates], coordinates in (PLAIN, SQUARE)
                    style = {"color": look.color, "linestyle": look.linestyle, "label": coordinates}
                    medians(axes, values, "time", "loss", band, **style)
                    axes.set(xscale="log", yscale="log")
        line[0].set_ylabel("loss / teacher's power")
    for axes in grid[-1]:
        axes.set_xlabel("sum of step x curvature", fontsize="small")
    return legend(figure, grid, columns=4)


def _losses(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each checkpoint of a run."""
    if rows.empty:
        return rows
    keys = ["teacher", "width", "start", "replicate", "coordinates"]
    times = dict(zip(LOSSES, TIMES[CHECKPOINTS], strict=True))
    long = rows.melt(keys, LOSSES, "time", "loss")
    return long.assign(time=long["time"].map(times))


def plateaus_figure(result: StudyResult) -> Figure:
    """Plateau of each run for 1 of the plain weights; bars: medians, crosses: it never arrives."""
    several = LEARNING[1:]
    figure, (line,) = panels(1, 2, (8.5, 3.6), sharex=True, sharey=True)
    rows = result.tables["learning"]
    for axes, start in zip(line, STARTS, strict=True):
        axes.set(title=STARTS[start], xlabel="plateau, unordered = 1")
        axes.set_yticks([-at for at in range(len(several))], several)
        if rows[rows["start"] == start].empty:
            continue
        lengths, arrived = (_wide(rows, name, start) for name in ("plateau", "arrived"))
        jitter = 0.28 * np.sin(np.arange(len(lengths)) * 2.4)
        for at, coordinates in enumerate(several):
            ratio, there = lengths[coordinates] / lengths[PLAIN], arrived[coordinates].astype(bool)
            color = LOOKS[coordinates].color
            axes.plot(ratio[there], jitter[there] - at, "o", ms=3, alpha=0.5, color=color)
            axes.plot(ratio[~there], jitter[~there] - at, "x", ms=4, alpha=0.7, color=color)
            axes.plot(ratio.median(), -at, "|", ms=26, mew=2.5, color=INK)
        axes.axvline(1, color="0.6", lw=0.8, zorder=0)
        axes.set(xscale="log")
    return figure


def places_figure(result: StudyResult) -> Figure:
    """Beside which singularity the plateaus lie."""
    figure, (line,) = panels(1, 2, (8.5, 3.2), sharey=True)
    rows = result.tables["learning"]
    for axes, start in zip(line, STARTS, strict=True):
        axes.set(title=STARTS[start], xlabel="share of runs", xlim=(0, 1))
        part = rows[rows["start"] == start]
        if part.empty:
            continue
        found = pd.crosstab(part["coordinates"], kind(part), normalize="index")
        found = found.reindex(index=list(LEARNING), columns=list(KIND_COLOURS)).fillna(0.0)
        edge, places = np.zeros(len(found)), -np.arange(len(found))
        for name, color in KIND_COLOURS.items():
            axes.barh(places, found[name], left=edge, color=color, label=f"beside {name}")
            edge += found[name].to_numpy()
        axes.set_yticks(places, LEARNING)
    return legend(figure, line)


def _blocks(shapes: tuple[tuple[int, int], ...], replicates: int) -> list[dict]:
    """Learning with these numbers of units of teacher and student."""
    shared = {"replicate": range(replicates)}
    return [{**shared, "teacher": (teacher,), "width": (width,)} for teacher, width in shapes]


study = Study(
    name="neural_network",
    question="Do relative incoming weights shorten a network's plateaus, as claimed for mixtures?",
    source=PAPER,
    experiments={
        "overlap": Experiment(
            cell=overlap,
            factors={"coordinates": (*POWER, "resolved")},
            sizes={"smoke": {}, "laptop": {}, "cluster": {}},
        ),
        "learning": Experiment(
            cell=learning,
            factors={
                "teacher": (1, 2, 3),
                "width": (2, 3, 5, 8),
                "start": tuple(STARTS),
                "replicate": range(1000),
            },
            sizes={
                "smoke": _blocks(((1, 2),), 6),
                "laptop": _blocks(((1, 2), (2, 2), (2, 3), (2, 5)), 60),
                "cluster": _blocks(((1, 2), (2, 2), (2, 3), (2, 5), (3, 3), (3, 5), (3, 8)), 200),
            },
        ),
    },
    claims=CLAIMS,
    figures={
        "singular": singular_figure,
        "curves": curves_figure,
        "plateaus": plateaus_figure,
        "places": places_figure,
    },
    answer=("plateaus shorter, square", "plateaus lie at overlap"),
    chief=("plateaus shorter, square", "lower final loss", "plateaus lie at overlap"),
)
