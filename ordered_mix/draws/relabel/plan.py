"""Which variables of the draws follow a relabelling, and which are left alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel import derived
from ordered_mix.draws.relabel.asked import Asked
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.draws.relabel.effect import Effect, effect
from ordered_mix.draws.relabel.evidence import Known
from ordered_mix.draws.relabel.groups import STALE, following, groups_left
from ordered_mix.draws.relabel.permute import permute
from ordered_mix.draws.relabel.variables import (
    SAMPLE_DIMS,
    permute_separate,
    permute_values,
    permute_variable,
)

FURTHER = 20


@dataclass(frozen=True)
class Plan:
    """What a permutation is applied to.

    Parameters
    ----------
    dims : tuple of str
        Component dimensions.
    along : tuple of str
        Variables with a component dimension.
    values : tuple of str
        Variables whose values are components.
    separate : tuple of tuples of str
        Variables that are one for each component; a single one is the weight of the first of two.
    left_alone : tuple of str
        Other variables of the group, and groups.
    first : int
        The number of the first component in the allocations.
    notes : tuple of str
    """

    dims: tuple[str, ...]
    along: tuple[str, ...]
    values: tuple[str, ...]
    separate: tuple[tuple[str, ...], ...]
    left_alone: tuple[str, ...]
    first: int = 0
    notes: tuple[str, ...] = ()

    @property
    def permuted(self) -> tuple[str, ...]:
        """All variables that change."""
        parts = [name for group in self.separate for name in group]
        return tuple(dict.fromkeys((*self.along, *parts, *self.values)))

    def untouched(self) -> Plan:
        """A plan that leaves every variable alone."""
        return replace(
            self, along=(), values=(), separate=(), left_alone=(*self.permuted, *self.left_alone)
        )

    @classmethod
    def of_dims(
        cls, posterior: xr.Dataset, dims: tuple[str, ...], values: tuple[str, ...], components: int
    ) -> Plan:
        """The plan for component dimensions and allocations that the user named."""
        missing = [name for name in dims if name not in posterior.dims]
        missing += [name for name in values if name not in posterior]
        if missing:
            raise ValueError(
                "dims and allocations must be in the posterior, but "
                f"{', '.join(missing)} is not among the dimensions "
                f"{', '.join(map(str, posterior.dims))} and variables "
                f"{', '.join(map(str, posterior))}"
            )
        _same_size(posterior, dims, components)
        along = tuple(str(name) for name, one in posterior.data_vars.items()
                      if set(dims) & set(map(str, one.dims)))  # fmt: skip
        left = tuple(str(name) for name in posterior.data_vars
                     if name not in (*along, *values))  # fmt: skip
        return cls(dims, along, values, (), left)

    def apply(self, tree: xr.DataTree, permutation: Permutation, group: str) -> xr.DataTree:
        """A relabelled copy of the draws."""
        posterior = tree[group].to_dataset()
        changed: dict[str, xr.DataArray] = {}
        for name in self.along:
            changed[name] = permute_variable(posterior[name], permutation, self.dims)
        for names in self.separate:
            moved = permute_separate([posterior[name] for name in names], permutation)
            changed |= dict(zip(names, moved, strict=True))
        for name in self.values:
            changed[name] = permute_values(changed.get(name, posterior[name]), permutation,
                                           self.first)  # fmt: skip
        groups = {name: node for name, node in tree.children.items() if name not in STALE}
        copy = xr.DataTree.from_dict(groups)
        copy[group] = xr.DataTree(posterior.assign(changed))
        for name in following(tree, group):
            copy[name] = xr.DataTree(self._followed(tree[name].to_dataset(), permutation))
        copy.attrs = dict(tree.attrs)
        return copy

    def parameters(self, posterior: xr.Dataset, known: Known) -> dict[str, Array]:
        """Component-indexed scalars that follow though they were not named, by name and index."""
        named = {one.name for one in known.named.values()}
        found: dict[str, Array] = {}
        for name in self.along:
            values = posterior[name]
            own = [str(dim) for dim in values.dims if dim in self.dims]
            further = [dim for dim in values.dims if dim not in (*SAMPLE_DIMS, *own)]
            size = int(np.prod([values.sizes[dim] for dim in further], dtype=int))
            if name not in named and len(own) == 1 and size <= FURTHER:
                found |= _scalars(name, _fronted(values, own[0]))
        for names in self.separate:
            size = int(np.prod(posterior[names[0]].shape[2:], dtype=int))
            if ", ".join(names) not in named and len(names) > 1 and size <= FURTHER:
                arrays = [_fronted(posterior[name]) for name in names]
                found |= _scalars(", ".join(names), np.stack(arrays, axis=2))
        return found

    def effect(self, posterior: xr.Dataset, known: Known, permutation: Permutation) -> Effect:
        """What the permutations do to what is permuted."""
        parameters = known.parameters or {"label": np.zeros(known.shape)}
        return effect(self.pairs(posterior, permutation), parameters, permutation, known.w)

    def pairs(
        self, posterior: xr.Dataset, permutation: Permutation
    ) -> dict[str, tuple[Array, Array]]:
        """What is permuted, before and after, with the axes (chain, draw, component, ...).

        Allocations are counted; what are no numbers is left out.
        """
        variables: dict[str, tuple[Array, Array]] = {}
        for name in self.along:
            if posterior[name].dtype.kind not in "biuf":
                continue
            dim = next(str(one) for one in posterior[name].dims if one in self.dims)
            after = permute_variable(posterior[name], permutation, self.dims)
            pair = (_fronted(one, dim) for one in (posterior[name], after))
            variables[name] = tuple(pair)  # type: ignore[assignment]
        for names in self.separate:
            before = [posterior[name] for name in names]
            moved = permute_separate(before, permutation)
            both = (np.stack([_fronted(one) for one in part], axis=2) for part in (before, moved))
            variables[", ".join(names)] = tuple(both)  # type: ignore[assignment]
        for name in self.values:
            if name not in self.along:
                counts = self._counts(posterior[name], permutation.shape[2])
                variables[f"{name} (points)"] = counts, permute(counts, permutation)
        return variables

    def _counts(self, allocations: xr.DataArray, components: int) -> Array:
        """Number of points allocated to each component, (chain, draw, component)."""
        z = _fronted(allocations)
        z = z.reshape(*z.shape[:2], -1) - self.first
        return np.stack([np.sum(z == j, axis=-1) for j in range(components)], axis=-1)

    def _followed(self, data: xr.Dataset, permutation: Permutation) -> xr.Dataset:
        changed = {
            name: permute_variable(values, permutation, self.dims)
            for name, values in data.data_vars.items()
            if set(self.dims) & set(map(str, values.dims)) and set(SAMPLE_DIMS) <= set(values.dims)
        }
        return data.assign(changed)


def _scalars(name: str, values: NDArray) -> dict[str, Array]:
    """Scalars that vary and are finite numbers, by name and index."""
    found: dict[str, Array] = {}
    if values.dtype.kind != "f" or not np.all(np.isfinite(values)):
        return found
    for index in np.ndindex(*values.shape[3:]):
        at: Any = (slice(None), slice(None), slice(None), *index)
        if np.ptp(values[at]) > 0:
            key = f"{name}[{', '.join(map(str, index))}]" if index else name
            found[key] = values[at].astype(np.float64)
    return found


def plan(tree: xr.DataTree, known: Known, asked: Asked) -> Plan:
    """Decide for every variable, and say why where it may surprise.

    Raises
    ------
    ValueError
        If a dimension without a name of its own may or may not be one of components.
    """
    posterior = tree[asked.group].to_dataset()
    dims = tuple(dict.fromkeys(
        [*(one.dim for one in known.named.values() if one.dim is not None), *(asked.dims or ())]
    ))  # fmt: skip
    _same_size(posterior, dims, known.components)
    separate = tuple(one.separate for one in known.named.values() if one.separate)
    separate += _groups(posterior, asked, known.components)
    weights = known.named.get("weights")
    if weights is not None and weights.sampled and not weights.by_component:
        separate += ((weights.name,),)
    notes: list[str] = []
    along = []
    for name, values in posterior.data_vars.items():
        own = set(map(str, values.dims))
        if not own & set(dims) or not set(SAMPLE_DIMS) <= own:
            continue
        why = derived.why_left(posterior, str(name), dims, known)
        if why is not None:
            notes.append(f"{name} is left alone: {why}.")
            continue
        if asked.dims is None:
            _unambiguous(str(name), values, dims, known.components)
        along.append(str(name))
    chosen = {*along, *(name for names in separate for name in names), *asked.allocations}
    left = [str(name) for name in posterior.data_vars if name not in chosen]
    kept = [name for name in left if not any(note.startswith(f"{name} is") for note in notes)]
    notes += _surprises(posterior, kept, known.components)
    notes += _names_are_labels(posterior, dims)
    left += groups_left(tree, asked.group, dims)
    return Plan(dims, tuple(along), asked.allocations, separate, tuple(left), known.first,
                tuple(notes))  # fmt: skip


def _names_are_labels(posterior: xr.Dataset, dims: Collection[str]) -> list[str]:
    """Coordinates that are words stay where they are, whatever component comes there."""
    found = []
    for dim in dims:
        if dim in posterior.coords and posterior.coords[dim].dtype.kind not in "iuf":
            words = ", ".join(map(str, posterior.coords[dim].to_numpy()[:4]))
            found.append(f"The names {words} of {dim} are labels only: a component may have been "
                         "called otherwise before.")  # fmt: skip
    return found


def _groups(posterior: xr.Dataset, asked: Asked, components: int) -> tuple[tuple[str, ...], ...]:
    for names in asked.separate:
        unknown = [name for name in names if name not in posterior]
        if unknown or len(set(names)) != components:
            raise ValueError(
                f"separate must name one variable of the posterior for each of {components} "
                f"components, got {', '.join(names)}"
                + (f", of which {', '.join(unknown)} is not there" if unknown else "")
            )
    return asked.separate


def _same_size(posterior: xr.Dataset, dims: Collection[str], components: int) -> None:
    other = {dim: posterior.sizes[dim] for dim in dims if posterior.sizes[dim] != components}
    if other:
        raise ValueError(
            f"dims must all have the size {components} of the components, got "
            f"{', '.join(f'{dim} {size}' for dim, size in other.items())}"
        )


def _unambiguous(name: str, values: xr.DataArray, dims: Collection[str], components: int) -> None:
    nameless = [
        str(dim)
        for dim in values.dims
        if dim not in (*SAMPLE_DIMS, *dims) and values.sizes[dim] == components
        and (str(dim).startswith(f"{name}_dim_") or derived.adds_up_to_one(values, str(dim)))
    ]  # fmt: skip
    if nameless:
        own = [str(dim) for dim in values.dims if dim in dims]
        raise ValueError(
            f"dims must say which dimensions of {name} are components: {', '.join(own)} is one, "
            f"{', '.join(nameless)} of the same size may be another; pass dims={[*own, *nameless]} "
            f"if it is, as in a transition matrix, and dims={own} if not"
        )


def _surprises(posterior: xr.Dataset, left: Collection[str], components: int) -> list[str]:
    """Variables that stay although a dimension has as many entries as there are components."""
    found = []
    for name in left:
        same = [str(dim) for dim in posterior[name].dims
                if dim not in SAMPLE_DIMS and posterior.sizes[dim] == components]  # fmt: skip
        if same and components > 1:
            found.append(
                f"{name} is left alone; if {same[0]} is a dimension of components, pass it in dims."
            )
    return found


def _fronted(values: xr.DataArray, *dims: str) -> Array:
    return values.transpose(*SAMPLE_DIMS, *dims, ...).to_numpy()
