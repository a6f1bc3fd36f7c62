"""What a comparison is made of: its settings, what was sampled, and the tables of the result."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.compare.verdicts import Verdict, verdicts
from ordered_mix.data import Data
from ordered_mix.draws.convergence import raw_and_folded
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.elpd import ELPDDataPSIS, ELPDDataWAIC
from ordered_mix.draws.prior_sensitivity import PriorSensitivity, prior_sensitivity
from ordered_mix.draws.statistics import SamplerSummary, summarise_sampler
from ordered_mix.draws.switching import Switching, switching
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.map import MAP
from ordered_mix.estimators.multistart import Optima
from ordered_mix.files.results import slug
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.shown import html

PARAMETERIZATIONS = ("unordered", "ordered", "relative")
ESTIMATORS = ("em", "map", "nuts", "nuts-pymc")
SAMPLERS = {"nuts": "nutpie", "nuts-pymc": "pymc"}
MOST_DRAWS = 10_000_000
RANGES = {
    "components": (1, 1000), "chains": (2, 1000), "draws": (50, MOST_DRAWS),
    "tune": (50, MOST_DRAWS), "seed": (0, 2**63 - 1), "cores": (1, 1000),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What to compare and how long to sample.

    Parameters
    ----------
    components : int
        Number of components K, at least 1.
    parameterizations : tuple of str
        Names of model files, or paths of your own; options in brackets behind them, as in
        ``relative(link=square)``.
    estimators : tuple of {"em", "map", "nuts", "nuts-pymc"}
        At least one of the samplers, ``nuts`` (nutpie) or ``nuts-pymc``.
    draws, tune, chains : int
        Draws kept and warm-up draws per chain, and chains (at least 2).
    seed : int
    cores : int
        Chains sampled at the same time; it does not change the draws.
    time_limit : float
        Seconds after which a sampler is given up.

    Raises
    ------
    ValueError
        If a setting is out of range or a name is unknown (with the near match).
    """

    components: int = 2
    parameterizations: tuple[str, ...] = PARAMETERIZATIONS
    estimators: tuple[str, ...] = ("em", "map", "nuts")
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    cores: int = 2
    time_limit: float = 3600.0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < lowest:
                raise ValueError(f"{name} must be a whole number of at least {lowest}, got {value}")
            if value > highest:
                raise ValueError(f"{name} must be a whole number of at most {highest}, got {value}")
        if self.chains * (self.draws + self.tune) > MOST_DRAWS:
            raise ValueError(
                f"draws must be at most {MOST_DRAWS:,} with the warm-up of all chains, got "
                f"{self.chains} x ({self.draws} + {self.tune})"
            )
        if not 0 < self.time_limit < np.inf:
            raise ValueError(f"time_limit must be positive and finite, got {self.time_limit}")
        for name in self.estimators:
            if name not in ESTIMATORS:
                near = get_close_matches(name, ESTIMATORS, n=1, cutoff=0.4)
                hint = f", did you mean {near[0]!r}" if near else ""
                raise ValueError(
                    f"estimators must be among {', '.join(ESTIMATORS)}, got {name!r}{hint}"
                )
        if not set(self.estimators) & set(SAMPLERS):
            given = ", ".join(self.estimators) or "none"
            raise ValueError(f"estimators must hold nuts or nuts-pymc, got {given}")
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
            draws=self.draws, tune=self.tune, sampler=SAMPLERS[estimator], seed=self.seed,
            cores=self.cores, time_limit=self.time_limit,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sampled:
    """One parameterization under one sampler, with everything that is measured on it."""

    label: str
    estimator: str
    parameterization: Parameterization
    draws: Draws
    elpd_waic: ELPDDataWAIC
    elpd_loo: ELPDDataPSIS

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """R-hat, ESS and MCSE raw and folded (`draws.convergence.raw_and_folded`)."""
        mixture = self.draws.mixture
        passes = int(self.draws.passes.sum())
        return raw_and_folded(mixture.w, mixture.mu, mixture.sigma, passes, self.draws.seconds)

    @cached_property
    def switching(self) -> Switching:
        """Label switching of the raw draws."""
        mixture = self.draws.mixture
        return switching(mixture.w, mixture.mu, mixture.sigma)

    @cached_property
    def sampler(self) -> SamplerSummary:
        """Divergences, tree depth and energy."""
        statistics = self.draws.statistics
        return summarise_sampler({str(name): statistics[name].to_numpy() for name in statistics})

    def worst(self, column: str, labels: str) -> float:
        """Worst R-hat (largest) or ESS (smallest) of the raw or folded quantities."""
        rows = self.convergence[self.convergence["labels"] == labels][column]
        return float(rows.max() if column == "rhat" else rows.min())


