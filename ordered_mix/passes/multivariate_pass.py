"""The pass over points in several dimensions, and its gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ordered_mix.passes import points as compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class WhiteMoments(NamedTuple):
    """What one pass returns, of the whitened points ``z = L^-1 (y - mu)``, per run.

    Attributes
    ----------
    log_likelihood : ndarray (...)
        Sum of weight times log density.
    s0 : ndarray (..., k)
        Sum of weight times responsibility, in units of observations.
    z1, z2 : ndarray (..., k, d) and (..., k, d, d)
        The same sums of z and of z z^T, without a unit.
    """

    log_likelihood: Array
    s0: Array
    z1: Array
    z2: Array

    def scores(self, w: Array, root: Array) -> tuple[Array, Array, Array]:
        """Derivatives of the log likelihood in w, mu and the lower triangle of the roots.

        Fisher's identity: ``s0 / w``, ``L^-T z1`` and ``tril(L^-T (z2 - s0 I))``.
        """
        above = np.swapaxes(root, -1, -2)
        excess = self.z2 - self.s0[..., None, None] * np.eye(root.shape[-1])
        slope = np.linalg.solve(above, self.z1[..., None])[..., 0]
        return self.s0 / w, slope, np.tril(np.linalg.solve(above, excess))


def white_pass(
    y: ArrayLike, w: ArrayLike, mu: ArrayLike, root: ArrayLike, weight: ArrayLike | None = None
) -> WhiteMoments:
    """One pass over each data set of a batch for each of the mixtures.

    Parameters
    ----------
    y : array_like, shape (..., n, d)
    w : array_like, shape (..., k)
    mu : array_like, shape (..., k, d)
    root : array_like, shape (..., k, d, d)
        Lower Cholesky factors of the covariances.
    weight : array_like, shape (..., n), optional

    Raises
    ------
    ValueError
        If the dimensions differ or the batch axes do not broadcast.
    """
    given = [np.asarray(value, dtype=np.float64) for value in (y, w, mu, root)]
    points, (k, d) = given[0], given[2].shape[-2:]
    if points.shape[-1] != d or given[3].shape[-3:] != (k, d, d) or given[1].shape[-1] != k:
        shapes = ", ".join(str(value.shape) for value in given)
        raise ValueError(f"y, w, mu and root must agree in dimensions and components, got {shapes}")
    leads = [value.shape[:-at] for value, at in zip(given, (2, 1, 2, 3), strict=True)]
    q = np.empty((1, 0)) if weight is None else np.asarray(weight, dtype=np.float64)
    batch = np.broadcast_shapes(*leads, () if weight is None else q.shape[:-1])
    sets, rows = _rows(np.swapaxes(points, -1, -2), 2, batch)
    weights, weight_rows = _rows(q, 1, batch) if q.size else (q, np.zeros_like(rows))
    parameters = [_flat(value, at, batch) for at, value in enumerate(given[1:], start=1)]
    found = one_by_one(sets, rows, weights, weight_rows, *parameters)
    return WhiteMoments(*(value.reshape((*batch, *value.shape[1:])) for value in found))


def one_by_one(
    y: Array, rows: Index, weight: Array, weight_rows: Index, w: Array, mu: Array, root: Array
) -> WhiteMoments:
    """One pass for each run, on the points (sets, d, n) and weights in its rows; unchecked."""
    (runs, k, d), given = mu.shape, [np.ascontiguousarray(value) for value in (w, mu, root)]
    out = (np.empty(runs), np.empty((runs, k)), np.empty((runs, k, d)), np.empty((runs, k, d, d)))
    compiled.passes(y, rows, weight, weight_rows, *given, *out)
    return WhiteMoments(*out)


def log_density(y: ArrayLike, w: Array, mu: Array, root: Array) -> Array:
    """Log density of batches of mixtures at the points y (n, d); shape (..., n)."""
    points = np.ascontiguousarray(np.asarray(y, dtype=np.float64).T)
    batch = mu.shape[:-2]
    parameters = [_flat(value, at, batch) for at, value in enumerate((w, mu, root), start=1)]
    out = np.empty((len(parameters[0]), points.shape[1]))
    compiled.densities(points, *parameters, out)
    return out.reshape((*batch, points.shape[1]))


def _rows(values: NDArray[Any], trailing: int, batch: tuple[int, ...]) -> tuple[Array, Index]:
    """Values as contiguous rows, and for each run of the batch its row."""
    lead = values.shape[: values.ndim - trailing]
    index = np.arange(int(np.prod(lead))).reshape(lead)
    rows = np.ascontiguousarray(values).reshape(index.size, *values.shape[values.ndim - trailing :])
    return rows, np.broadcast_to(index, batch).flatten()


def _flat(value: Array, trailing: int, batch: tuple[int, ...]) -> Array:
    shape = value.shape[value.ndim - trailing :]
    return np.ascontiguousarray(np.broadcast_to(value, (*batch, *shape))).reshape(-1, *shape)
