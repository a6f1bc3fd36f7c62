"""From a PyTensor graph to a tape: a list of scalar operations that needs no compilation.

Graphs of mixtures are a few hundred operations on a handful of numbers. Node by node they are run
once on arrays of symbols, which records every scalar operation; `tape` has one compiled function
that runs any such record, forwards and backwards.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.scalar as ps
from numpy.typing import NDArray
from pytensor.compile.ops import ViewOp
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.gradient import DisconnectedGrad, ZeroGrad
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar import ScalarOp
from pytensor.tensor import TensorVariable
from pytensor.tensor import basic as tb
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.extra_ops import CumOp
from pytensor.tensor.shape import Reshape, Shape, SpecifyShape
from pytensor.tensor.subtensor import IncSubtensor, Subtensor

from ordered_mix.mixture import Array
from ordered_mix.parameterization.batching import inline

# by the name of PyTensor's scalar operation; `tape` knows them by these numbers
CODES = {
    name: code
    for code, name in enumerate((
        "Add", "Sub", "Mul", "TrueDiv", "Neg", "Exp", "Log", "Sqrt", "Sqr", "Pow", "Abs",
        "Softplus", "Sigmoid", "Log1p", "Expm1", "Log1mexp", "Tanh", "Maximum", "Minimum",
        "Switch", "GT", "GE", "LT", "LE", "EQ", "NEQ", "AND", "OR", "Invert", "IsInf", "IsNan",
        "Sign", "Stop",
    ))
}  # fmt: skip
_SAME = ("Identity", "Second")


class Stop(ps.UnaryScalarOp):
    """Its argument, through which no derivative is passed down."""

    def impl(self, x: Any) -> Any:
        """Return x."""
        return x


class Untraceable(Exception):
    """A graph holds an operation that a tape does not have."""


class _Symbol:
    """A number that is known when the prior's are (``fixed``), or only with the point."""

    __slots__ = ("args", "fixed", "op")

    def __init__(self, op: Any, args: tuple[Any, ...], fixed: bool) -> None:
        self.op, self.args, self.fixed = op, args, fixed


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
        found: dict[_Symbol, Any] = {}

        def value(symbol: Any) -> Any:
            if not isinstance(symbol, _Symbol):
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
    outputs: Sequence[TensorVariable], at: TensorVariable, numbers: Mapping[str, TensorVariable]
) -> Tape:
    """Record what leads from a vector of known length to the outputs.

    Parameters
    ----------
    outputs : sequence of tensors
        Graphs in ``at`` and ``numbers`` alone.
    at : vector
    numbers : mapping of scalars
        Known before the point is.

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
    recorder = _Recorder()
    point = [_Symbol(None, (i,), fixed=False) for i in range(at.type.shape[0])]
    known = {name: _Symbol(None, (name,), fixed=True) for name in numbers}
    # rewriting clones the graph: its inputs are known by their names
    given = {at.name: _objects(point)} | {name: _objects(known[name]) for name in numbers}
    values: dict[Any, Any] = {}
    for node in replaced.toposort():
        inputs = [_value(variable, values, given) for variable in node.inputs]
        values[node.outputs[0]] = _run(recorder, node, inputs)
    found = [_value(variable, values, given) for variable in replaced.outputs]
    return _tape(found, point)


@node_rewriter([ViewOp])
def _stop(fgraph: Any, node: Any) -> Any:
    # rewriting drops what only derivatives see
    return [Elemwise(Stop(ps.same_out))(node.inputs[0])]


class _Recorder:
    """Operations seen so far, each recorded once."""

    def __init__(self) -> None:
        self.seen: dict[Any, _Symbol] = {}

    def apply(self, op: ScalarOp, *args: Any) -> Any:
        """Record one scalar operation, or carry it out if its arguments are constants."""
        symbols = [arg for arg in args if isinstance(arg, _Symbol)]
        if not symbols:
            return op.impl(*args)
        name = type(op).__name__
        if name in _SAME:
            return args[-1]
        if isinstance(op, ps.Cast):
            if op.o_type.dtype not in ("float64", "bool"):
                raise Untraceable(f"Cast to {op.o_type.dtype}")
            return args[0]
        if name in ("Add", "Mul", "AND", "OR", "Maximum", "Minimum"):
            return functools.reduce(lambda a, b: self._pair(op, a, b), args)
        if name == "Reciprocal":
            return self._record(ps.true_div, np.float64(1), args[0])
        if name == "Switch" and not isinstance(args[0], _Symbol):
            return args[1] if args[0] else args[2]
        if name in ("Sub", "TrueDiv"):
            return self._pair(op, *args)
        return self._record(op, *args)

    def _pair(self, op: ScalarOp, a: Any, b: Any) -> Any:
        if not isinstance(a, _Symbol) and not isinstance(b, _Symbol):
            return op.impl(a, b)
        name = type(op).__name__
        left, right = (None if isinstance(arg, _Symbol) else float(arg) for arg in (a, b))
        if (name == "Add" and left == 0) or (name == "Mul" and left == 1):
            return b
        if (name in ("Add", "Sub") and right == 0) or (name in ("Mul", "TrueDiv") and right == 1):
            return a
        if name == "Mul" and 0 in (left, right):
            return np.float64(0)
        return self._record(op, a, b)

    def _record(self, op: ScalarOp, *args: Any) -> _Symbol:
        fixed = all(arg.fixed for arg in args if isinstance(arg, _Symbol))
        if not fixed:
            op, args = self._lower(op, args)
        key = (op, *(arg if isinstance(arg, _Symbol) else float(arg) for arg in args))
        if key not in self.seen:
            self.seen[key] = _Symbol(op, args, fixed)
        return self.seen[key]

    def _lower(self, op: ScalarOp, args: tuple[Any, ...]) -> tuple[ScalarOp, tuple[Any, ...]]:
        name = type(op).__name__
        if name not in CODES:
            raise Untraceable(name)
        if name == "Pow" and not isinstance(args[1], _Symbol):
            root = {2.0: ps.sqr, 0.5: ps.sqrt}.get(float(args[1]))
            return (op, args) if root is None else (root, args[:1])
        return op, args


def _objects(value: Any) -> Any:
    """An array of objects, numbers as NumPy's scalars."""
    if isinstance(value, np.ndarray):
        flat, shape = list(value.ravel()), value.shape
    elif isinstance(value, list):
        flat, shape = value, (len(value),)
    else:
        flat, shape = [value], ()
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(shape)


