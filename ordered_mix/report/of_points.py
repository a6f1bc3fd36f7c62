"""The reports of points in several dimensions: of a fit, and of a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from ordered_mix.compare.columns import INVARIANT
from ordered_mix.compare.points import ComparisonOfPoints, SettingsOfPoints
from ordered_mix.data import Data, shipped_points
from ordered_mix.files.results import digest
from ordered_mix.fitted.points import FittedPoints
from ordered_mix.fitted.posterior_points import PosteriorOfPoints
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.report.contents import Report, Section
from ordered_mix.report.figures import components, cost, elpd
from ordered_mix.report.figures.pairs import pairs
from ordered_mix.report.figures.style import Drawing, colours
from ordered_mix.report.of_fit import criteria_table
from ordered_mix.report.tables import of_points, table
from ordered_mix.report.tables.of_numbers import of_numbers
from ordered_mix.report.tables.table import Table
from ordered_mix.report.words import LIBRARIES, OF_COMPARISONS, OF_DRAWS, glossary, versions

if TYPE_CHECKING:
    from ordered_mix.fitted.verdict import Verdict


class FittedPointsReport(Report):
    """A mixture fitted to several columns.

    Parameters
    ----------
    fitted : FittedPoints
    """

    kind = "Gaussian mixture in several dimensions, fitted"
    leading = 1
    about = "mixture fitted"
    files = (
        "All numbers are in estimates.csv, which point belongs where in points.csv, and the draws "
        "in draws.nc, beside this file."
    )
    verdicts: Sequence[Verdict]

    def __init__(self, fitted: FittedPoints) -> None:
        self.fitted = fitted
        self.name = fitted.data.name
        self.size = size_of(fitted.data, fitted.components)
        self.verdicts = fitted.verdicts

    def picture(self) -> Drawing:
        """Pairs of columns with the components."""
        return pairs(self.fitted)

    def sections(self) -> list[Section]:
        """The fit, and the number of components."""
        several = len(self.fitted.criteria) > 1
        numbers = [components.criteria(self.fitted.criteria)] if several else []
        found = [Section("The fit", [self.picture()], wide=True), Section("Components", numbers)]
        return [section for section in found if section.drawings]

    def tables(self) -> list[Table]:
        """The estimates, the points, and the criteria of several numbers of components."""
        fitted = self.fitted
        found = [of_points.answer(fitted)]
        if len(fitted.criteria) > 1:
            found.append(criteria_table(fitted.criteria))
        found += [of_points.classification(fitted), of_points.uncertain(fitted)]
        return [one for one in found if one.rows]

    def setup(self) -> list[tuple[str, str]]:
        """How the fit was made."""
        return setup_of(self.fitted.data, self.fitted.prior)

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a fit."""
        return glossary(without=OF_COMPARISONS)


