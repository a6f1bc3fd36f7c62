"""The contract of all estimators, and what those that run in the common loop share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.iterate import iterate
from ordered_mix.estimators.loop.problem import problem_of
from ordered_mix.estimators.loop.stop import Stop

if TYPE_CHECKING:
    from ordered_mix.estimators.loop.state import Algorithm
    from ordered_mix.prior import Prior


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """A point estimator: its hyper-parameters, and `fit`.

    A file of the folder defines one subclass, a frozen dataclass. It either states its
    `algorithm` for the common loop, or has a `fit` of its own.

    Parameters
    ----------
    stop : Stop
        Stopping rules.
    snapshots : int
        Most snapshots the trace may hold, at least 2.
    """

    stop: Stop = field(default_factory=Stop)
    snapshots: int = 200

    moves_with_coordinates: ClassVar[bool] = True
    """Whether the path depends on the coordinates; if not, one parameterization stands for all."""

    def __post_init__(self) -> None:
        if self.snapshots < 2:
            raise ValueError(f"snapshots must be at least 2, got {self.snapshots}")

    def fit(self, parameterization: Any, data: Any, starts: Any) -> Fit:
        """Fit every start to every data set.

        Parameters
        ----------
        parameterization : Parameterization or MultivariateParameterization
            The coordinates, with options and prior in the units of the data. What its prior knows
            of weights or scales stays as it is, its kind of covariances is that of the fit.
        data : Data, batch shape (...), or Stream
        starts : Mixture, batch shape (...)
            In the units of the data. The two batch shapes broadcast: data of shape (sets, 1, n)
            with starts of batch shape (sets, starts) make sets x starts runs.

        Returns
        -------
        Fit
            Failures are statuses, each with a line of advice. Its mixture is of the starts' class.

        Raises
        ------
        ValueError
            Before any work, if the numbers of components or dimensions differ, the batch shapes do
            not broadcast, the data are constant or lie in a plane, a start has other weights or
            scales than those known, or lies outside the domain.
        NotApplicable
            If the estimator cannot work in these coordinates.
        """
        problem = problem_of(parameterization, data, starts)
        algorithm = self.algorithm(parameterization, problem)
        return iterate(algorithm, problem, self.stop, self.snapshots)

    def frozen_parameters(self, prior: Prior) -> tuple[str, ...]:
        """The parameters that stay as they are: those that the prior knows."""
        known = {"w": prior.known_w, "mu": prior.known_mu, "sigma": prior.known_sigma}
        return tuple(name for name, value in known.items() if value is not None)

    def algorithm(self, parameterization: Any, problem: Any) -> Algorithm:
        """What the loop iterates."""
        raise NotImplementedError


def choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    """Raise ValueError if the value is not one of the accepted ones."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")
