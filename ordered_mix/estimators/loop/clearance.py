"""Weights that keep a clearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clear_weights(w: Array, clearance: float) -> Array:
    """The maximiser of ``sum w_k log x_k`` over weights x of at least the clearance.

    Parameters
    ----------
    w : array, shape (..., k)
        Weights that add up to 1.
    clearance : float
        Below 1 / k.

    Returns
    -------
    array, shape (..., k)
        Small weights at the clearance, the others in proportion.
    """
    if clearance == 0:
        return w
    low = np.zeros(w.shape, dtype=bool)
    for _ in range(w.shape[-1]):
        share = np.where(low, 0.0, w)
        room = 1 - clearance * low.sum(axis=-1, keepdims=True)
        scaled = np.where(low, clearance, room * share / share.sum(axis=-1, keepdims=True))
        low = low | (scaled < clearance)
    return np.maximum(scaled, clearance)
