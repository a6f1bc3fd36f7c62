"""What a comparison is made of: its settings, what was sampled, and the tables of the result."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ordered_mix.compare.compared import Compared
from ordered_mix.compare.several import Several, check_prior_components
from ordered_mix.compare.verdicts import verdicts
from ordered_mix.data import Data
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.files.results import slug
from ordered_mix.fitted.fitted import Fitted, default_mass
from ordered_mix.fitted.maximum import Maximum, criteria_of
from ordered_mix.fitted.options import SAMPLERS, check_estimators, check_ranges
from ordered_mix.fitted.posterior import Posterior
from ordered_mix.fitted.verdict import Verdict
from ordered_mix.mixture import Mixture
from ordered_mix.optima.optima import spurious
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.shown import html

PARAMETERIZATIONS = ("unordered", "ordered", "relative")


@dataclass(frozen=True)
class Settings:
    """What to compare and how long to sample.

    Parameters
    ----------
    components : int
        Number of components K, at least 1.
    up_to : int, optional
        Compare every number of components from that one to this one, and take the most probable.
    prior_components : {"uniform", "poisson", "beta_negative_binomial"}
        Prior over the number of components, where several are compared.
    parameterizations : tuple of str
        Names of model files, or paths of your own; options in brackets behind them, as in
        ``relative(link=square)``.
    estimators : tuple of str
        Names of point estimators (the files of the folder), and at least one of the samplers,
        ``nuts`` (nutpie) or ``nuts-pymc``.
    draws, tune, chains : int
        Draws kept and warm-up draws per chain, and chains (at least 2).
    seed : int
    cores : int
        Chains sampled at the same time; it does not change the draws.
    target_accept : float
        Acceptance rate that the step size is adapted to.
    adaptation : {"diagonal", "low_rank", "dense"}
        Mass matrix of nutpie; PyMC's own is diagonal.
    time_limit : float
        Seconds after which a sampler is given up.

    Raises
    ------
    ValueError
        If a setting is out of range or a name is unknown (with the near match).
    """

    components: int = 2
    up_to: int | None = None
    prior_components: str = "uniform"
    parameterizations: tuple[str, ...] = PARAMETERIZATIONS
    estimators: tuple[str, ...] = ("em", "map", "nuts")
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    cores: int = 2
    target_accept: float = 0.8
    adaptation: str = "diagonal"
    time_limit: float = 3600.0

    def __post_init__(self) -> None:
        check_ranges(vars(self))
        check_prior_components(self.prior_components)
        if self.up_to is not None:
            check_ranges(vars(self) | {"components": self.up_to})
            if self.up_to < self.components:
                raise ValueError(
                    f"up_to must be at least components={self.components}, got {self.up_to}"
                )
        check_estimators(self.estimators)
        if not set(self.estimators) & set(SAMPLERS):
            given = ", ".join(self.estimators) or "none"
            raise ValueError(
                f"estimators must hold nuts or nuts-pymc to compare, got {given}: `fit` does "
                "without them"
            )
        for name in self.estimators:
            if name in SAMPLERS:
                self.nuts(name)
        if not self.parameterizations:
            raise ValueError("parameterizations must name at least one, got none")
        files = [self._file_name(label) for label in self.parameterizations]
        if len(set(files)) < len(files):
            raise ValueError(
                "parameterizations must differ in their names, got "
                f"{', '.join(map(repr, self.parameterizations))}"
            )

    def _file_name(self, label: str) -> str:
        """What files are named after this parameterization; it need not apply."""
        with suppress(NotApplicable):
            catalog.parameterization(label, self.components)
        name, options = catalog.split(label)
        return slug(f"{Path(name).stem} {sorted(options.items())}")

    def nuts(self, estimator: str) -> NUTS:
        """The sampler of this name."""
        return NUTS(
            draws=self.draws, tune=self.tune, sampler=SAMPLERS[estimator],
            cores=self.cores, time_limit=self.time_limit, target_accept=self.target_accept,
            adaptation=self.adaptation,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Compared):
    """The result of `compare`; it renders as a report in a notebook.

    Parameters
    ----------
    data : Data
        In its own units.
    settings : Settings
    prior : Prior
        In the units of the data.
    starts : Mixture, batch shape (chain,)
        Shared over-dispersed starts of every chain and every point estimator.
    maximum : Maximum
        What EM from many starts found.
    mode : Mixture
        Posterior mode of weights, means and scales.
    fits : dict of str to Fit
        Point estimators by label (``em``, ``map relative``, ``map relative, no Jacobian``), one
        run from each start.
    fit_seconds : dict of str to float
        Wall-clock time of each, without compilation.
    sampled : dict of str to Posterior
        Samplers by label.
    skipped : dict of str to str
        What does not apply or failed, with the reason.
    fewer_components : Posterior or None
        The unordered model with one component less, for the question whether the last component
        is supported; None for K = 1 and where several numbers are compared.
    failed : tuple of str
        Labels of the samplers that gave no draws.
    several : Several or None
        Several numbers of components side by side, if a range was asked for.
    particles : Posterior or None
        Sequential Monte Carlo, if chains disagreed after relabelling.
    """

    data: Data
    settings: Settings
    prior: Prior
    starts: Mixture
    maximum: Maximum
    mode: Mixture
    fits: dict[str, Fit]
    fit_seconds: dict[str, float]
    sampled: dict[str, Posterior]
    skipped: dict[str, str]
    fewer_components: Posterior | None
    failed: tuple[str, ...] = ()
    particles: Posterior | None = None
    several: Several | None = None

    def __repr__(self) -> str:
        return (
            f"Comparison({self.data.name!r}, n={self.data.n}, K={self.settings.components}, "
            f"sampled={list(self.sampled)}, fits={list(self.fits)})"
        )

    @cached_property
    def fitted(self) -> Fitted:
        """The fit of that sampler, with its estimates, membership and questions."""
        best, k = self.best, self.settings.components
        row = {"components": k, **criteria_of(self.data, self.maximum, k)}
        loo = {"elpd_loo": float(best.elpd_loo.elpd), "elpd_loo_se": float(best.elpd_loo.se)}
        return Fitted(
            self.data, k, self.maximum, pd.DataFrame([row | loo]), default_mass(), self.prior,
            self.mode, best, self.worst.agreement if self.crossed else None,
        )  # fmt: skip

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        return verdicts(self)

    def narrow(self, mixture: Mixture) -> bool:
        """Whether a component is narrower than the data's spacing."""
        return bool(spurious(self.data, mixture))

    def row_of(self, mixture: Mixture) -> dict[str, float]:
        """Weights, means and scales, in the order of the means."""
        return _estimate(mixture.permute(mixture.order()))

    def mean_row(self, item: Posterior) -> dict[str, float]:
        """Posterior means of weights, means and scales."""
        draws = (getattr(item.labelled, name) for name in ("w", "mu", "sigma"))
        return _estimate(Mixture(*(values.mean(axis=(0, 1)) for values in draws)))

    _repr_html_ = html


def _estimate(mixture: Mixture) -> dict[str, float]:
    return {
        f"{name}[{index + 1}]": float(getattr(mixture, name)[index])
        for name in ("w", "mu", "sigma")
        for index in range(mixture.k)
    }
