"""Batched copies of a graph that evaluate without a Python loop over the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.tensor import TensorVariable
from pytensor.tensor.basic import second
from pytensor.tensor.rewriting.ofg import inline_ofg_node  # its home up to PyTensor 3.1 too
from pytensor.tensor.shape import Shape

FAULTY = "local_add_of_sparse_write"  # up to PyTensor 3.3.0 it adds a batch to its first row


def untraced() -> Any:
    """Context without notes of where each node came from, which take a third of a compilation."""
    return pytensor.config.change_flags(traceback__limit=0, traceback__compile_limit=0)


def batched(
    outputs: Sequence[TensorVariable], at: TensorVariable, batch: TensorVariable
) -> list[TensorVariable]:
    """Outputs for a batch of vectors, from their graphs for one vector.

    PyTensor evaluates what it cannot vectorise row by row. Inlining composite operations and
    fixing known shapes first leaves it nothing of that kind in our models, and derivatives taken
    of the batched graph inherit that.

    Parameters
    ----------
    outputs : sequence of tensors
        Graphs in ``at``; they may be changed in place.
    at : vector
        Their input.
    batch : matrix
        What takes its place, one vector a row.

    Returns
    -------
    list of tensors
        With a leading batch axis, but for outputs that do not depend on ``at``.
    """
    graph = FunctionGraph(outputs=list(outputs), clone=False)
    dfs_rewriter(_inline, _fix_shape).rewrite(graph)
    vectorized = vectorize_graph(list(graph.outputs), {at: batch})
    return list(rewrite_graph(vectorized, include=("canonicalize",), exclude=(FAULTY,)))


def gradient(cost: TensorVariable, at: TensorVariable) -> TensorVariable:
    """Derivative of a scalar, zero where it does not depend on ``at``."""
    slope = pt.grad(cost, at, disconnected_inputs="ignore")
    graph = FunctionGraph(outputs=[slope], clone=False)
    dfs_rewriter(_allocate).rewrite(graph)
    return graph.outputs[0]


def inline(graph: FunctionGraph) -> None:
    """Replace composite operations by what they are made of, in place."""
    dfs_rewriter(_inline).rewrite(graph)


@node_rewriter([OpFromGraph])
def _inline(fgraph: Any, node: Any) -> Any:
    return inline_ofg_node(node)


# numba takes some 20 s for each of these small maps, and the "vm" linker calls a C compiler, as do
# recognised softmaxes and the insides of composite operations under any linker; plain evaluation
# node by node is quick enough
INTERPRETED = (
    Mode(linker="py", optimizer="fast_compile")
    .excluding("symbolic_op_recognition")
    .register((dfs_rewriter(_inline), 0))
)


@node_rewriter([second])
def _allocate(fgraph: Any, node: Any) -> Any:
    # reverse mode fills arrays point by point, which Python does slowly
    like, value = node.inputs
    return [pt.alloc(value, *like.shape).astype(node.outputs[0].type.dtype)]


@node_rewriter([Shape])
def _fix_shape(fgraph: Any, node: Any) -> Any:
    shape = node.inputs[0].type.shape
    return None if None in shape else [pt.constant(np.array(shape, dtype="int64"))]
