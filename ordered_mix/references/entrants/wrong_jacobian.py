"""Broken on purpose: a random walk that has the Jacobian of its coordinates upside down."""

from ordered_mix.references.entrant import Budget, Sampled
from ordered_mix.references.entrants import random_walk


def sample(name: str, seed: int, budget: Budget) -> Sampled:
    """In relative coordinates, where gaps are positive and now shrink."""
    return random_walk.sample(name, seed, budget, coordinates="relative", jacobian=-1)
