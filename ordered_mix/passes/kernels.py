"""One fused pass over the data: the log likelihood and the responsibility-weighted moments.

Every estimator is a loop around this pass. `e_step` and `log_density` take batches of runs and
spread them over threads; `one_pass` is the compiled pass over a single data set.
"""

import os
import threading
from functools import partial
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.passes import batches, fused
from ordered_mix.passes.fused import one_pass

__all__ = ["Moments", "e_step", "log_density", "one_pass"]

# Points times components: a few milliseconds, what a thread loses waiting for a busy core.
WORTH_THREADS = 4_000_000
_FIRST = np.zeros(1, dtype=np.intp)

# Not every threading layer of numba survives two callers at once, and none a fork.
_threads = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=partial(_threads.acquire, blocking=False))


class Moments(NamedTuple):
    """What one pass returns, per run: sums over the points i of a data set.

    With r_ik the responsibility of component k for point i and d_ik = y_i - mu_k:

    Attributes
    ----------
    log_likelihood : ndarray (...)
        Sum of weight_i times the log density of y_i.
    s0 : ndarray (..., K)
        Sum of weight_i r_ik, in units of observations.
    s1 : ndarray (..., K)
        Sum of weight_i r_ik d_ik, in units of y: about the current mean, so that a narrow
        component far from zero does not cancel.
    s2 : ndarray (..., K)
        Sum of weight_i r_ik d_ik^2, in squared units of y.

    Notes
    -----
    The gradient of the log likelihood follows by Fisher's identity: s1 / sigma^2 by mu,
    s2 / sigma^3 - s0 / sigma by sigma, s0 / w by w. EM moves the mean by s1 / s0 and sets the
    variance to s2 / s0 - (s1 / s0)^2 (Dempster, Laird & Rubin 1977, eq. 2.2-2.3 and section 4.3).
    """

    log_likelihood: NDArray[np.float64]
    s0: NDArray[np.float64]
    s1: NDArray[np.float64]
    s2: NDArray[np.float64]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that numba compiles for one kind of array only."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Batch(NamedTuple):
    """Runs in one row each; a data set shared by several runs is stored once."""

    shape: tuple[int, ...]
    y: NDArray[np.float64]
    rows: NDArray[np.intp]
    weight: NDArray[np.float64]
    weight_rows: NDArray[np.intp]
    parameters: list[NDArray[np.float64]]

    def go(self, address: int, out: NDArray[np.float64], step: int) -> None:
        """Fill out (runs, chunks times step) by the pass at an address, in threads if it pays."""
        n, k = self.y.shape[1], self.parameters[0].shape[1]
        tasks = self.rows.size * max(1, -(-n // fused.CHUNK))
        data = (read_only(self.y), self.rows, read_only(self.weight), self.weight_rows)
        given = (tasks, address, *data, np.concatenate(self.parameters, axis=1), out, step)
        threads = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        worth = threads > 1 and tasks > 1 and self.rows.size * n * k >= WORTH_THREADS
        if worth and _threads.acquire(blocking=False):
            try:
                batches.threaded(*given)
            finally:
                _threads.release()
        else:
            batches.serial(*given)


def _in_rows(values: NDArray[np.float64], batch: tuple[int, ...]) -> tuple[Any, Any]:
    """Return values as contiguous rows, and for each run of the batch its row."""
    index = np.arange(int(np.prod(values.shape[:-1]))).reshape(values.shape[:-1])
    rows = np.ascontiguousarray(values).reshape(index.size, values.shape[-1])
    return rows, np.broadcast_to(index, batch).flatten()


def _checked(**given: ArrayLike | None) -> dict[str, NDArray[np.float64]]:
    """Return the arguments as arrays, a missing weight as an empty one, if their shapes fit."""
    arrays = {
        name: np.asarray(() if value is None else value, dtype=np.float64)
        for name, value in given.items()
    }
    for name, array in arrays.items():
        if array.ndim == 0:
            raise ValueError(f"{name} is a scalar; it must have at least one axis.")
    pairs = [("w", "mu"), ("sigma", "mu")]
    if given.get("weight") is not None:
        pairs.append(("weight", "y"))
    for name, other in pairs:
        if arrays[name].shape[-1] != arrays[other].shape[-1]:
            shapes = f"{arrays[name].shape} and {other} {arrays[other].shape}"
            raise ValueError(f"{name} has shape {shapes}; their last axes must be equal.")
    if arrays["mu"].shape[-1] == 0:
        raise ValueError("mu has no component; its last axis must be at least 1.")
    return arrays


def _batch(arrays: dict[str, NDArray[np.float64]], rows: ArrayLike | None = None) -> _Batch:
    """Lay the runs out in rows."""
    if rows is not None:
        return _chosen(arrays, np.asarray(rows))
    if all(array.ndim == 1 for array in arrays.values()):
        y, weight = (np.ascontiguousarray(arrays[name])[None] for name in ("y", "weight"))
        parameters = [np.array(arrays[name])[None] for name in ("w", "mu", "sigma")]
        return _Batch((), y, _FIRST, weight, _FIRST, parameters)
    try:
        shape = np.broadcast_shapes(*(array.shape[:-1] for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"The axes before the last must broadcast, but are {shapes}.") from None
    data = (*_in_rows(arrays["y"], shape), *_in_rows(arrays["weight"], shape))
    return _Batch(shape, *data, _parameters(arrays, shape))


def _chosen(arrays: dict[str, NDArray[np.float64]], rows: NDArray[Any]) -> _Batch:
    """Lay out runs that name the rows of y and weight they go over."""
    y, weight = arrays["y"], arrays["weight"]
    if y.ndim != 2 or (weight.size and weight.shape != y.shape):
        raise ValueError(f"y and weight must have shape (sets, n) with rows, y has {y.shape}.")
    if rows.size and not (rows.dtype.kind in "iu" and 0 <= rows.min() <= rows.max() < len(y)):
        raise ValueError(f"rows must hold whole numbers from 0 to {len(y) - 1}.")
    shape = np.broadcast_shapes(rows.shape, *(arrays[n].shape[:-1] for n in ("w", "mu", "sigma")))
    index = np.broadcast_to(rows, shape).flatten().astype(np.intp, copy=False)
    weighted = (np.ascontiguousarray(weight), index) if weight.size else (weight[None], 0 * index)
    return _Batch(shape, np.ascontiguousarray(y), index, *weighted, _parameters(arrays, shape))


def _parameters(
    arrays: dict[str, NDArray[np.float64]], shape: tuple[int, ...]
) -> list[NDArray[np.float64]]:
    """Return w, mu and sigma as contiguous rows, one for each run."""
    k = arrays["mu"].shape[-1]
    return [
        np.array(np.broadcast_to(arrays[name], (*shape, k)), order="C").reshape(-1, k)
        for name in ("w", "mu", "sigma")
    ]


def e_step(
    y: ArrayLike,
    w: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike,
    weight: ArrayLike | None = None,
    rows: ArrayLike | None = None,
) -> Moments:
    """Go once over the data for every run of a batch.

    The leading axes broadcast, for instance data sets by starts: y (D, 1, n) with parameters
    (D, S, K) is D S runs over D data sets, and no data set is copied. Runs, and chunks of 65,536
    points within a run, are spread over ``NUMBA_NUM_THREADS`` threads; the result does not depend
    on their number.

    Parameters
    ----------
    y : array_like (..., n)
        Observations.
    w, mu, sigma : array_like (..., K)
        Weights (non-negative, 0 allowed), means and standard deviations (positive) of the
        components, the last two in the units of y. Values are not checked: NaN in, NaN out.
    weight : array_like (..., n), optional
        Weights of the observations; all 1 if not given.
    rows : array_like of int (...), optional
        The row of y, then of shape (sets, n), that each run goes over, in place of the
        broadcasting of y with the parameters: some runs of a batch, without copying data.

    Returns
    -------
    Moments
        ``log_likelihood`` (...) and ``s0``, ``s1``, ``s2`` (..., K).

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    The E-step of Dempster, Laird & Rubin (1977), section 4.3. Each responsibility is accurate to
    about 1e-15 (1 + abs(log odds)) relative to itself, and is 0 once its log odds against the
    largest are below -708. Scales and distances may span 1e-150 to 1e150.
    """
    arrays = _checked(y=y, weight=weight, w=w, mu=mu, sigma=sigma)
    batch = _batch(arrays, rows)
    runs, n, k = batch.rows.size, batch.y.shape[1], batch.parameters[0].shape[1]
    width, chunks = 1 + 3 * k, max(1, -(-n // fused.CHUNK))
    sums = np.empty((runs, chunks * width))
    batch.go(fused.pass_address(k == 2), sums, width)
    total = np.zeros((runs, width))
    for part in range(chunks):
        total += sums[:, part * width : (part + 1) * width]
    # contiguous, so that numba compiles for one layout only
    s0, s1, s2 = (
        np.ascontiguousarray(part).reshape(*batch.shape, k)
        for part in np.split(total[:, 1:], 3, axis=1)
    )
    return Moments(total[:, 0].reshape(batch.shape), s0, s1, s2)


def log_density(y: ArrayLike, w: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
    """Return the log density of the mixture at every point.

    Leading axes broadcast as in `e_step`, for instance draws by points: y (n) with parameters
    (draws, K).

    Parameters
    ----------
    y : array_like (..., n)
        Points.
    w, mu, sigma : array_like (..., K)
        Weights, means and standard deviations, the last two in the units of y.

    Returns
    -------
    ndarray (..., n)
        Finite for any finite point within 1e150 standard deviations.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    batch = _batch(_checked(y=y, weight=None, w=w, mu=mu, sigma=sigma))
    density = np.empty((batch.rows.size, batch.y.shape[1]))
    if density.size:
        two = batch.parameters[0].shape[1] == 2
        batch.go(fused.density_address(two), density, fused.CHUNK)
    return density.reshape(*batch.shape, batch.y.shape[1])
