"""NUTS in the coordinates of a parameterization, through nutpie or PyMC's own sampler."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import nutpie
import pymc as pm
import xarray as xr

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws, assemble
from ordered_mix.errors import SamplingFailed
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
    MultivariateParameterization,
)
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample, standard_starts
from ordered_mix.samplers.moves.nuts_multivariate import sample_points
from ordered_mix.samplers.moves.settings import among, at_least, check_seed
from ordered_mix.samplers.moves.starts import off_stationary
from ordered_mix.samplers.moves.trace import mixtures

SAMPLERS = ("nutpie", "pymc")
ADAPTATIONS: dict[str, dict[str, Any]] = {
    "diagonal": {"adaptation": "diag"},
    "low_rank": {"adaptation": "low_rank"},
    "dense": {"adaptation": "low_rank", "mass_matrix_eigval_cutoff": 1.05},
}
REJECTED = "nutpie rejects at least one start, the density near it is at fault"
TOO_SLOW = "no result within {:g} s: raise the time limit, take fewer draws, or leave it out"
FOR_EVER = 1e9
INITIAL_POINTS = "_make_initial_points"  # of a nutpie model around a Python function


@dataclass(frozen=True)
class NUTS:
    """The no-U-turn sampler (Hoffman & Gelman 2014) around the fused pass.

    The model is sampled in standardised data. Its graph is read once per structure
    (parameterization, k, options, form of the prior); data and the numbers of the prior are
    swapped in.

    Parameters
    ----------
    draws, tune : int
        Draws kept and warm-up draws, per chain.
    sampler : {"nutpie", "pymc"}
        Whose NUTS.
    adaptation : {"diagonal", "low_rank", "dense"}
        Mass matrix of nutpie; PyMC's own is diagonal. Low rank keeps the eigenvalues of the
        correlation that lie beyond nutpie's cutoff, dense all that differ from 1 by more than 5%.
    target_accept : float
        Target acceptance rate of the step size adaptation.
    inverse_temperature : float
        Power of the likelihood (WBIC uses ``1 / log n``).
    cores : int
        Chains sampled at the same time by nutpie; the draws do not depend on it.
    time_limit : float
        Seconds after which sampling is given up.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    takes_starts: ClassVar[bool] = True

    draws: int = 1000
    tune: int = 1000
    sampler: str = "nutpie"
    adaptation: str = "diagonal"
    target_accept: float = 0.8
    inverse_temperature: float = 1.0
    cores: int = 1
    time_limit: float = np.inf

    def __post_init__(self) -> None:
        at_least(self, draws=4, tune=1, cores=1)
        among(self, sampler=SAMPLERS, adaptation=ADAPTATIONS)
        if not 0 < self.target_accept < 1:
            raise ValueError(f"target_accept must lie between 0 and 1, got {self.target_accept}")
        if not 0 <= self.inverse_temperature < np.inf:
            raise ValueError(
                f"inverse_temperature must be at least 0, got {self.inverse_temperature}"
            )
        if not self.time_limit > 0:
            raise ValueError(f"time_limit must be positive, got {self.time_limit}")
        if self.sampler == "pymc" and self.adaptation != "diagonal":
            raise ValueError(
                f"adaptation of PyMC's own sampler is diagonal, got {self.adaptation!r}"
            )

    def sample(
        self, parameterization: AnyParameterization, data: Data, starts: Mixture, seed: int
    ) -> Draws:
        """Sample one chain from each start.

        Parameters
        ----------
        parameterization : AnyParameterization
            With its prior in the units of the data.
        data : Data
            One sample, weighted or not.
        starts : Mixture, batch shape (chain,)
            One start for each chain, in the units of the data.
        seed : int
            The same seed gives the same draws for any number of cores.

        Raises
        ------
        NotApplicable
            If NUTS cannot sample these coordinates.
        ValueError
            If the data are a batch or constant, a start lies outside the domain, or the seed is
            negative.
        SamplingFailed
            If the time limit is exceeded, or the draws are not finite.
        """
        check_seed(seed)
        if parameterization.reason_not_sampled:
            raise NotApplicable(parameterization.reason_not_sampled)
        if isinstance(parameterization, MultivariateParameterization):
            if self.sampler != "nutpie":
                raise ValueError("sampler must be 'nutpie' in several dimensions, got 'pymc'")
            given = (parameterization, data, starts, self.tune, self.inverse_temperature)
            return sample_points(partial(self.chains, seed=seed), *given)
        own = standard_sample(parameterization, data)
        standard = own.parameterization
        points = standard.start(standard_starts(own, starts))
        sample = self._nutpie if self.sampler == "nutpie" else self._pymc
        raw, seconds = sample(standard, own.data, points, seed)
        drawn = raw["posterior"].data_vars.values()
        if not all(np.isfinite(values).all() for values in drawn):
            raise SamplingFailed("its draws are not finite: its map or its density is at fault")
        return assemble(raw, seconds, parameterization, standard, data)

    def _nutpie(
        self, standard: Parameterization, data: Data, points: Array, seed: int
    ) -> tuple[xr.DataTree, float]:
        compiled = posterior(standard, data, self.inverse_temperature)
        points, moved = off_stationary(points, partial(density, compiled))
        raw, seconds = self.chains(compiled, points, seed)
        raw = mixtures(raw, standard)
        raw.attrs["start_moved"] = moved
        return raw, seconds

    def chains(self, compiled: Any, points: Array, seed: int) -> tuple[Any, float]:
        """What nutpie returns for a model of its own from these points, and the seconds it took."""
        chains = len(points)
        cores = min(self.cores, chains)
        starts: Callable[[int], Array] = _InOrder(points)
        if cores > 1:
            # only one core asks for the starts in order, so a short run learns the chains' seeds
            first = _InOrder(points)
            _sample(compiled, first, draws=chains, tune=chains, chains=chains, seed=seed)
            starts = dict(zip(first.seeds, points, strict=True)).__getitem__
        begin = time.perf_counter()
        raw = _sample(
            compiled,
            starts,
            draws=self.draws,
            tune=self.tune,
            chains=chains,
            cores=cores,
            seed=seed,
            store_unconstrained=True,
            limit=self.time_limit,
            target_accept=self.target_accept,
            **ADAPTATIONS[self.adaptation],
        )
        return raw, time.perf_counter() - begin

    def _pymc(
        self, standard: Parameterization, data: Data, points: Array, seed: int
    ) -> tuple[xr.DataTree, float]:
        free = standard.coordinates(standard.forward(points))
        names = standard.graph.names
        starts = [{name: free[name][chain] for name in names} for chain in range(len(points))]
        begin = time.perf_counter()
        with standard.fused_model():
            pm.set_data(standard.fused_data(data, self.inverse_temperature))
            raw = pm.sample(
                draws=self.draws,
                tune=self.tune,
                chains=len(points),
                cores=1,
                random_seed=seed,
                initvals=starts,
                init="adapt_diag",
                nuts_sampler="pymc",
                target_accept=self.target_accept,
                discard_tuned_samples=False,
                progressbar=False,
                compute_convergence_checks=False,
                quiet=True,
                callback=partial(_check_time, begin, self.time_limit),
            )
        return raw, time.perf_counter() - begin


