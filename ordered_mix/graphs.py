"""Compiled maps of a parameterization, read off its PyMC graph."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.gradient import jacobian
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.tensor import TensorVariable

from ordered_mix.mixture import Array
from ordered_mix.prior import Prior

# numba takes some 20 s for each of these small maps, evaluation node by node is quick enough
INTERPRETED = Mode(linker="vm", optimizer="fast_compile")


def build_graph(
    module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
) -> MixtureGraph:
    """The maps of one structure; priors that differ in their numbers only share them."""
    return _build(module, k, prior.form(), tuple(sorted(options.items())))


@lru_cache(maxsize=64)
def _build(module: ModuleType, k: int, prior: Prior, options: tuple[Any, ...]) -> MixtureGraph:
    return MixtureGraph(module, k, prior, dict(options))


class MixtureGraph:
    """Maps between unconstrained z, free x and (w, mu, sigma), each compiled when first used.

    All take and return arrays with any leading batch axes, the coordinates along the last axis.
    """

    def __init__(
        self, module: ModuleType, k: int, prior: Prior, options: Mapping[str, Any]
    ) -> None:
        with pm.Model() as numeric:
            module.block(k, prior, **options)
        point = numeric.initial_point()
        self._hyper = {name: pt.scalar(name) for name in prior.numbers()}
        with pm.Model() as self._model:
            parameters = module.block(k, replace(prior, **self._hyper), **options)
        self._parameters = [pt.as_tensor(value) for value in parameters]
        self._values = [self._model.rvs_to_values[rv] for rv in self._model.free_RVs]
        self._shapes = [point[value.name].shape for value in self._values]
        self.dimension = sum(int(np.prod(shape)) for shape in self._shapes)
        self.names = [rv.name for rv in self._model.free_RVs]

    def forward(self, z: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at z."""
        return self._call(self._forward, prior, z)

    def forward_free(self, x: Array, prior: Prior) -> Sequence[Array]:
        """(w, mu, sigma) at x."""
        return self._call(self._forward_free, prior, x)

    def jacobian(self, z: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in z, shape (..., 3 k, dimension)."""
        return self._call(self._jacobian, prior, z)[0]

    def jacobian_free(self, x: Array, prior: Prior) -> Array:
        """Derivatives of (w, mu, sigma) in x, shape (..., 3 k, dimension)."""
        return self._call(self._jacobian_free, prior, x)[0]

    def free(self, z: Array, prior: Prior) -> Array:
        """Free coordinates at z."""
        return self._call(self._free, prior, z)[0]

    def unconstrain_free(self, x: Array, prior: Prior) -> Array:
        """Unconstrained coordinates at x."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._call(self._unconstrain, prior, x)[0]

    def unconstrain(
        self, values: Mapping[str, Any], prior: Prior, batch_shape: tuple[int, ...]
    ) -> Array:
        """Unconstrained coordinates of the free variables' values, by name."""
        return self.unconstrain_free(self.flatten(values, batch_shape), prior)

    def flatten(self, values: Mapping[str, Any], batch_shape: tuple[int, ...]) -> Array:
        """Free coordinates x of the free variables' values, by name."""
        pieces = []
        for name in self.names:
            value = np.asarray(values[name], dtype=np.float64)
            value = value.reshape((*batch_shape, -1))
            pieces.append(value[..., :-1] if self._is_simplex(name) else value)
        return np.concatenate(pieces, axis=-1)

    def log_det_transforms(self, z: Array, prior: Prior) -> Array:
        """Log |dx / dz| as PyMC's transforms state it, shape (...)."""
        return self._call(self._log_det, prior, z)[0]

    def log_prior(self, z: Array, prior: Prior, with_jacobian: bool) -> Sequence[Array]:
        """Log prior density and its gradient in z."""
        return self._call(self._log_prior_z if with_jacobian else self._log_prior_x, prior, z)

    def pullback(self, z: Array, prior: Prior, *scores: Array) -> Array:
        """Jacobian^T times the derivatives of a function in w, mu and sigma."""
        return self._call(self._pullback, prior, z, *scores)[0]

    @cached_property
    def _forward(self) -> Any:
        return self._compile("z", self._at_z(self._parameters))

    @cached_property
    def _forward_free(self) -> Any:
        return self._compile("x", self._at_x(self._parameters))

    @cached_property
    def _jacobian(self) -> Any:
        return self._compile("z", [self._differentiate(self._at_z(self._parameters), self._z)])

    @cached_property
    def _jacobian_free(self) -> Any:
        return self._compile("x", [self._differentiate(self._at_x(self._parameters), self._x)])

    @cached_property
    def _free(self) -> Any:
        return self._compile("z", [self._free_graph])

    @cached_property
    def _unconstrain(self) -> Any:
        pieces = []
        for rv, value in zip(self._model.free_RVs, self._split_free(), strict=True):
            transform = self._model.rvs_to_transforms[rv]
            inputs = self._at_x(list(rv.owner.inputs)) if transform else []
            pieces.append(transform.forward(value, *inputs) if transform else value)
        return self._compile("x", [pt.concatenate([piece.ravel() for piece in pieces])])

    @cached_property
    def _log_det(self) -> Any:
        with_jacobian, without = (self._model.logp(jacobian=flag) for flag in (True, False))
        return self._compile("z", self._at_z([with_jacobian - without], random=False))

    @cached_property
    def _pullback(self) -> Any:
        scores = [pt.vector(name) for name in ("w_score", "mu_score", "sigma_score")]
        parameters = self._at_z(self._parameters)
        total = sum(pt.sum(score * value) for score, value in zip(scores, parameters, strict=True))
        gradient = pt.grad(total, self._z, disconnected_inputs="ignore")
        return self._compile("z", [gradient], scores)

    @cached_property
    def _log_prior_z(self) -> Any:
        return self._density(with_jacobian=True)

    @cached_property
    def _log_prior_x(self) -> Any:
        return self._density(with_jacobian=False)

    def _density(self, with_jacobian: bool) -> Any:
        [logp] = self._at_z([self._model.logp(jacobian=with_jacobian)], random=False)
        return self._compile("z", [logp, pt.grad(logp, self._z)])

    @cached_property
    def _z(self) -> TensorVariable:
        return pt.vector("z", shape=(self.dimension,))

    @cached_property
    def _x(self) -> TensorVariable:
        return pt.vector("x", shape=(self.dimension,))

    @cached_property
    def _free_graph(self) -> TensorVariable:
        values = self._at_z(list(self._model.free_RVs))
        pieces = [
            value[:-1] if self._is_simplex(name) else value.ravel()
            for name, value in zip(self.names, values, strict=True)
        ]
        return pt.concatenate(pieces)

    def _is_simplex(self, name: str) -> bool:
        transform = self._model.rvs_to_transforms[self._model[name]]
        return getattr(transform, "name", "") == "simplex"

    def _split(self, flat: TensorVariable) -> list[TensorVariable]:
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self._shapes)]).tolist()
        pieces = [flat[start:end] for start, end in itertools.pairwise(ends)]
        return [piece.reshape(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

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

    @staticmethod
    def _differentiate(parameters: list[TensorVariable], at: TensorVariable) -> TensorVariable:
        flat = pt.concatenate(parameters)
        return jacobian(flat, at, vectorize=True, disconnected_inputs="ignore")

    def _compile(
        self, at: str, outputs: list[TensorVariable], extra: Sequence[TensorVariable] = ()
    ) -> Any:
        core = [self._z if at == "z" else self._x, *extra]
        batched = [pt.matrix(f"{value.name}_batch") for value in core]
        vectorized = vectorize_graph(outputs, dict(zip(core, batched, strict=True)))
        # what is constant in this structure (known weights) stays without a batch axis
        graphs = [
            graph if graph.ndim > output.ndim else pt.alloc(graph, batched[0].shape[0], *graph.shape)
            for graph, output in zip(vectorized, outputs, strict=True)
        ]
        inputs = [*batched, *self._hyper.values()]
        return pytensor.function(inputs, graphs, mode=INTERPRETED, on_unused_input="ignore")

    def _call(self, function: Any, prior: Prior, *arrays: Array) -> list[Array]:
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
        outputs = function(*rows, *map(float, prior.numbers().values()))
        return [value.reshape((*batch, *value.shape[1:])) for value in outputs]
