"""Chains of the studies' NUTS on a mixture of two that warm up together.

Labels are exchanged until the chains agree on them, which leaves the posterior as it is, and what
is learnt, a mass matrix or a map, is learnt from the draws of all chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.density import density, posterior
from ordered_mix.samplers.moves.inputs import standard_sample
from ordered_mix.study.trajectory import DualAveraging, Walk
from ordered_mix.study.triangular import TriangularMap

SWEEPS, SETTLED = 250, 50
WINDOWS, PLAIN = (75, 100, 250, 250, 100), 2
Learn = Callable[[Array], Array | TriangularMap]


class Walks:
    """Chains under the default prior, whose first mass matrix is of sweeps of Gibbs sampling.

    Parameters
    ----------
    coordinates : str
        Coordinates with signed gaps.
    data : Data
    starts : Mixture, batch shape (chain,)
    seed : int

    Attributes
    ----------
    warmup_passes : int
        Sweeps and gradients before the draws.
    """

    def __init__(self, coordinates: str, data: Data, starts: Mixture, seed: int) -> None:
        model = catalog.parameterization(coordinates, 2, default_prior(data))
        own = standard_sample(model, data)
        first, *seeds = np.random.SeedSequence(seed).generate_state(1 + len(starts.w), np.uint64)
        self.model, self.data, self.given = own.parameterization, data, (model, starts)
        self.of_z = partial(density, posterior(self.model, own.data, 1.0))
        self.map: TriangularMap | None = None
        z = self.swept(SWEEPS - SETTLED, SETTLED, int(first // 2))
        self.chains = [
            Walk(self.of_z, start, np.random.Generator(np.random.Philox(int(one))))
            for start, one in zip(z[:, -1], seeds, strict=True)
        ]
        self.warmup_passes = SWEEPS * len(seeds)
        self.after_sweeps = z

    def swept(self, draws: int, tune: int, seed: int) -> Array:
        """Unconstrained coordinates of sweeps of Gibbs sampling, shape (chain, draw, dimension)."""
        model, starts = self.given
        mixture = Gibbs(draws=draws, tune=tune).sample(model, self.data, starts, seed).mixture
        location, scale = self.data.location, self.data.scale
        return self.model.unconstrain_unchecked(mixture.affine(-location / scale, 1 / scale))

    def warm_up(self, plain: Learn, learn: Learn) -> None:
        """Adapt step sizes; learn plainly in the first windows, and not after the last."""
        self.take(self.after_sweeps, plain)
        for at, window in enumerate(WINDOWS):
            z = self.run(window, adapt=True)
            if at < len(WINDOWS) - 1:
                self.take(z, plain if at < PLAIN else learn)
        self.warmup_passes += sum(chain.leaps for chain in self.chains)
        for chain in self.chains:
            chain.leaps = chain.divergences = 0

    def take(self, z: Array, learn: Learn) -> None:
        """Learn from draws of all chains and go on from the last ones with what was learnt."""
        cloud, ends = agreed(self.model, z)
        found = learn(cloud)
        self.map = found if isinstance(found, TriangularMap) else None
        for chain, end in zip(self.chains, ends, strict=True):
            if isinstance(found, TriangularMap):
                chain.density, chain.factor = found.density(self.of_z), np.eye(end.size)
                chain.move_to(found.inverse(end))
            else:
                chain.density, chain.factor = self.of_z, found
                chain.move_to(end)

    def run(self, count: int, adapt: bool = False) -> Array:
        """Unconstrained coordinates of so many trajectories, shape (chain, draw, dimension)."""
        states = np.array([list(_states(chain, count, adapt)) for chain in self.chains])
        return self.map.forward(states)[0] if self.map else states

    def mixture(self, z: Array) -> Mixture:
        """Draws in the units of the data."""
        return self.model.forward(z).affine(self.data.location, self.data.scale)


def _states(chain: Walk, count: int, adapt: bool) -> Iterator[Array]:
    dual = DualAveraging(chain) if adapt else None
    for _ in range(count):
        chain.trajectory()
        if dual:
            dual()
        yield chain.here.z
    if dual:
        dual.finish()


def agreed(model: Parameterization, z: Array) -> tuple[Array, Array]:
    """Draws of all chains, shape (draw, dimension), and the last of each, with labels that agree.

    Draws are sorted, or each counts twice, with its labels and with them exchanged: what is closer
    to normal, by the determinant of the covariance, where sorting saves the log of 2.
    """
    drawn, d = model.forward(z), z.shape[-1]
    other = Mixture(*(values[..., ::-1] for values in (drawn.w, drawn.mu, drawn.sigma)))
    ascending = model.unconstrain_unchecked(drawn.sorted())
    both = np.concatenate([z, model.unconstrain_unchecked(other)])
    volumes = [np.linalg.slogdet(np.cov(one.reshape(-1, d).T))[1] for one in (both, ascending)]
    if volumes[0] < volumes[1] + 2 * np.log(2):
        return both.reshape(-1, d), z[:, -1]
    return ascending.reshape(-1, d), ascending[:, -1]
