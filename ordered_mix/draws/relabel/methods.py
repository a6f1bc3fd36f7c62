"""Relabelling algorithms by name, each with the evidence that it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite, mixture_draws
from ordered_mix.draws.relabel.assignment import Relabelling
from ordered_mix.draws.relabel.barycentre import barycentre
from ordered_mix.draws.relabel.data_based import data_based, data_based_running
from ordered_mix.draws.relabel.ecr import Allocations, ecr, ecr_iterative_1, ecr_iterative_2
from ordered_mix.draws.relabel.normal import normal
from ordered_mix.draws.relabel.permute import constraint, pra, require_exchangeable
from ordered_mix.draws.relabel.responsibilities import Responsibilities, sample_allocations
from ordered_mix.draws.relabel.separation import Parameters, label_statistics, separate, stacked
from ordered_mix.draws.relabel.stephens import stephens

ROLES = ("mu", "sigma", "w")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the draws; algorithms take from it what they need.

    Parameters
    ----------
    parameters : mapping of str to ndarray, shape (chain, draw, component)
        Component-indexed scalars, on scales on which they are about normal.
    responsibilities : Responsibilities, optional
    allocations : ndarray of int, shape (chain, draw, point), optional
    y : ndarray, shape (point,), optional
        Data of one dimension.
    roles : mapping of str to ndarray, shape (chain, draw, component)
        The ``mu``, ``sigma`` and ``w`` of a normal mixture, as far as they are known.
    log_likelihood : ndarray, shape (chain, draw), optional
        Of every draw; the largest is a pivot. By default that of the responsibilities.
    components : int
        Number of components K.
    seed : int
        Seed of allocations drawn from the responsibilities.
    advice : str
        What an error says must be passed where responsibilities are missing.
    """

    components: int
    parameters: Parameters = field(default_factory=dict)
    responsibilities: Responsibilities | None = None
    given_allocations: Allocations | None = None
    y: Array | None = None
    roles: Parameters = field(default_factory=dict)
    log_likelihood: Array | None = None
    seed: int = 0
    advice: str = "responsibilities, log_likelihood or y must be given for this method"

    @cached_property
    def p(self) -> Responsibilities:
        """The responsibilities, which must be known."""
        if self.responsibilities is None:
            raise ValueError(self.advice)
        return self.responsibilities.stored()

    @cached_property
    def allocations(self) -> Allocations:
        """Those of the model, or drawn from the responsibilities."""
        if self.given_allocations is not None:
            return self.given_allocations
        return sample_allocations(self.p, np.random.default_rng(self.seed))

    @cached_property
    def weights(self) -> Array | None:
        """The weights, if known."""
        return self.roles.get("w")

    @cached_property
    def data(self) -> Array:
        """The data, which must be known."""
        if self.y is None:
            raise ValueError("y must hold the data for this method, got None; sorting needs none")
        return self.y

    @cached_property
    def separated(self) -> Relabelling:
        """Labels by what separates the components."""
        return separate(self._some_parameters, self.weights)[0]

    @cached_property
    def pivot(self) -> int:
        """The flat draw of largest likelihood, or the one closest to the labels' means."""
        likelihood = self.log_likelihood
        if likelihood is None and self.responsibilities is not None:
            likelihood = self.responsibilities.log_likelihood()
        if likelihood is not None:
            return int(likelihood.argmax())
        values = stacked(self._some_parameters)
        order = self.separated.permutation.reshape(-1, self.components)
        mean, variance = label_statistics(values, order)
        relabelled = np.take_along_axis(values, order[None], axis=-1)
        scale = np.where(variance > 0, variance, 1)[:, None, None]
        return int(np.sum((relabelled - mean[:, None]) ** 2 / scale, axis=(0, 2)).argmin())

    @cached_property
    def pivot_allocation(self) -> Allocations:
        """Where the pivot puts each point."""
        if self.responsibilities is not None:
            return np.asarray(self.p.at(self.pivot).argmax(axis=-1))
        z = self.allocations
        return z.reshape(-1, z.shape[2])[self.pivot]

    @cached_property
    def standardised(self) -> Array:
        """Parameters in units of their spread within labels, (chain, draw, component, kind)."""
        values = self._some_parameters
        order = self.separated.permutation.reshape(-1, self.components)
        _, variance = label_statistics(stacked(values), order)
        scale = np.sqrt(np.where(variance > 0, variance, 1))
        return np.stack(list(values.values()), axis=-1) / scale

    def sorted_by(self, name: str) -> Relabelling:
        """Components ascending in one parameter."""
        known = {**self.parameters, **self.roles}
        if name not in known:
            raise ValueError(
                f"method 'sort_{name}' must name one of {', '.join(known)}{hint(name, known)}"
            )
        return constraint(known[name])

    def role(self, name: str) -> Array:
        """A parameter of a normal mixture, which must be known."""
        if name not in self.roles:
            raise ValueError(f"{name} must be given for this method, one number for each component")
        return self.roles[name]

    @property
    def _some_parameters(self) -> Parameters:
        if not self.parameters:
            raise ValueError("parameters must name a component parameter for this method, got none")
        return self.parameters


