"""What the user named: component parameters of a posterior as arrays, and their dimensions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.methods import hint

SAMPLE_DIMS = ("chain", "draw")
SCALES = ("sigma", "tau")
NOTED = 1e-6
REFUSED = 1e-3
INSTEAD = {
    "mu": "; where there are no means pass mu=None (--mu '') and parameters",
    "sigma": "; pass its value if it is known, and sigma=None (--sigma '') where there are none",
    "weights": "; pass weights=None (--weights '') if they are equal",
}

type Given = str | Sequence[str] | ArrayLike | None


@dataclass(frozen=True, eq=False)
class Named:
    """One parameter that the user named.

    Parameters
    ----------
    role : str
        The argument it was given as.
    name : str
        What messages call it: the name of the variable, or the argument of a constant.
    values : ndarray
        Shape (chain, draw, component, ...), (chain, draw) if all components share it, or
        (component,) or () if it is a constant.
    dim : str or None
        Its component dimension.
    separate : tuple of str
        The variables it consists of, one for each component.
    sampled : bool
        False for a constant.
    """

    role: str
    name: str
    values: Array
    dim: str | None = None
    separate: tuple[str, ...] = ()
    sampled: bool = True

    @property
    def by_component(self) -> bool:
        """Whether it is sampled, with a value for each component."""
        return self.sampled and (self.dim is not None or bool(self.separate))


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads what the user named from a posterior.

    Parameters
    ----------
    posterior : Dataset
        With the dimensions chain and draw.
    dims : collection of str, optional
        Component dimensions that the user named.
    """

    posterior: xr.Dataset
    dims: Collection[str] | None = None

    def __post_init__(self) -> None:
        missing = [name for name in self.dims or () if name not in self.posterior.dims]
        if missing:
            raise ValueError(
                f"dims must be dimensions of the posterior, but {', '.join(missing)} is not among "
                f"{', '.join(map(str, self.posterior.dims))}"
            )

    def read(self, given: Mapping[str, Given]) -> dict[str, Named]:
        """The parameters by their argument; those whose dimension is plain come first."""
        kinds = {role: self._kind(role, value) for role, value in given.items()}
        plain = {dim for kind in kinds.values() if isinstance(kind, xr.DataArray)
                 for dim in _own_dims(kind) if len(_own_dims(kind)) == 1}  # fmt: skip
        return {role: self._one(role, kind, plain) for role, kind in kinds.items()}

    def _kind(self, role: str, given: Given) -> xr.DataArray | tuple[str, ...] | Array:
        """A variable, names of separate variables, or a constant."""
        if isinstance(given, str):
            if given in self.posterior:
                return self.posterior[given]
            parts = tuple(part.strip() for part in given.split(","))
            if len(parts) > 1 and all(part in self.posterior for part in parts):
                return _different(role, parts)
            try:
                return np.array([float(part) for part in parts])
            except ValueError:
                raise ValueError(self._unknown(role, given)) from None
        names = list(given) if isinstance(given, Sequence) else []
        if names and all(isinstance(name, str) for name in names):
            for name in names:
                if name not in self.posterior:
                    raise ValueError(self._unknown(role, str(name)))
            return _different(role, tuple(map(str, names)))
        constant = np.atleast_1d(np.asarray(given, dtype=np.float64))
        if constant.ndim != 1:
            raise ValueError(
                f"{role} must be the name of a variable, names of one for each component, or a "
                f"number or one for each component, got an array of shape {constant.shape}"
            )
        return constant

    def _one(
        self, role: str, kind: xr.DataArray | tuple[str, ...] | Array, plain: set[str]
    ) -> Named:
        if isinstance(kind, np.ndarray):
            return Named(role, role, kind, sampled=False)
        if isinstance(kind, tuple):
            arrays = [front(self.posterior[name]).to_numpy() for name in kind]
            if len({array.shape for array in arrays}) > 1:
                raise ValueError(
                    f"{role} must name variables of one shape, one for each component, got "
                    f"{', '.join(f'{n} {a.shape[2:]}' for n, a in zip(kind, arrays, strict=True))}"
                )
            return Named(role, ", ".join(kind), np.stack(arrays, axis=2), separate=kind)
        dim = self._component_dim(kind, plain)
        name = str(kind.name)
        if dim is None:
            return Named(role, name, front(kind).to_numpy())
        return Named(role, name, front(kind, dim).to_numpy(), dim)

    def _component_dim(self, values: xr.DataArray, plain: set[str]) -> str | None:
        own = _own_dims(values)
        if not own:
            return None
        for chosen in (set(self.dims or ()), plain):
            if len(common := [dim for dim in own if dim in chosen]) == 1:
                return common[0]
        if len(own) == 1:
            return own[0]
        raise ValueError(
            f"dims must name the component dimension of {values.name}, which has the dimensions "
            f"{', '.join(own)}"
        )

    def _unknown(self, role: str, name: str) -> str:
        known = [str(variable) for variable in self.posterior.data_vars]
        return (
            f"{role} {name!r} is not a variable of the posterior, which holds {', '.join(known)}"
            f"{hint(name, known) or INSTEAD.get(role, '')}"
        )


