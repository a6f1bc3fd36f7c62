"""Many draws from a random graph at once, where drawing one by one takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.tensor import TensorVariable
from pytensor.tensor.random.op import RandomVariable

from ordered_mix.parameterization.batching import INTERPRETED, inline, untraced


def draw(outputs: Sequence[TensorVariable], count: int, seed: int) -> list[Any]:
    """Independent draws of random graphs, each with a leading axis of length count.

    Every random variable is asked for count times its shape, and what is computed from them is
    batched.
    """
    with untraced():
        function = _compiled(outputs, count, seed)
    return function()


def _compiled(outputs: Sequence[TensorVariable], count: int, seed: int) -> Any:
    graph = FunctionGraph(outputs=clone_replace(list(outputs)), clone=False)
    inline(graph)
    nodes = [node for node in graph.toposort() if isinstance(node.op, RandomVariable)]
    shapes = [
        value.shape for value in pm.draw([node.outputs[1] for node in nodes], mode=INTERPRETED)
    ]
    batched_variables: dict[Variable, Variable] = {}
    for node, shape in zip(nodes, shapes, strict=True):
        batched_variables[node.outputs[1]] = _replicate(node, shape, count, batched_variables)
    batched = [_batched(output, batched_variables, count) for output in graph.outputs]
    return pm.compile([], batched, random_seed=seed, mode=INTERPRETED)


def _replicate(
    node: Any, shape: tuple[int, ...], count: int, batched_variables: Any
) -> TensorVariable:
    op, (rng, _, *parameters) = node.op, node.inputs
    batch = shape[: len(shape) - op.ndim_supp]
    aligned = []
    for parameter, core in zip(parameters, op.ndims_params, strict=True):
        value = _batched(parameter, batched_variables, count)
        missing = len(batch) - (parameter.ndim - core)
        aligned.append(pt.expand_dims(value, tuple(range(1, 1 + missing))) if missing else value)
    return op.make_node(rng, (count, *batch), *aligned).outputs[1]


def _batched(
    variable: Variable, batched_variables: dict[Variable, Variable], count: int
) -> TensorVariable:
    [value] = vectorize_graph([variable], batched_variables) if batched_variables else [variable]
    if value.ndim == variable.ndim:
        value = pt.broadcast_to(value, (count, *variable.shape))
    return value
