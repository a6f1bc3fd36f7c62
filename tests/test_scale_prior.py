"""The adaptive prior of the scales: closed form, numerics, draws, defaults, right posteriors."""

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats
from scipy.special import gammaln

from ordered_mix import default_prior, scale_families
from ordered_mix.data import Data, load
from ordered_mix.parameterization import catalog, laws, reference
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.prior import Prior

WIDEST = 140  # powers of ten of sigma, so variances reach from 1e-280 to 1e280


def adaptive(scale=1.0, **numbers):
    return Prior(scale=scale, scale_family="adaptive", **numbers)


def graph(k):
    """Log density and its gradient in log sigma."""
    log_sigma, scale = pt.tensor("log_sigma", dtype="float64", shape=(k,)), pt.scalar("scale")
    density = scale_families.logp(pt.exp(log_sigma), scale, "adaptive")
    outputs = [density, pt.grad(density, log_sigma)]
    return pytensor.function([log_sigma, scale], outputs, mode=INTERPRETED)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_density_is_the_integral_over_beta(k):
    rng = np.random.default_rng(k)
    for _ in range(10):
        scale, log_sigma = 10 ** rng.uniform(-2, 2), rng.normal(0, 1.5, k)
        sigma = scale * np.exp(log_sigma)
        v, b0 = sigma**2, scale**2 / 100

        def integrand(t, v=v, b0=b0):  # beta = b0 exp(t)
            beta = b0 * np.exp(t)
            terms = 2 * np.log(beta) - 3 * np.log(v) - beta / v + np.log(2 * np.sqrt(v))
            hyper = 0.5 * np.log(b0) - gammaln(0.5) - 0.5 * np.log(beta) - b0 / beta
            return np.exp(terms.sum() + hyper)

        t = np.linspace(-12, 40, 4001)  # the trapezoid rule, exponentially accurate here
        exact = integrate.trapezoid([integrand(value) for value in t], t)
        found = reference.log_density_scales(adaptive(scale), sigma)
        assert found == pytest.approx(np.log(exact), rel=1e-10, abs=1e-10)


def exact_density(log_sigma, scale):
    """By the Bessel function of mpmath, at its working precision."""
    k, log_b0 = len(log_sigma), 2 * mpmath.log(mpmath.mpf(scale) / 10)
    s = mpmath.fsum(mpmath.exp(-2 * value) for value in log_sigma)
    order = 2 * k - mpmath.mpf(1) / 2
    bessel = mpmath.besselk(order, 2 * mpmath.sqrt(mpmath.exp(log_b0) * s))
    normal = log_b0 / 2 - mpmath.log(mpmath.gamma(0.5)) + (k + 1) * mpmath.log(2)
    return (
        normal + order / 2 * (log_b0 - mpmath.log(s)) + mpmath.log(bessel)
        - 5 * mpmath.fsum(log_sigma)
    )  # fmt: skip


def exact_gradient(log_sigma, scale):
    """Derivative in log sigma by differences, digits enough for scales 280 decades apart."""
    step, found = mpmath.mpf(10) ** -200, []
    for index in range(min(len(log_sigma), 3)):
        up, down = (
            [value + sign * step * (j == index) for j, value in enumerate(log_sigma)]
            for sign in (1, -1)
        )
        found.append((exact_density(up, scale) - exact_density(down, scale)) / (2 * step))
    return found


@pytest.mark.parametrize("k", [1, 2, 3, 10, 50])
def test_density_and_gradient_are_exact_at_every_size(k):
    rng, found = np.random.default_rng(k), graph(k)
    widths = (0.5, 3.0, WIDEST)
    for width in widths:
        for scale in (1e-3, 1.0, 1e3):
            center = rng.uniform(-WIDEST + width, WIDEST - width)
            log_sigma = np.log(10.0) * (center + width * rng.uniform(-1, 1, k))
            value, slope = found(log_sigma, scale)
            by_numpy = reference.log_density_scales(adaptive(scale), np.exp(log_sigma))
            with mpmath.workdps(50 if width < 10 else 900):
                point = [mpmath.mpf(float(entry)) for entry in log_sigma]
                exact = exact_density(point, scale)
            for density in (value, by_numpy):
                assert density == pytest.approx(float(exact), rel=1e-11, abs=1e-11)
            with mpmath.workdps(900):
                expected = np.array([float(entry) for entry in exact_gradient(point, scale)])
            size = np.maximum(np.abs(expected), 1.0)
            assert np.max(np.abs(slope[: len(expected)] - expected) / size) < 1e-11


