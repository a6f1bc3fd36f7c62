"""Figures of studies: heat maps, points with intervals, and one look for each parameterization."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from ordered_mix.study.effects import from_logs, mean, median

SEPARATION = "separation / sigma"
NO_RUNS = "no such runs in this table"
FEWEST_FOR_BARS = 5
"""Data sets from which on an interval is drawn: with fewer it is wider than most panels."""
FEWEST_FOR_MEDIANS = 6
"""Data sets that an interval of a median needs."""

INK, BAND = "#010101", "#d9d9d9"
"""Black, and a grey behind what is drawn; both follow the theme of a page."""

PALETTE = {
    "unordered": "#d55e00",
    "ordered": "#0072b2",
    "relative": "#009e73",
    "centred": "#cc79a7",
    "signed": "#e69f00",
    "moment": "#56b4e9",
}
FURTHER = ("#999933", "#882255", "#aa4499", "#44aa99", "#117733", "#ddcc77")
"""Okabe & Ito (2008) for the parameterizations shipped, Tol's muted scheme (2021) beyond them."""

SHADES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, "#999933")
MARKERS = "osD^vPXh*"


class Look(NamedTuple):
    """Colour, marker and line of a series."""

    color: str
    marker: str = "o"
    linestyle: str = "-"


LOOKS = {
    "unordered": Look(PALETTE["unordered"], "o"),
    "signed": Look(PALETTE["signed"], "s", "--"),
    "moment": Look(PALETTE["moment"], "^"),
    "moment positive": Look(PALETTE["moment"], "v", ":"),
    "moment pooled": Look(PALETTE["moment"], "X", "--"),
    "ordered": Look(PALETTE["ordered"], "D"),
    "relative": Look(PALETTE["relative"], "P"),
    "relative log": Look(PALETTE["relative"], ">", "-."),
    "relative softplus": Look(PALETTE["relative"], "X", "--"),
    "relative square": Look(PALETTE["relative"], "*", ":"),
    "relative squared gap": Look(PALETTE["relative"], "d", ":"),
    "relative clearance": Look(PALETTE["relative"], "H", "--"),
    "centred": Look(PALETTE["centred"], "h"),
    "resolved": Look("#666666", "p", "--"),
    "sheared": Look(FURTHER[1], "<", "-."),
    "sheared bent": Look(FURTHER[1], "X", ":"),
    "bent": Look(INK, "<"),
}
"""Look of each parameterization by its short name, in the order that every figure keeps.

Those that agree where weights are equal, the midpoint and the mixture mean, differ in their dashes.
"""


def short(label: Any) -> str:
    """A name without code: ``relative(link=log)`` is *relative log*, a number has no zeros."""
    if not isinstance(label, str):
        return f"{label:g}"
    words = label.replace("link=", "").replace("gap=", "").replace("signed=False", "positive")
    return re.sub(r"[(_)]+", " ", words).replace(" ,", ",").strip()


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each series: that of the parameterization it names, else one of its own."""
    names = list(dict.fromkeys(names))
    others = [name for name in names if _known(name) not in LOOKS]
    own = {
        name: Look(SHADES[at % len(SHADES)], MARKERS[at % len(MARKERS)])
        for at, name in enumerate(others)
    }
    return {name: own[name] if name in own else LOOKS[_known(name)] for name in names}


def in_order(names: Iterable[str]) -> list[str]:
    """Parameterizations in the order of every figure, others after them as they come."""
    places = {name: at for at, name in enumerate(LOOKS)}
    return sorted(dict.fromkeys(names), key=lambda name: places.get(_known(name), len(places)))


def _known(name: str) -> str:
    """The name in `LOOKS`, if it is one: a parameterization is called ``relative, log``."""
    return short(name).replace(",", "")


def panels(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure of this size in inches and its axes (rows, columns), at least one of each."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(max(rows, 1), max(columns, 1), squeeze=False, **options)


def nothing(axes: Axes, words: str = NO_RUNS) -> None:
    """Say in place of a panel why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)


