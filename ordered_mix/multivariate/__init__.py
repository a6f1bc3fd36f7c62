"""Points and Gaussian mixtures in several dimensions."""

from ordered_mix.multivariate.data import MultivariateData, as_points, load_points
from ordered_mix.multivariate.mixture import MultivariateMixture

__all__ = ["MultivariateData", "MultivariateMixture", "as_points", "load_points"]
