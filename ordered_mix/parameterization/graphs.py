"""Compiled maps of a parameterization, read off its PyMC graph."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace
from pytensor.tensor import TensorVariable

from ordered_mix.mixture import Array
from ordered_mix.parameterization.batching import gradient, untraced
from ordered_mix.parameterization.maps import Map, TapeMap, compile_maps
from ordered_mix.prior import Prior

# the log prior is the last output of a larger map, and is read off with it
WHOLE = {"log prior of z": "all at z"}


def build_graph(
    module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
) -> MixtureGraph:
    """The maps of one structure; priors that differ in their numbers only share them."""
    return _build(module, k, prior.form(), tuple(sorted(options.items())))


@lru_cache(maxsize=256)
def _build(module: ModuleType, k: int, prior: Prior, options: tuple[Any, ...]) -> MixtureGraph:
    return MixtureGraph(module, k, prior, dict(options))


class MixtureGraph:
    """Maps between unconstrained z, free x and (w, mu, sigma), each compiled when first used.

    All take and return arrays with any leading batch axes, the coordinates along the last axis.
    Threads may share them, one call at a time.
    """

    def __init__(
        self, module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
    ) -> None:
        # PyTensor's graphs and functions belong to one thread at a time
        self._alone = threading.RLock()
        self._hyper = {name: pt.scalar(name) for name in prior.numbers()}
        with untraced(), pm.Model() as self._model:
            parameters = module.block(k, replace(prior, **self._hyper), **options)
        self._parameters = [pt.as_tensor(value) for value in parameters]
        self._values_of = [self._model.rvs_to_values[rv] for rv in self._model.free_RVs]
        self._shapes = [value.type.shape for value in self._values_of]
        if any(None in shape for shape in self._shapes):
            # lengths of dimensions that a model file leaves open
            with untraced(), pm.Model() as numeric:
                module.block(k, prior, **options)
                point = numeric.initial_point()
            self._shapes = [point[value.name].shape for value in self._values_of]
        self.k = k
        self.orders: tuple[str, ...] | None = None  # known once a parameterization has looked
        self.names = [rv.name for rv in self._model.free_RVs]
        self.dimension = sum(int(np.prod(shape)) for shape in self._shapes)
        self._z, self._x = (
            pt.tensor(name, dtype="float64", shape=(self.dimension,)) for name in "zx"
        )
        self._maps: dict[str, Map] = {}

    @property
    def slices(self) -> dict[str, slice]:
        """Where each free variable lies in z and x."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self._shapes)]).tolist()
        where = itertools.starmap(slice, itertools.pairwise(ends))
        return dict(zip(self.names, where, strict=True))

    @property
    def in_threads(self) -> bool:
        """Whether several threads may evaluate parameters and prior at a time."""
        maps = (self._map(name) for name in ("parameters at z", "log prior of z"))
        return all(isinstance(one, TapeMap) for one in maps)

    def forward(self, z: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at z."""
        return self._values("parameters at z", prior, z)

    def forward_free(self, x: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at x."""
        return self._values("parameters at x", prior, x)

    def pullback(self, z: Array, prior: Prior, *scores: Array) -> Array:
        """Derivatives in z of a function, from those in w, mu and sigma, each (..., k)."""
        return self._pullback("parameters at z", prior, z, *scores)

    def pullback_free(self, x: Array, prior: Prior, *scores: Array) -> Array:
        """Derivatives in x of a function, from those in w, mu and sigma, each (..., k)."""
        return self._pullback("parameters at x", prior, x, *scores)

    def jacobian(self, z: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in z, shape (..., 3 k, dimension)."""
        return self.pullback(np.asarray(z)[..., None, :], prior, *self._basis)

    def jacobian_free(self, x: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in x, shape (..., 3 k, dimension)."""
        return self.pullback_free(np.asarray(x)[..., None, :], prior, *self._basis)

    def widening(self, at: Array, prior: Prior, column: int, free: bool, twice: bool) -> Array:
        """First or second derivative of mu_2 - mu_1 in one coordinate of x or of z, shape (...)."""
        name = f"slope of the gap at {'x' if free else 'z'}"
        if twice:
            return self._pullback(name, prior, at, np.eye(self.dimension)[column])[..., column]
        return self._values(name, prior, at)[0][..., column]

    def free(self, z: Array, prior: Prior) -> Array:
        """Free coordinates at z."""
        return self._values("free at z", prior, z)[0]

    def unconstrain_free(self, x: Array, prior: Prior) -> Array:
        """Unconstrained coordinates at x."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._values("unconstrained at x", prior, x)[0]

    def flatten(self, values: Mapping[str, Any], batch_shape: tuple[int, ...]) -> Array:
        """Free coordinates x of the free variables' values, by name."""
        pieces = []
        for name in self.names:
            value = np.asarray(values[name], dtype=np.float64).reshape((*batch_shape, -1))
            pieces.append(value[..., :-1] if self._is_simplex(name) else value)
        return np.concatenate(pieces, axis=-1)

    def log_det_transforms(self, z: Array, prior: Prior) -> Array:
        """Log |dx / dz| as PyMC's transforms state it, shape (...)."""
        return self._values("log det at z", prior, z)[0]

    def log_prior(self, z: Array, prior: Prior, with_jacobian: bool) -> Sequence[Array]:
        """Log prior density, of z or of x, and its gradient in z."""
        [density] = self._values("log prior of z", prior, z)
        slope = self._pullback("log prior of z", prior, z, np.ones(1))
        if with_jacobian:
            return density, slope
        return density - self.log_det_transforms(z, prior), slope - self._log_det_slope(z, prior)

    def posterior(self) -> Map:
        """(w, mu, sigma, log prior density of z) at z."""
        return self._map("all at z")

    def everything(self, z: Array, prior: Prior, with_jacobian: bool) -> Sequence[Array]:
        """(w, mu, sigma, log prior density of z or of x) at z."""
        *parameters, density = self._values("all at z", prior, z)
        if not with_jacobian:
            density = density - self.log_det_transforms(z, prior)
        return [*parameters, density]

    def pullback_everything(
        self, z: Array, prior: Prior, with_jacobian: bool, *scores: Array
    ) -> Array:
        """Derivatives in z of the log prior and of a function, from its scores, each (..., k)."""
        slope = self._pullback("all at z", prior, z, *scores, np.ones(1))
        return slope if with_jacobian else slope - self._log_det_slope(z, prior)

    def _log_det_slope(self, z: Array, prior: Prior) -> Array:
        return self._pullback("log det at z", prior, z, np.ones(1))

    @property
    def _basis(self) -> list[Array]:
        return np.split(np.eye(3 * self.k), 3, axis=-1)

    def _graph(self, name: str) -> tuple[list[TensorVariable], TensorVariable]:
        """Outputs of a map and the vector they are functions of."""
        if name == "parameters at z":
            return self._at_z(self._parameters), self._z
        if name == "parameters at x":
            return self._at_x(self._parameters), self._x
        if name.startswith("slope"):
            (_, mu, _), at = self._graph(name.replace("slope of the gap", "parameters"))
            return [gradient(mu[1] - mu[0], at)], at
        if name == "free at z":
            return [self._free()], self._z
        if name == "unconstrained at x":
            return [self._unconstrained()], self._x
        if name == "log det at z":
            return [self._log_det()], self._z
        log_prior = self._at_z([self._model.logp()], random=False)
        return self._at_z(self._parameters) + log_prior, self._z

    def _free(self) -> TensorVariable:
        values = self._at_z(list(self._model.free_RVs))
        pieces = zip(self.names, values, strict=True)
        return pt.concatenate(
            [value[:-1] if self._is_simplex(name) else value.ravel() for name, value in pieces]
        )

    def _unconstrained(self) -> TensorVariable:
        pieces = []
        for rv, value in zip(self._model.free_RVs, self._split_free(), strict=True):
            transform = self._model.rvs_to_transforms[rv]
            inputs = self._at_x(list(rv.owner.inputs)) if transform else []
            pieces.append(transform.forward(value, *inputs) if transform else value)
        return pt.concatenate([piece.ravel() for piece in pieces])

    def _log_det(self) -> TensorVariable:
        terms = [pt.zeros(())]
        for rv, value in zip(self._model.free_RVs, self._values_of, strict=True):
            transform = self._model.rvs_to_transforms[rv]
            if transform is not None:
                terms.append(transform.log_jac_det(value, *rv.owner.inputs).sum())
        return self._at_z([sum(terms)])[0]

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
        return clone_replace(graphs, dict(zip(self._values_of, self._split(self._z), strict=True)))

    def _at_x(self, graphs: list[TensorVariable]) -> list[TensorVariable]:
        pairs = zip(self._model.free_RVs, self._split_free(), strict=True)
        return clone_replace(graphs, dict(pairs), rebuild_strict=False)

    def _map(self, name: str) -> Map:
        if name not in self._maps:
            with self._alone, untraced():
                whole = WHOLE.get(name, name)
                parts = {whole: slice(None)}
                parts |= {part: slice(-1, None) for part, of in WHOLE.items() if of == whole}
                found = compile_maps(*self._graph(whole), self._hyper, list(parts.values()))
                self._maps |= zip(parts, found, strict=True)
        return self._maps[name]

    def _values(self, name: str, prior: Prior, at: Array) -> list[Array]:
        batch, (rows,) = self._rows(at)
        found = self._map(name).values(rows, prior.numbers())
        return [value.reshape((*batch, *value.shape[1:])) for value in found]

    def _pullback(self, name: str, prior: Prior, at: Array, *scores: Array) -> Array:
        batch, (rows, *scores_) = self._rows(at, *scores)
        found = self._map(name).pullback(rows, prior.numbers(), scores_)
        return found.reshape((*batch, self.dimension))

    def _rows(self, *arrays: Array) -> tuple[tuple[int, ...], list[Array]]:
        arrays = tuple(np.asarray(value, dtype=np.float64) for value in arrays)
        if arrays[0].ndim == 0 or arrays[0].shape[-1] != self.dimension:
            raise ValueError(
                f"coordinates must have {self.dimension} entries along the last axis, "
                f"got shape {arrays[0].shape}"
            )
        batch = np.broadcast_shapes(*(value.shape[:-1] for value in arrays))
        return batch, [
            np.ascontiguousarray(np.broadcast_to(value, (*batch, value.shape[-1]))).reshape(
                -1, value.shape[-1]
            )
            for value in arrays
        ]
