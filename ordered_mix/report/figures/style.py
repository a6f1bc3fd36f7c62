"""The look of the figures: one colour per parameterization, neutrals that follow the page's theme.

Figures are matplotlib `Figure` objects under a style of our own, so neither the user's settings nor
pyplot are touched; each becomes one inline SVG whose neutral colours are CSS variables.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.colors
import matplotlib.style
import numpy as np
from markupsafe import Markup
from matplotlib.animation import Animation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ordered_mix.study.drawing import BAND, FURTHER, INK, PALETTE

WIDTH = 4.4
RASTER_DPI = 180
FRAMES_A_SECOND = 3
WIDEST = 35
"""Width on the page of a figure of `WIDTH`, in rem, so that all figures have one size of text."""
REM, LEAST, MOST = 16, 1.0, 1.3
"""Pixels of a rem, and for a point of a figure whose size its author chose."""

MUTED, GRID, FILL, SURFACE = "#020202", "#030303", "#040404", "#050505"
NEUTRALS = {
    INK: "ink",
    BAND: "fill",
    MUTED: "muted",
    GRID: "grid",
    FILL: "fill",
    SURFACE: "surface",
}
GREY = "#8c8c8c"
"""A neutral that is legible on light and dark, for pixels, which cannot follow the theme."""

RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ordered_mix",
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "legend.borderpad": 0.1,
    "legend.labelspacing": 0.3,
}

FULL_NUMBER = re.compile(r"-?\d+\.\d{3,}")
REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Drawing:
    """One figure of the report.

    Parameters
    ----------
    title : str
        What it is, in a few words.
    svg : Markup
        An ``svg`` element that carries ``alt`` as its label, or an ``img`` for an animation.
    alt : str
        What the figure shows, with the measured numbers.
    caption : str
        How to read it.
    scrolls : bool
        Whether it keeps its size, and is scrolled on a narrow page.
    paper : bool
        Whether it is all pixels, so that it needs light paper behind it.
    """

    title: str
    svg: Markup
    alt: str
    caption: str
    scrolls: bool = False
    paper: bool = False


OWN = {name: value for name, value in RC.items() if "size" not in name} | {"text.parse_math": True}
"""The look for figures of others, who chose their sizes and may have written mathematics."""


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function under the style of the report, whatever the user's settings are."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", RC]):
            return draw(*args, **kwargs)

    return wrapper


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each parameterization; the label of one may carry options in brackets."""
    free = iter(FURTHER * 10)
    chosen: dict[str, str] = {}
    for label in names:
        colour = PALETTE.get(label.partition("(")[0])
        if label not in chosen:
            chosen[label] = colour if colour and colour not in chosen.values() else next(free)
    return chosen


def ramp(colour: str, k: int) -> list[str]:
    """Shades for k components, from the colour of the parameterization over a tint to grey."""
    start, grey = (np.array(matplotlib.colors.to_rgb(name)) for name in (colour, GREY))
    stops = np.array([start, 0.4 * start + 0.6, grey])
    at = np.linspace(0, 1, k)
    channels = [np.interp(at, (0, 0.5, 1), channel) for channel in stops.T]
    return [matplotlib.colors.to_hex(rgb) for rgb in zip(*channels, strict=True)]


def canvas(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of the given size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.04, h_pad=0.04)  # type: ignore[call-arg]
    return figure


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str], columns: int) -> None:
    """A legend above the axes, where it covers no data."""
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def log_axis(axis: Any, write: Callable[[float], str], most: int) -> None:
    """At most so many decades as tick labels, without mathtext."""
    axis.set_major_locator(LogLocator(numticks=most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_formatter(NullFormatter())


def superscript(value: float) -> str:
    """A power of ten."""
    return f"10{str(round(np.log10(value))).translate(SUPERSCRIPT)}"


def thousands(axis: Any, low: float, high: float, most: int) -> None:
    """At most so many intervals between ticks, with thousands grouped in large numbers."""
    axis.set_major_locator(MaxNLocator(most))
    if 1e4 <= max(abs(low), abs(high)) < 1e7:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def shortened(name: str, most: int = 24) -> str:
    """A name that fits an axis: the middle of a long one is left out."""
    half = most // 2 - 1
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def light_grid(axes: Axes, which: str) -> None:
    """A faint grid along one axis, whose own ticks are dropped."""
    axes.grid(axis=which)  # type: ignore[arg-type]
    axes.tick_params(axis=which, length=0)  # type: ignore[arg-type]


def to_svg(figure: Figure, alt: str, shrinks: bool = True) -> Markup:
    """The figure as one inline SVG: labelled, themed, small, the same bytes every time.

    One that does not shrink keeps its words legible, and is scrolled on a narrow page.
    """
    buffer = io.StringIO()
    figure.set_dpi(RASTER_DPI)
    # `savefig` draws twice, the first time for the layout alone, which drawing settles anyway
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    prefix = "f" + hashlib.sha256((alt + buffer.getvalue()).encode()).hexdigest()[:10]
    for parent in root.iter():
        for child in [c for c in parent if _local(c.tag) in ("metadata", "style")]:
            parent.remove(child)
    used = {match for node in root.iter() for match in _references(node)}
    for node in root.iter():
        _clean(node, used, prefix)
    view_box = root.attrib["viewBox"]
    points = float(view_box.split()[2])
    least, most = LEAST * points / REM, MOST * points / REM
    width = f"width:{most:.2f}rem;max-width:100%;min-width:{least:.2f}rem"
    if shrinks:
        width = f"max-width:{WIDEST * points / (72 * WIDTH):.2f}rem"
    root.attrib = {"viewBox": view_box, "role": "img", "aria-label": alt, "style": width}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def gif(animation: Animation) -> bytes:
    """The animation as a GIF that repeats."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "animation.gif"
        opaque = {"facecolor": "white"}  # else every frame shows those before it
        animation.save(file, writer=PillowWriter(FRAMES_A_SECOND), savefig_kwargs=opaque)
        return file.read_bytes()


def to_gif(animation: Animation, alt: str) -> Markup:
    """The animation as one image inside the page."""
    data = base64.b64encode(gif(animation)).decode()
    return Markup('<img src="data:image/gif;base64,{}" alt="{}">').format(data, alt)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _references(node: ElementTree.Element) -> list[str]:
    found = (REFERENCE.search(value) for value in node.attrib.values() if "#" in value)
    return [match[1] or match[2] for match in found if match]


def _clean(node: ElementTree.Element, used: set[str], prefix: str) -> None:
    node.tag = _local(node.tag)
    attributes = {_local(name): value for name, value in node.attrib.items()}
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    for name, value in attributes.items():
        if name == "id":
            attributes[name] = prefix + value
        elif "#" in value:
            value = REFERENCE.sub(lambda m: m[0].replace("#", f"#{prefix}"), value)
            attributes[name] = _themed(value)
        elif name in ("d", "x", "y"):
            attributes[name] = FULL_NUMBER.sub(_shorter, value).replace("\n", "")
        elif name == "style":
            attributes[name] = _themed(value)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    node.attrib = attributes
    node.tail = None
    if node.tag != "text":
        node.text = node.text.strip() if node.text else None


def _themed(style: str) -> str:
    for colour, variable in NEUTRALS.items():
        style = style.replace(colour, f"var(--{variable})")
    return re.sub(r" ?font-family:[^;]*;?", "", style)


def _shorter(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