@dataclass(frozen=True, eq=False)
class Comparison:
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
    optima : Optima
        Maximum-likelihood optima from a default multi-start.
    fits : dict of str to Fit
        Point estimators by label (``em``, ``map relative``, ``map relative, no Jacobian``), one
        run from each start.
    fit_seconds : dict of str to float
        Wall-clock time of each, without compilation.
    sampled : dict of str to Sampled
        Samplers by label.
    skipped : dict of str to str
        What does not apply or failed, with the reason.
    fewer : Sampled or None
        The unordered model with one component less, for the question whether the last component
        is supported; None for K = 1.
    failed : tuple of str
        Labels of the samplers that gave no draws.
    """

    data: Data
    settings: Settings
    prior: Prior
    starts: Mixture
    optima: Optima
    fits: dict[str, Fit]
    fit_seconds: dict[str, float]
    sampled: dict[str, Sampled]
    skipped: dict[str, str]
    fewer: Sampled | None
    failed: tuple[str, ...] = ()

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions a user has, each with an answer and the numbers it rests on."""
        return verdicts(self)

    @cached_property
    def prior_sensitivity(self) -> PriorSensitivity | None:
        """How much of the posterior is the prior's doing; None for a native prior."""
        if self.prior.native:
            return None
        best = max(self.sampled.values(), key=lambda item: item.worst("ess_bulk", "folded"))
        plain = catalog.parameterization("unordered", self.settings.components, self.prior)
        starts = Mixture.stack(
            [self.optima.best, *(self.starts[chain] for chain in range(len(self.starts.w)))]
        )
        modes = MAP(jacobian=False).fit(plain, self.data, starts)
        mode = float(modes.log_likelihood[np.argmax(modes.objective)])
        return prior_sensitivity(
            best.draws.mixture, self.data, self.prior, mode, self.optima.log_likelihood
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each estimator and parameterization, without wall-clock times."""
        rows = [_fit_row(label, fit, self.optima) for label, fit in self.fits.items()]
        rows += [_sampled_row(item) for item in self.sampled.values()]
        return pd.DataFrame(rows)

    @cached_property
    def timings(self) -> pd.DataFrame:
        """Wall-clock seconds of each estimator and ESS per second of each sampler."""
        rows: list[dict[str, Any]] = [
            {"label": label, "seconds": value} for label, value in self.fit_seconds.items()
        ]
        for label, item in self.sampled.items():
            ess = item.worst("ess_per_second", "folded")
            rows.append({"label": label, "seconds": item.draws.seconds, "ess_per_second": ess})
        return pd.DataFrame(rows)

    _repr_html_ = html


def _fit_row(label: str, fit: Fit, optima: Optima) -> dict[str, Any]:
    best = int(np.argmax(fit.objective))
    reached = fit.objective >= fit.objective[best] - 1e-4
    return {
        "label": label,
        "status": str(fit.status[best]),
        "passes": int(fit.passes.sum()),
        "passes_per_run": float(np.median(fit.passes)),
        "share_at_best": float(np.mean(reached)),
        "log_likelihood": float(fit.log_likelihood[best]),
        "below_maximum": optima.log_likelihood - float(fit.log_likelihood[best]),
        **_estimate(fit.mixture[best].fold()),
    }


def _sampled_row(item: Sampled) -> dict[str, Any]:
    draws, folded = item.draws, item.draws.mixture.fold()
    mean = Mixture(*(value.mean(axis=(0, 1)) for value in (folded.w, folded.mu, folded.sigma)))
    return {
        "label": item.label,
        "status": "sampled",
        "passes": int(draws.passes.sum() + draws.warmup_passes.sum()),
        "rhat_raw": item.worst("rhat", "raw"),
        "rhat_folded": item.worst("rhat", "folded"),
        "ess_folded": item.worst("ess_bulk", "folded"),
        "ess_tail_folded": item.worst("ess_tail", "folded"),
        "ess_per_1000_passes": 1000 * item.worst("ess_per_pass", "folded"),
        "divergences": item.sampler.divergences,
        "switching_rate": item.switching.switching_rate,
        "chain_disagreement": item.switching.chain_disagreement,
        "gap_mass": item.switching.gap_mass,
        "elpd_waic": float(item.elpd_waic.elpd),
        "elpd_waic_se": float(item.elpd_waic.se),
        "p_waic": float(item.elpd_waic.p),
        "high_p_waic": int(item.elpd_waic.n_high_p),
        "elpd_loo": float(item.elpd_loo.elpd),
        "elpd_loo_se": float(item.elpd_loo.se),
        "p_loo": float(item.elpd_loo.p),
        "largest_pareto_k": float(np.max(item.elpd_loo.pareto_k)),
        **_estimate(mean),
    }


def _estimate(mixture: Mixture) -> dict[str, float]:
    return {
        f"{name}[{index + 1}]": float(getattr(mixture, name)[index])
        for name in ("w", "mu", "sigma")
        for index in range(mixture.k)
    }
