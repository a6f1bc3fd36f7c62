"""Draws of a mixture with names of their own and labels that switch, as somebody might bring."""

import chance
import numpy as np
import xarray as xr

from ordered_mix.mixture import Mixture

NAMES = {"mu": "centre", "sigma": "spread", "weights": "share"}


def truth(k):
    """Components 4 apart in increasing order, centred, with scales of about 1."""
    return Mixture(np.full(k, 1 / k), 4.0 * (np.arange(k) - (k - 1) / 2), np.linspace(1, 1.2, k))


def switched_draws(k=3, chains=4, draws=300, seed=7, names=NAMES, dim="species", data=True):
    """Draws close to the truth; each chain has labels of its own.

    The scales have their component dimension first; a variable ``noise`` has none.
    """
    rng = chance.rng(seed)
    true = truth(k)
    shape = (chains, draws, k)
    mu = true.mu + 0.1 * rng.standard_normal(shape)
    sigma = true.sigma * np.exp(0.05 * rng.standard_normal(shape))
    w = np.abs(true.w + 0.02 * rng.standard_normal(shape))
    w /= w.sum(axis=-1, keepdims=True)
    labels = [np.roll(np.arange(k), chain) for chain in range(chains)]
    labels = np.broadcast_to(np.stack(labels)[:, None], shape)
    w, mu, sigma = (np.take_along_axis(value, labels, -1) for value in (w, mu, sigma))
    dims = ("chain", "draw", dim)
    posterior = xr.Dataset(
        {
            names["mu"]: (dims, mu),
            names["sigma"]: ((dim, "chain", "draw"), np.moveaxis(sigma, -1, 0)),
            names["weights"]: (dims, w),
            "noise": (("chain", "draw"), rng.standard_normal(shape[:2])),
        },
        coords={dim: [f"kind {j}" for j in range(k)]},
    )
    groups = {"posterior": posterior}
    if data:
        groups["observed_data"] = xr.Dataset({"obs": ("obs_id", true.sample(200, rng))})
    return xr.DataTree.from_dict(groups)
