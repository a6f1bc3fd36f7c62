"""The report of a comparison: which figures and tables it holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ordered_mix.compare.comparison import Comparison
from ordered_mix.fitted.posterior import Posterior
from ordered_mix.report.contents import Report, Section
from ordered_mix.report.figures import components, cost, elpd, fit, labels, means, surface
from ordered_mix.report.figures.chains import Chains, chains_of_sampler
from ordered_mix.report.figures.style import Drawing, colours
from ordered_mix.report.tables import table
from ordered_mix.report.tables.of_numbers import of_numbers
from ordered_mix.report.tables.table import Table
from ordered_mix.report.words import OF_DRAWS, glossary, setup


class ComparisonReport(Report):
    """Parameterizations and estimators side by side.

    Parameters
    ----------
    comparison : Comparison
    """

    kind = "Gaussian mixture, parameterizations and estimators compared"
    leading = 1
    about = "mixtures compared"
    files = (
        "All numbers are in table.parquet and table.csv, the draws in one netCDF file for each "
        "sampler, beside this file."
    )

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        data, k = comparison.data, comparison.settings.components
        self.name = data.name
        self.size = f"n = {data.n:,} points, K = {k} component{'s' if k > 1 else ''}"
        self.verdicts = comparison.verdicts
        labels = [item.coordinates for item in self.all]
        self.shades = colours(labels)

    @property
    def all(self) -> list[Posterior]:
        """Every sampler, particles among them."""
        found = self.comparison
        return [*found.sampled.values(), *([found.particles] if found.particles else [])]

    @cached_property
    def chains(self) -> dict[str, Chains]:
        """The chains of every sampler by its label."""
        return {
            item.label: chains_of_sampler(item, self.shades[item.coordinates]) for item in self.all
        }

    @property
    def timings(self) -> Table:
        """Wall-clock times."""
        return table.seconds(self.comparison, self.shades)

    def picture(self) -> Drawing:
        """The density of the sampler that the answer is taken from."""
        compared = self.comparison
        return fit.density(
            self.chains[compared.best.label],
            compared.data.name,
            compared.data,
            compared.maximum.mixture,
        )

    def sections(self) -> list[Section]:
        """The fit, the labels, neighbouring means and the cost."""
        compared, unit = self.comparison, self.comparison.data.name
        sampled, k = list(compared.sampled.values()), compared.settings.components
        traces = [labels.labels(self.chains[item.label], unit) for item in _to_sort(sampled)]
        passes = [cost.efficiency(sampled, self.shades)]
        if compared.fits:
            passes.append(cost.convergence(compared.fits, self.shades))
        if k == 2 and compared.maximum.mixture is not None:
            passes.append(surface.surface(compared.data, compared.maximum.mixture))
        fits = [self.picture()]
        if len(sampled) > 1 or compared.fewer_components:
            fits.append(elpd.forest(sampled, compared.fewer_components, self.shades))
        numbers = [components.criteria(compared.several.table)] if compared.several else []
        found = [
            Section("How many components", numbers),
            Section("The fit, and how well it predicts", fits),
            Section("Labels, raw beside relabelled" if k > 1 else "Chains", traces),
            Section("Neighbouring means", self._pairs(), small=k == 2),
            Section("What it costs", passes),
        ]
        return [section for section in found if section.drawings]

    def tables(self) -> list[Table]:
        """Samplers, criteria, point estimators, estimates and optima."""
        fitted = self.comparison.fitted
        answer = table.answer(fitted.estimates, fitted.hdi_prob, float(fitted.data.scale))
        rest = table.tables(self.comparison, self.shades)
        if self.comparison.several is None:
            return [answer, *rest]
        return [answer, of_numbers(self.comparison.several), *rest]

    def setup(self) -> list[tuple[str, str]]:
        """How the comparison was made."""
        return setup(self.comparison)

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a comparison."""
        return glossary(without=OF_DRAWS)

    def _pairs(self) -> list[Drawing]:
        if self.comparison.settings.components == 1:
            return []
        unit, maximum = self.comparison.data.name, self.comparison.maximum.mixture
        extent = means.limits(list(self.chains.values()))
        return [means.pairs(item, unit, extent, maximum) for item in self.chains.values()]


def _to_sort(sampled: Sequence[Posterior]) -> list[Posterior]:
    """Every sampler whose labels are free, and the most efficient of the others to compare with."""
    free = [item for item in sampled if item.parameterization.labellings > 1]
    rest = [item for item in sampled if item.parameterization.labellings == 1]
    return free + sorted(rest, key=lambda item: -item.worst("ess_per_pass", "relabelled"))[:1]
