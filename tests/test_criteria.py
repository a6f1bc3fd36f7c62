"""AIC, BIC, ICL against scikit-learn and by hand; sBIC against its package and mpmath."""

import mpmath
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from ordered_mix.draws.criteria import mixture_learning_coefficients, point_criteria, sbic
from ordered_mix.mixture import Mixture


def test_aic_and_bic_against_scikit_learn():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(0, 1, 80), rng.normal(4, 2, 60)])
    model = GaussianMixture(2, random_state=0).fit(y[:, None])
    fit = Mixture(model.weights_, model.means_[:, 0], np.sqrt(model.covariances_[:, 0, 0]))
    result = point_criteria(y, fit, parameters=5)
    assert result.aic == pytest.approx(model.aic(y[:, None]), rel=1e-10)
    assert result.bic == pytest.approx(model.bic(y[:, None]), rel=1e-10)
    r = model.predict_proba(y[:, None])
    assert result.icl == pytest.approx(result.bic - 2 * np.sum(r * np.log(r)), rel=1e-10)


def test_icl_of_certain_allocations_is_bic_and_batches_agree():
    fit = Mixture([[0.5, 0.5], [1.0, 0.0]], [[-1e4, 1e4], [0.0, 5.0]], [1.0, 1.0])
    y = np.array([-1e4, 1e4 + 1, 1e4])
    result = point_criteria(y, fit, parameters=2)
    assert result.icl[0] == pytest.approx(result.bic[0], rel=1e-15)
    np.testing.assert_allclose(result.bic[1], point_criteria(y, fit[1], parameters=2).bic)
    assert np.all(np.isfinite(result.icl))


# The example in the README of the R package sBIC by Weihs and Plummer (bivariate components: r = 5,
# its default phi = 3; the penalty of one component shows that it counted 2 x 175 points).
MAXIMA = [-732.9610, -697.5850, -683.9564, -676.2722, -668.5807, -661.2474, -653.9223, -646.2799]
PUBLISHED = [-747.6058, -729.8036, -727.4262, -728.7474, -729.9027, -731.3697, -732.8346, -733.9800]


def test_sbic_against_the_package_of_its_authors():
    coefficients = mixture_learning_coefficients(8, per_component=5, dirichlet=3)
    np.testing.assert_allclose(-sbic(MAXIMA, 350, coefficients) / 2, PUBLISHED, atol=2e-4)


def test_sbic_solves_its_equations():
    maxima, n = [-300.0, -280.0, -279.5, -279.4], 82
    coefficients = mixture_learning_coefficients(4)
    multiplicity = np.array([[1, 1, 1, 1], [2, 1, 1, 1], [1, 2, 1, 1], [1, 1, 3, 1]])
    result = sbic(maxima, n, coefficients, multiplicity)
    with mpmath.workdps(60):
        x = [mpmath.exp(mpmath.mpf(value) / -2) for value in result]
        for i in range(4):
            residual = scale = mpmath.mpf(0)
            for j in range(i + 1):
                power = mpmath.mpf(n) ** -mpmath.mpf(coefficients[i, j])
                log_power = mpmath.log(n) ** int(multiplicity[i, j] - 1)
                term = mpmath.exp(maxima[i]) * power * log_power
                residual += (x[i] - term) * x[j]
                scale += (x[i] + term) * x[j]
            assert abs(residual / scale) < 1e-12


def test_sbic_is_bic_for_one_component_and_for_regular_families():
    maxima, n = np.array([-300.0, -280.0, -279.5]), 100
    dimensions = np.array([2, 5, 8])
    assert sbic(maxima, n, mixture_learning_coefficients(3))[0] == pytest.approx(
        600 + 2 * np.log(n)
    )
    regular = np.repeat(dimensions[:, None] / 2, 3, axis=1)
    bic = -2 * maxima + dimensions * np.log(n)
    np.testing.assert_allclose(sbic(maxima, n, regular), bic, rtol=1e-12)


def test_sbic_survives_hopeless_models():
    result = sbic([-9000.0, -280.0, -279.9], 100, mixture_learning_coefficients(3))
    assert np.all(np.isfinite(result)) and result.argmin() == 1
    falling = sbic([-280.0, -9000.0], 100, mixture_learning_coefficients(2))
    assert np.all(np.isfinite(falling)) and falling.argmin() == 0


def test_learning_coefficients():
    lam = mixture_learning_coefficients(3)
    assert lam[0, 0] == 1 and lam[1, 1] == 2.5 and lam[2, 2] == 4
    assert lam[1, 0] == min(2 + 1, 4) / 2 and lam[2, 0] == min(2 + 2, 6) / 2
    assert np.isinf(lam[0, 1])
    assert mixture_learning_coefficients(2, dirichlet=5)[1, 0] == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sbic([1.0, 2.0], 10, np.ones((3, 3))), "square matrix over the models"),
        (lambda: sbic([1.0], 1, [[1.0]]), "n must be more than 1, got 1"),
        (lambda: sbic([np.nan], 10, [[1.0]]), "log_likelihood must be finite"),
        (lambda: mixture_learning_coefficients(0), "must be at least 1"),
        (lambda: point_criteria([], Mixture([1.0], [0.0], [1.0]), 2), "non-empty vector"),
        (lambda: point_criteria([1.0], Mixture([1.0], [0.0], [1.0]), 0), "parameters must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
