"""The report of one fit: the estimates first, then whether to trust them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ordered_mix.files.results import digest
from ordered_mix.fitted.fitted import Fitted
from ordered_mix.report.contents import Report, Section
from ordered_mix.report.figures import by_arviz, components, fit, labels
from ordered_mix.report.figures.chains import Chains, chains_of_sampler
from ordered_mix.report.figures.style import Drawing
from ordered_mix.report.tables import table
from ordered_mix.report.tables.table import Table, fixed
from ordered_mix.report.words import (
    LIBRARIES,
    OF_COMPARISONS,
    data_in_words,
    glossary,
    prior_in_words,
    versions,
)

if TYPE_CHECKING:
    import pandas as pd

COLOUR = "#2a6f97"
CRITERIA = {
    "log_likelihood": ("Log likelihood", fixed(2)),
    "bic": ("BIC", fixed(2)),
    "icl": ("ICL", fixed(2)),
    "sbic": ("sBIC", fixed(2)),
    "elpd_loo": ("elpd, LOO", fixed(2)),
    "elpd_loo_se": ("Standard error", fixed(2)),
    "elpd_waic": ("elpd, WAIC", fixed(2)),
    "log_evidence": ("Log evidence", fixed(2)),
    "log_evidence_se": ("Standard error", fixed(2)),
    "probability": ("Probability", fixed(3)),
}


class FitReport(Report):
    """A fitted mixture.

    Parameters
    ----------
    fitted : Fitted
    """

    kind = "Gaussian mixture, fitted"
    leading = 1
    about = "mixture fitted"
    files = (
        "All numbers are in estimates.csv, which point belongs where in points.csv, and the draws "
        "in draws.nc, beside this file."
    )

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted
        k = fitted.components
        self.name = fitted.data.name
        self.size = f"n = {fitted.data.n:,} points, K = {k} component{'s' if k > 1 else ''}"
        self.verdicts = fitted.verdicts

    @property
    def findings(self) -> str:
        """What is particular about the data."""
        return " ".join(self.fitted.notes)

    @cached_property
    def chains(self) -> Chains | None:
        """The chains, if there are any."""
        found = self.fitted.posterior
        return None if found is None else chains_of_sampler(found, COLOUR)

    def picture(self) -> Drawing | None:
        """The fitted density over the data."""
        fitted = self.fitted
        if self.chains is None:
            return None
        return fit.density(self.chains, fitted.data.name, fitted.data, fitted.maximum.mixture)

    def sections(self) -> list[Section]:
        """The fit, the number of components, the posterior and the chains."""
        fitted, picture = self.fitted, self.picture()
        if picture is None or self.chains is None or fitted.posterior is None:
            return []
        unit, criteria = fitted.data.name, fitted.criteria
        assert fitted.checks is not None
        densities = by_arviz.densities(fitted.tree, fitted.hdi_prob, unit)
        chains = [labels.labels(self.chains, unit), by_arviz.energy(fitted.posterior)]
        posterior = [densities, by_arviz.transforms(fitted.checks)]
        numbers = [components.criteria(criteria)] if len(criteria) > 1 else []
        found = [
            Section("The fit", [picture]),
            Section("Components", numbers),
            Section("The posterior", [drawn for drawn in posterior if drawn]),
            Section("Chains", [drawn for drawn in chains if drawn]),
        ]
        return [section for section in found if section.drawings]

    def tables(self) -> list[Table]:
        """The estimates, and the criteria of several numbers of components."""
        fitted = self.fitted
        found = [table.answer(fitted.estimates, fitted.hdi_prob, float(fitted.data.scale))]
        if len(fitted.criteria) > 1:
            found.append(criteria_table(fitted.criteria))
        return found

    def setup(self) -> list[tuple[str, str]]:
        """How the fit was made."""
        fitted = self.fitted
        asked = ", ".join(f"{name} = {value}" for name, value in (fitted.settings or {}).items())
        found = [
            ("Data", f"{fitted.data.name}, {data_in_words(fitted.data)}"),
            ("SHA-256 of the data", digest(fitted.data.y)),
            ("Settings", asked),
            ("Versions", versions(*LIBRARIES)),
        ]
        if fitted.prior is not None:
            found.insert(2, ("Prior", prior_in_words(fitted.prior)))
        return found

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a fit."""
        return glossary(without=OF_COMPARISONS)


def criteria_table(criteria: pd.DataFrame) -> Table:
    """The criteria of several numbers of components, one row for each."""
    present = {name: column for name, column in CRITERIA.items()
               if name in criteria and criteria[name].notna().any()}  # fmt: skip
    rows = [
        table.Row(f"K = {row['components']}", "", [write(row[name]) for name, (_, write) in
                                                   present.items()])
        for row in criteria.to_dict("records")
    ]  # fmt: skip
    note = (
        "Smaller is better for BIC, ICL and sBIC, larger for the elpd and the evidence; the "
        "probability of K takes all as equally probable a priori."
    )
    return Table("How many components", note, [name for name, _ in present.values()], rows)
