"""What the nodes of a PyTensor graph do to arrays of symbols."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor import basic as tb
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.extra_ops import CumOp
from pytensor.tensor.shape import Reshape, Shape, SpecifyShape
from pytensor.tensor.subtensor import IncSubtensor, Subtensor

from ordered_mix.parameterization.symbols import Recorder, Symbol, Untraceable


def objects(value: Any) -> Any:
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


def value_of(variable: Any, values: dict[Any, Any], given: Mapping[str, Any]) -> Any:
    """What a variable of the graph holds: what was computed, a constant, or a known input."""
    if variable in values:
        return values[variable]
    if isinstance(variable, Constant):
        return (
            objects(np.asarray(variable.data))
            if hasattr(variable.data, "dtype")
            else (variable.data)
        )
    if variable.name in given:
        return given[variable.name]
    if isinstance(variable, SharedVariable):  # the length of a dimension
        return objects(np.asarray(variable.get_value()))
    raise Untraceable(f"input {variable}")


def run(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    """Carry out one node on arrays of symbols; Untraceable if a tape has no such operation."""
    for kind, operation in OPERATIONS.items():
        if isinstance(node.op, kind):
            return operation(recorder, node, inputs)
    if any(isinstance(value, Symbol) for array in inputs for value in np.ravel(array)):
        raise Untraceable(type(node.op).__name__)
    numeric = [
        np.array(array.tolist(), dtype=variable.type.dtype)
        for array, variable in zip(inputs, node.inputs, strict=True)
    ]
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    node.op.perform(node, numeric, storage)
    return objects(np.asarray(storage[0][0]))


def _elementwise(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    arrays = np.broadcast_arrays(*inputs)
    with np.errstate(all="ignore"):
        flat = [
            recorder.apply(node.op.scalar_op, *args)
            for args in zip(*(array.ravel() for array in arrays), strict=True)
        ]
    return objects(flat).reshape(arrays[0].shape)


def _reduce(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    (array,) = inputs
    axes = node.op.axis if node.op.axis is not None else tuple(range(array.ndim))
    rest = tuple(i for i in range(array.ndim) if i not in axes)
    shape = tuple(array.shape[i] for i in rest)
    rows = array.transpose(rest + tuple(axes)).reshape(int(np.prod(shape)), -1)
    scalar_op = node.op.scalar_op
    empty = [] if rows.shape[1] else [np.float64(scalar_op.identity)]

    def fold(a: Any, b: Any) -> Any:
        return recorder.apply(scalar_op, a, b)

    return objects([functools.reduce(fold, [*empty, *row]) for row in rows]).reshape(shape)


def _cumulate(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    scalar_op = {"add": ps.add, "mul": ps.mul}[node.op.mode]
    array = inputs[0].ravel() if node.op.axis is None else inputs[0]
    rows = np.moveaxis(array, node.op.axis or 0, -1)

    def fold(a: Any, b: Any) -> Any:
        return recorder.apply(scalar_op, a, b)

    flat = [list(itertools.accumulate(row, fold)) for row in rows.reshape(-1, rows.shape[-1])]
    found = objects([item for row in flat for item in row]).reshape(rows.shape)
    return np.moveaxis(found, -1, node.op.axis or 0)


def _check(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    # outside of its support a distribution has no density, as in PyMC's own compilation
    value, *conditions = inputs
    flat = [item for condition in conditions for item in condition.ravel()]
    holds = functools.reduce(functools.partial(recorder.apply, ps.and_), flat)
    switch = functools.partial(recorder.apply, ps.switch, holds)
    return objects([switch(item, np.float64(-np.inf)) for item in value.ravel()]).reshape(
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
    if isinstance(item, Symbol):
        raise Untraceable("an index that depends on the point")
    return int(item)


def _take(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    return _as_objects(inputs[0][_index(node.op.idx_list, inputs[1:])])


def _put(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    array, new, *arguments = inputs
    where, array = _index(node.op.idx_list, arguments), array.copy()
    if not node.op.set_instead_of_inc:
        old = array[where]
        pairs = zip(np.ravel(old), np.broadcast_to(new, np.shape(old)).ravel(), strict=True)
        new = objects([recorder.apply(ps.add, *pair) for pair in pairs]).reshape(np.shape(old))
    array[where] = new.item() if np.ndim(new) == 0 else new
    return array


def _as_objects(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else objects(value)


def _shuffle(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    storage: list[Any] = [None]
    node.op.perform(node, inputs, [storage])
    return storage[0]


def _joined(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    if hasattr(node.op, "axis"):
        return np.concatenate(inputs, axis=node.op.axis)
    axis, *parts = inputs  # the axis is an input in the lowest versions that are admitted
    return np.concatenate(parts, axis=int(axis.item()))


def _fill(recorder: Recorder, node: Any, inputs: list[Any]) -> Any:
    return np.broadcast_to(inputs[0], tuple(map(_whole, inputs[1:])))


OPERATIONS: dict[Any, Callable[..., Any]] = {
    Elemwise: _elementwise,
    CAReduce: _reduce,
    DimShuffle: _shuffle,
    Subtensor: _take,
    IncSubtensor: _put,
    CumOp: _cumulate,
    CheckAndRaise: _check,
    Shape: lambda recorder, node, inputs: objects(np.array(inputs[0].shape)),
    SpecifyShape: lambda recorder, node, inputs: inputs[0],
    Reshape: lambda recorder, node, inputs: inputs[0].reshape([_whole(n) for n in inputs[1]]),
    tb.Join: _joined,
    tb.MakeVector: lambda recorder, node, inputs: objects([item.item() for item in inputs]),
    tb.ScalarFromTensor: lambda recorder, node, inputs: inputs[0],
    tb.TensorFromScalar: lambda recorder, node, inputs: _as_objects(inputs[0]),
    tb.Alloc: _fill,
    tb.AllocEmpty: lambda recorder, node, inputs: objects(np.zeros([_whole(n) for n in inputs])),
}
