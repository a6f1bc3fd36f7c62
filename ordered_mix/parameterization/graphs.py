"""Compiled maps of a parameterization, read off its PyMC graph."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace
from pytensor.tensor import TensorVariable

from ordered_mix.mixture import Array
from ordered_mix.parameterization.batching import INTERPRETED, batched, gradient, untraced
from ordered_mix.prior import Prior


def build_graph(
    module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
) -> MixtureGraph:
    """The maps of one structure; priors that differ in their numbers only share them."""
    return _build(module, k, prior.form(), tuple(sorted(options.items())))


@lru_cache(maxsize=64)
def _build(module: ModuleType, k: int, prior: Prior, options: tuple[Any, ...]) -> MixtureGraph:
    return MixtureGraph(module, k, prior, dict(options))


class _Compiled(NamedTuple):
    """A function of rows, and for each output whether it is the same for all of them."""

    function: Any
    fixed: tuple[bool, ...]


class MixtureGraph:
    """Maps between unconstrained z, free x and (w, mu, sigma), each compiled when first used.

    All take and return arrays with any leading batch axes, the coordinates along the last axis.
    Threads may share them, one call at a time.
    """

    def __init__(
        self, module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
    ) -> None:
        with pm.Model() as numeric:
            module.block(k, prior, **options)
        point = numeric.initial_point()
        # what a compiled function stores between its operations belongs to one call
        self._alone = threading.RLock()
        self._hyper = {name: pt.scalar(name) for name in prior.numbers()}
        with pm.Model() as self._model:
            parameters = module.block(k, replace(prior, **self._hyper), **options)
        self._parameters = [pt.as_tensor(value) for value in parameters]
        self._values = [self._model.rvs_to_values[rv] for rv in self._model.free_RVs]
        self._shapes = [point[value.name].shape for value in self._values]
        self.k = k
        self.orders: tuple[str, ...] | None = None  # known once a parameterization has looked
        self.names = [rv.name for rv in self._model.free_RVs]
        self.dimension = sum(int(np.prod(shape)) for shape in self._shapes)
        shapes = {"shape": (self.dimension,)}, {"shape": (None, self.dimension)}
        (self._z, self._x), (self._zs, self._xs) = (
            [pt.tensor(name, dtype="float64", **shape) for name in "zx"] for shape in shapes
        )

    @property
    def slices(self) -> dict[str, slice]:
        """Where each free variable lies in z and x."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self._shapes)]).tolist()
        where = itertools.starmap(slice, itertools.pairwise(ends))
        return dict(zip(self.names, where, strict=True))

    def forward(self, z: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at z."""
        return self._call("_forward", prior, z)

    def forward_free(self, x: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at x."""
        return self._call("_forward_free", prior, x)

    def pullback(self, z: Array, prior: Prior, *scores: Array) -> Array:
        """Derivatives in z of a function, from those in w, mu and sigma, each (..., k)."""
        return self._call("_pullback", prior, z, *scores)[0]

    def pullback_free(self, x: Array, prior: Prior, *scores: Array) -> Array:
        """Derivatives in x of a function, from those in w, mu and sigma, each (..., k)."""
        return self._call("_pullback_free", prior, x, *scores)[0]

    def jacobian(self, z: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in z, shape (..., 3 k, dimension)."""
        return self.pullback(np.asarray(z)[..., None, :], prior, *self._basis)

    def jacobian_free(self, x: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in x, shape (..., 3 k, dimension)."""
        return self.pullback_free(np.asarray(x)[..., None, :], prior, *self._basis)

    def widening(self, at: Array, prior: Prior, column: int, free: bool, twice: bool) -> Array:
        """First or second derivative of mu_2 - mu_1 in one coordinate of x or of z, shape (...)."""
        if twice:
            unit = np.eye(self.dimension)[column]
            return self._call("_bending_free" if free else "_bending", prior, at, unit)[0]
        wide, none = np.array([-1.0, 1.0, *[0.0] * (self.k - 2)]), np.zeros(self.k)
        pullback = self.pullback_free if free else self.pullback
        return pullback(at, prior, none, wide, none)[..., column]

    def free(self, z: Array, prior: Prior) -> Array:
        """Free coordinates at z."""
        return self._call("_free", prior, z)[0]

    def unconstrain_free(self, x: Array, prior: Prior) -> Array:
        """Unconstrained coordinates at x."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._call("_unconstrain", prior, x)[0]

    def flatten(self, values: Mapping[str, Any], batch_shape: tuple[int, ...]) -> Array:
        """Free coordinates x of the free variables' values, by name."""
        pieces = []
        for name in self.names:
            value = np.asarray(values[name], dtype=np.float64).reshape((*batch_shape, -1))
            pieces.append(value[..., :-1] if self._is_simplex(name) else value)
        return np.concatenate(pieces, axis=-1)

    def log_det_transforms(self, z: Array, prior: Prior) -> Array:
        """Log |dx / dz| as PyMC's transforms state it, shape (...)."""
        return self._call("_log_det", prior, z)[0]

    def log_prior(self, z: Array, prior: Prior, with_jacobian: bool) -> Sequence[Array]:
        """Log prior density and its gradient in z."""
        return self._call("_log_prior_z" if with_jacobian else "_log_prior_x", prior, z)

    @property
    def _basis(self) -> list[Array]:
        return np.split(np.eye(3 * self.k), 3, axis=-1)

    @cached_property
    def _parameters_z(self) -> list[TensorVariable]:
        return batched(self._at_z(self._parameters), self._z, self._zs)

    @cached_property
    def _parameters_x(self) -> list[TensorVariable]:
        return batched(self._at_x(self._parameters), self._x, self._xs)

    @cached_property
    def _forward(self) -> _Compiled:
        return self._compile([self._zs], self._parameters_z, core_ndim=1)

    @cached_property
    def _forward_free(self) -> _Compiled:
        return self._compile([self._xs], self._parameters_x, core_ndim=1)

    @cached_property
    def _pullback(self) -> _Compiled:
        return self._derivative(self._parameters_z, self._zs)

    @cached_property
    def _pullback_free(self) -> _Compiled:
        return self._derivative(self._parameters_x, self._xs)

    @cached_property
    def _bending(self) -> _Compiled:
        return self._second(self._parameters_z[1], self._zs)

    @cached_property
    def _bending_free(self) -> _Compiled:
        return self._second(self._parameters_x[1], self._xs)

    def _second(self, mu: TensorVariable, at: TensorVariable) -> _Compiled:
        unit = pt.matrix("unit")
        slope = gradient(pt.sum(mu[:, 1] - mu[:, 0]), at)
        bend = (gradient(pt.sum(slope * unit), at) * unit).sum(axis=1)
        return self._compile([at, unit], [bend], core_ndim=0)

    def _derivative(self, parameters: list[TensorVariable], at: TensorVariable) -> _Compiled:
        scores = [pt.matrix(name) for name in ("w_score", "mu_score", "sigma_score")]
        total = sum(pt.sum(score * value) for score, value in zip(scores, parameters, strict=True))
        return self._compile([at, *scores], [gradient(total, at)], core_ndim=1)

    @cached_property
    def _free(self) -> _Compiled:
        values = self._at_z(list(self._model.free_RVs))
        pieces = [
            value[:-1] if self._is_simplex(name) else value.ravel()
            for name, value in zip(self.names, values, strict=True)
        ]
        graph = batched([pt.concatenate(pieces)], self._z, self._zs)
        return self._compile([self._zs], graph, core_ndim=1)

    @cached_property
    def _unconstrain(self) -> _Compiled:
        pieces = []
        for rv, value in zip(self._model.free_RVs, self._split_free(), strict=True):
            transform = self._model.rvs_to_transforms[rv]
            inputs = self._at_x(list(rv.owner.inputs)) if transform else []
            pieces.append(transform.forward(value, *inputs) if transform else value)
        flat = pt.concatenate([piece.ravel() for piece in pieces])
        return self._compile([self._xs], batched([flat], self._x, self._xs), core_ndim=1)

    @cached_property
    def _log_det(self) -> _Compiled:
        terms = [pt.zeros(())]
        for rv, value in zip(self._model.free_RVs, self._values, strict=True):
            transform = self._model.rvs_to_transforms[rv]
            if transform is not None:
                terms.append(transform.log_jac_det(value, *rv.owner.inputs).sum())
        graph = batched(self._at_z([sum(terms)]), self._z, self._zs)
        return self._compile([self._zs], graph, core_ndim=0)

    @cached_property
    def _log_prior_z(self) -> _Compiled:
        return self._density(with_jacobian=True)

    @cached_property
    def _log_prior_x(self) -> _Compiled:
        return self._density(with_jacobian=False)

    def _density(self, with_jacobian: bool) -> _Compiled:
        logp = self._at_z([self._model.logp(jacobian=with_jacobian)], random=False)
        [density] = batched(logp, self._z, self._zs)
        slope = gradient(density.sum(), self._zs)
        return self._compile([self._zs], [density, slope], core_ndim=0)

    def _is_simplex(self, name: str) -> bool:
        transform = self._model.rvs_to_transforms[self._model[name]]
        return getattr(transform, "name", "") == "simplex"

    def _split(self, flat: TensorVariable) -> list[TensorVariable]:
        pieces = zip(self.slices.values(), self._shapes, strict=True)
        return [flat[where].reshape(shape) for where, shape in pieces]

    def _split_free(self) -> list[TensorVariable]:
        pieces = zip(self.names, self._split(self._x), strict=True)
        return [
            pt.concatenate([piece, 1 - pt.sum(piece, keepdims=True)])
            if self._is_simplex(name)
            else piece
            for name, piece in pieces
        ]

    def _at_z(self, graphs: list[TensorVariable], random: bool = True) -> list[TensorVariable]:
        graphs = self._model.replace_rvs_by_values(graphs) if random else graphs
        return clone_replace(graphs, dict(zip(self._values, self._split(self._z), strict=True)))

    def _at_x(self, graphs: list[TensorVariable]) -> list[TensorVariable]:
        pairs = zip(self._model.free_RVs, self._split_free(), strict=True)
        return clone_replace(graphs, dict(pairs), rebuild_strict=False)

    def _compile(
        self, inputs: list[TensorVariable], outputs: list[TensorVariable], core_ndim: int
    ) -> _Compiled:
        function = pytensor.function(
            [*inputs, *self._hyper.values()], outputs, mode=INTERPRETED, on_unused_input="ignore"
        )
        return _Compiled(function, tuple(output.ndim == core_ndim for output in outputs))

    def _compiled(self, name: str) -> _Compiled:
        if name not in self.__dict__:
            with untraced():
                return getattr(self, name)
        return self.__dict__[name]

    def _call(self, name: str, prior: Prior, *arrays: Array) -> list[Array]:
        arrays = tuple(np.asarray(value, dtype=np.float64) for value in arrays)
        if arrays[0].ndim == 0 or arrays[0].shape[-1] != self.dimension:
            raise ValueError(
                f"coordinates must have {self.dimension} entries along the last axis, "
                f"got shape {arrays[0].shape}"
            )
        batch = np.broadcast_shapes(*(value.shape[:-1] for value in arrays))
        rows = [
            np.broadcast_to(value, (*batch, value.shape[-1])).reshape(-1, value.shape[-1])
            for value in arrays
        ]
        with self._alone:
            compiled = self._compiled(name)
            outputs = compiled.function(*rows, *map(float, prior.numbers().values()))
        return [
            np.broadcast_to(value, (*batch, *value.shape))
            if fixed
            else value.reshape((*batch, *value.shape[1:]))
            for value, fixed in zip(outputs, compiled.fixed, strict=True)
        ]
