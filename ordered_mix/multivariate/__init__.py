"""What only several dimensions have: directions, kinds of covariances, and their prior."""

from ordered_mix.multivariate.axis import axis_of
from ordered_mix.multivariate.prior import MultivariatePrior, default_multivariate_prior

__all__ = [
    "MultivariatePrior",
    "axis_of",
    "default_multivariate_prior",
]
