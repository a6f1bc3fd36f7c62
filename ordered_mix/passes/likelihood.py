"""The fused pass as a PyTensor operation: log likelihood and gradient for one pass."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_dispatch
from pytensor.tensor import TensorVariable

from ordered_mix.passes import batches, fused

# compiled graphs are cached on disk with the kernel inside: a changed kernel needs another key
KERNEL_VERSION = int(sha256(Path(fused.__file__).read_bytes()).hexdigest()[:12], 16)


class MixturePass(Op):
    """``(log_likelihood, s0, s1, s2)`` of one pass over weighted data.

    Inputs are vectors: y and weight of length n (an empty weight counts every point once), w, mu
    and sigma of length k. The moments are about the current means, so the pullback of the log
    likelihood needs no further pass (Fisher's identity):
    ``dL/dw = s0 / w``, ``dL/dmu = s1 / sigma^2``, ``dL/dsigma = s2 / sigma^3 - s0 / sigma``.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Build the node; every input is cast to a float64 vector."""
        vectors = [pt.as_tensor(value, dtype="float64", ndim=1) for value in inputs]
        if len(vectors) != 5:
            raise TypeError(f"a pass takes y, weight, w, mu and sigma, got {len(vectors)} inputs")
        moments = [pt.vector(dtype="float64", shape=vectors[2].type.shape) for _ in range(3)]
        return Apply(self, vectors, [pt.scalar(dtype="float64"), *moments])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Run the kernel outside numba-compiled graphs."""
        arrays = [np.ascontiguousarray(value, dtype=np.float64) for value in inputs]
        address = fused.pass_address(arrays[2].size == 2)
        for storage, value in zip(outputs, batches.single(address, *arrays), strict=True):
            storage[0] = np.asarray(value, dtype=np.float64)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The data carry no gradient."""
        return [[False] * 4] * 2 + [[True] * 4] * 3

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Gradient of the log likelihood from the moments of the same pass.

        Raises
        ------
        NotImplementedError
            If a gradient through the moments is asked for, that is a second derivative.
        """
        if not all(isinstance(value.type, DisconnectedType) for value in cotangents[1:]):
            raise NotImplementedError(
                "the fused pass has first derivatives only: for a Hessian take the plain PyMC "
                "model (Parameterization.model) or passes.observed"
            )
        w, _, sigma = inputs[2:]
        _, s0, s1, s2 = outputs
        scores = (s0 / w, s1 / sigma**2, s2 / sigma**3 - s0 / sigma)
        return [disconnected_type(), disconnected_type(), *(cotangents[0] * s for s in scores)]


@numba_dispatch.register_funcify_default_op_cache_key(MixturePass)
def _numba_mixture_pass(op: MixturePass, node: Apply | None = None, **kwargs: Any) -> Any:
    one_pass = fused.one_pass

    @numba_dispatch.numba_njit
    def mixture_pass(y: Any, weight: Any, w: Any, mu: Any, sigma: Any) -> Any:
        log_likelihood, s0, s1, s2 = one_pass(
            np.ascontiguousarray(y),
            np.ascontiguousarray(weight),
            np.ascontiguousarray(w),
            np.ascontiguousarray(mu),
            np.ascontiguousarray(sigma),
        )
        return np.asarray(log_likelihood), s0, s1, s2

    return mixture_pass, KERNEL_VERSION


def log_likelihood(y: Any, weight: Any, w: Any, mu: Any, sigma: Any) -> TensorVariable:
    """Log likelihood of a mixture as a scalar graph that costs one pass with its gradient.

    Parameters
    ----------
    y, weight : vector, shape (n,)
        Points and their weights; an empty weight counts every point once.
    w, mu, sigma : vector, shape (k,)
        Weights, means and standard deviations.
    """
    return MixturePass()(y, weight, w, mu, sigma)[0]