def _value(variable: Any, values: dict[Any, Any], given: Mapping[str, Any]) -> Any:
    if variable in values:
        return values[variable]
    if isinstance(variable, Constant):
        return (
            _objects(np.asarray(variable.data))
            if hasattr(variable.data, "dtype")
            else (variable.data)
        )
    if variable.name in given:
        return given[variable.name]
    if isinstance(variable, SharedVariable):  # the length of a dimension
        return _objects(np.asarray(variable.get_value()))
    raise Untraceable(f"input {variable}")


def _run(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    for kind, run in _OPERATIONS.items():
        if isinstance(node.op, kind):
            return run(recorder, node, inputs)
    if any(isinstance(value, _Symbol) for array in inputs for value in np.ravel(array)):
        raise Untraceable(type(node.op).__name__)
    numeric = [
        np.array(array.tolist(), dtype=variable.type.dtype)
        for array, variable in zip(inputs, node.inputs, strict=True)
    ]
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    node.op.perform(node, numeric, storage)
    return _objects(np.asarray(storage[0][0]))


def _elementwise(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    arrays = np.broadcast_arrays(*inputs)
    with np.errstate(all="ignore"):
        flat = [
            recorder.apply(node.op.scalar_op, *args)
            for args in zip(*(array.ravel() for array in arrays), strict=True)
        ]
    return _objects(flat).reshape(arrays[0].shape)


def _reduce(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    (array,) = inputs
    axes = node.op.axis if node.op.axis is not None else tuple(range(array.ndim))
    rest = tuple(i for i in range(array.ndim) if i not in axes)
    shape = tuple(array.shape[i] for i in rest)
    rows = array.transpose(rest + tuple(axes)).reshape(int(np.prod(shape)), -1)
    scalar_op = node.op.scalar_op
    empty = [] if rows.shape[1] else [np.float64(scalar_op.identity)]

    def fold(a: Any, b: Any) -> Any:
        return recorder.apply(scalar_op, a, b)

    return _objects([functools.reduce(fold, [*empty, *row]) for row in rows]).reshape(shape)


def _cumulate(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    scalar_op = {"add": ps.add, "mul": ps.mul}[node.op.mode]
    array = inputs[0].ravel() if node.op.axis is None else inputs[0]
    rows = np.moveaxis(array, node.op.axis or 0, -1)

    def fold(a: Any, b: Any) -> Any:
        return recorder.apply(scalar_op, a, b)

    flat = [list(itertools.accumulate(row, fold)) for row in rows.reshape(-1, rows.shape[-1])]
    found = _objects([item for row in flat for item in row]).reshape(rows.shape)
    return np.moveaxis(found, -1, node.op.axis or 0)


def _check(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    # outside of its support a distribution has no density, as in PyMC's own compilation
    value, *conditions = inputs
    flat = [item for condition in conditions for item in condition.ravel()]
    holds = functools.reduce(functools.partial(recorder.apply, ps.and_), flat)
    switch = functools.partial(recorder.apply, ps.switch, holds)
    return _objects([switch(item, np.float64(-np.inf)) for item in value.ravel()]).reshape(
        value.shape
    )


def _index(entries: Sequence[Any], arguments: list[Any]) -> tuple[Any, ...]:
    left = iter(arguments)

    def bound(entry: Any) -> Any:
        return None if entry is None else _whole(next(left))

    return tuple(
        slice(bound(entry.start), bound(entry.stop), bound(entry.step))
        if isinstance(entry, slice)
        else _whole(next(left))
        for entry in entries
    )


def _whole(value: Any) -> int:
    item = value.item() if isinstance(value, np.ndarray) else value
    if isinstance(item, _Symbol):
        raise Untraceable("an index that depends on the point")
    return int(item)


def _take(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    return _objects_of(inputs[0][_index(node.op.idx_list, inputs[1:])])


def _put(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    array, new, *arguments = inputs
    where, array = _index(node.op.idx_list, arguments), array.copy()
    if not node.op.set_instead_of_inc:
        old = array[where]
        pairs = zip(np.ravel(old), np.broadcast_to(new, np.shape(old)).ravel(), strict=True)
        new = _objects([recorder.apply(ps.add, *pair) for pair in pairs]).reshape(np.shape(old))
    array[where] = new.item() if np.ndim(new) == 0 else new
    return array


def _objects_of(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else _objects(value)


def _shuffle(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    storage: list[Any] = [None]
    node.op.perform(node, inputs, [storage])
    return storage[0]


def _fill(recorder: _Recorder, node: Any, inputs: list[Any]) -> Any:
    return np.broadcast_to(inputs[0], tuple(map(_whole, inputs[1:])))


_OPERATIONS: dict[Any, Callable[..., Any]] = {
    Elemwise: _elementwise,
    CAReduce: _reduce,
    DimShuffle: _shuffle,
    Subtensor: _take,
    IncSubtensor: _put,
    CumOp: _cumulate,
    CheckAndRaise: _check,
    Shape: lambda recorder, node, inputs: _objects(np.array(inputs[0].shape)),
    SpecifyShape: lambda recorder, node, inputs: inputs[0],
    Reshape: lambda recorder, node, inputs: inputs[0].reshape([_whole(n) for n in inputs[1]]),
    tb.Join: lambda recorder, node, inputs: np.concatenate(inputs, axis=node.op.axis),
    tb.MakeVector: lambda recorder, node, inputs: _objects([item.item() for item in inputs]),
    tb.ScalarFromTensor: lambda recorder, node, inputs: inputs[0],
    tb.TensorFromScalar: lambda recorder, node, inputs: _objects_of(inputs[0]),
    tb.Alloc: _fill,
    tb.AllocEmpty: lambda recorder, node, inputs: _objects(np.zeros([_whole(n) for n in inputs])),
}


def _tape(found: list[Any], point: list[_Symbol]) -> Tape:
    known: dict[Any, int] = {}
    steps: dict[_Symbol, int] = {}
    order: list[_Symbol] = []

    def visit(symbol: Any) -> None:
        # a record is as deep as it is long at worst: no recursion
        stack = [symbol]
        while stack:
            top = stack[-1]
            if not isinstance(top, _Symbol) or top.fixed:
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
        if isinstance(symbol, _Symbol) and not symbol.fixed:
            return where[symbol] if symbol.op is None else base + steps[symbol]
        return known[_key(symbol)]

    program = np.zeros((len(order), 4), dtype=np.int64)
    for row, symbol in zip(program, order, strict=True):
        slots = [slot(arg) for arg in symbol.args]
        row[: 1 + len(slots)] = CODES[type(symbol.op).__name__], *slots
    outputs = np.array([slot(symbol) for symbol in flat], dtype=np.int64)
    return Tape(program, list(known), len(point), outputs, [array.shape for array in found])


def _key(symbol: Any) -> Any:
    return symbol if isinstance(symbol, _Symbol) else float(symbol)


def _missing(symbol: Any, known: Mapping[Any, int], steps: Mapping[_Symbol, int]) -> bool:
    if isinstance(symbol, _Symbol) and not symbol.fixed:
        return symbol.op is not None and symbol not in steps
    return _key(symbol) not in known
