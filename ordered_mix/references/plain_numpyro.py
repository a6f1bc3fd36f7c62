"""The plain NumPyro model of a reference posterior: what a user of NumPyro writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ordered_mix.mixture import Mixture
from ordered_mix.references.definition import Definition


def numpyro_model(definition: Definition) -> Callable[[], None]:
    """Weights, means and variances without an order, the labels summed out.

    Raises
    ------
    ValueError
        If NumPyro is not installed, the data have several columns, or the scales are not inverse
        gamma.
    """
    try:
        import numpyro
        from numpyro import distributions as dist
    except ImportError:
        raise ValueError(
            "entrant numpyro needs the package numpyro, which is not installed"
        ) from None
    prior, k = definition.prior, definition.k
    if definition.d > 1:
        raise ValueError(f"data must have one column for numpyro, got {definition.d} columns")
    if prior.scale_family != "inverse_gamma":
        raise ValueError(
            f"prior must have inverse-gamma scales for numpyro, got {prior.scale_family}"
        )

    def model() -> None:
        w, sigma = np.array(prior.known_w or np.full(k, 1 / k)), prior.known_sigma
        if prior.known_w is None:
            w = numpyro.sample("w", dist.Dirichlet(np.full(k, prior.concentration)))
        mu = numpyro.sample("mu", dist.Normal(prior.location, prior.spread).expand([k]))
        if sigma is None:
            law = dist.InverseGamma(2.0, prior.scale**2).expand([k])
            sigma = numpyro.deterministic("sigma", numpyro.sample("variance", law) ** 0.5)
        parts = dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(mu, sigma * np.ones(k)))
        numpyro.sample("y", parts, obs=definition.data.y)

    return model


def mixture_of(samples: Mapping[str, Any], definition: Definition) -> Mixture:
    """Draws of the plain model, batch shape (draw,)."""
    found = {name: np.asarray(values, dtype=float) for name, values in samples.items()}
    w = found.get("w", np.array(definition.prior.known_w or 1.0))
    sigma = found.get("sigma", definition.prior.known_sigma)
    return Mixture(w / w.sum(axis=-1, keepdims=True), found["mu"], sigma)
