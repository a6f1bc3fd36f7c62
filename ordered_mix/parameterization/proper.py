"""Draws of a prior, which an improper one does not have."""

from __future__ import annotations

from ordered_mix.errors import one_line
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.parameterization import Parameterization


def proper_draws(parameterization: Parameterization, count: int, seed: int = 0) -> Mixture:
    """Prior draws, batch shape (count,).

    Raises
    ------
    ValueError
        If the prior is improper: it has no evidence.
    """
    try:
        return parameterization.draw_prior(count, seed)
    except (NotImplementedError, ValueError) as error:
        reason = one_line(str(error))
        raise ValueError(
            f"prior of {parameterization.label} must be proper and give finite draws: {reason}"
        ) from error
