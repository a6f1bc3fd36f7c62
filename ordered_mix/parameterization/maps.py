"""Functions of a vector from their PyTensor graph, with what they pull back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from ordered_mix.mixture import Array
from ordered_mix.parameterization import tape as compiled
from ordered_mix.parameterization.batching import INTERPRETED, batched, gradient, untraced
from ordered_mix.parameterization.symbols import Untraceable
from ordered_mix.parameterization.tracing import Tape, trace

Numbers = Mapping[str, float]


class Map(Protocol):
    """Several outputs of a vector and of the numbers of a prior, for rows of vectors."""

    def values(self, rows: Array, numbers: Numbers) -> list[Array]:
        """Outputs, each of shape (rows, ...)."""

    def pullback(self, rows: Array, numbers: Numbers, scores: Sequence[Array]) -> Array:
        """Derivatives (rows, dimension) of a function, from those in the outputs."""


def compile_map(
    outputs: Sequence[TensorVariable], at: TensorVariable, numbers: Mapping[str, TensorVariable]
) -> Map:
    """A tape where the graph has one, else PyTensor's own evaluation, node by node."""
    return compile_maps(outputs, at, numbers, [slice(None)])[0]


def compile_maps(
    outputs: Sequence[TensorVariable],
    at: TensorVariable,
    numbers: Mapping[str, TensorVariable],
    parts: Sequence[slice],
) -> Sequence[Map]:
    """Maps to several parts of the outputs, whose graph is rewritten once for all."""
    with untraced():
        try:
            return [TapeMap(tape) for tape in trace(outputs, at, numbers, parts)]
        except Untraceable:
            return [InterpretedMap(outputs[part], at, numbers) for part in parts]


class TapeMap:
    """A map that needs no compilation."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._ends = np.cumsum([int(np.prod(shape)) for shape in tape.shapes])[:-1]
        self._known: tuple[tuple[float, ...], Array] = ((np.nan,), np.empty(0))

    def values(self, rows: Array, numbers: Numbers) -> list[Array]:
        """Outputs, each of shape (rows, ...)."""
        tape = self.tape
        found = compiled.values(tape.program, self.fixed(numbers), rows, tape.outputs)
        pieces = zip(np.split(found, self._ends, axis=1), tape.shapes, strict=True)
        # contiguous, so that numba compiles for one layout only
        return [np.ascontiguousarray(piece).reshape((len(rows), *shape)) for piece, shape in pieces]

    def pullback(self, rows: Array, numbers: Numbers, scores: Sequence[Array]) -> Array:
        """Derivatives (rows, dimension) of a function, from those in the outputs."""
        tape = self.tape
        flat = np.concatenate([score.reshape(len(rows), -1) for score in scores], axis=1)
        fixed = self.fixed(numbers)
        return compiled.pullback(tape.program, fixed, rows, tape.outputs, flat)

    def fixed(self, numbers: Numbers) -> Array:
        """The tape's fixed slots; those of the numbers that were asked for last are kept."""
        key = tuple(map(float, numbers.values()))
        known = self._known
        if known[0] != key:
            known = self._known = key, self.tape.fixed(numbers)
        return known[1]


class InterpretedMap:
    """A map whose operations a tape does not have."""

    def __init__(
        self,
        outputs: Sequence[TensorVariable],
        at: TensorVariable,
        numbers: Mapping[str, TensorVariable],
    ) -> None:
        self._rows = pt.tensor("rows", dtype="float64", shape=(None, at.type.shape[0]))
        self._ndims = [output.ndim for output in outputs]
        self._outputs = batched(outputs, at, self._rows)
        self._numbers = list(numbers.values())

    def values(self, rows: Array, numbers: Numbers) -> list[Array]:
        """Outputs, each of shape (rows, ...)."""
        found = self._function(rows, *map(float, numbers.values()))
        return [
            np.broadcast_to(value, (len(rows), *value.shape)) if value.ndim == ndim else value
            for value, ndim in zip(found, self._ndims, strict=True)
        ]

    def pullback(self, rows: Array, numbers: Numbers, scores: Sequence[Array]) -> Array:
        """Derivatives (rows, dimension) of a function, from those in the outputs."""
        given = [s[:, 0] if n == 0 else s for s, n in zip(scores, self._ndims, strict=True)]
        return self._derivative(rows, *given, *map(float, numbers.values()))

    @cached_property
    def _function(self) -> Any:
        return self._compile([self._rows], self._outputs)

    @cached_property
    def _derivative(self) -> Any:
        scores = [pt.tensor(dtype="float64", shape=(None,) * (n + 1)) for n in self._ndims]
        pairs = zip(scores, self._outputs, strict=True)
        total = sum(pt.sum(score * value) for score, value in pairs)
        return self._compile([self._rows, *scores], gradient(total, self._rows))

    def _compile(self, inputs: list[Any], outputs: Any) -> Any:
        with untraced():
            return pytensor.function(
                [*inputs, *self._numbers], outputs, mode=INTERPRETED, on_unused_input="ignore"
            )
