"""Arrays and compiled functions by their addresses, in compiled code.

What calls a pass by its address runs the very same code as every other caller, and compiles
nothing of it again. numba's cache notices changes in the file of the function that is cached, not
in this one: what is here has no numbers of its own to change.
"""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

PASS = types.void(*[types.int64] * 7)
"""``(n, y, weights, weight, k, parameters, out)``: lengths and addresses."""


@intrinsic
def pointer(typing_context, address):
    """An address as what `numba.carray` takes."""
    signature = types.voidptr(types.int64)
    return signature, lambda _context, build, _type, args: build.inttoptr(
        args[0], cgutils.voidptr_t
    )


@intrinsic
def address_of(typing_context, array):
    """Address of the first entry of an array."""

    def address(context, build, signature, args):
        kind = signature.args[0]
        data = context.make_array(kind)(context, build, args[0]).data
        return build.ptrtoint(data, ir.IntType(64))

    return types.int64(array), address


@intrinsic
def pass_at(typing_context, address, n, y, weights, weight, k, parameters, out):
    """Call the pass, or what has its signature, at an address."""

    def call(context, build, _type, args):
        kinds = [args[i].type for i in range(1, 8)]
        function = build.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        build.call(function, args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), call
