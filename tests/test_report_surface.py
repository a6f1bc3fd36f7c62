"""The likelihood over two means, and the paths of four algorithms over it."""

import numpy as np
import pytest
from scipy import optimize, stats

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.report.figures import surface

TRUTH = Mixture([0.3, 0.7], [-2.0, 1.5], [1.0, 1.2])
SIGMA = 1.14


@pytest.fixture(scope="module")
def data():
    return Data(TRUTH.sample(150, np.random.default_rng(5)), name="simulated")


@pytest.fixture(scope="module")
def fits(data):
    return surface.climbs(data, TRUTH.w, SIGMA)


def log_likelihood(data, mu):
    densities = TRUTH.w * stats.norm.pdf(data.y[:, None], mu, SIGMA)
    return float(np.log(densities.sum(axis=1)).sum())


def test_heights_are_the_log_likelihood_with_the_second_mean_along_the_rows(data):
    mu = np.array([-3.0, 0.5, 2.0])
    heights = surface.heights(data, TRUTH.w, SIGMA, mu)
    expected = [[log_likelihood(data, (first, second)) for first in mu] for second in mu]
    assert heights == pytest.approx(np.array(expected), rel=1e-12)


def test_paths_climb_the_surface_to_its_maximum(data, fits):
    found = optimize.minimize(lambda mu: -log_likelihood(data, mu), TRUTH.mu)
    for fit in fits.values():
        path = fit.trace.log_likelihood
        mu = fit.trace.mixture.mu
        assert path[-1] == pytest.approx(-found.fun, abs=1e-4)
        assert path[2, 1] == pytest.approx(log_likelihood(data, mu[2, 1]), rel=1e-10)
        assert np.allclose(fit.mixture.sigma, SIGMA, rtol=1e-9)
        assert np.allclose(fit.mixture.w, TRUTH.w, rtol=1e-9)
    for name in ("EM", "ECM, relative"):
        assert np.all(np.diff(fits[name].trace.log_likelihood, axis=0) > -1e-9)
    starts = [fit.trace.mixture.mu[0] for fit in fits.values()]
    assert all(np.allclose(one, starts[0], rtol=1e-12) for one in starts)


def test_the_figure_says_what_it_cost_and_is_the_same_every_time(data):
    drawing = surface.surface(data, TRUTH)
    assert surface.surface(data, TRUTH) == drawing
    for name in surface.COLOURS:
        assert name in drawing.svg and f"{name} " in drawing.alt
    assert "points" not in drawing.caption and len(drawing.svg) < 250_000


def test_many_points_are_thinned_and_ties_do_no_harm():
    many = Data(TRUTH.sample(5001, np.random.default_rng(6)))
    few = surface.thinned(many)
    assert few.n == 2000 and few.y.mean() == pytest.approx(many.y.mean(), abs=0.01)
    tied = Data(np.array([0.0] * 30 + [1.0] * 2))
    drawing = surface.surface(tied, Mixture([0.9, 0.1], [0.0, 1.0], [0.1, 0.1]))
    assert "end elsewhere" in drawing.alt
