"""Expectation maximisation: free, frozen, tied, floored, penalised, tempered and hard variants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators._assignment import hard_pass, tempered_pass
from ordered_mix.estimators._fit import Fit
from ordered_mix.estimators._iterate import Codes, Failure, Index, State, Stop, iterate
from ordered_mix.estimators._penalty import Penalty, VariancePenalty, penalty_of
from ordered_mix.estimators._problem import Problem
from ordered_mix.kernels import Moments
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    from ordered_mix.prior import Prior

Array = NDArray[np.float64]

PARAMETERS = ("w", "mu", "sigma")
COLDEST = 0.05
COLLAPSED = 1e-12
EMPTY = 1e-290
RESOLUTION = 1e-13


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
        _choice("scales", self.scales, ("free", "tied"))
        _choice("assignment", self.assignment, ("soft", "hard"))
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
        value = self.temperature
        return tuple(value) if isinstance(value, tuple) else (float(value),)

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
        return iterate(_Runs(self, problem), problem, self.stop, self.snapshots)


class _Runs:
    """The EM iteration on a flat batch, in working units."""

    def __init__(self, em: EM, problem: Problem) -> None:
        self.em = em
        self.problem = problem
        self.penalty = penalty_of(problem, em.penalty, em.prior)
        self.floor = em.floor / problem.scale[:, None]
        self.settle = len(em.schedule) - 1

    def begin(self) -> State:
        w, mu, sigma = self.problem.start()
        if self.em.scales == "tied" and "sigma" not in self.em.frozen:
            sigma = np.repeat(np.sqrt(np.sum(w * sigma**2, axis=1, keepdims=True)), w.shape[1], 1)
        if "sigma" not in self.em.frozen:
            sigma = np.maximum(sigma, self.floor)
        runs = np.arange(self.problem.size)
        passes = np.zeros(runs.size, dtype=np.int64)
        return self._evaluate(0, runs, w, mu, sigma, passes, np.zeros(runs.size, dtype=np.int8))

    def step(self, iteration: int, runs: Index, state: State) -> State:
        moments = Moments(state.objective, *state.memory)
        penalty = None if self.penalty is None else self.penalty.select(runs)
        w, mu, sigma = self._maximize(runs, state, moments, penalty)
        failure = self._failures(moments, sigma, penalty)
        failed = failure > 0
        if failed.any():
            for new, old in ((w, state.w), (mu, state.mu), (sigma, state.sigma)):
                new[failed] = old[failed]
        return self._evaluate(iteration + 1, runs, w, mu, sigma, state.passes, failure)

    def gradient_norm(self, runs: Index, state: State) -> Array:
        """In (mu / sigma, log sigma, log w), free parameters only, for one unit of weight."""
        s0, s1, s2 = state.memory
        total = self.problem.total_weight[runs, None]
        slopes = {"mu": s1 / state.sigma, "sigma": s2 / state.sigma**2 - s0, "w": s0}
        counted = total
        if self.penalty is not None:
            penalty = self.penalty.select(runs)
            deviation = state.mu - penalty.location
            slopes["mu"] = slopes["mu"] - penalty.precision * deviation * state.sigma
            slopes["sigma"] += 2 * (penalty.rate / state.sigma**2 - penalty.shape)
            slopes["w"] = s0 + penalty.counts
            counted = total + penalty.counts * state.w.shape[1]
        slopes["w"] = slopes["w"] - state.w * counted
        if self.em.scales == "tied":
            slopes["sigma"] = slopes["sigma"].sum(axis=1, keepdims=True)
        free = [slopes[name] for name in PARAMETERS if name not in self.em.frozen]
        if not free:
            return np.zeros(runs.size)
        return np.linalg.norm(np.concatenate(free, axis=1), axis=1) / total[:, 0]

    def extra(self, runs: Index, state: State) -> dict[str, Array]:
        return {}

    def _maximize(
        self, runs: Index, state: State, moments: Moments, penalty: Penalty | None
    ) -> tuple[Array, Array, Array]:
        """The next parameters, from the moments about the current means."""
        w, mu, sigma = state.w, state.mu, state.sigma
        s0, s1, s2 = moments.s0, moments.s1, moments.s2
        frozen = self.em.frozen
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shift = np.zeros_like(mu) if "mu" in frozen else mean_shift(s0, s1, mu, sigma, penalty)
            if "w" in frozen:
                w = w.copy()
            elif penalty is None:
                w = s0 / s0.sum(axis=1, keepdims=True)
            else:
                w = (s0 + penalty.counts) / (s0 + penalty.counts).sum(axis=1, keepdims=True)
            if "sigma" in frozen:
                return w, mu + shift, sigma.copy()
            variance = self._variance(s0, s1, s2, shift, sigma, penalty)
            sigma = np.maximum(np.sqrt(variance), self.floor[runs])
        return w, mu + shift, sigma

    def _variance(
        self, s0: Array, s1: Array, s2: Array, shift: Array, sigma: Array, penalty: Penalty | None
    ) -> Array:
        squares = s2 + shift * (shift * s0 - 2 * s1)
        shape, rate = (0.0, 0.0) if penalty is None else (penalty.shape, penalty.rate)
        if self.em.scales == "tied":
            k = s0.shape[1]
            total = squares.sum(axis=1, keepdims=True) + 2 * k * rate
            return np.repeat(total / (s0.sum(axis=1, keepdims=True) + 2 * k * shape), k, axis=1)
        variance = (squares + 2 * rate) / (s0 + 2 * shape)
        # Below this the subtraction above has lost all its digits; the next pass has them again.
        return np.maximum(variance, np.minimum(RESOLUTION * shift**2, sigma**2))

    def _failures(self, moments: Moments, sigma: Array, penalty: Penalty | None) -> Codes:
        failure = np.zeros(len(sigma), dtype=np.int8)
        if "sigma" not in self.em.frozen:
            failure[~np.all(sigma > COLLAPSED, axis=1)] = Failure.VARIANCE_COLLAPSED
        # With everything else frozen, or with a prior on the means, an empty component is defined.
        defined = "mu" in self.em.frozen and "sigma" in self.em.frozen
        if not defined and (penalty is None or self.em.prior is None):
            failure[np.any(moments.s0 <= EMPTY, axis=1)] = Failure.COMPONENT_EMPTIED
        return failure

    def _evaluate(
        self,
        iteration: int,
        runs: Index,
        w: Array,
        mu: Array,
        sigma: Array,
        passes: Index,
        failure: Codes,
    ) -> State:
        schedule = self.em.schedule
        temperature = schedule[min(iteration, len(schedule) - 1)]
        parameters = (self.problem, runs, w, mu, sigma)
        if self.em.assignment == "hard":
            log_likelihood, objective, *memory = hard_pass(*parameters)
        elif temperature != 1:
            log_likelihood, objective, *memory = tempered_pass(*parameters, temperature)
        else:
            log_likelihood, *memory = self.problem.moments(*parameters[1:])
            objective = log_likelihood
        if self.penalty is not None:
            objective = objective + self.penalty.select(runs).value(w, mu, sigma)
        passes = passes + (failure == 0)
        return State(w, mu, sigma, log_likelihood, objective, passes, failure, tuple(memory))


def mean_shift(s0: Array, s1: Array, mu: Array, sigma: Array, penalty: Penalty | None) -> Array:
    """Step of each mean to the maximum of its expected objective, given the scales."""
    if penalty is None:
        return s1 / s0
    stiffness = penalty.precision * sigma**2
    return (s1 + stiffness * (penalty.location - mu)) / (s0 + stiffness)


def _choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")


def _check_prior(prior: Prior | None, frozen: tuple[str, ...]) -> None:
    if prior is None:
        return
    if prior.scale_family != "inverse_gamma":
        raise ValueError(f"prior must have inverse_gamma scales for EM, got {prior.scale_family!r}")
    for name, known in (("w", prior.known_w), ("sigma", prior.known_sigma)):
        if known is not None and name not in frozen:
            raise ValueError(f"frozen must hold {name!r} because the prior has it known")
