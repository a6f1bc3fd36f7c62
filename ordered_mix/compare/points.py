"""The comparison on points in several dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.compare.axes import axes_of
from ordered_mix.compare.columns import INVARIANT
from ordered_mix.compare.compared import Compared
from ordered_mix.compare.comparison import Settings
from ordered_mix.compare.points_verdicts import verdicts
from ordered_mix.compare.several import Several
from ordered_mix.data import Data
from ordered_mix.draws.quantities import quantities
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.files.results import slug
from ordered_mix.fitted.fitted import default_mass
from ordered_mix.fitted.maximum import Maximum
from ordered_mix.fitted.points import FittedPoints
from ordered_mix.fitted.points_numbers import criteria_of_points
from ordered_mix.fitted.posterior_points import PosteriorOfPoints
from ordered_mix.fitted.verdict import Verdict
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, axis_of
from ordered_mix.multivariate.covariances import check_kind
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.shown import html

ESTIMATORS = ("em", "map", "nuts")


@dataclass(frozen=True)
class SettingsOfPoints(Settings):
    """What to compare in several dimensions: `Settings`, and two choices more.

    Parameters
    ----------
    covariance : {"full", "diagonal", "spherical", "tied"}
    axis : str, int or tuple of float
        Direction of parameterizations that name none in brackets, as
        ``ordered(axis=petal_length)``: the name of a column, ``principal``, ``discriminant`` or
        what else `multivariate.axis_of` takes.
    """

    estimators: tuple[str, ...] = ESTIMATORS
    covariance: str = "full"
    axis: Any = "discriminant"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.covariance)
        if "nuts-pymc" in self.estimators:
            raise ValueError("estimators must be without nuts-pymc in several dimensions")

    def _file_name(self, label: str) -> str:
        name, options = catalog.split(label)
        axis = options.pop("axis", self.axis)
        with suppress(NotApplicable):
            catalog.parameterization(name, self.components, **options)
        return slug(f"{name} {sorted(options.items())} {axis}")


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonOfPoints(Compared):
    """The result of `compare` in several dimensions; it renders as a report in a notebook.

    Parameters
    ----------
    data : Data
        In its own units.
    settings : SettingsOfPoints
    prior : MultivariatePrior
        In the units of the data.
    starts : Mixture, batch shape (chain,)
        Shared starts of every chain and every point estimator.
    maximum : Maximum
        What EM from many starts found.
    mode : Mixture
        Posterior mode of weights, means and Cholesky factors.
    directions : dict of str to ndarray, shape (d,)
        The axis of each parameterization by its label.
    fits : dict of str to Fit
        Point estimators by label.
    fit_seconds : dict of str to float
        Wall-clock time of each.
    sampled : dict of str to PosteriorOfPoints
        Samplers by label.
    skipped : dict of str to str
        What does not apply or failed, with the reason.
    fewer_components : PosteriorOfPoints or None
        The unordered model with one component less; None for K = 1 and in a range.
    failed : tuple of str
        Labels of the samplers that gave no draws.
    several : Several or None
        Several numbers of components side by side, if a range was asked for.
    particles : PosteriorOfPoints or None
        Sequential Monte Carlo, if chains disagreed after relabelling.
    """

    data: Data
    settings: SettingsOfPoints
    prior: MultivariatePrior
    starts: Mixture
    maximum: Maximum
    mode: Mixture
    directions: Mapping[str, np.ndarray]
    fits: dict[str, Fit]
    fit_seconds: dict[str, float]
    sampled: dict[str, PosteriorOfPoints]
    skipped: dict[str, str]
    fewer_components: PosteriorOfPoints | None
    failed: tuple[str, ...] = ()
    several: Several | None = None
    particles: PosteriorOfPoints | None = None

    def __repr__(self) -> str:
        return (
            f"ComparisonOfPoints({self.data.name!r}, n={self.data.n}, d={self.data.d}, "
            f"K={self.settings.components}, sampled={list(self.sampled)}, fits={list(self.fits)})"
        )

    @cached_property
    def fitted(self) -> FittedPoints:
        """The fit of the sampler that the answer is taken from."""
        best: PosteriorOfPoints = self.best
        row = {"components": self.settings.components,
               **criteria_of_points(self.data, self.maximum, self.prior)}  # fmt: skip
        loo = {"elpd_loo": float(best.elpd_loo.elpd), "elpd_loo_se": float(best.elpd_loo.se)}
        table = pd.DataFrame([row | loo])
        return FittedPoints(self.data, self.maximum, best, table, default_mass(), self.mode)

    @cached_property
    def axes(self) -> pd.DataFrame:
        """Which directions tell the components apart (`axes.axes_of`)."""
        return axes_of(self.data, self.best.labelled, self.maximum.mixture)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        return verdicts(self)

    def narrow(self, mixture: Mixture) -> bool:
        """Never: EM says itself when a covariance collapses."""
        return False

    def row_of(self, mixture: Mixture) -> dict[str, float]:
        """Parameters of a point estimate, sorted by the means of the first coordinate."""
        return self._named(quantities(mixture.sorted(0), self.data.columns))

    def mean_row(self, item: PosteriorOfPoints) -> dict[str, float]:
        """Posterior means of the parameters."""
        named = item.quantities(item.labelled)
        return self._named({name: values.mean(axis=(0, 1)) for name, values in named.items()})

    def sampled_row(self, item: PosteriorOfPoints) -> dict[str, Any]:
        """The row of one sampler, with the label-invariant efficiency."""
        invariant = {name: column.measure(item) for name, column in INVARIANT.items()}
        return super().sampled_row(item) | invariant

    @staticmethod
    def _named(values: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {f"{name}[{at + 1}]": float(value) for name, each in values.items()
                for at, value in enumerate(each)}  # fmt: skip

    _repr_html_ = html


def parameterizations(
    data: Data,
    settings: SettingsOfPoints,
    prior: MultivariatePrior,
    maximum: Mixture,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parameterizations by their label as the user spelled it, and what does not apply."""
    found, skipped = {}, {}
    for label in settings.parameterizations:
        name, options = catalog.split(label)
        axis = options.pop("axis", settings.axis)
        vector = axis_of(axis, data, maximum)
        try:
            one = catalog.parameterization(name, settings.components, prior, **options, axis=vector)
        except NotApplicable as reason:
            skipped[label] = str(reason)
            continue
        spelled = label if "axis" in label or not one.orders else _with_axis(name, options, axis)
        found[spelled] = one
    if not found:
        raise ValueError(f"parameterizations must apply: {'; '.join(skipped.values())}")
    return found, skipped


def _with_axis(name: str, options: Mapping[str, Any], axis: Any) -> str:
    given = {"axis": axis, **options}
    return f"{name}({', '.join(f'{key}={value}' for key, value in given.items())})"
