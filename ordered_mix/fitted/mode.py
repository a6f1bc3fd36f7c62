"""The posterior mode of weights, means and scales."""

from __future__ import annotations

from typing import Any

import numpy as np

from ordered_mix.data import Data
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior


def posterior_mode(data: Data, prior: Prior, starts: Mixture, maximum: Mixture | None) -> Mixture:
    """The highest mode that is reached from the starts and from the maximum of the likelihood.

    It is that of the density of weights, means and scales themselves, which no Jacobian of
    coordinates moves; components in the order of their means.

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    starts : Mixture, batch shape (start,)
    maximum : Mixture or None
        A further start.
    """
    begin = [starts[index] for index in range(starts.batch_shape[0])]
    if maximum is not None:
        begin.append(maximum)
    plain = catalog.parameterization("unordered", starts.k, prior)
    return _highest(plain, data, prior.holding(Mixture.stack(begin)))


def mode_of_points(
    data: Data, prior: MultivariatePrior, starts: Mixture, maximum: Mixture
) -> Mixture:
    """The same in several dimensions, of weights, means and entries of Cholesky factors."""
    plain = catalog.parameterization("unordered", starts.k, prior)
    begin = [starts[index] for index in range(starts.batch_shape[0])]
    return _highest(plain, data, Mixture.stack([*begin, maximum]))


def _highest(plain: Any, data: Any, starts: Mixture) -> Mixture:
    climbed = MAP(jacobian=False).fit(plain, data, starts)
    best = climbed.mixture[int(np.argmax(climbed.objective))]
    return best.permute(best.order())