class _InOrder:
    """The chains' starts in the order in which nutpie asks for them, each by a seed of its own."""

    def __init__(self, points: Array) -> None:
        self.points, self.seeds = points, list[int]()

    def __call__(self, chain_seed: int) -> Array:
        self.seeds.append(chain_seed)
        return self.points[min(len(self.seeds), len(self.points)) - 1]


def _sample(
    compiled: Any,
    starts: Callable[[int], Array],
    cores: int = 1,
    limit: float = np.inf,
    **given: Any,
) -> Any:
    field = "initial_point_func" if hasattr(compiled, "initial_point_func") else INITIAL_POINTS
    compiled = dataclasses.replace(compiled, **{field: starts})
    raw = _uninterrupted(compiled, limit, cores=cores, progress_bar=False, **given)
    if isinstance(starts, _InOrder) and len(starts.seeds) != len(starts.points):
        raise ValueError(REJECTED)
    return raw


def _uninterrupted(compiled: Any, limit: float, **given: Any) -> Any:
    """All draws, or the KeyboardInterrupt, in place of which nutpie returns the draws it has."""
    running = nutpie.sample(compiled, blocking=False, return_raw_trace=True, **given)
    try:
        return running.wait(timeout=limit if limit < FOR_EVER else None)
    except TimeoutError:
        running.cancel()
        raise SamplingFailed(TOO_SLOW.format(limit)) from None
    except KeyboardInterrupt:
        running.cancel()
        raise


def _check_time(begin: float, limit: float, trace: Any, draw: Any) -> None:
    if time.perf_counter() - begin > limit:
        raise SamplingFailed(TOO_SLOW.format(limit))
