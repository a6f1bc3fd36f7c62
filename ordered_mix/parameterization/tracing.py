"""From a PyTensor graph to a tape: a list of scalar operations that needs no compilation.

Graphs of mixtures are a few hundred operations on a handful of numbers. Node by node they are run
once on arrays of symbols, which records every scalar operation; `tape` has one compiled function
that runs any such record, forwards and backwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.scalar as ps
from numpy.typing import NDArray
from pytensor.compile.ops import ViewOp
from pytensor.gradient import DisconnectedGrad, ZeroGrad
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.tensor import TensorVariable
from pytensor.tensor.elemwise import Elemwise

from ordered_mix.mixture import Array
from ordered_mix.parameterization.batching import inline
from ordered_mix.parameterization.operations import objects, run, value_of
from ordered_mix.parameterization.symbols import CODES, Recorder, Stop, Symbol, Untraceable


@dataclass(frozen=True, eq=False)
class Tape:
    """Scalar operations from a point and the numbers of the prior to some outputs.

    Slots hold the fixed numbers, then the point, then the result of each operation.

    Parameters
    ----------
    program : array of int, shape (operations, 4)
        A code of `CODES` and the slots of up to three arguments.
    known : sequence
        Symbols and constants of the fixed slots.
    dimension : int
        Length of the point.
    outputs : array of int
        Slots of the outputs, one after another.
    shapes : sequence of tuple
        Their shapes.
    """

    program: NDArray[np.int64]
    known: Sequence[Any]
    dimension: int
    outputs: NDArray[np.int64]
    shapes: Sequence[tuple[int, ...]]

    def fixed(self, numbers: Mapping[str, float]) -> Array:
        """The fixed slots for these numbers of the prior."""
        found: dict[Symbol, Any] = {}

        def value(symbol: Any) -> Any:
            if not isinstance(symbol, Symbol):
                return symbol
            if symbol not in found:
                if symbol.op is None:
                    found[symbol] = np.float64(numbers[symbol.args[0]])
                else:
                    found[symbol] = symbol.op.impl(*map(value, symbol.args))
            return found[symbol]

        with np.errstate(all="ignore"):
            return np.array([float(value(symbol)) for symbol in self.known])


def trace(
    outputs: Sequence[TensorVariable],
    at: TensorVariable,
    numbers: Mapping[str, TensorVariable],
    parts: Iterable[slice] = (slice(None),),
) -> list[Tape]:
    """Record what leads from a vector of known length to the outputs.

    Parameters
    ----------
    outputs : sequence of tensors
        Graphs in ``at`` and ``numbers`` alone.
    at : vector
    numbers : mapping of scalars
        Known before the point is.
    parts : iterable of slice
        Outputs of each tape; by default one has all.

    Raises
    ------
    Untraceable
        If one of the operations cannot be recorded.
    """
    graph = FunctionGraph(outputs=list(outputs), clone=True)
    inline(graph)
    for node in graph.apply_nodes:
        if isinstance(node.op, ViewOp) and not isinstance(node.op, (DisconnectedGrad, ZeroGrad)):
            raise Untraceable(type(node.op).__name__)
    dfs_rewriter(_stop).rewrite(graph)
    simple = rewrite_graph(list(graph.outputs), include=("canonicalize", "stabilize"))
    replaced = FunctionGraph(outputs=list(simple), clone=False)
    inline(replaced)
    recorder = Recorder()
    point = [Symbol(None, (i,), fixed=False) for i in range(at.type.shape[0])]
    known = {name: Symbol(None, (name,), fixed=True) for name in numbers}
    # rewriting clones the graph: its inputs are known by their names
    given = {at.name: objects(point)} | {name: objects(known[name]) for name in numbers}
    values: dict[Any, Any] = {}
    for node in replaced.toposort():
        inputs = [value_of(variable, values, given) for variable in node.inputs]
        values[node.outputs[0]] = run(recorder, node, inputs)
    found = [value_of(variable, values, given) for variable in replaced.outputs]
    return [_tape(found[part], point) for part in parts]


@node_rewriter([ViewOp])
def _stop(fgraph: Any, node: Any) -> Any:
    # rewriting drops what only derivatives see
    return [Elemwise(Stop(ps.same_out))(node.inputs[0])]


def _tape(found: list[Any], point: list[Symbol]) -> Tape:
    known: dict[Any, int] = {}
    steps: dict[Symbol, int] = {}
    order: list[Symbol] = []

    def visit(symbol: Any) -> None:
        # a record is as deep as it is long at worst: no recursion
        stack = [symbol]
        while stack:
            top = stack[-1]
            if not isinstance(top, Symbol) or top.fixed:
                known.setdefault(_key(top), len(known))
            elif top.op is not None and top not in steps:
                missing = [arg for arg in top.args if _missing(arg, known, steps)]
                if missing:
                    stack.extend(missing)
                    continue
                steps[top] = len(order)
                order.append(top)
            stack.pop()

    flat = [symbol for array in found for symbol in array.ravel()]
    for symbol in flat:
        visit(symbol)
    first, base = len(known), len(known) + len(point)
    where = {symbol: first + i for i, symbol in enumerate(point)}

    def slot(symbol: Any) -> int:
        if isinstance(symbol, Symbol) and not symbol.fixed:
            return where[symbol] if symbol.op is None else base + steps[symbol]
        return known[_key(symbol)]

    program = np.zeros((len(order), 4), dtype=np.int64)
    for row, symbol in zip(program, order, strict=True):
        slots = [slot(arg) for arg in symbol.args]
        row[: 1 + len(slots)] = CODES[type(symbol.op).__name__], *slots
    outputs = np.array([slot(symbol) for symbol in flat], dtype=np.int64)
    return Tape(program, list(known), len(point), outputs, [array.shape for array in found])


def _key(symbol: Any) -> Any:
    return symbol if isinstance(symbol, Symbol) else float(symbol)


def _missing(symbol: Any, known: Mapping[Any, int], steps: Mapping[Symbol, int]) -> bool:
    if isinstance(symbol, Symbol) and not symbol.fixed:
        return symbol.op is not None and symbol not in steps
    return _key(symbol) not in known
