"""The shear of the centre: what it makes uncorrelated, and its options."""

import math

import numpy as np
import pytest

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.theory.fisher import information


@pytest.mark.parametrize("gap", [0.5, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 8.0])
def test_the_shear_makes_location_and_weight_uncorrelated(gap):
    mixture = Mixture(np.array([0.5, 0.5]), np.array([-gap / 2, gap / 2]), np.ones(2))
    tangent = np.vstack([[1, 0, 0, 0, 0], [-1, 0, 0, 0, 0], np.eye(5)[1:]])
    covariance = np.linalg.inv(tangent.T @ information(mixture) @ tangent)
    wanted = (covariance[0, 1] + covariance[0, 2]) / 2 / (gap * covariance[0, 0])
    # the location off the midpoint, for a weight a little off 1/2
    found = parameterization("sheared", 2)
    off = Mixture(np.array([0.4, 0.6]), mixture.mu, mixture.sigma)
    location = found.free(found.unconstrain(off))[-1]
    assert location / (0.1 * gap) == pytest.approx(wanted, abs=0.02)


def test_options():
    with pytest.raises(ValueError, match="gap must be one of signed, bent, got 'square'"):
        parameterization("sheared", 2, gap="square")
    with pytest.raises(ValueError, match="reach must be positive, in units of the scale, got 0"):
        parameterization("sheared", 2, reach=0)
    bent = parameterization("sheared", 2, gap="bent", reach=math.inf)
    gap = np.array([0.01, 1.0, 30.0])
    mu = np.stack([-gap / 2, gap / 2], axis=-1)
    z = bent.unconstrain(Mixture(np.array([0.3, 0.7]), mu, np.ones(2)))
    np.testing.assert_allclose(z[:, -2], np.log(np.sqrt(2 + gap**2) - np.sqrt(2)), rtol=1e-9)
    np.testing.assert_allclose(z[:, -1], 0.2 * gap, rtol=1e-12)  # the mixture mean
