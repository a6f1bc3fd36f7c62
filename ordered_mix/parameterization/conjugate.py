"""Whether a parameterization carries the prior that is conjugate given the allocations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ordered_mix.parameterization import reference
from ordered_mix.parameterization.parameterization import Parameterization


def check_conjugate(parameterization: Parameterization, purpose: str) -> None:
    """Refuse a prior without exact conditional distributions given the allocations.

    The prior of the coordinates is compared with the reference prior at two points.

    Raises
    ------
    ValueError
        If the scales are half-normal, common or known one by one, means are known, or the
        parameterization carries another prior.
    """
    prior, label = parameterization.prior, parameterization.label
    if prior.known_sigma is None and prior.scale_family == "half_normal":
        raise ValueError(
            f"scale_family of the prior must be conditionally conjugate for {purpose}, "
            f"got {prior.scale_family!r}"
        )
    held = [
        name
        for name, is_stored in (
            ("common_scale", prior.common_scale),
            ("known_mu", prior.known_mu is not None),
            ("known_sigma of each component", isinstance(prior.known_sigma, tuple)),
        )
        if is_stored
    ]
    if held:
        raise ValueError(f"prior must be without {held[0]} for {purpose}, NUTS and SMC take it")
    standard = parameterization.affine(0.0, 1 / prior.spread)
    z = np.random.default_rng(0).normal(0.0, 0.5, (2, standard.dimension))
    expected = reference.log_density(replace(standard.prior, native=False), standard.forward(z))
    expected += standard.log_det(z) + math.lgamma(standard.k + 1) - math.log(standard.labellings)
    if not np.allclose(standard.log_prior(z), expected, rtol=1e-6, atol=1e-6):
        raise ValueError(
            f"prior must be the reference prior for {purpose}, which is conditionally conjugate, "
            f"{label} carries another one"
        )