METHODS: dict[str, Callable[[Evidence], Relabelling]] = {
    "separate": lambda e: e.separated,
    "stephens": lambda e: stephens(e.p),
    "ecr": lambda e: ecr(e.allocations, e.pivot_allocation, e.components),
    "ecr_iterative_1": lambda e: ecr_iterative_1(e.allocations, e.components),
    "ecr_iterative_2": lambda e: ecr_iterative_2(e.allocations, e.p),
    "pra": lambda e: pra(
        e.standardised, e.standardised.reshape(-1, *e.standardised.shape[2:])[e.pivot]
    ),
    "data_based": lambda e: data_based(e.data, e.allocations, e.components),
    "data_based_running": lambda e: data_based_running(e.data, e.allocations, e.components),
    "barycentre": lambda e: barycentre(e.role("mu"), e.role("sigma")),
}
SORTS = tuple(f"sort_{name}" for name in ROLES)


def find(method: str, evidence: Evidence) -> Relabelling:
    """The permutations of an algorithm.

    Parameters
    ----------
    method : str
        One of `METHODS`, or ``sort_NAME`` with the name of a parameter.

    Raises
    ------
    ValueError
        If the method is unknown or what it needs is not known.
    """
    check_method(method)
    if method.startswith("sort_"):
        return evidence.sorted_by(method.removeprefix("sort_"))
    return METHODS[method](evidence)


def check_method(method: str) -> None:
    """ValueError if a method is unknown."""
    known = [*METHODS, *SORTS]
    if method not in METHODS and not method.startswith("sort_"):
        raise ValueError(
            f"method must be one of {', '.join(known)}, or sort_ and the name of a parameter, "
            f"got {method!r}{hint(method, known)}"
        )


def relabel(
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    method: str = "stephens",
    y: ArrayLike | None = None,
    seed: int = 0,
) -> Relabelling:
    """Relabel draws of a normal mixture by any algorithm.

    Parameters
    ----------
    w, mu, sigma : array_like, shape (chain, draw, component)
        Draws; known weights and scales may have shape (component,).
    method : str
        separate (by the parameters that separate components), sort_mu, sort_sigma or sort_w
        (artificial identifiability constraints), ecr, ecr_iterative_1, ecr_iterative_2, stephens,
        pra, data_based, data_based_running or barycentre. Pivots are taken from the draw of largest
        likelihood, allocations are drawn from the responsibilities.
    y : array_like, shape (point,), optional
        The data, needed by all methods but separate, barycentre and sorting.
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
    check_method(method)
    w, mu, sigma = mixture_draws(w, mu, sigma)
    require_exchangeable("w", w)
    require_exchangeable("sigma", sigma)
    data = None if y is None else np.ravel(finite("y", y))
    p = None if data is None else normal(data, w, mu, sigma)
    roles = {"mu": mu, "sigma": sigma, "w": w}
    evidence = Evidence(
        components=mu.shape[2],
        parameters={"mu": mu, "sigma": np.log(sigma), "w": w},
        responsibilities=p,
        y=data,
        roles=roles,
        seed=seed,
        advice="y must hold the data for this method, got None; sorting needs none",
    )
    return find(method, evidence)


def hint(name: str, known: Collection[str]) -> str:
    """The nearest known name, as the end of a message, or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
