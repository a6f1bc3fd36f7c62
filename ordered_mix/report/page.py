"""The page: what goes where, and the two templates that hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from ordered_mix import __version__
from ordered_mix.report import figures_cost, figures_fit, figures_labels, figures_means
from ordered_mix.report.style import Drawing, colours
from ordered_mix.report.tables import samplers, seconds, tables
from ordered_mix.report.words import GLOSSARY, headline, setup

if TYPE_CHECKING:
    from ordered_mix.comparison import Comparison, Sampled


@dataclass(frozen=True)
class Section:
    """Figures under one heading; a caption they share is shown once."""

    title: str
    drawings: Sequence[Drawing]
    small: bool = False

    @property
    def caption(self) -> str:
        """The caption all figures share, or an empty string."""
        captions = {drawing.caption for drawing in self.drawings}
        return captions.pop() if len(captions) == 1 else ""


def render(comparison: Comparison) -> str:
    """The report of a comparison as one self-contained HTML page.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        HTML without scripts, that loads nothing; the same comparison gives the same bytes.
    """
    shades = _shades(comparison)
    return _environment().get_template("page.html").render(
        comparison=comparison,
        headline=headline(comparison.verdicts),
        sections=[section for section in _sections(comparison, shades) if section.drawings],
        tables=tables(comparison, shades),
        seconds=seconds(comparison, shades),
        setup=setup(comparison),
        glossary=GLOSSARY,
        version=__version__,
    )  # fmt: skip


def notebook(comparison: Comparison) -> str:
    """The verdicts, the table of the samplers and the fitted density as an HTML fragment."""
    shades = _shades(comparison)
    return _environment().get_template("notebook.html").render(
        comparison=comparison,
        headline=headline(comparison.verdicts),
        table=samplers(comparison, shades),
        drawing=_density(comparison, shades),
    )  # fmt: skip


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ordered_mix.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shades(comparison: Comparison) -> dict[str, str]:
    return colours(item.parameterization.label for item in comparison.sampled.values())


def _density(comparison: Comparison, shades: dict[str, str]) -> Drawing:
    best = max(comparison.sampled.values(), key=lambda item: item.worst("ess_bulk", "folded"))
    colour = shades[best.parameterization.label]
    return figures_fit.density(comparison.data, best, comparison.optima.best, colour)


def _sections(comparison: Comparison, shades: dict[str, str]) -> list[Section]:
    sampled = list(comparison.sampled.values())
    unit, maximum = comparison.data.name, comparison.optima.best
    pairs: list[Drawing] = []
    if comparison.settings.components > 1:
        extent = figures_means.limits(sampled)
        pairs = [
            figures_means.pairs(item, maximum, shades[item.parameterization.label], unit, extent)
            for item in sampled
        ]
    traces = [
        figures_labels.labels(item, shades[item.parameterization.label], unit)
        for item in _to_fold(sampled)
    ]
    cost = [figures_cost.efficiency(sampled, shades)]
    if comparison.fits:
        cost.append(figures_cost.convergence(comparison.fits, shades))
    fit = [_density(comparison, shades)]
    if len(sampled) > 1 or comparison.fewer:
        fit.append(figures_fit.forest(sampled, comparison.fewer, shades))
    return [
        Section("The fit, and how well it predicts", fit),
        Section("Labels, raw beside folded" if pairs else "Chains", traces),
        Section("Neighbouring means", pairs, small=comparison.settings.components == 2),
        Section("What it costs", cost),
    ]


def _to_fold(sampled: Sequence[Sampled]) -> list[Sampled]:
    """Every sampler whose labels are free, and the most efficient of the others to compare with."""
    free = [item for item in sampled if item.parameterization.copies > 1]
    rest = [item for item in sampled if item.parameterization.copies == 1]
    return free + sorted(rest, key=lambda item: -item.worst("ess_per_pass", "folded"))[:1]
