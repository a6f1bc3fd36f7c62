"""Relabel draws of a Gaussian mixture by the name of an algorithm."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite, mixture_draws
from ordered_mix.draws.relabel.assignment import Relabelling
from ordered_mix.draws.relabel.ecr import (
    Allocations,
    data_based,
    ecr,
    ecr_iterative_1,
    ecr_iterative_2,
    sample_allocations,
)
from ordered_mix.draws.relabel.permute import constraint, pra, require_exchangeable
from ordered_mix.draws.relabel.stephens import responsibilities_of, stephens
from ordered_mix.passes.kernels import e_step


@dataclass(frozen=True, eq=False)
class _Sample:
    """Draws with what the algorithms derive from them and the data, each computed once."""

    w: Array
    mu: Array
    sigma: Array
    y: Array | None
    seed: int

    @property
    def k(self) -> int:
        return self.mu.shape[-1]

    @cached_property
    def data(self) -> Array:
        if self.y is None:
            raise ValueError("y must hold the data for this method, got None; sorting needs none")
        return self.y

    @cached_property
    def responsibilities(self) -> Array:
        return responsibilities_of(self.data, self.w, self.mu, self.sigma)

    @cached_property
    def allocations(self) -> Allocations:
        return sample_allocations(self.responsibilities, np.random.default_rng(self.seed))

    @cached_property
    def pivot(self) -> tuple[int, ...]:
        log_likelihood = e_step(self.data, self.w, self.mu, self.sigma).log_likelihood
        return tuple(int(i) for i in np.unravel_index(log_likelihood.argmax(), self.mu.shape[:2]))

    @property
    def parameters(self) -> Array:
        """In units of the mean pooled scale, so that the data's units do not matter."""
        scale = np.sqrt(np.mean(np.sum(self.w * self.sigma**2, axis=-1)))
        return np.stack([self.mu / scale, self.sigma / scale, self.w], axis=-1)


METHODS: dict[str, Callable[[_Sample], Relabelling]] = {
    "sort_mu": lambda s: constraint(s.mu),
    "sort_sigma": lambda s: constraint(s.sigma),
    "sort_w": lambda s: constraint(s.w),
    "ecr": lambda s: ecr(s.allocations, s.responsibilities[s.pivot].argmax(axis=-1), s.k),
    "ecr_iterative_1": lambda s: ecr_iterative_1(s.allocations, s.k),
    "ecr_iterative_2": lambda s: ecr_iterative_2(s.allocations, s.responsibilities),
    "stephens": lambda s: stephens(s.responsibilities),
    "pra": lambda s: pra(s.parameters, s.parameters[s.pivot]),
    "data_based": lambda s: data_based(s.data, s.allocations, s.k),
}


def relabel(
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    method: str = "stephens",
    y: ArrayLike | None = None,
    seed: int = 0,
) -> Relabelling:
    """Relabel draws of a Gaussian mixture by any algorithm.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws; known weights and scales may have shape (component,).
    method : str
        sort_mu, sort_sigma or sort_w (artificial identifiability constraints), ecr,
        ecr_iterative_1, ecr_iterative_2, stephens, pra or data_based. Pivots are taken from the
        draw of largest likelihood, allocations are drawn from the responsibilities.
    y : array_like, shape (point,), optional
        The data, needed by all methods except sorting.
    seed : int
        Seed of the allocations.

    Returns
    -------
    Relabelling
        Apply it with `permute` and `permute_allocations`.

    Raises
    ------
    ValueError
        If the method is unknown, the draws or data are malformed, or known unequal weights or
        scales make the labels meaningful.
    """
    if method not in METHODS:
        raise ValueError(
            f"method must be one of {', '.join(METHODS)}, got {method!r}{hint(method, METHODS)}"
        )
    w, mu, sigma = mixture_draws(w, mu, sigma)
    require_exchangeable("w", w)
    require_exchangeable("sigma", sigma)
    data = None if y is None else np.ravel(finite("y", y))
    return METHODS[method](_Sample(w, mu, sigma, data, seed))


def hint(name: str, known: Collection[str]) -> str:
    """The nearest known name, as the end of a message, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