def _different(role: str, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(
            f"{role} must name another variable for each component, got {', '.join(names)}"
        )
    return names


def front(values: xr.DataArray, *dims: str) -> xr.DataArray:
    """A variable with the dimensions chain and draw first, then these."""
    missing = [dim for dim in SAMPLE_DIMS if dim not in values.dims]
    if missing:
        raise ValueError(
            f"{values.name} must have the dimension {missing[0]}, got {values.dims}; known values "
            "are passed in place of a name"
        )
    return values.transpose(*SAMPLE_DIMS, *dims, ...)


def _own_dims(values: xr.DataArray) -> list[str]:
    return [str(dim) for dim in values.dims if dim not in SAMPLE_DIMS]


def number_of_components(found: Collection[Named], otherwise: int | None) -> int:
    """K, the same for all parameters, or what responsibilities or allocations say."""
    sizes = {one.name: one.values.shape[2] for one in found
             if one.by_component and one.role != "weights"}  # fmt: skip
    sizes |= {one.name: one.values.shape[2] for one in found if one.dim is not None}
    if otherwise is not None and not sizes:
        return otherwise
    if not sizes:
        raise ValueError(
            "parameters must name a variable with a value for each component, got only "
            f"{', '.join(one.name for one in found) or 'none'}, without a component dimension"
        )
    if len(set(sizes.values())) > 1:
        raise ValueError(
            "component parameters must have the same number of components, got "
            f"{', '.join(f'{name} {size}' for name, size in sizes.items())}"
        )
    return next(iter(sizes.values()))


def finite_values(name: str, values: ArrayLike) -> Array:
    """Values as float64; ValueError in the user's words if one is not a finite number."""
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {given.dtype}")
    array = given.astype(np.float64, copy=False)
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"{name} must be finite, but {int(np.sum(~np.isfinite(array)))} of its {array.size} "
            "values are not"
        )
    return array


def one_for_each(named: Named, shape: tuple[int, int, int]) -> Array:
    """Values of one scalar for each component, broadcast to (chain, draw, component).

    Raises
    ------
    ValueError
        If the parameter has further dimensions or does not fit.
    """
    values = finite_values(named.name, named.values)
    if named.sampled and values.ndim == 2:
        values = values[..., None]
    try:
        return np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(
            f"{named.name} must hold one number for each of {shape[2]} components, got the shape "
            f"{named.values.shape[2 * named.sampled :]}"
        ) from None


def positive(name: str, values: Array) -> Array:
    """Values unchanged; ValueError if one is not positive."""
    if np.any(values <= 0):
        raise ValueError(f"{name} must be positive, got a minimum of {values.min():.6g}")
    return values


def read_weights(named: Named | None, shape: tuple[int, int, int]) -> tuple[Array, list[str]]:
    """Weights of shape (chain, draw, component) that add up to 1, and what had to be done.

    A scalar is the weight of the first of two components; one variable fewer than components
    leaves the rest for the last.

    Raises
    ------
    ValueError
        If they are negative or their sums miss 1 by more than 0.001.
    """
    if named is None:
        return np.full(shape, 1 / shape[2]), []
    values = finite_values(named.name, named.values)
    k = shape[2]
    if named.sampled and not named.by_component:
        if k != 2:
            raise ValueError(
                f"weights {named.name!r} has no component dimension, which is understood as the "
                f"weight of the first of 2 components, but there are {k}"
            )
        values = np.stack([values, 1 - values], axis=-1)
    elif values.shape[-1] == k - 1:
        values = np.concatenate([values, 1 - values.sum(axis=-1, keepdims=True)], axis=-1)
    w = one_for_each(Named(named.role, named.name, values, sampled=named.sampled,
                           separate=named.separate or (named.name,)), shape)  # fmt: skip
    total = w.sum(axis=-1, keepdims=True)
    off = float(np.abs(total - 1).max())
    if w.min() < 0 or off > REFUSED:
        raise ValueError(
            f"{named.name} must hold non-negative weights that add up to 1 in every draw, got sums "
            f"from {total.min():.6g} to {total.max():.6g} and a minimum of {w.min():.6g}"
        )
    notes = []
    if off > NOTED:
        notes = [f"{named.name} adds up to 1 within {off:.1g} only and was divided by its sums."]
    return w / total, notes


def unpacked(name: str, values: Array, dims: int) -> Array:
    """Cholesky factors as matrices, from matrices or their lower triangles row by row."""
    if values.shape[-2:] == (dims, dims) and values.ndim == 5:
        return values
    rows, columns = np.tril_indices(dims)
    if values.ndim == 4 and values.shape[-1] == rows.size:
        out = np.zeros((*values.shape[:-1], dims, dims))
        out[..., rows, columns] = values
        return out
    raise ValueError(
        f"{name} must hold matrices of {dims} rows for each component, or their lower triangles, "
        f"got the shape {values.shape[2:]}"
    )
