"""A batch of runs laid out flat, over data that were centred and scaled once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators.loop.problem_multivariate import MultivariateProblem
from ordered_mix.estimators.loop.runs import BatchOfRuns
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate.covariances import closest
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
    MultivariateParameterization,
)
from ordered_mix.passes import batches, fused, kernels
from ordered_mix.passes.kernels import Moments
from ordered_mix.stream.stream import Stream, moments_of

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ALONE = 10_000
"""Points up to which laying out a batch costs a single run more than its pass."""
UNWEIGHTED = np.empty(0)


@dataclass(frozen=True, eq=False)
class Problem(BatchOfRuns):
    """Runs = data sets x starts, flat, in working units ``(y - location) / scale``.

    Working in units of the data's own spread makes offsets of 1e9 and scales of 1e-9 harmless.

    Raises
    ------
    ValueError
        If the batch shapes do not broadcast, or the data are constant.
    """

    data: Data | Stream

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data.standardized()

    @cached_property
    def location(self) -> Array:
        """Location of each run's data, shape (runs,)."""
        return self.flat(self.data.location)

    @cached_property
    def scale(self) -> Array:
        """Scale of each run's data, shape (runs,)."""
        return self.flat(self.data.scale)

    @cached_property
    def points(self) -> Array:
        """Standardised points, shape (sets, n)."""
        return self._in_memory.standardized().y.reshape(-1, self.data.n)

    @cached_property
    def weight(self) -> Array | None:
        """Weights of the points, shape (sets, n)."""
        weight = self._in_memory.weight
        return None if weight is None else weight.reshape(-1, self.data.n)

    @cached_property
    def log_scale(self) -> Array:
        """Log likelihood in working units less that in the units of the data, shape (runs,)."""
        return self.total_weight * np.log(self.scale)

    def widths(self, sigma: Array) -> Array:
        """Standard deviations that go with each mean."""
        return sigma

    def start(self) -> tuple[Array, Array, Array]:
        """Weights, means and scales of the starts in working units, each (runs, k)."""
        starts = self.starts
        w, mu, sigma = (self.flat(value, 1) for value in (starts.w, starts.mu, starts.sigma))
        scale = self.scale[:, None]
        # contiguous, so that numba compiles for one layout only
        first = np.ascontiguousarray(w)
        return first, (mu - self.location[:, None]) / scale, sigma / scale

    def moments(self, runs: Index, w: Array, mu: Array, sigma: Array) -> Moments:
        """One pass for each of these runs, in working units."""
        if isinstance(self.data, Stream):
            return self.data.standardized().moments(w, mu, sigma)
        if runs.size == 1 and self.points.shape[1] <= ALONE:
            row = self.rows[runs[0]]
            weight = UNWEIGHTED if self.weight is None else self.weight[row]
            one = [np.ascontiguousarray(value[0]) for value in (w, mu, sigma)]
            address = fused.pass_address(self.k == 2)
            log_likelihood, s0, s1, s2 = batches.single(address, self.points[row], weight, *one)
            return Moments(np.array([log_likelihood]), s0[None], s1[None], s2[None])
        return kernels.e_step(self.points, w, mu, sigma, self.weight, rows=self.rows[runs])

    def samples(self, runs: Index) -> tuple[Array, Array]:
        """Points and weights of these runs, each (runs, n)."""
        rows = self.rows[runs]
        weight = np.ones_like(self.points) if self.weight is None else self.weight
        return self.points[rows], weight[rows]

    def sample(self, row: int) -> Data | Stream:
        """One of the data sets, standardised."""
        if isinstance(self.data, Stream):
            return self.data.standardized()
        return Data(self.points[row], None if self.weight is None else self.weight[row])

    def log_likelihood(self, mixture: Mixture) -> Array:
        """Of mixtures (..., *shape), in the units of the data; no pass of a run."""
        return moments_of(self.data, mixture.w, mixture.mu, mixture.sigma).log_likelihood

    def restore(self, w: Array, mu: Array, sigma: Array) -> Mixture:
        """Mixtures in the units of the data, from working units (..., runs, k)."""
        scale = self.scale[:, None]
        shape = (*w.shape[:-2], *self.shape, self.k)
        arrays = (w, self.location[:, None] + scale * mu, scale * sigma)
        return Mixture(*(value.reshape(shape) for value in arrays))

    @property
    def _in_memory(self) -> Data:
        """The data, for what asks for the points themselves.

        Raises
        ------
        ValueError
            If they are streamed.
        """
        if isinstance(self.data, Stream):
            raise ValueError(
                "assignment must be soft for data that are streamed, as a hard one is no sum that "
                "the pass makes, got 'hard'"
            )
        return self.data


def problem_of(
    parameterization: AnyParameterization, data: Data | Stream, starts: Mixture
) -> Problem | MultivariateProblem:
    """The runs of an estimator, checked before any work.

    In several dimensions covariances of the starts become the closest ones of the prior's kind.

    Raises
    ------
    ValueError
        If the numbers of components or dimensions differ, the starts have other weights, means or
        scales than the prior knows, the batch shapes do not broadcast, or the data are constant or
        lie in a plane.
    """
    _check_shapes(parameterization.event_shape, data, starts)
    if starts.k != parameterization.k:
        raise ValueError(
            f"starts must have {parameterization.k} components as {parameterization.label}, "
            f"got {starts.k}"
        )
    if isinstance(parameterization, MultivariateParameterization):
        assert isinstance(data, Data)  # streams are of numbers
        data.check_full()
        covariance = closest(parameterization.prior.covariance, starts.covariance, starts.w)
        return MultivariateProblem(data, Mixture(starts.w, starts.mu, covariance=covariance))
    prior = parameterization.prior
    held = {"w": prior.known_w, "mu": prior.known_mu, "sigma": prior.known_sigma}
    for name, known in held.items():
        value = getattr(starts, name)
        if known is not None and not np.allclose(value, known, rtol=1e-9, atol=0):
            raise ValueError(
                f"starts must have the {name} that the prior knows, {known}, "
                f"got {value.reshape(-1, starts.k)[0].tolist()}"
            )
    return Problem(data, starts)


def _check_shapes(shape: tuple[int, ...], data: Data | Stream, starts: Mixture) -> None:
    if bool(data.event_shape) != bool(shape):
        what = f"points for a prior in {shape[0]} dimensions" if shape else "numbers for this prior"
        raise ValueError(f"data must be {what}, got {data!r}")
    for name, given in (("data", data.event_shape), ("starts", starts.event_shape)):
        if given != shape:
            d, own = ((one or (1,))[0] for one in (shape, given))
            raise ValueError(f"{name} must have the {d} dimensions of the prior, got {own}")