def test_density_vanishes_at_zero_scales_and_outside():
    found = graph(2)
    near = [found(np.log([10.0**-power, 1.0]), 1.0)[0] for power in (2, 4, 8, 150)]
    assert np.all(np.diff(near) < 0) and near[-1] < -1e145
    sigma = pt.dvector("sigma").copy()
    density = scale_families.logp(pt.specify_shape(sigma, (2,)), pt.constant(1.0), "adaptive")
    assert density.eval({sigma: [1.0, -1.0]}, mode=INTERPRETED) == -np.inf


def test_a_scale_that_fits_single_precision_is_not_rounded_to_it():
    # 2.0 does, 0.2 does not
    parameterization = catalog.parameterization(
        "unordered", 2, adaptive(2.0, location=0.3, spread=1.7)
    )
    outcome = laws.models_agree(parameterization, laws.points_of(parameterization, 3, seed=1), 2)
    assert outcome.error < 1e-12


@pytest.mark.parametrize("k", [1, 2])
def test_marginal_of_a_scale_is_that_of_one(k):
    # integrate the second scale out on a grid of its log, then compare with draws
    prior, t = adaptive(2.0), np.linspace(np.log(1e-3), np.log(1e9), 1201)
    one = reference.log_density_scales(prior, np.exp(t)[:, None]) + t
    if k == 2:
        both = np.stack(np.broadcast_arrays(t[:, None], t[None]), axis=-1)
        joint = reference.log_density_scales(prior, np.exp(both)) + both.sum(axis=-1)
        marginal = integrate.trapezoid(np.exp(joint), t, axis=1)
        np.testing.assert_allclose(marginal[:800], np.exp(one)[:800], rtol=1e-5)
    cdf = integrate.cumulative_trapezoid(np.exp(one), t, initial=0)
    assert cdf[-1] == pytest.approx(1.0, abs=1e-6)
    drawn = reference.draw(prior, k, 20_000, np.random.default_rng(3)).sigma[:, -1]
    p = stats.kstest(np.log(drawn), lambda x: np.interp(x, t, cdf)).pvalue
    assert p > 1e-5


def test_default_prior_is_on_the_scale_of_the_data():
    y = np.r_[np.random.default_rng(1).normal(5, 2, 400), [1e6, 1e6]]
    prior = default_prior(Data(y))
    assert prior.scale_family == "adaptive" and 1.7 < prior.scale < 2.3
    assert prior.location == pytest.approx(y.mean()) and prior.spread == pytest.approx(2 * y.std())
    assert prior.b0 == pytest.approx(prior.scale**2 / 100)
    # no interquartile range: the standard deviation
    tied = np.r_[np.zeros(80), np.arange(20.0)]
    assert default_prior(Data(tied)).scale == pytest.approx(tied.std())
    counted = default_prior(Data([0.0, 1.0, 2.0, 3.0], weight=[1.0, 2.0, 2.0, 1.0]))
    assert counted.scale == pytest.approx(min(np.sqrt(11 / 12), 1 / 1.349))


def test_fixed_prior_is_that_of_the_studies():
    data = load("faithful:waiting")
    moved = Prior().affine(float(data.location), float(data.scale))
    assert default_prior(data, "fixed") == moved
    assert default_prior(data, "half-normal").scale_family == "half_normal"
    given = default_prior(data, scale=3.0, location=1.0, spread=4.0, concentration=1.0)
    assert given == Prior(1.0, 4.0, 3.0, 1.0, "adaptive")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "flat"}, "prior must be one of adaptive, fixed, half-normal, got 'flat'"),
        ({"scale": 0.0}, "scale of the prior must be positive and finite, got 0.0"),
        ({"spread": -1.0}, "spread of the prior must be positive and finite, got -1.0"),
        ({"location": np.inf}, "location of the prior must be finite, got inf"),
    ],
)
def test_wrong_values_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        default_prior(load("galaxies"), **arguments)


def test_constant_data_have_no_scale():
    with pytest.raises(ValueError, match="data must be one sample that is not constant"):
        default_prior(Data(np.ones(5)))
