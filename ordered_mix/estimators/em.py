"""Expectation maximisation: free, frozen, tied, floored, penalised, tempered and hard variants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.data import Data
from ordered_mix.estimators.loop.expectation import PARAMETERS, Runs
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.iterate import iterate
from ordered_mix.estimators.loop.penalty import VariancePenalty
from ordered_mix.estimators.loop.problem import Problem
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    from ordered_mix.prior import Prior

COLDEST = 0.05


@dataclass(frozen=True)
class EM:
    """Expectation maximisation for a univariate Gaussian mixture.

    One iteration costs one pass: the pass at the current parameters gives their log likelihood
    and the moments from which the next parameters follow.

    Parameters
    ----------
    frozen : tuple of {"w", "mu", "sigma"}
        Parameters that keep their starting values.
    scales : {"free", "tied"}
        One standard deviation for each component, or one for all.
    floor : float
        Smallest standard deviation, in the units of the data.
    penalty : VariancePenalty, optional
        Penalty on the variances.
    prior : Prior, optional
        Reference prior; the fit is then the posterior mode of (w, mu, sigma). Its known weights
        or scales ask for the matching `frozen`.
    temperature : float or tuple of float
        Temperature T of the responsibilities, ``r_k`` proportional to
        ``(w_k Normal(y | mu_k, sigma_k))^(1/T)``; a tuple is an annealing schedule, one value for
        each iteration, the last one stays (Ueda & Nakano 1998). At least 0.05.
    assignment : {"soft", "hard"}
        Hard: each point belongs to its most probable component, the limit of temperature 0;
        with equal weights and scales frozen this is k-means.
    stop : Stop
        Stopping rules.
    snapshots : int
        Most snapshots the trace may hold.

    Raises
    ------
    ValueError
        If an argument is none of the accepted values.

    Notes
    -----
    M-step with s0, s1, s2 the moments about the current means:
    ``w = s0 / n``, ``mu = mu + s1 / s0``, ``sigma^2 = s2 / s0 - (s1 / s0)^2``. With a prior the
    mean is updated first, given the old scale, which still never decreases the objective.
    """

    frozen: tuple[str, ...] = ()
    scales: str = "free"
    floor: float = 0.0
    penalty: VariancePenalty | None = None
    prior: Prior | None = None
    temperature: float | tuple[float, ...] = 1.0
    assignment: str = "soft"
    stop: Stop = field(default_factory=Stop)
    snapshots: int = 200

    def __post_init__(self) -> None:
        unknown = sorted(set(self.frozen) - set(PARAMETERS))
        if unknown:
            raise ValueError(f"frozen may hold {', '.join(PARAMETERS)}, got {unknown[0]!r}")
        choice("scales", self.scales, ("free", "tied"))
        choice("assignment", self.assignment, ("soft", "hard"))
        if not 0 <= self.floor < np.inf:
            raise ValueError(f"floor must be at least 0 and finite, got {self.floor}")
        for temperature in self.schedule:
            if not COLDEST <= temperature < np.inf:
                raise ValueError(
                    f"temperature must be at least {COLDEST} and finite, got {temperature}; "
                    "assignment='hard' is the limit of 0"
                )
        _check_prior(self.prior, self.frozen)

    @property
    def schedule(self) -> tuple[float, ...]:
        """Temperature of each iteration, the last one stays."""
        return tuple(np.atleast_1d(np.asarray(self.temperature, dtype=float)).tolist())

    def fit(self, data: Data, starts: Mixture) -> Fit:
        """Fit every start to every data set.

        Parameters
        ----------
        data : Data, batch shape (...)
        starts : Mixture, batch shape (...)
            The two batch shapes broadcast: data of shape (sets, 1, n) with starts of batch shape
            (sets, starts) make sets x starts runs.

        Returns
        -------
        Fit
        """
        problem = Problem(data, starts)
        return iterate(self._algorithm(problem), problem, self.stop, self.snapshots)

    def _algorithm(self, problem: Problem) -> Runs:
        return Runs(self, problem)


def choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    """Raise ValueError if the value is not one of the accepted ones."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")


def _check_prior(prior: Prior | None, frozen: tuple[str, ...]) -> None:
    if prior is None:
        return
    if prior.scale_family != "inverse_gamma":
        raise ValueError(f"prior must have inverse_gamma scales for EM, got {prior.scale_family!r}")
    if prior.concentration < 1:
        raise ValueError(
            f"prior must have a concentration of at least 1 for EM, got {prior.concentration}"
        )
    for name, known in (("w", prior.known_w), ("sigma", prior.known_sigma)):
        if known is not None and name not in frozen:
            raise ValueError(f"frozen must hold {name!r} because the prior has it known")
