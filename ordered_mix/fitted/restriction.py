"""Parameters that are known, or scales that are common: what is held and how EM begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.data import Data
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart

if TYPE_CHECKING:
    from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior

PARAMETERS = ("w", "mu", "sigma")
SCALES = ("free", "common")
LEAST_PASSES, MOST_PASSES, MOST_EVALUATIONS = 300, 5_000, 100_000_000
EXPLORED = Stop(log_likelihood=1e-6, passes=500)
MOST_POLISHED, SUBSAMPLE = 10, 3_000


@dataclass(frozen=True)
class Restriction:
    """What is not free.

    Parameters
    ----------
    scales : {"free", "common"}
        One standard deviation for each component, or one for all.
    fixed : mapping of {"w", "mu", "sigma"} to sequence of float
        Values that are known, one for each component.

    Raises
    ------
    ValueError
        If a name or a value is none of the accepted ones, or everything is known.
    """

    scales: str = "free"
    fixed: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scales not in SCALES:
            raise ValueError(f"scales must be one of {', '.join(SCALES)}, got {self.scales!r}")
        for name, values in self.fixed.items():
            if name not in PARAMETERS:
                raise ValueError(f"fixed may hold {', '.join(PARAMETERS)}, got {name!r}")
            array = np.asarray(values, dtype=np.float64)
            if array.ndim != 1 or not np.isfinite(array).all():
                raise ValueError(f"fixed {name} must hold finite numbers, got {values}")
            if name != "mu" and not (array > 0).all():
                raise ValueError(f"fixed {name} must be positive, got {values}")
            if name == "w" and abs(array.sum() - 1) > 1e-9:
                raise ValueError(f"fixed w must add up to 1, got {values}")
        if len({len(values) for values in self.fixed.values()}) > 1:
            raise ValueError("fixed must hold one value for each component of all its parameters")
        if set(self.fixed) == set(PARAMETERS):
            raise ValueError("fixed must leave a parameter free, it holds w, mu and sigma")
        if self.scales == "common" and "sigma" in self.fixed:
            raise ValueError("scales must be free where fixed holds sigma, got 'common'")

    @property
    def nothing(self) -> bool:
        """Whether everything is free."""
        return self.scales == "free" and not self.fixed

    def check(self, k: int) -> None:
        """Raise a ValueError if the values are not of k components."""
        for name, values in self.fixed.items():
            if len(values) != k:
                raise ValueError(
                    f"fixed {name} must hold {k} values for K = {k}, got {len(values)}"
                )

    def parameters(self, k: int) -> int:
        """Number of free parameters."""
        free = {"w": k - 1, "mu": k, "sigma": k if self.scales == "free" else 1}
        return sum(count for name, count in free.items() if name not in self.fixed)

    @classmethod
    def of(cls, prior: Prior, k: int) -> Restriction:
        """What a prior of k components knows."""
        known = dict(prior.known)
        if prior.known_sigma is not None and "sigma" not in known:
            known["sigma"] = (float(prior.known_sigma),) * k
        return cls("common" if prior.common_scale else "free", known)

    def of_prior(self, prior: Prior) -> Prior:
        """The prior with the known values and the common scale."""
        known = {name: tuple(map(float, values)) for name, values in self.fixed.items()}
        given: dict[str, Any] = {f"known_{name}": values for name, values in known.items()}
        # a number in place of equal ones: labels stay free
        if len(set(known.get("sigma", ()))) == 1:
            given["known_sigma"] = known["sigma"][0]
        if self.scales == "common":
            given["common_scale"] = True
        return replace(prior, **given)

    def in_order(self, mixture: Mixture) -> Mixture:
        """One mixture with its components in the order of the known values, if they differ."""
        cost = np.zeros((mixture.k, mixture.k))
        for name, values in self.fixed.items():
            apart = np.subtract.outer(np.asarray(values, dtype=float), getattr(mixture, name))
            cost += np.abs(apart) / max(np.abs(apart).max(), 1e-300)
        if not cost.any():
            return mixture
        # scipy.optimize takes half a second to import, which EM alone does not need
        from scipy.optimize import linear_sum_assignment

        return mixture.permute(linear_sum_assignment(cost)[1])

    def em(self, passes: int = MOST_PASSES) -> EM:
        """EM under the restriction, to convergence or for so many passes."""
        tied = "tied" if self.scales == "common" else "free"
        return EM(frozen=tuple(self.fixed), scales=tied, stop=Stop(1e-10, passes=passes))

    def search(self, seed: int, size: int = 1) -> MultiStart:
        """EM from many starts under the restriction.

        Parameters
        ----------
        seed : int
        size : int
            Points times components: of many, all but the best end are polished for a while only.
        """
        passes = int(np.clip(MOST_EVALUATIONS // size, LEAST_PASSES, MOST_PASSES))
        em = self.em(passes)
        return MultiStart(
            seed=seed, estimator=em, explore=EXPLORED, polished=MOST_POLISHED, subsample=SUBSAMPLE
        )

    def starts(self, search: MultiStart, parameterization: Parameterization, data: Data) -> Mixture:
        """The default starts with the known values; what is free goes to any of them."""
        starts = search.start(parameterization, data)
        if not self.fixed:
            return starts
        rng = np.random.default_rng(search.seed)
        order = rng.permuted(np.tile(np.arange(starts.k), (search.starts, 1)), axis=1)
        mixed = starts.permute(order)
        known = {name: np.asarray(values, dtype=np.float64) for name, values in self.fixed.items()}
        return Mixture(*(known.get(name, getattr(mixed, name)) for name in PARAMETERS))
