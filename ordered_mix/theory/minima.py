"""Which fitted components serve which true ones: the structure of a local minimum.

Chen, Song, Xi & Zhang ("Local minima structures in Gaussian mixture models") show that, with well
separated true components, every local minimum of the population negative log likelihood of the
means splits into groups that do not overlap: several fitted means on one true component, or one
fitted mean on several true components. Here the groups are the connected parts of the graph whose
edges are large shares of mass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

Array = NDArray[np.float64]

LEAST_MASS = 1e-3
LARGE_SHARE = 0.25


class Group(NamedTuple):
    """Fitted and true components that belong together, by their positions."""

    fits: tuple[int, ...]
    trues: tuple[int, ...]

    @property
    def kind(self) -> str:
        """``exact``, ``many_fit_one``, ``one_fit_many``, ``empty``, ``uncovered`` or ``mixed``."""
        fits, trues = len(self.fits), len(self.trues)
        if not trues:
            return "empty"
        if not fits:
            return "uncovered"
        if fits == trues == 1:
            return "exact"
        if trues == 1:
            return "many_fit_one"
        return "one_fit_many" if fits == 1 else "mixed"


class Structure(NamedTuple):
    """The groups of a fit, in the order of their first fitted component."""

    groups: tuple[Group, ...]

    @property
    def holds(self) -> bool:
        """Whether no group mixes several fitted with several true components."""
        return all(group.kind != "mixed" for group in self.groups)

    @property
    def exact(self) -> bool:
        """Whether each true component has one fitted component of its own."""
        return all(group.kind == "exact" for group in self.groups)

    @property
    def pattern(self) -> str:
        """Numbers of fitted and true components of each group, ``1:1 1:2 2:1``, sorted."""
        pairs = sorted((len(group.fits), len(group.trues)) for group in self.groups)
        return " ".join(f"{fits}:{trues}" for fits, trues in pairs)


def shared_mass(fitted: ArrayLike, true: ArrayLike, weight: ArrayLike) -> Array:
    """Mass ``P_js = p_s E_s[g_j]`` of true component s that fitted component j answers for.

    Parameters
    ----------
    fitted : array_like, shape (n, k)
        Responsibilities of the fitted components at the points of the population.
    true : array_like, shape (n, t)
        Responsibilities of the true components at the same points.
    weight : array_like, shape (n,)
        Weights of the points, proportional to the true density.

    Returns
    -------
    ndarray, shape (k, t)
        Adds up to 1.
    """
    weights = np.asarray(weight, dtype=np.float64)
    mass = np.asarray(fitted).T @ (weights[:, None] * np.asarray(true)) / weights.sum()
    return np.asarray(mass, dtype=np.float64)


def structure(mass: ArrayLike) -> Structure:
    """Groups of fitted and true components from their shared mass.

    Fitted j and true s are joined if they share at least a quarter of the smaller one of their
    masses; a fitted component with less than 0.001 of the mass is empty.

    Parameters
    ----------
    mass : array_like, shape (k, t)
        See `shared_mass`.

    Returns
    -------
    Structure

    Raises
    ------
    ValueError
        If the mass is not a matrix of finite non-negative numbers.
    """
    shared = np.asarray(mass, dtype=np.float64)
    if shared.ndim != 2 or not np.all(np.isfinite(shared)) or np.any(shared < 0):
        raise ValueError(
            f"mass must be a matrix of finite non-negative numbers, got shape {shared.shape}"
        )
    of_fit, of_true = shared.sum(axis=1, keepdims=True), shared.sum(axis=0, keepdims=True)
    edges = (shared >= LARGE_SHARE * np.minimum(of_fit, of_true)) & (of_fit >= LEAST_MASS)
    return Structure(tuple(_components(edges)))


def approximation_error(
    found: Structure, fitted: ArrayLike, true: ArrayLike, weight: ArrayLike
) -> float:
    """Largest distance of a fitted mean from what it stands for.

    That is the true mean, or for one mean on several components their common mean.

    Parameters
    ----------
    found : Structure
    fitted : array_like, shape (k, d)
        Fitted means.
    true : array_like, shape (t, d)
        True means.
    weight : array_like, shape (t,)
        True weights.

    Returns
    -------
    float
        NaN if no group holds both fitted and true components, or one is mixed.
    """
    means, truth, weights = (
        np.asarray(value, dtype=np.float64) for value in (fitted, true, weight)
    )
    errors = []
    for group in found.groups:
        if not group.fits or not group.trues:
            continue
        if group.kind == "mixed":
            return float("nan")
        served = list(group.trues)
        target = np.average(truth[served], axis=0, weights=weights[served])
        errors += np.linalg.norm(means[list(group.fits)] - target, axis=1).tolist()
    return max(errors, default=float("nan"))


def _components(edges: NDArray[np.bool_]) -> list[Group]:
    """Connected parts of a bipartite graph, rows are fits and columns trues."""
    fits, trues = edges.shape
    graph = np.zeros((fits + trues, fits + trues), dtype=bool)
    graph[:fits, fits:] = edges
    _, label = connected_components(graph, directed=False)
    groups = []
    for number in dict.fromkeys(label.tolist()):
        members = np.flatnonzero(label == number)
        own, served = members[members < fits], members[members >= fits] - fits
        groups.append(Group(tuple(own.tolist()), tuple(served.tolist())))
    return groups
