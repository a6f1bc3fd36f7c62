"""Expectation maximisation: free, frozen, tied, floored, penalised, tempered and hard variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ordered_mix.estimators.loop.em_multivariate import PointRuns
from ordered_mix.estimators.loop.estimator import Estimator, choice
from ordered_mix.estimators.loop.expectation import PARAMETERS, Runs
from ordered_mix.estimators.loop.penalty import VariancePenalty
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.parameterization.parameterization import NotApplicable

if TYPE_CHECKING:
    from ordered_mix.prior import Prior

COLDEST = 0.05


@dataclass(frozen=True)
class EM(Estimator):
    """Expectation maximisation for a Gaussian mixture, in one dimension or several.

    One iteration costs one pass: the pass at the current parameters gives their log likelihood
    and the moments from which the next parameters follow.

    The path is the same in all coordinates: the M-step maximises a function of the mixture over
    all mixtures, and where a maximum lies does not depend on how its argument is written. Of the
    parameterization it takes the number of components, known values, a common scale, and with
    `posterior` the prior. It cannot keep a clearance, which asks for `ECM`. In several dimensions
    the prior says the kind of covariances, and only frozen parameters are at choice.

    Parameters
    ----------
    frozen : tuple of {"w", "mu", "sigma"}
        Parameters that keep their starting values, beside those that the prior knows; ``sigma``
        are the covariances in several dimensions.
    scales : {"free", "tied"}
        One standard deviation for each component, or one for all.
    floor : float
        Smallest standard deviation, in the units of the data.
    penalty : VariancePenalty, optional
        Penalty on the variances.
    posterior : bool
        Find the posterior mode of (w, mu, sigma) under the prior of the parameterization.
    temperature : float or tuple of float
        Temperature T of the responsibilities, ``r_k`` proportional to
        ``(w_k Normal(y | mu_k, sigma_k))^(1/T)``; a tuple is an annealing schedule, one value for
        each iteration, the last one stays (Ueda & Nakano 1998). At least 0.05.
    assignment : {"soft", "hard"}
        Hard: each point belongs to its most probable component, the limit of temperature 0;
        with equal weights and scales frozen this is k-means.
    stop, snapshots
        As in `Estimator`.

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
    posterior: bool = False
    temperature: float | tuple[float, ...] = 1.0
    assignment: str = "soft"

    moves_with_coordinates: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
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

    @property
    def schedule(self) -> tuple[float, ...]:
        """Temperature of each iteration, the last one stays."""
        return tuple(np.atleast_1d(np.asarray(self.temperature, dtype=float)).tolist())

    def algorithm(self, parameterization: Any, problem: Any) -> Runs | PointRuns:
        several = isinstance(parameterization, MultivariateParameterization)
        clearances = (parameterization.along if several else parameterization).clearances
        kept = [name for name, least in clearances.items() if least > 0]
        if kept:
            raise NotApplicable(
                f"EM cannot keep the clearance of {kept[0]} of {parameterization.label}: use ECM, "
                "or leave the clearance out"
            )
        if {"mu", "sigma"} <= set(clearances):
            raise NotApplicable(
                f"EM cannot order means and scales at once as {parameterization.label}: use ECM"
            )
        return (PointRuns if several else Runs)(self, parameterization, problem)

    def penalising(self, prior: Prior) -> Prior | None:
        """The prior that is part of the objective, None if there is none.

        Raises
        ------
        ValueError
            If the posterior is asked for and the M-step has no closed form under this prior.
        """
        if not self.posterior:
            return None
        if prior.scale_family != "inverse_gamma":
            raise ValueError(
                f"prior must have inverse_gamma scales for EM, got {prior.scale_family!r}"
            )
        if prior.native:
            raise ValueError("prior must be the reference prior for EM, got native=True")
        if prior.common_scale:
            raise ValueError("prior must have a scale for each component for EM, got a common one")
        if prior.concentration < 1:
            raise ValueError(
                f"prior must have a concentration of at least 1 for EM, got {prior.concentration}"
            )
        return prior

    def frozen_parameters(self, prior: Prior) -> tuple[str, ...]:
        """The parameters that stay as they are: those frozen and those known."""
        known = super().frozen_parameters(prior)
        return tuple(name for name in PARAMETERS if name in self.frozen or name in known)