class PointsComparisonReport(Report):
    """Parameterizations and estimators side by side, in several dimensions.

    Parameters
    ----------
    comparison : ComparisonOfPoints
    """

    kind = "Gaussian mixture in several dimensions, parameterizations and estimators compared"
    leading = 1
    about = "mixtures compared"
    files = (
        "All numbers are in table.parquet and table.csv, the draws in one netCDF file for each "
        "sampler, beside this file."
    )
    verdicts: Sequence[Verdict]

    def __init__(self, comparison: ComparisonOfPoints) -> None:
        self.comparison = comparison
        self.name = comparison.data.name
        self.size = size_of(comparison.data, comparison.settings.components)
        self.verdicts = comparison.verdicts
        self.shades = colours(item.coordinates for item in self.all)

    @property
    def all(self) -> list[PosteriorOfPoints]:
        """Every sampler, particles among them."""
        found = self.comparison
        return [*found.sampled.values(), *([found.particles] if found.particles else [])]

    @property
    def timings(self) -> Table:
        """Wall-clock times."""
        return table.seconds(self.comparison, self.shades)

    def picture(self) -> Drawing:
        """Pairs of columns with the components."""
        return pairs(self.comparison.fitted)

    def sections(self) -> list[Section]:
        """The fit, the number of components, prediction and cost."""
        compared = self.comparison
        sampled, less = self.all, compared.fewer_components
        numbers = [components.criteria(compared.several.table)] if compared.several else []
        predicted = [elpd.forest(sampled, less, self.shades)] if len(sampled) > 1 or less else []
        passes = [cost.efficiency(sampled, self.shades)]
        if compared.fits:
            passes.append(cost.convergence(compared.fits, self.shades))
        found = [
            Section("The fit", [self.picture()], wide=True),
            Section("How many components", numbers),
            Section("How well it predicts", predicted),
            Section("What it costs", passes),
        ]
        return [section for section in found if section.drawings]

    def tables(self) -> list[Table]:
        """The estimates first, then points, directions, samplers and criteria."""
        compared = self.comparison
        found = [of_points.answer(compared.fitted)]
        if compared.several is not None:
            found.append(of_numbers(compared.several))
        found += [of_points.classification(compared.fitted), of_points.uncertain(compared.fitted)]
        if compared.settings.components > 1:
            found += [of_points.axes(compared), of_points.directions(compared)]
        found += table.side_by_side(compared, self.shades, INVARIANT)
        return [one for one in found if one.rows]

    def setup(self) -> list[tuple[str, str]]:
        """How the comparison was made."""
        compared, settings = self.comparison, self.comparison.settings
        skipped = "; ".join(f"{name}: {why}" for name, why in compared.skipped.items())
        found = setup_of(compared.data, compared.prior)
        found[3:3] = [
            ("Chains", f"{settings.chains} chains of {settings.tune:,} warm-up draws and "
                       f"{settings.draws:,} draws kept, from shared starts"),
            ("Seed", str(settings.seed)),
            ("To run it again", command(compared)),
        ]  # fmt: skip
        return found + ([("Does not apply", skipped)] if skipped else [])

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a comparison."""
        return glossary(without=OF_DRAWS)


def size_of(data: Data, k: int) -> str:
    """How much there is."""
    plural = "s" if k > 1 else ""
    return f"n = {data.n:,} points in {data.d} dimensions, K = {k} component{plural}"


def setup_of(data: Data, prior: MultivariatePrior) -> list[tuple[str, str]]:
    """Data, prior and versions."""
    columns = ", ".join(
        f"{name} (mean {location:.6g}, standard deviation {scale:.6g})"
        for name, location, scale in zip(data.columns, data.location, data.scale, strict=True)
    )
    return [
        ("Data", f"{data.name}, n = {data.n}: {columns}"),
        ("SHA-256 of the data", digest(data.y)),
        ("Prior", prior_in_words(prior)),
        ("Versions", versions(*LIBRARIES)),
    ]


def prior_in_words(prior: MultivariatePrior) -> str:
    """The reference prior as distributions with their numbers."""
    means = ", ".join(f"{value:.4g}" for value in prior.location)
    spreads = ", ".join(f"{value:.4g}" for value in prior.spread)
    scales = ", ".join(f"{value:.4g}" for value in prior.scale)
    rate = "scale²"
    if prior.scale_family == "adaptive":
        rate = "β, β ~ InverseGamma(1/2, (scale/10)²)"
    law = f"variances ~ InverseGamma(2, {rate})"
    if prior.covariance in ("full", "tied"):
        law = f"covariances ~ InverseWishart({prior.d + 3}, …), their {law}"
    return (
        f"means ~ Normal(({means}), sds ({spreads})), {prior.covariance} {law}, scales ({scales}), "
        f"weights ~ Dirichlet({prior.concentration:.4g}, …)"
    )


def command(comparison: ComparisonOfPoints) -> str:
    """The command that makes this comparison again."""
    data, settings = comparison.data, comparison.settings
    stem = data.name.partition(":")[0]
    source = data.name if stem in shipped_points() else f"FILE.csv:{','.join(data.columns)}"
    words = ["ordered-mix", "compare", source]
    for item in fields(SettingsOfPoints):
        value = getattr(settings, item.name)
        if item.name in ("cores", "up_to", "components") or value == item.default:
            continue
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        words += [f"--{item.name.replace('_', '-')}", text]
    numbers = str(settings.components)
    if comparison.several is not None:
        numbers = "-".join(map(str, comparison.several.range))
    return shlex.join([*words, "--components", numbers])
