"""Numbers that are not known yet, and the record of the scalar operations on them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytensor.scalar as ps
from pytensor.scalar import ScalarOp

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


class Symbol:
    """A number that is known when the prior's are (``fixed``), or only with the point."""

    __slots__ = ("args", "fixed", "op")

    def __init__(self, op: Any, args: tuple[Any, ...], fixed: bool) -> None:
        self.op, self.args, self.fixed = op, args, fixed


class Recorder:
    """Operations seen so far, each recorded once."""

    def __init__(self) -> None:
        self.seen: dict[Any, Symbol] = {}

    def apply(self, op: ScalarOp, *args: Any) -> Any:
        """Record one scalar operation, or carry it out if its arguments are constants."""
        symbols = [arg for arg in args if isinstance(arg, Symbol)]
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
        if name == "Switch" and not isinstance(args[0], Symbol):
            return args[1] if args[0] else args[2]
        if name in ("Sub", "TrueDiv"):
            return self._pair(op, *args)
        return self._record(op, *args)

    def _pair(self, op: ScalarOp, a: Any, b: Any) -> Any:
        if not isinstance(a, Symbol) and not isinstance(b, Symbol):
            return op.impl(a, b)
        name = type(op).__name__
        left, right = (None if isinstance(arg, Symbol) else float(arg) for arg in (a, b))
        if (name == "Add" and left == 0) or (name == "Mul" and left == 1):
            return b
        if (name in ("Add", "Sub") and right == 0) or (name in ("Mul", "TrueDiv") and right == 1):
            return a
        if name == "Mul" and 0 in (left, right):
            return np.float64(0)
        return self._record(op, a, b)

    def _record(self, op: ScalarOp, *args: Any) -> Symbol:
        fixed = all(arg.fixed for arg in args if isinstance(arg, Symbol))
        if not fixed:
            op, args = self._lower(op, args)
        key = (op, *(arg if isinstance(arg, Symbol) else float(arg) for arg in args))
        if key not in self.seen:
            self.seen[key] = Symbol(op, args, fixed)
        return self.seen[key]

    def _lower(self, op: ScalarOp, args: tuple[Any, ...]) -> tuple[ScalarOp, tuple[Any, ...]]:
        name = type(op).__name__
        if name not in CODES:
            raise Untraceable(name)
        if name == "Pow" and not isinstance(args[1], Symbol):
            root = {2.0: ps.sqr, 0.5: ps.sqrt}.get(float(args[1]))
            return (op, args) if root is None else (root, args[:1])
        return op, args
