"""Curvature where a fit ended: 1 less the slowest rate of EM, below 0 at a saddle."""

import numpy as np
import pytest

from ordered_mix.data import Data, load, simulate
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.prior import Prior

UNORDERED = parameterization("unordered", 2)
POINTS = Data([-1.0, 1.0, 3.0])
NEAR_SADDLE = Mixture([0.5, 0.5], [0.9, 1.1], [np.sqrt(1.3865)] * 2)
TIGHT = Stop(log_likelihood=0.0, parameters=1e-12, passes=20_000)
ONCE = Stop(log_likelihood=0.0, passes=2)


def slowest_rate(data, at, frozen):
    """Largest eigenvalue of the Jacobian of one EM iteration, by central differences."""
    free = [name for name in ("w", "mu", "sigma") if name not in frozen]

    def pack(mixture):
        parts = {"w": mixture.w[..., :1], "mu": mixture.mu, "sigma": mixture.sigma}
        return np.concatenate([parts[name] for name in free], axis=-1)

    def mixture_of(x):
        values, used = {"w": at.w, "mu": at.mu, "sigma": at.sigma}, 0
        for name in free:
            length = 1 if name == "w" else 2
            part, used = x[:, used : used + length], used + length
            values[name] = np.concatenate([part, 1 - part], axis=1) if name == "w" else part
        return Mixture(**values)

    here, unit = pack(at), 1e-5 * np.eye(pack(at).size)
    em = EM(frozen=frozen, stop=ONCE)
    ends = pack(
        em.fit(UNORDERED, data, mixture_of(np.concatenate([here + unit, here - unit]))).mixture
    )
    return np.linalg.eigvals((ends[: here.size] - ends[here.size :]).T / 2e-5).real.max()


CASES = {
    "saddle": (POINTS, NEAR_SADDLE, ()),
    "merged means": (POINTS, Mixture([0.4, 0.6], [1.0, 1.0], [1.0, 1.0]), ("w", "sigma")),
    "waiting": (load("faithful:waiting"), Mixture([0.5, 0.5], [50.0, 80.0], [6.0, 6.0]), ()),
    "weights known": (load("acidity"), Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5]), ("w",)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_one_less_the_slowest_rate_of_em(name):
    data, start, frozen = CASES[name]
    fit = EM(frozen=frozen, stop=TIGHT).fit(UNORDERED, data, start)
    assert fit.converged
    rate = slowest_rate(data, fit.mixture, frozen)
    found = float(fit.curvature(data, frozen))
    assert found == pytest.approx(1 - rate, abs=1e-5)
    assert (found < 0) == (name in ("saddle", "merged means"))


def test_tied_scales_have_one_direction():
    data, start = load("acidity"), Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    fit = EM(scales="tied", stop=TIGHT).fit(UNORDERED, data, start)
    assert float(fit.curvature(data, scales="tied")) > 0
    assert np.isnan(fit.curvature(data))  # each scale by itself would move


def test_the_least_curvature_has_no_unit_and_no_labels():
    data = simulate(Mixture([0.4, 0.6], [-1.0, 1.0], [1.0, 0.7]), 200, seed=1)
    start = Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0])
    one = EM(stop=TIGHT).fit(UNORDERED, data, start).curvature(data)
    far = Data(7.0 + 1e6 * data.y)
    other = EM(stop=TIGHT).fit(UNORDERED, far, start.affine(7.0, 1e6).permute([1, 0]))
    np.testing.assert_allclose(other.curvature(far), one, rtol=1e-5)


def test_a_saddle_is_said_to_be_one_and_is_not_preferred():
    fit = EM().fit(UNORDERED, POINTS, NEAR_SADDLE)
    assert fit.converged and "unless `curvature` is below 0" in str(fit.advice)
    assert float(fit.curvature(POINTS)) < -0.1
    optima = MultiStart(estimator=EM(stop=TIGHT)).fit(UNORDERED, POINTS, NEAR_SADDLE.reshape(1))
    assert optima.fit.status.tolist() == ["saddle_point"]
    assert "perturb the start" in optima.fit.advice[0]
    assert "saddle_point" in repr(optima)


def test_saddles_under_known_scales_are_found_from_the_prior():
    known = parameterization("unordered", 2, Prior(known_w=(0.5, 0.5), known_sigma=1.0))
    starts = Mixture([0.5, 0.5], [[1.0, 1.0], [-1.0, 3.0]], [1.0, 1.0])
    optima = MultiStart().fit(known, POINTS, starts)
    assert optima.fit.status.tolist() == ["converged", "saddle_point"]
    assert optima.best_index == 0


def test_no_curvature_is_given_where_the_gradient_does_not_vanish():
    data, start = load("acidity"), Mixture([0.5, 0.5], [4.0, 6.0], [0.5, 0.5])
    early = EM(stop=Stop(passes=3)).fit(UNORDERED, data, start)
    at_bound = EM(floor=0.6, stop=TIGHT).fit(UNORDERED, data, start)
    assert np.isnan(early.curvature(data)) and np.isnan(at_bound.curvature(data))
