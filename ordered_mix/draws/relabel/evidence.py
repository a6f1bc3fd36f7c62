"""From what the user named to what relabelling algorithms need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.asked import Asked
from ordered_mix.draws.relabel.assignment import Relabelling
from ordered_mix.draws.relabel.check import Check, stored_pointwise
from ordered_mix.draws.relabel.ecr import Allocations
from ordered_mix.draws.relabel.likelihood import factors, given_responsibilities, means, settle
from ordered_mix.draws.relabel.methods import Evidence, hint
from ordered_mix.draws.relabel.named import (
    SCALES,
    Named,
    Reader,
    finite_values,
    front,
    number_of_components,
    one_for_each,
    positive,
    read_weights,
)
from ordered_mix.draws.relabel.permute import require_exchangeable
from ordered_mix.draws.relabel.responsibilities import Responsibilities
from ordered_mix.draws.relabel.separation import APART, closest

MOST_PARAMETERS = 60


@dataclass(frozen=True, eq=False)
class Known:
    """Draws as they were understood.

    Parameters
    ----------
    shape : tuple of int
        (chain, draw, component).
    named : dict of str to Named
        What the user named, by its role, or by its name where it has none.
    w : ndarray, shape (chain, draw, component), or None
        The weights, which add up to 1.
    roles : dict of str to ndarray, shape (chain, draw, component)
        mu, sigma and w as far as they are one number for each component.
    parameters : dict of str to ndarray, shape (chain, draw, component)
        All component-indexed scalars that are sampled, by the user's names, scales in logarithms.
    y : ndarray or None
        The data.
    followers : frozenset of str
        Parameters that were not named: they have the dimensions of those that were.
    stored : ndarray, shape (chain, draw, point), or None
        The pointwise log likelihood that came with the draws.
    normal : bool
        Whether the model is a normal mixture: its log likelihood repeats the stored one, or the
        user says so.
    """

    shape: tuple[int, int, int]
    named: dict[str, Named]
    w: Array | None
    roles: dict[str, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    y: Array | None = None
    stored: Array | None = None
    responsibilities: Responsibilities | None = None
    allocations: Allocations | None = None
    first: int = 0
    followers: frozenset[str] = frozenset()
    check: Check | None = None
    normal: bool = False
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def components(self) -> int:
        """Number of components."""
        return self.shape[2]

    @property
    def means(self) -> str:
        """What the user calls the means."""
        return self.named["mu"].name if "mu" in self.named else "mu"

    @property
    def default_method(self) -> str:
        """What is done where no method is asked for."""
        if self.responsibilities is not None:
            return "stephens"
        return "ecr_iterative_1" if self.allocations is not None else "separate"

    def evidence(self, method: str) -> Evidence:
        """What algorithms take; the method is named where it needs more."""
        likelihood = None if self.stored is None else self.stored.sum(axis=-1)
        y = self.y if self.y is not None and self.y.ndim == 1 else None
        factor = factors(self)
        covariance = None if factor is None else factor @ np.swapaxes(factor, -1, -2)
        return Evidence(
            components=self.components,
            parameters=self.parameters,
            followers=self.followers,
            responsibilities=self.responsibilities,
            given_allocations=self.allocations,
            y=y,
            roles=self.roles,
            multivariate=None if covariance is None else (means(self), covariance),
            log_likelihood=likelihood,
            seed=self.seed,
            advice=self._advice(method),
        )

    def _advice(self, method: str) -> str:
        """What to pass where a likelihood is missing."""
        if self.check is not None:
            why = self.check.sentence[0].lower() + self.check.sentence[1:].rstrip(".")
        elif self.y is None:
            why = "y must hold the data, got None"
        else:
            why = "the draws do not hold the means, scales and weights of normal components"
        return (
            f"method {method!r} needs a likelihood, but {why}; otherwise pass responsibilities, "
            "log_likelihood (by component) or allocations of the model, or a method that needs "
            "none, such as separate"
        )

    def order(self, by: str | None, found: Relabelling) -> Array:
        """What labels ascend in."""
        known = {**self.parameters, **self.roles}
        known |= {one.name: known[role] for role, one in self.named.items() if role in known}
        if by is not None:
            if by not in known:
                raise ValueError(
                    f"order must name a component parameter with one number for each component, "
                    f"one of {', '.join(known)}, got {by!r}{hint(by, known)}"
                )
            return known[by]
        if not self.parameters:
            return np.zeros(self.shape)
        if self.means in self.parameters:
            key = self.parameters[self.means]
            if closest({self.means: key}, found.permutation, self.w)[0] >= APART:
                return key
        return self.parameters[closest(self.parameters, found.permutation, self.w)[1]]


def know(tree: xr.DataTree, asked: Asked) -> Known:
    """Read and check everything that is named, before any work."""
    posterior = tree[asked.group].to_dataset()
    named = Reader(posterior, asked.dims).read(asked.named(posterior))
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    z, first = _allocations(posterior, asked)
    p = given_responsibilities(tree, asked, named)
    shape = (chains, draws, number_of_components(list(named.values()), _otherwise(p, z, asked)))
    weighted = "weights" in named or asked.weights is None
    w, notes = read_weights(named.get("weights"), shape) if weighted else (None, [])
    if p is not None and p.log_joint is not None and w is not None:
        p = given_responsibilities(tree, asked, named, w)
    y, observed_name, of_data = _data(tree, asked)
    stored, of_stored = stored_pointwise(tree, observed_name, asked, named)
    known = Known(
        shape=shape,
        named=named,
        w=w,
        roles=_roles(named, shape, w),
        parameters=_scalars(named, w),
        y=y,
        stored=stored,
        allocations=z,
        first=first,
        notes=(*notes, *of_data, *of_stored),
        seed=asked.seed,
    )
    return settle(known, p, asked.likelihood is not None)


def _otherwise(p: Responsibilities | None, z: Allocations | None, asked: Asked) -> int | None:
    """The number of components where no parameter tells it."""
    if p is not None:
        return p.components
    if asked.separate:
        return len(asked.separate[0])
    return None if z is None else int(z.max()) + 1


def _roles(
    named: Mapping[str, Named], shape: tuple[int, int, int], w: Array | None
) -> dict[str, Array]:
    """mu, sigma and w where they are one number for each component."""
    roles = {} if w is None else {"w": w}
    mu = named.get("mu")
    if mu is not None and mu.values.ndim <= 3:
        roles["mu"] = one_for_each(mu, shape)
    for role in SCALES:
        one = named.get(role)
        if one is not None and one.values.ndim <= 3:
            values = positive(one.name, one_for_each(one, shape))
            roles["sigma"] = values if role == "sigma" else values**-0.5
            if not one.sampled:
                require_exchangeable(one.name, roles["sigma"])
    weights = named.get("weights")
    if weights is not None and not weights.sampled and w is not None:
        require_exchangeable(weights.name, w)
    return roles


def _scalars(named: Mapping[str, Named], w: Array | None) -> dict[str, Array]:
    """Sampled component-indexed scalars by name and index, of many evenly spread ones."""
    found: dict[str, Array] = {}
    for role, one in named.items():
        if role == "weights":
            if one.sampled and w is not None:
                found[one.name] = w
            continue
        if not one.by_component:
            continue
        values = finite_values(one.name, one.values)
        if role in SCALES:
            values = np.log(positive(one.name, values))
        every = list(np.ndindex(*values.shape[3:]))
        most = max(1, MOST_PARAMETERS // len(named))
        at = np.unique(np.linspace(0, len(every) - 1, min(most, len(every))).astype(int))
        for index in (every[place] for place in at):
            if np.ptp(values[:, :, :, *index]) > 0:
                key = f"{one.name}[{', '.join(map(str, index))}]" if index else one.name
                found[key] = values[:, :, :, *index]
    return found


def _allocations(posterior: xr.Dataset, asked: Asked) -> tuple[Allocations | None, int]:
    """Allocations of all points, (chain, draw, point), from 0 on, and their first number."""
    if not asked.allocations:
        return None, 0
    arrays = []
    for name in asked.allocations:
        if name not in posterior:
            known = [str(one) for one in posterior.data_vars]
            raise ValueError(
                f"allocations {name!r} is not a variable of the posterior, which holds "
                f"{', '.join(known)}{hint(name, known)}"
            )
        values = front(posterior[name]).to_numpy()
        if np.any(values != np.floor(values)) or values.min() < 0:
            raise ValueError(f"allocations {name!r} must hold whole numbers from 0 or 1 on")
        arrays.append(values.reshape(*values.shape[:2], -1).astype(np.int64))
    z = np.concatenate(arrays, axis=-1)
    first = 1 if z.min() >= 1 and int(z.max()) == _components_hint(posterior, asked) else 0
    return z - first, first


def _components_hint(posterior: xr.Dataset, asked: Asked) -> int | None:
    """K as the named parameters have it, to tell allocations that start at 1."""
    named = Reader(posterior, asked.dims).read(asked.named(posterior))
    try:
        return number_of_components(list(named.values()), None)
    except ValueError:
        return None


def _data(tree: xr.DataTree, asked: Asked) -> tuple[Array | None, str | None, list[str]]:
    """The data, of one dimension unless components have several, their name, and notes."""
    variables = {}
    if "observed_data" in tree.children:
        variables = {str(name): values for name, values in tree["observed_data"].data_vars.items()}
    name = next(iter(variables)) if len(variables) == 1 else None
    if asked.y is not None:
        values = finite_values("y", asked.y)
    elif name is not None and variables[name].dtype.kind in "biuf":
        values = variables[name].to_numpy().astype(np.float64)
    else:
        return None, name, []
    if not np.all(np.isfinite(values)):
        missing = int(np.sum(~np.isfinite(values)))
        note = f"{name} of observed_data is not used: {missing} of its values are not finite."
        return None, name, [note]
    two = values.ndim == 2 and (asked.chol is not None or asked.cov is not None)
    return values if two else values.ravel(), name, []
