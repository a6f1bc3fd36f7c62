"""Points, Gaussian mixtures and their prior in several dimensions."""

from ordered_mix.mixture import Mixture
from ordered_mix.multivariate.axis import axis_of
from ordered_mix.multivariate.data import MultivariateData, as_points, load_points
from ordered_mix.multivariate.prior import MultivariatePrior, default_multivariate_prior

__all__ = [
    "Mixture",
    "MultivariateData",
    "MultivariatePrior",
    "as_points",
    "axis_of",
    "default_multivariate_prior",
    "load_points",
]
