"""Blocks of data sets that optimisers and samplers meet together, and what a success costs them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data, simulate
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior, default_prior
from ordered_mix.study.experiment import four_digits
from ordered_mix.study.grid import seed_of
from ordered_mix.study.truths import two_normals
from ordered_mix.theory.speed import (
    expected_passes,
    passes_to,
    shortfall,
    sorted_distance,
    wasserstein,
)

STARTS = 6
SPREAD = 1.5  # of the starting means, in standard deviations of the data
DIGITS = (2, 4, 8)
BEYOND = 1e-2
MILESTONES = (3, 10, 30, 100, 300, 1000)
PARAMETERIZATIONS = {
    "unordered": "unordered",
    "ordered": "ordered",
    "relative": "relative",
    "relative_softplus": "relative(link=softplus)",
    "relative_square": "relative(link=square)",
    "centred": "centred",
    "signed": "signed",
    "resolved": "resolved",
    "moment": "moment",
}


class Block(NamedTuple):
    """Data sets of `two_normals`; `batch` numbers blocks of `sets` of them.

    Parameters
    ----------
    separation : float
    n, sets, batch : int
    free : {"all", "means"}
        What is estimated; the rest is known.
    """

    separation: float
    n: int
    sets: int
    batch: int
    free: str = "all"

    @property
    def replicates(self) -> range:
        """Numbers of the data sets."""
        return range(self.sets * self.batch, self.sets * (self.batch + 1))

    @property
    def frozen(self) -> tuple[str, ...]:
        """What is known."""
        return () if self.free == "all" else ("w", "sigma")

    @property
    def truth(self) -> Mixture:
        """The mixture that the data come from."""
        return two_normals(self.separation)

    def seed(self, purpose: str, replicate: int) -> int:
        """A seed that all cells of a data set share."""
        shared: dict[str, Any] = {
            "data": "simulated",
            "separation": self.separation,
            "n": self.n,
            "weight": 0.5,
        }
        return seed_of(purpose, **shared, replicate=replicate) % 2**31

    def limited(self, mixture: Mixture) -> Mixture:
        """These means with the known weights and scales, if those are known."""
        if self.free == "all":
            return mixture
        return Mixture(self.truth.w, mixture.mu, self.truth.sigma)

    def starts(self, sample: Data, replicate: int) -> Mixture:
        """Over-dispersed starts, the same for every estimator; batch shape (starts,)."""
        rng = np.random.default_rng(self.seed("starts", replicate))
        scale, shape = float(sample.scale), (STARTS, 2)
        mu = float(sample.location) + SPREAD * scale * rng.standard_normal(shape)
        w = rng.dirichlet([5.0, 5.0], STARTS)
        sigma = 0.6 * scale * np.exp(0.3 * rng.standard_normal(shape))
        return self.limited(Mixture(w, mu, sigma))

    def coordinates(
        self, name: str, sample: Data | None = None, kind: str = "fixed"
    ) -> Parameterization:
        """Coordinates with the reference prior, or that of a kind on the scale of a sample."""
        prior = Prior() if sample is None else default_prior(sample, kind)
        if self.free != "all":
            prior = replace(prior, known_w=(0.5, 0.5), known_sigma=1.0)
        return catalog.parameterization(PARAMETERIZATIONS[name], 2, prior)


@lru_cache(maxsize=4)
def samples(block: Block) -> tuple[Data, ...]:
    """The data sets of a block."""
    return tuple(simulate(block.truth, block.n, block.seed("data", r)) for r in block.replicates)


class Reference(NamedTuple):
    """The best interior optimum of the likelihood."""

    mixture: Mixture
    log_likelihood: float


@lru_cache(maxsize=4)
def references(block: Block) -> tuple[Reference, ...]:
    """The best optimum of each data set's likelihood, from EM with 60 starts."""
    return tuple(_reference(block, sample) for sample in samples(block))


def _reference(block: Block, sample: Data) -> Reference:
    rough = EM(frozen=block.frozen, stop=Stop(log_likelihood=1e-9, passes=2000))
    search, model = MultiStart(estimator=rough), catalog.parameterization("unordered", 2)
    optima = search.fit(model, sample, block.limited(search.start(model, sample)))
    fine = EM(frozen=block.frozen, stop=Stop(log_likelihood=1e-12, passes=50_000), snapshots=2)
    fit = fine.fit(model, sample, optima.best)
    return Reference(fit.mixture, float(fit.log_likelihood))


def speed(
    passes: NDArray[Any],
    objective: NDArray[Any],
    spent: NDArray[Any],
    status: NDArray[Any],
    best: float,
) -> tuple[dict[str, Any], int]:
    """Measures of the starts of one data set, and which start ended best, the spurious aside.

    Parameters
    ----------
    passes, objective : array, shape (snapshot, start)
        The traces of the starts.
    spent, status : array, shape (start,)
        All passes of each start, and how it ended.
    best : float
        The best objective known.

    Returns
    -------
    dict, int
        ``passes_2``, ``passes_4`` and ``passes_8``: expected passes for one start within 1e-2,
        1e-4 and 1e-8 nats of the best; the mean passes of such starts alone (``arrived_``, None if
        there are none) and their share (``share_``); ``beyond``, ``failed`` and ``passes``;
        ``short_N``, nats that the best start is short after N passes.
    """
    beyond = objective[-1] > best + BEYOND
    ended = np.isin(status, ("converged", "budget_exhausted"))
    row = {"passes": int(spent.sum()), "beyond": beyond.mean(), "failed": 1 - ended.mean()}
    for digits in DIGITS:
        to = np.where(beyond, np.inf, passes_to(passes, objective, best - 10.0**-digits))
        cost, share = expected_passes(to, spent)
        row |= {f"passes_{digits}": four_digits(cost), f"share_{digits}": four_digits(share)}
        there = to[np.isfinite(to)]
        row[f"arrived_{digits}"] = four_digits(there.mean()) if len(there) else None
    for after in MILESTONES:
        below = np.where(beyond, np.inf, shortfall(passes, objective, best, after))
        row[f"short_{after}"] = four_digits(max(float(below.min()), 0.0))
    return row, int(np.argmax(np.where(beyond, -np.inf, objective[-1])))


def errors(block: Block, mixture: Mixture) -> dict[str, float]:
    """Distances of a mixture from the truth, the labels aside."""
    return {
        "wasserstein": four_digits(wasserstein(mixture, block.truth)),
        "distance": four_digits(sorted_distance(mixture, block.truth)),
    }
