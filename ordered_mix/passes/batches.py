"""Compiled callers of the pass by its address: for one run, and for the runs of a batch."""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

from typing import Any

import numba
import numpy as np

from ordered_mix.passes.addresses import address_of, pass_at
from ordered_mix.passes.fused import CHUNK, can_cache

_options: dict[str, Any] = {"cache": can_cache(), "nogil": True, "error_model": "numpy"}


@numba.njit(**_options)
def _task(task, address, y, rows, weight, weight_rows, parameters, out, step):
    """Do one chunk of one run."""
    n, width = y.shape[1], out.shape[1]
    chunks = max(1, (n + CHUNK - 1) // CHUNK)
    run, chunk = task // chunks, task % chunks
    start = chunk * CHUNK
    size, weights = min(CHUNK, n - start), weight.shape[1]
    pass_at(
        address,
        size,
        address_of(y) + 8 * (rows[run] * n + start),
        min(size, weights),
        address_of(weight) + 8 * (weight_rows[run] * weights + min(start, weights)),
        parameters.shape[1] // 3,
        address_of(parameters) + 8 * run * parameters.shape[1],
        address_of(out) + 8 * (run * width + chunk * step),
    )


@numba.njit(**_options)
def serial(tasks, address, y, rows, weight, weight_rows, parameters, out, step):
    """Chunk by chunk; the results of one are `step` numbers behind those of the one before."""
    for task in range(tasks):
        _task(task, address, y, rows, weight, weight_rows, parameters, out, step)


@numba.njit(parallel=True, **_options)
def threaded(tasks, address, y, rows, weight, weight_rows, parameters, out, step):
    """Do as `serial`, in threads."""
    for task in numba.prange(tasks):
        _task(task, address, y, rows, weight, weight_rows, parameters, out, step)


@numba.njit(**_options)
def single(address, y, weight, w, mu, sigma):
    """One run over points (n) with weights (n) or (0): what `one_pass` returns."""
    k = mu.size
    # one piece of memory: what is not read after the call may be freed before it
    work = np.empty(6 * k + 1)
    parameters, sums = work[: 3 * k], work[3 * k :]
    for j in range(k):
        parameters[j], parameters[k + j], parameters[2 * k + j] = w[j], mu[j], sigma[j]
    pass_at(
        address,
        y.size,
        address_of(y),
        weight.size,
        address_of(weight),
        k,
        address_of(parameters),
        address_of(sums),
    )
    return sums[0], sums[1 : 1 + k], sums[1 + k : 1 + 2 * k], sums[1 + 2 * k :]
