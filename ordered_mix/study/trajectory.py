"""NUTS on any log density, one trajectory at a time, to be tried beside the library's samplers.

The kernel is that of Betancourt (2017, arXiv:1701.02434, appendix A): multinomial sampling along a
trajectory that is doubled until it turns back. Step sizes are found by dual averaging (Hoffman &
Gelman 2014). nutpie's NUTS is the one to sample with; this one can be alternated with other
kernels, and its metric or its coordinates replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ordered_mix.arrays import Array

DEEPEST, DIVERGENT, TARGET = 10, 1000.0, 0.8
Density = Callable[[Array], tuple[float, Array]]


class Phase(NamedTuple):
    """A point with its gradient and log density, and a momentum."""

    z: Array
    gradient: Array
    height: float
    momentum: Array

    @property
    def energy(self) -> float:
        """Negative."""
        return float(self.height - 0.5 * self.momentum @ self.momentum)


class Tree(NamedTuple):
    """A part of a trajectory: ends, a draw of it, sum of momenta, log weight, whether it ended."""

    first: Phase
    last: Phase
    chosen: Phase
    total: Array
    log_weight: float
    ended: bool


class Walk:
    """One chain of NUTS; momenta are standard normal in coordinates F^-1 z.

    Parameters
    ----------
    density : callable
        Log density and its gradient at a point, both NaN where there is none.
    z : ndarray, shape (dimension,)
        Where the chain begins.
    rng : Generator

    Attributes
    ----------
    factor : ndarray, shape (dimension, dimension)
        F, with F F' the inverse of the mass matrix.
    step : float
        Step size.
    leaps : int
        Leapfrog steps taken, each a gradient.
    divergences : int
        Trajectories that a step of an energy error above 1,000, or off the domain, has ended.
    """

    def __init__(self, density: Density, z: Array, rng: np.random.Generator) -> None:
        self.density, self.rng = density, rng
        self.factor, self.step, self.leaps, self.divergences = np.eye(z.size), 0.1, 0, 0
        self.accepted: list[float] = []
        self.move_to(z)

    def move_to(self, z: Array) -> None:
        """Evaluate the density at a point and stay there."""
        height, gradient = self.density(z)
        self.here = Phase(z, gradient, height, np.zeros(z.size))

    def leap(self, phase: Phase, side: int) -> Phase:
        """One leapfrog step."""
        self.leaps += 1
        half = 0.5 * side * self.step
        momentum = phase.momentum + half * (phase.gradient @ self.factor)
        z = phase.z + 2 * half * (self.factor @ momentum)
        height, gradient = self.density(z)
        return Phase(z, gradient, height, momentum + half * (gradient @ self.factor))

    def grow(self, phase: Phase, side: int, depth: int, begin: float) -> Tree:
        """A subtree of 2^depth steps, less if it ends early."""
        if depth == 0:
            new = self.leap(phase, side)
            gain = new.energy - begin
            self.accepted.append(float(np.exp(min(0.0, gain))) if gain == gain else 0.0)
            divergent = not gain > -DIVERGENT
            self.divergences += divergent
            return Tree(new, new, new, new.momentum, gain, divergent)
        near = self.grow(phase, side, depth - 1, begin)
        if near.ended:
            return near
        far = self.grow(near.last if side > 0 else near.first, side, depth - 1, begin)
        return far if far.ended else self.joined(near, far, side, biased=False)

    def joined(self, near: Tree, far: Tree, side: int, biased: bool) -> Tree:
        """Two halves, whether they turn back, and a draw of both, biased to the far one or not."""
        weight = float(np.logaddexp(near.log_weight, far.log_weight))
        against = near.log_weight if biased else weight
        chosen = far if np.log(self.rng.random()) < far.log_weight - against else near
        left, right = (near, far) if side > 0 else (far, near)
        total = left.total + right.total
        ended = (
            turns(left.first, right.last, total)
            or turns(left.first, right.first, left.total + right.first.momentum)
            or turns(left.last, right.last, left.last.momentum + right.total)
        )
        return Tree(left.first, right.last, chosen.chosen, total, weight, ended)

    def trajectory(self) -> None:
        """One transition of NUTS."""
        momentum = self.rng.standard_normal(self.here.z.size)
        start = self.here._replace(momentum=momentum)
        tree = Tree(start, start, start, momentum, 0.0, False)
        for depth in range(DEEPEST):
            side = 1 if self.rng.random() < 0.5 else -1
            end = tree.last if side > 0 else tree.first
            far = self.grow(end, side, depth, start.energy)
            if far.ended:
                break
            tree = self.joined(tree, far, side, biased=True)
            if tree.ended:
                break
        self.here = tree.chosen


def turns(left: Phase, right: Phase, total: Array) -> bool:
    """Whether a stretch with these ends and this sum of momenta turns back."""
    return bool(min(left.momentum @ total, right.momentum @ total) <= 0)


class DualAveraging:
    """Step sizes that bring the mean acceptance to the target (Hoffman & Gelman 2014, eq. 6)."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.center = walk, np.log(10 * walk.step)
        self.mean_log, self.missed, self.count = 0.0, 0.0, 0

    def __call__(self) -> None:
        """Set the walk's next step from its last trajectory."""
        self.count += 1
        accepted = float(np.mean(self.walk.accepted))
        self.walk.accepted.clear()
        self.missed += (TARGET - accepted - self.missed) / (self.count + 10)
        log_step = self.center - np.sqrt(self.count) / 0.05 * self.missed
        self.mean_log += (log_step - self.mean_log) * self.count**-0.75
        self.walk.step = float(np.exp(log_step))

    def finish(self) -> None:
        """Set the average."""
        self.walk.step = float(np.exp(self.mean_log))


def factor_of(z: Array) -> Array:
    """Cholesky factor of the covariance of draws, correlations shrunk as by five more draws."""
    found = np.cov(z.T)
    own = len(z) / (len(z) + 5.0)
    return np.linalg.cholesky(own * found + (1 - own) * np.diag(np.diag(found)))
