"""A posterior in mapped coordinates, as nutpie calls it, and draws from which a map is learnt."""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ordered_mix.draws.chain_measures import chain_measures
from ordered_mix.estimators.loop.standard import Standard
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import tape
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.addresses import address_of, pointer
from ordered_mix.samplers.moves.density import around, posterior
from ordered_mix.samplers.moves.trace import traces
from ordered_mix.samplers.nuts import NUTS


class Bijection(Protocol):
    """A smooth bijection of x to z, both of shape (..., dimension)."""

    @property
    def numbers(self) -> Array:
        """All that the map depends on, in one vector."""

    @property
    def place(self) -> Any:
        """Compiled ``(x, numbers) -> z``, of one point."""

    @property
    def pull(self) -> Any:
        """Compiled ``(x, gradient, numbers) -> (log determinant, gradient)``, of one point.

        The log determinant is that of the derivative of z, and the gradient by x is that of it and
        of what has the given gradient by z.
        """

    def forward(self, x: Array) -> tuple[Array, Array]:
        """z and the log determinant of its derivative, shapes (..., dimension) and (...)."""

    def inverse(self, z: Array) -> Array:
        """x of z."""


def mapped(model: Any, bijection: Bijection) -> Any:
    """The density of x, of shape (dimension,), from nutpie's model of z.

    Parameters
    ----------
    model : CompiledPyMCModel
        Such as that of `samplers.moves.density.posterior`.
    bijection : Bijection
    """
    held = {
        **model.shared_data,
        "numbers": np.ascontiguousarray(bijection.numbers),
        "inner": model.user_data,
    }
    given = np.array([
        model.compiled_logp_func.address, model.user_data.ctypes.data,
        held["numbers"].ctypes.data, held["numbers"].size,
    ], dtype=np.int64)  # fmt: skip
    log_density = _compiled(bijection.place, bijection.pull)
    return around(log_density, tape.callbacks()[1], held, given, model.n_dim)


class Run(NamedTuple):
    """Draws in the units of the data, and what they cost."""

    mixture: Mixture
    passes: int
    warmup_passes: int
    divergences_per_1000: float

    def measures(self) -> dict[str, float]:
        """With the smallest bulk ESS and the largest R-hat of sorted draws."""
        none = np.zeros(self.mixture.batch_shape, dtype=bool)
        one = self.mixture
        found = chain_measures(one.w, one.mu, one.sigma, none)
        cost = {name: getattr(self, name) for name in self._fields[1:]}
        return {"ess": found.ess, "rhat": found.rhat, **cost}


def run_in(own: Standard, bijection: Bijection | None, z: Array, sampler: NUTS, seed: int) -> Run:
    """Sample chains from points of z, shape (chain, dimension), in mapped coordinates, if a map."""
    model = posterior(own.parameterization, own.data, 1.0)
    if bijection:
        model, z = mapped(model, bijection), bijection.inverse(z)
    raw, _ = sampler.chains(model, z, seed)
    before, after = traces(raw)
    return Run(
        own.forward(bijection.forward(after.z)[0] if bijection else after.z),
        int(after.statistics["n_steps"].sum()),
        int(before.statistics["n_steps"].sum()),
        1000 * float(after.statistics["diverging"].mean()),
    )


def agreed(model: Parameterization, z: Array) -> tuple[Array, Array]:
    """Draws of all chains, shape (draw, dimension), and the last of each, with labels that agree.

    Draws are sorted, or each counts twice, with its labels and with them exchanged: what is closer
    to normal, by the determinant of the covariance, where sorting saves the log of 2. To exchange
    the labels of a chain, before what is kept of it, leaves the posterior as it is.

    Parameters
    ----------
    model : Parameterization
        Of two components, with signed gaps.
    z : ndarray, shape (chain, draw, dimension)
    """
    drawn, d = model.forward(z), z.shape[-1]
    other = Mixture(*(values[..., ::-1] for values in (drawn.w, drawn.mu, drawn.sigma)))
    ascending = model.unconstrain_unchecked(drawn.sorted())
    both = np.concatenate([z, model.unconstrain_unchecked(other)])
    volumes = [np.linalg.slogdet(np.cov(one.reshape(-1, d).T))[1] for one in (both, ascending)]
    if volumes[0] < volumes[1] + 2 * np.log(2):
        return both.reshape(-1, d), z[:, -1]
    return ascending.reshape(-1, d), ascending[:, -1]


@intrinsic
def _density_at(typing_context, address, dimension, x, gradient, value, given):
    """Call a density, as nutpie does, at an address."""

    def call(context, build, _type, args):
        kinds = [argument.type for argument in args[1:]]
        function = build.inttoptr(args[0], ir.FunctionType(ir.IntType(64), kinds).as_pointer())
        return build.call(function, args[1:])

    return types.int64(*[types.int64] * 6), call


@lru_cache(maxsize=4)
def _compiled(place: Any, pull: Any) -> Any:
    signature = types.int64(types.uint64, tape.REALS, tape.REALS, tape.REALS, types.voidptr)

    def density(dimension, x_, gradient_, value_, given_):
        given = numba.carray(given_, (4,), np.int64)
        numbers = numba.carray(pointer(given[2]), (given[3],), np.float64)
        x, gradient = numba.carray(x_, (dimension,)), numba.carray(gradient_, (dimension,))
        z, by_z, value = place(x, numbers), np.empty(dimension), np.empty(1)
        code = _density_at(
            given[0], dimension, address_of(z), address_of(by_z), address_of(value), given[1]
        )
        more, by_x = pull(x, by_z, numbers)
        finite = np.isfinite(value[0] + more)
        for i in range(dimension):
            gradient[i] = by_x[i]
            finite &= np.isfinite(by_x[i])
        numba.carray(value_, (1,))[0] = value[0] + more
        return code if code != 0 or finite else 4

    return numba.cfunc(signature, error_model="numpy")(density)
