"""How many components: prior and posterior over their number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import betanbinom, poisson

from ordered_mix.draws.evidence import Evidence

PRIORS = ("uniform", "poisson", "beta_negative_binomial")


def prior_components(k: np.ndarray, prior: str = "uniform") -> np.ndarray:
    """Prior probability of each number of components, not normalised over those given.

    Parameters
    ----------
    k : array of int
        At least 1.
    prior : {"uniform", "poisson", "beta_negative_binomial"}
        Equal for all given; ``K - 1`` ~ Poisson(1); or ``K - 1`` ~
        BetaNegativeBinomial(1, 4, 3), as Frühwirth-Schnatter, Malsiner-Walli & Grün (2021,
        Bayesian Analysis 16, 1279-1307).

    Raises
    ------
    ValueError
        If there is no such prior, or a number is below 1.
    """
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    k = np.asarray(k)
    if k.size == 0 or k.min() < 1:
        raise ValueError(f"k must hold numbers of components from 1 on, got {k.tolist()}")
    if prior == "uniform":
        return np.full(k.shape, 1 / k.size)
    return poisson.pmf(k - 1, 1) if prior == "poisson" else betanbinom.pmf(k - 1, 1, 4, 3)


def posterior_components(evidences: Mapping[int, Evidence], prior: str = "uniform") -> pd.DataFrame:
    """Posterior over the number of components, among those whose evidence is given.

    Parameters
    ----------
    evidences : mapping of int to Evidence
        By the number of components, for the same data.
    prior : {"uniform", "poisson", "beta_negative_binomial"}

    Returns
    -------
    DataFrame
        ``components``, ``log_evidence``, ``standard_error``, ``prior`` and ``posterior``, both
        normalised over the rows, and ``posterior_error``, the Monte Carlo standard error.

    Raises
    ------
    ValueError
        If there is no evidence or one is not finite.
    """
    k = np.array(sorted(evidences))
    weight = prior_components(k, prior)
    value = np.array([evidences[i].log_evidence for i in k])
    error = np.array([evidences[i].standard_error for i in k])
    if not np.isfinite(value).all():
        bad = k[~np.isfinite(value)].tolist()
        raise ValueError(f"evidences must be finite, those of {bad} components are not")
    mass = weight * np.exp(value - value.max())
    posterior = mass / mass.sum()
    # by the delta method: d p_i / d l_j = p_i (1[i = j] - p_j)
    slope = posterior[:, None] * (np.eye(k.size) - posterior)
    return pd.DataFrame(
        {
            "components": k,
            "log_evidence": value,
            "standard_error": error,
            "prior": weight / weight.sum(),
            "posterior": posterior,
            "posterior_error": np.sqrt(slope**2 @ error**2),
        }
    )
