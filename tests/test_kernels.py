"""The fused pass against 50-digit arithmetic and scikit-learn."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_mix.passes import fused
from ordered_mix.passes.kernels import e_step, log_density

DIGITS = mpmath.mp.clone()
DIGITS.dps = 50
ACCURACY = 1e-13
PER_LOG_ODDS = 1e-15


class Exact:
    """Sums over the points and sums of their absolute terms, from 50-digit arithmetic.

    Terms with log odds below the cut of the library (-708) are left out, those close to it are
    allowed to go either way.
    """

    def __init__(self, y, weight, w, mu, sigma):
        number = DIGITS.mpf
        half_log_2pi = DIGITS.log(2 * DIGITS.pi) / 2
        logs = [
            DIGITS.log(number(a)) - DIGITS.log(number(b)) if a > 0 else DIGITS.ninf
            for a, b in zip(w, sigma, strict=True)
        ]
        self.densities, self.log_likelihood, self.log_scale = [], number(0), number(0)
        self.moments = np.full((3, len(w)), number(0))
        self.allowed = np.full((3, len(w)), number(0))
        for i, point in enumerate(y):
            q = number(1 if weight is None else weight[i])
            d = [number(float(point)) - number(float(m)) for m in mu]
            half_squares = [(a / number(float(s))) ** 2 / 2 for a, s in zip(d, sigma, strict=True)]
            terms = [c - h for c, h in zip(logs, half_squares, strict=True)]
            best = max(range(len(w)), key=terms.__getitem__)
            total = sum(DIGITS.exp(term - terms[best]) for term in terms)
            log_total = DIGITS.log(total)
            self.densities.append(terms[best] + log_total - half_log_2pi)
            self.log_likelihood += q * self.densities[-1]
            self.log_scale += q * (abs(logs[best]) + half_squares[best] + half_log_2pi + log_total)
            for k, term in enumerate(terms):
                t = term - terms[best]
                if t < -709:
                    continue
                r = q * DIGITS.exp(t) / total
                steepness = abs(float(t)) + abs(float(logs[k] - logs[best]))
                relative = 1.0 if t < -707 else max(ACCURACY, PER_LOG_ODDS * steepness)
                for power in range(3):
                    self.moments[power, k] += r * d[k] ** power
                    self.allowed[power, k] += relative * abs(r * d[k] ** power)

    def check(self, moments):
        error = abs(DIGITS.mpf(float(moments.log_likelihood)) - self.log_likelihood)
        assert error <= ACCURACY * self.log_scale
        for power, got in enumerate(moments[1:]):
            for k, value in enumerate(got):
                difference = abs(DIGITS.mpf(float(value)) - self.moments[power, k])
                assert difference <= self.allowed[power, k] + 1e-290, (power, k)


def spread(k, separation, scales, weights, seed):
    """Parameters of k components and the generator that made them."""
    rng = np.random.default_rng(seed)
    mu = (np.arange(k) - (k - 1) / 2) * separation + rng.normal()
    sigma = {
        "equal": np.full(k, 1.3),
        "nearly equal": 1.3 + 1e-9 * np.arange(k),
        "unequal": 10.0 ** rng.uniform(-2, 2, k),
    }[scales]
    w = rng.dirichlet(np.full(k, 3.0))
    if weights == "tiny" and k > 1:
        w[-1] = 1e-300
    if weights == "zero" and k > 1:
        w[0] = 0.0
    return w, mu, sigma, rng


@pytest.mark.parametrize("k", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("scales", ["equal", "nearly equal", "unequal"])
@pytest.mark.parametrize("separation", [1e-8, 1e-3, 1.0, 30.0, 1e3])
def test_one_pass_is_accurate_to_13_digits(k, scales, separation):
    for seed, weights in enumerate(["ordinary", "tiny", "zero"]):
        w, mu, sigma, rng = spread(k, separation, scales, weights, seed)
        component = rng.integers(0, k, 9)
        y = rng.normal(mu[component], sigma[component])
        y[:2] = (mu[0] + mu[-1]) / 2 + [0.0, 0.01]
        weight = rng.random(9) if seed % 2 else None
        Exact(y, weight, w, mu, sigma).check(e_step(y, w, mu, sigma, weight))


@pytest.mark.parametrize("k", [1, 2, 3, 8])
@pytest.mark.parametrize("scales", ["equal", "nearly equal", "unequal"])
@pytest.mark.parametrize("distance", [30.0, 1e4])
def test_distant_points_lose_nothing(k, scales, distance):
    w, mu, sigma, rng = spread(k, 2.0, scales, "ordinary", seed=3)
    y = mu.mean() + distance * sigma.max() * rng.choice([-1.0, 1.0], 8) * rng.uniform(0.5, 1, 8)
    Exact(y, None, w, mu, sigma).check(e_step(y, w, mu, sigma))


@pytest.mark.parametrize("k", [1, 2, 3, 20])
@pytest.mark.parametrize("distance", [1.0, 1e4])
def test_log_density_is_accurate_at_every_point(k, distance):
    w, mu, sigma, rng = spread(k, 3.0, "unequal", "tiny", seed=4)
    y = distance * rng.normal(size=9)
    exact = Exact(y, None, w, mu, sigma)
    for got, point in zip(log_density(y, w, mu, sigma), exact.densities, strict=True):
        assert abs(DIGITS.mpf(float(got)) - point) <= 1e-14 * (abs(point) + 10)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("n", [1, 511, 512, 513, 65_535, 65_537, 200_001])
def test_any_number_of_points(k, n):
    w, mu, sigma, rng = spread(k, 2.0, "unequal", "ordinary", seed=5)
    few, times = rng.normal(size=7), -(-n // 7)
    weight = rng.random(7)
    got = e_step(np.tile(few, times)[:n], w, mu, sigma, np.tile(weight, times)[:n])
    count = np.bincount(np.arange(n) % 7, minlength=7)
    Exact(few, count * weight, w, mu, sigma).check(got)


@pytest.mark.parametrize("k", [2, 3])
def test_ten_million_points_stay_accurate(k):
    w, mu, sigma, rng = spread(k, 2.0, "equal", "ordinary", seed=6)
    few = rng.normal(size=10)
    got = e_step(np.tile(few, 1_000_000), w, mu, sigma)
    Exact(few, np.full(10, 1e6), w, mu, sigma).check(got)


positive = st.floats(1e-3, 1e3)
finite = st.floats(-1e4, 1e4)


@st.composite
def cases(draw):
    k = draw(st.integers(1, 4))
    vector = st.lists(finite, min_size=k, max_size=k)
    sigma = draw(st.lists(positive, min_size=k, max_size=k))
    exponents = draw(st.lists(st.floats(-300, 0), min_size=k, max_size=k))
    w = 10.0 ** (np.array(exponents) - max(exponents))
    y = draw(st.lists(finite, min_size=1, max_size=4))
    return np.array(y), w / w.sum(), np.array(draw(vector)), np.array(sigma)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(cases())
def test_any_mixture_is_finite_and_accurate(case):
    y, w, mu, sigma = case
    got = e_step(y, w, mu, sigma)
    assert all(np.all(np.isfinite(part)) for part in got)
    assert got.s0.sum() == pytest.approx(y.size, rel=1e-14)
    assert np.all(got.s0 >= 0) and np.all(got.s2 >= 0)
    Exact(y, None, w, mu, sigma).check(got)


def test_responsibility_underflows_to_exactly_zero():
    got = e_step([0.0], [0.5, 0.5], [0.0, 100.0], [1.0, 1.0])
    assert got.s0.tolist() == [1.0, 0.0]
    assert e_step([0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0]).s0.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("argument", range(4))
def test_nan_is_never_swallowed(k, argument):
    arguments = [np.zeros(5), np.full(k, 1 / k), np.arange(float(k)), np.ones(k)]
    arguments[argument][0] = np.nan
    assert np.isnan(e_step(*arguments).log_likelihood)
    assert np.isnan(log_density(*arguments)[0])


def test_exp_and_log_polynomials():
    rng = np.random.default_rng(7)
    for x in [0.0, -1e-300, -0.3465, -0.3466, -707.9, *(-rng.uniform(0, 707, 500))]:
        exact = DIGITS.exp(DIGITS.mpf(float(x)))
        assert abs(DIGITS.mpf(fused._exp(float(x))) - exact) <= 2.3e-16 * exact
    assert fused._exp(0.0) == 1.0
    assert fused._exp(-708.1) == fused._exp(-1e300) == fused._exp(-np.inf) == 0.0
    for x in [1.0, 1 + 2**-52, 1.4142, 1.4143, 2.0, *rng.uniform(1, 30, 500)]:
        exact = DIGITS.log(DIGITS.mpf(float(x)))
        assert abs(DIGITS.mpf(fused._log(float(x))) - exact) <= 4.5e-16 * exact


def test_agrees_with_scikit_learn():
    mixture = pytest.importorskip("sklearn.mixture")
    w, mu, sigma, rng = spread(3, 1.5, "unequal", "ordinary", seed=8)
    y = rng.normal(size=400)
    peer = mixture.GaussianMixture(3, covariance_type="diag")
    peer.weights_, peer.means_, peer.covariances_ = w, mu[:, None], sigma[:, None] ** 2
    peer.precisions_cholesky_ = 1 / sigma[:, None]
    np.testing.assert_allclose(log_density(y, w, mu, sigma), peer.score_samples(y[:, None]))
    responsibilities = peer.predict_proba(y[:, None])
    got = e_step(y, w, mu, sigma)
    np.testing.assert_allclose(got.s0, responsibilities.sum(0))
    np.testing.assert_allclose(got.s1, (responsibilities * (y[:, None] - mu)).sum(0))