def legend(figure: Figure, axes: Any, columns: int = 4, **options: Any) -> Figure:
    """One legend below all panels, each label once; none if nothing is labelled."""
    found: dict[str, Any] = {}
    for one in np.ravel(axes):
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend(
            found.values(), found.keys(), loc="outside lower center", ncols=columns,
            fontsize="small", frameon=False, **options,
        )  # fmt: skip
    return figure


def mark(axes: Axes, value: float, words: str = "") -> None:
    """A dashed line across at a value, named at its right end."""
    axes.axhline(value, color="0.5", lw=0.8, ls="--", zorder=0)
    place: Any = ("axes fraction", "data")
    axes.annotate(words, (1.02, value), xycoords=place, va="center", fontsize="small")


def plain_ticks(axis: Any, values: Sequence[float]) -> None:
    """Ticks at these values and no others, written as plain numbers, on whatever scale."""
    axis.set_ticks(values, [f"{value:g}" for value in values])
    axis.set_ticks([], minor=True)


def brief(value: float) -> str:
    """A count in two digits or three, as 37, 1.2k or 35k."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            value, word = value / size, unit
            break
    else:
        word = ""
    return (f"{value:.2g}" if value < 99.5 else f"{value:.0f}") + word


def heat(
    axes: Axes,
    grid: pd.DataFrame,
    write: Callable[[float], str] | pd.DataFrame,
    colours: str = "cividis_r",
    limits: tuple[float, float] | None = None,
) -> AxesImage | None:
    """A table as colours with its numbers written in; what is missing stays blank.

    Parameters
    ----------
    axes : Axes
    grid : DataFrame
        Numbers; the names of rows and columns become the ticks.
    write : callable or DataFrame
        From a number to its text, or the texts.
    colours : str
        A colour map.
    limits : tuple of float, optional
        Ends of the colours; the least and the largest number unless given.

    Returns
    -------
    AxesImage or None
        For a colour bar; None if there is no number, which the panel then says.
    """
    values = np.ma.masked_invalid(grid.to_numpy(dtype=float))
    if not values.count():
        nothing(axes)
        return None
    low, high = limits or (values.min(), values.max())
    scale = Normalize(low, max(high, low + 1e-9))
    image = axes.imshow(values, aspect="auto", cmap=colours, norm=scale, interpolation="nearest")
    texts = write if isinstance(write, pd.DataFrame) else grid.astype(float).map(write)
    for row, column in np.argwhere(~np.ma.getmaskarray(values)):
        brightness = np.dot(image.to_rgba(values[row, column])[:3], (0.299, 0.587, 0.114))
        axes.text(
            column, row, texts.iat[row, column], ha="center", va="center", fontsize=7,
            color="#111111" if brightness > 0.5 else "white",
        )  # fmt: skip
    columns = [short(name) for name in grid.columns]
    slanted: dict[str, Any] = {"rotation": 25, "ha": "right"}
    long = max(map(len, columns)) * len(columns) > 90
    axes.set_xticks(range(len(columns)), columns, fontsize=7.5, **(slanted if long else {}))
    axes.set_yticks(range(len(grid)), [short(name) for name in grid.index], fontsize=7.5)
    axes.tick_params(length=0)
    return image


def by_setting(
    grid: pd.DataFrame, write: Callable[[float], str] = "{:.0f}".format, **sides: pd.Series
) -> Figure:
    """Numbers of each contender in each setting, as `heat`.

    Parameters
    ----------
    grid : DataFrame
        A row for each contender; its columns have a level for each factor of a setting.
    write : callable
        From a number to its text.
    **sides : Series
        What is known of each contender in all settings, as further columns.
    """
    words = ", ".join(grid.columns.names)
    named = grid.set_axis([", ".join(map(short, levels)) for levels in grid.columns], axis=1)
    figure, axes = panels(1, 1, (6.4, 3.2))
    heat(axes[0, 0], named.assign(**sides), write, colours="cividis")
    axes[0, 0].set_xlabel(words)
    return figure


def heats(shares: pd.DataFrame, words: str) -> Figure:
    """Shares as percentages, a panel for each value of the first level of the columns.

    Parameters
    ----------
    shares : DataFrame
        Its columns have levels of which the first names the panel; the others are written below
        each column.
    words : str
        What these are.
    """
    names = list(dict.fromkeys(shares.columns.get_level_values(0)))
    figure, axes = panels(max(1, len(names)), 1, (7.6, 3.8 * max(1, len(names))))
    for one, name in zip(axes[:, 0], names, strict=False):
        chosen = shares.loc[:, shares.columns.get_level_values(0) == name].dropna(how="all")
        chosen.columns = [", ".join(map(short, rest)) for _, *rest in chosen.columns]
        heat(one, 100 * chosen, "{:.0f}".format, colours="cividis", limits=(0, 100))
        one.set_title(f"{shares.columns.names[0]}: {name}", loc="left", fontsize=9)
    axes[-1, 0].set_xlabel(words)
    return figure


def interval(values: ArrayLike, log: bool = False) -> tuple[float, float, float]:
    """Mean with the ends of its 95% interval, both ends at the mean if there are too few values.

    Parameters
    ----------
    values : array
        At least one, all finite, positive if `log`.
    log : bool
        The geometric mean instead.
    """
    sample = np.log(np.asarray(values, dtype=float)) if log else np.asarray(values, dtype=float)
    effect = mean(sample) if len(sample) >= FEWEST_FOR_BARS else None
    if effect is None:
        center = float(np.exp(sample.mean()) if log else sample.mean())
        return center, center, center
    estimate, low, high, _ = from_logs(effect) if log else effect
    return estimate, low, high


def curves(
    axes: Axes,
    rows: pd.DataFrame,
    value: str,
    by: str,
    series: Mapping[str, Look],
    x: str = "separation",
    log: bool = False,
) -> None:
    """Means over data sets with 95% intervals, evenly spaced along the values of a column.

    Parameters
    ----------
    axes : Axes
    rows : DataFrame
        One row for each data set; values that are not finite are left out.
    value : str
        Column whose mean is drawn.
    by : str
        Column that names the series of a row.
    series : mapping of str to Look
        The series to draw, in this order, from `looks`.
    x : str
        Column along the axis.
    log : bool
        Geometric means on a log axis; values that are not positive are left out.
    """
    rows, places = _finite(rows, value, log), sorted(rows[x].dropna().unique())
    for at, middle, reach, drawn in _series(rows, value, by, series, x, places, log):
        axes.errorbar(at, middle, reach, **drawn)
    if rows.empty:
        nothing(axes)
        return
    if log:
        axes.set_yscale("log")
    axes.set_xticks(range(len(places)), [f"{place:g}" for place in places])
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_xlabel(SEPARATION if x == "separation" else x)
    axes.grid(axis="y", lw=0.4, alpha=0.5)


def curve_panels(
    rows: pd.DataFrame, value: str, by: str, names: Sequence[str],
    grid: Mapping[str, Sequence[str]], words: str, log: bool = True,
) -> Figure:  # fmt: skip
    """`curves` of some series, a panel for each pair of values of two columns.

    Parameters
    ----------
    rows : DataFrame
    value, by : str
        Columns of the values and of the series.
    names : sequence of str
        The series shown.
    grid : mapping of str to sequence of str
        Two columns with their values, down and across.
    words : str
        What the values are.
    log : bool
        Geometric means on a log scale.
    """
    (down, lines_), (across, columns) = grid.items()
    figure, axes = panels(len(lines_), len(columns), (2.8 * len(columns), 2.7 * len(lines_)),
                          sharey=True)  # fmt: skip
    for line, first in zip(axes, lines_, strict=True):
        for one, second in zip(line, columns, strict=True):
            chosen = rows[(rows[down] == first) & (rows[across] == second) & rows[by].isin(names)]
            curves(one, chosen, value, by, looks(names), log=log)
            one.set_title(f"{short(first)}, {short(second)}", loc="left", fontsize=9)
    axes[0, 0].set_ylabel(words)
    return legend(figure, axes)


def lines(axes: Axes, rows: pd.DataFrame, x: str, y: str, by: str) -> None:
    """One line for each value of a column, through its points in the order of x."""
    names = list(dict.fromkeys(rows[by]))
    for name, look in looks(names).items():
        part = rows[rows[by] == name].sort_values(x)
        axes.plot(part[x], part[y], **look._asdict(), ms=4, lw=1.1, label=short(name))
    if not names:
        nothing(axes)


def medians(
    axes: Axes, rows: pd.DataFrame, x: str, value: str, band: bool = True, **style: Any
) -> None:
    """Median over replicates along a column, in a band of its 95% interval if there are enough.

    Parameters
    ----------
    axes : Axes
    rows : DataFrame
        One row for each replicate and place.
    x, value : str
        Columns along the axis and up.
    band : bool
        Whether the interval is drawn.
    **style
        Of the line; its color is that of the band.
    """
    wide = rows.pivot(index=x, columns="replicate", values=value)
    axes.plot(wide.index, wide.median(axis=1), **style)
    if band and wide.shape[1] >= FEWEST_FOR_MEDIANS:
        low, high = np.array([median(row)[1:3] for row in wide.to_numpy()]).T
        axes.fill_between(wide.index, low, high, color=style["color"], alpha=0.2, linewidth=0)


def dots(
    axes: Axes,
    rows: pd.DataFrame,
    value: str,
    by: str,
    series: Mapping[str, Look],
    y: str,
    places: Sequence[Any],
) -> None:
    """Means over data sets with 95% intervals, one line for each category, the first on top.

    Parameters are those of `curves`, with the column `y` and its values `places` downwards.
    """
    rows = _finite(rows, value, False)
    for at, middle, reach, drawn in _series(rows, value, by, series, y, places, widest=0.2):
        axes.errorbar(middle, at, xerr=reach, **{**drawn, "linestyle": "none"})
    axes.set_yticks(range(len(places)), [short(place) for place in places])
    axes.set_ylim(max(len(places), 1) - 0.5, -0.5)
    axes.grid(axis="y", lw=0.4, alpha=0.5)


def compared(
    rows: pd.DataFrame, y: str, by: str, columns: Mapping[str, str], height: float
) -> tuple[Figure, NDArray[Any]]:
    """A panel of `dots` for each column.

    Parameters
    ----------
    rows : DataFrame
        One row for each data set.
    y, by : str
        Columns that name the line and the series of a row, in the order of the rows.
    columns : mapping of str to str
        What is drawn, and its label.
    height : float
        Of the figure, in inches.
    """
    rows = rows.reindex(columns=[*dict.fromkeys([*rows.columns, y, by])])
    places, series = list(dict.fromkeys(rows[y])), looks(dict.fromkeys(rows[by]))
    figure, (line,) = panels(1, len(columns), (8, height), sharey=True)
    for axes, (column, label) in zip(line, columns.items(), strict=True):
        dots(axes, rows, column, by, series, y, places)
        axes.set_xlabel(label)
    return legend(figure, line[0]), line


def _finite(rows: pd.DataFrame, value: str, log: bool) -> pd.DataFrame:
    if value not in rows:
        return rows.iloc[:0].assign(**{value: 0.0})
    numbers = rows[value].astype(float)
    kept = np.isfinite(numbers) & ((numbers > 0) | (not log))
    return rows.assign(**{value: numbers})[kept]


def _series(
    rows: pd.DataFrame,
    value: str,
    by: str,
    series: Mapping[str, Look],
    along: str,
    places: Sequence[Any],
    log: bool = False,
    widest: float = 0.08,
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]]:
    """Places side by side, means, reach of the intervals and keywords of each series."""
    position = {place: at for at, place in enumerate(places)}
    step = min(widest, 0.7 / max(len(series), 1))
    for number, (name, look) in enumerate(series.items()):
        groups = rows[rows[by] == name].groupby(along)[value]
        found = {position[at]: interval(part, log) for at, part in groups if at in position}
        if not found:
            continue
        middle, low, high = np.array([found[at] for at in sorted(found)]).T
        at = np.array(sorted(found)) + step * (number - (len(series) - 1) / 2)
        drawn = {**look._asdict(), "label": short(name), "ms": 4, "lw": 1.1, "elinewidth": 0.8}
        yield at, middle, np.maximum([middle - low, high - middle], 0), drawn
