"""The prior of a reference as a map from the unit cube, which nested sampling starts from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes import kernels
from ordered_mix.references.entrant import one_column
from ordered_mix.references.reference import Reference


class Cube(NamedTuple):
    """Quantiles of means, of gamma numbers that make the weights, and of variances.

    Parameters
    ----------
    reference : Reference
    laws : list
        Distributions of scipy, k independent numbers of each.
    """

    reference: Reference
    laws: list[Any]

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.laws) * self.reference.definition.k

    def mixture(self, u: Array) -> Mixture:
        """Mixtures at u, shape (..., dimension), uniform under the prior."""
        prior, k = self.reference.definition.prior, self.reference.definition.k
        rows = np.moveaxis(u.reshape(*u.shape[:-1], len(self.laws), k), -2, 0)
        drawn = [law.ppf(row) for law, row in zip(self.laws, rows, strict=True)]
        w = np.array(prior.known_w) if prior.known_w else drawn[1] / drawn[1].sum(-1, keepdims=True)
        sigma = prior.known_sigma if prior.known_sigma else np.sqrt(drawn[-1])
        return Mixture(w, drawn[0], sigma)

    def log_likelihood(self, u: Array) -> float:
        """Log likelihood at one point, a pass."""
        one = self.mixture(u)
        given = (self.reference.data.y, one.w, one.mu, one.sigma)
        return float(kernels.e_step(*given).log_likelihood)


def cube(entrant: str, reference: Reference) -> Cube:
    """The cube of a reference, for an entrant of this name.

    Raises
    ------
    ValueError
        If the reference has several dimensions, or scales that are not inverse gamma.
    """
    one_column(entrant, reference)
    prior = reference.definition.prior
    if prior.scale_family != "inverse_gamma":
        raise ValueError(
            f"prior must have inverse-gamma scales for {entrant}, got {prior.scale_family}"
        )
    laws = [stats.norm(prior.location, prior.spread)]
    laws += [stats.gamma(prior.concentration)] if prior.known_w is None else []
    laws += [stats.invgamma(2, scale=prior.scale**2)] if prior.known_sigma is None else []
    return Cube(reference, laws)
