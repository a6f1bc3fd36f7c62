"""Relabel an ArviZ DataTree of draws, whatever its variables and dimensions are called."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ordered_mix.arrays import Array, mixture_draws
from ordered_mix.draws.relabel.assignment import Permutation, Relabelling, check_permutation
from ordered_mix.draws.relabel.methods import hint, relabel
from ordered_mix.draws.relabel.permute import permute, permute_allocations
from ordered_mix.shown import html

SAMPLE_DIMS = ("chain", "draw")
STALE_GROUPS = ("unconstrained_posterior",)


class RelabelledTree(NamedTuple):
    """A relabelled copy of a DataTree, how it was relabelled, and the dimensions permuted."""

    draws: xr.DataTree
    relabelling: Relabelling
    dims: tuple[str, ...]

    def _repr_html_(self) -> str:
        return html(self)


def relabel_tree(
    draws: xr.DataTree,
    method: str = "stephens",
    mu: str = "mu",
    sigma: str = "sigma",
    weights: str | None = "w",
    y: ArrayLike | None = None,
    dims: Collection[str] | None = None,
    allocations: Collection[str] = (),
    seed: int = 0,
) -> RelabelledTree:
    """Relabel an ArviZ DataTree of draws from anybody's Gaussian mixture.

    Parameters
    ----------
    draws : DataTree
        With a ``posterior`` group.
    method, seed
        As in `relabel`.
    mu, sigma, weights : str
        Names of the variables; ``weights=None`` for equal known ones. A scale without a component
        dimension is shared by all components.
    y : array_like, optional
        The data; by default the only variable of ``observed_data``.
    dims : collection of str, optional
        All component dimensions; by default those found by `component_dims`.
    allocations : collection of str
        Names of variables whose values are components.

    Returns
    -------
    RelabelledTree
        A copy whose posterior variables are all permuted together, the permutation, and the
        dimensions that were permuted. ``unconstrained_posterior`` is left out of the copy, since
        transformed coordinates cannot be permuted.

    Raises
    ------
    ValueError
        If a name is wrong, the component dimension is missing or ambiguous, or as in `relabel`.
    """
    posterior = posterior_of(draws)
    arrays = mixture_of(posterior, mu, sigma, weights)
    if y is None and not method.startswith("sort"):
        y = observed(draws)
    relabelling = relabel(*arrays, method=method, y=y, seed=seed)
    named = [name for name in (mu, sigma, weights) if name is not None]
    dims = component_dims(posterior, named, arrays[1].shape[-1]) if dims is None else dims
    copy = permute_tree(draws, relabelling.permutation, dims, allocations)
    return RelabelledTree(copy, relabelling, tuple(dims))


def permute_tree(
    draws: xr.DataTree,
    permutation: ArrayLike,
    dims: Collection[str],
    allocations: Collection[str] = (),
) -> xr.DataTree:
    """Relabelled copy of a DataTree: every posterior variable permuted along its component dims.

    Parameters
    ----------
    draws : DataTree
        With a ``posterior`` group.
    permutation : array_like of int, shape (chain, draw, component)
        From any algorithm, or the user's own.
    dims : collection of str
        The component dimensions, at any position in a variable.
    allocations : collection of str
        Names of variables whose values are components.
    """
    permutation = check_permutation(permutation)
    posterior = posterior_of(draws)
    missing = [name for name in dims if name not in posterior.dims]
    missing += [name for name in allocations if name not in posterior]
    if missing:
        raise ValueError(
            f"dims and allocations must be in the posterior, but {', '.join(missing)} is not among "
            f"the dimensions {sorted(map(str, posterior.dims))} and variables {list(posterior)}"
        )
    changed = {
        name: _permute_variable(values, permutation, dims, name in allocations)
        for name, values in posterior.data_vars.items()
        if set(SAMPLE_DIMS) <= set(values.dims)
    }
    groups = {name: group for name, group in draws.children.items() if name not in STALE_GROUPS}
    copy = xr.DataTree.from_dict(groups)
    copy["posterior"] = xr.DataTree(posterior.assign(changed))
    copy.attrs = dict(draws.attrs)
    return copy


def component_dims(posterior: xr.Dataset, named: Collection[str], k: int) -> tuple[str, ...]:
    """Component dimensions of a posterior.

    They are the dimensions of the named variables, and those that PyMC and ArviZ name after
    another variable (``log_w_dim_0``) if the variable has exactly one, of size k.

    Raises
    ------
    ValueError
        If a variable has several automatic dimensions of size k.
    """
    found = {str(dim) for name in named for dim in posterior[name].dims if dim not in SAMPLE_DIMS}
    for name, values in posterior.data_vars.items():
        automatic = [
            str(dim)
            for dim in values.dims
            if str(dim).startswith(f"{name}_dim_") and values.sizes[dim] == k
        ]
        if len(automatic) > 1 and not found.issuperset(automatic):
            raise ValueError(
                f"dims must be given, because {name} has several dimensions of size {k}: "
                f"{', '.join(automatic)}"
            )
        if not found & {str(dim) for dim in values.dims}:
            found.update(automatic)
    return tuple(sorted(found))


def posterior_of(draws: xr.DataTree) -> xr.Dataset:
    """The posterior group as a dataset with the dimensions chain and draw, checked."""
    if "posterior" not in draws.children:
        raise ValueError(
            f"draws must hold a posterior group, got the groups {sorted(draws.children)}"
        )
    posterior = draws["posterior"].to_dataset()
    if not set(SAMPLE_DIMS) <= set(posterior.dims):
        raise ValueError(
            "draws must have the dimensions chain and draw in the posterior, "
            f"got {sorted(map(str, posterior.dims))}"
        )
    return posterior


def mixture_of(
    posterior: xr.Dataset, mu: str, sigma: str, weights: str | None
) -> tuple[Array, Array, Array]:
    """The arrays (w, mu, sigma), each (chain, draw, component), of a posterior by name."""
    means = _component_variable(posterior, mu)
    scales = _component_variable(posterior, sigma, shared_by=means.shape[2])
    if weights is None:
        w = np.full(means.shape, 1 / means.shape[2])
    else:
        w = _component_variable(posterior, weights)
    return mixture_draws(w, means, scales)


def _permute_variable(
    values: xr.DataArray, permutation: Permutation, dims: Collection[str], allocated: bool
) -> xr.DataArray:
    front = values.transpose(*SAMPLE_DIMS, ...)
    array: NDArray = front.to_numpy()
    for axis, dim in enumerate(front.dims):
        if dim in dims:
            array = permute(array, permutation, axis)
    if allocated:
        flat = array.reshape(*array.shape[:2], -1)
        array = permute_allocations(flat, permutation).reshape(array.shape)
    return front.copy(data=array).transpose(*values.dims)


def _component_variable(posterior: xr.Dataset, name: str, shared_by: int | None = None) -> Array:
    if name not in posterior:
        known = [str(variable) for variable in posterior.data_vars]
        raise ValueError(
            f"{name!r} is not a variable of the posterior, which holds {', '.join(known)}"
            f"{hint(name, known)}"
        )
    values = posterior[name].transpose(*SAMPLE_DIMS, ..., missing_dims="raise")
    array = values.to_numpy()
    if array.ndim == 2 and shared_by is not None:
        return np.repeat(array[..., None], shared_by, axis=-1)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must have one component dimension besides chain and draw, "
            f"got the dimensions {', '.join(map(str, values.dims))}"
        )
    return array


def observed(draws: xr.DataTree) -> Array | None:
    """The only variable of ``observed_data``, flattened; None if there is not exactly one."""
    if "observed_data" not in draws.children:
        return None
    variables = list(draws["observed_data"].data_vars.values())
    return variables[0].to_numpy().ravel() if len(variables) == 1 else None
