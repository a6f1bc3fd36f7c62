"""Estimators in several dimensions: one contract, one dimension as a case, maxima that agree."""

import chance
import numpy as np
import pytest
from scipy import stats

from ordered_mix.data import Data
from ordered_mix.estimators.gradient import GradientAscent, largest_curvature
from ordered_mix.estimators.loop.coordinates_multivariate import PointCoordinates
from ordered_mix.estimators.loop.fit import ADVICE
from ordered_mix.estimators.loop.problem import problem_of
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.estimators.loop.whitening import labelled_information
from ordered_mix.estimators.map import MAP
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, axis_of
from ordered_mix.optima.importance import importance
from ordered_mix.optima.laplace import laplace
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs

COVARIANCES = ("full", "diagonal", "spherical", "tied")
LABELS = ("unordered", "ordered", "relative", "centred", "signed")
SEVERAL = catalog.names("estimator")
AXIS = (1.0, 2.0)
TRUTH = Mixture(
    [0.4, 0.6],
    [[-1.5, 0.0], [1.5, 2.0]],
    covariance=[[[0.6, 0.2], [0.2, 0.5]], [[1.0, -0.3], [-0.3, 0.8]]],
)
DATA = Data.of_points(TRUTH.sample(120, np.random.default_rng(3)))
STARTS = Mixture(
    [0.5, 0.5], [[[-2.0, 0.0], [1.0, 1.0]], [[0.0, 3.0], [-1.0, -1.0]]], covariance=np.eye(2)
)
STOP = Stop(log_likelihood=1e-11, gradient=1e-7, passes=4000)


def prior_of(covariance="full", d=2, spread=(3.0, 2.5)):
    scale = [0.8] * d if covariance == "spherical" else [0.8, 0.7][:d]
    return MultivariatePrior([0.2, 0.5][:d], spread[:d], scale, covariance=covariance)


def model(label="relative", covariance="full", k=2):
    return catalog.parameterization(label, k, prior_of(covariance), axis=AXIS)


def best(covariance):
    """The maximum of the likelihood by EM, as the reference of all others."""
    stop = Stop(log_likelihood=0.0, gradient=1e-9, passes=5000)
    fit = catalog.estimator("em", stop=stop).fit(model("unordered", covariance), DATA, STARTS[0])
    assert fit.rule == "gradient"
    return fit


@pytest.mark.parametrize("name", SEVERAL)
def test_the_contract_is_that_of_one_dimension(name):
    estimator = catalog.estimator(name, stop=STOP)
    y = np.stack([DATA.y, TRUTH.sample(120, np.random.default_rng(4))])
    fit = estimator.fit(model(), Data.of_points(y[:, None]), STARTS)
    assert fit.status.shape == fit.passes.shape == fit.mixture.batch_shape == (2, 2)
    assert set(np.unique(fit.status)) <= set(ADVICE) and fit.converged.all()
    single = estimator.fit(model(), Data.of_points(y[1]), STARTS[1])
    assert single.status.shape == ()
    np.testing.assert_allclose(single.mixture.mu, fit.mixture.mu[1, 1], atol=1e-5)
    direct = single.mixture.log_density(y[1]).sum()
    np.testing.assert_allclose(single.log_likelihood, direct, rtol=1e-9)
    trace = fit.trace
    assert np.all(np.diff(trace.objective, axis=0) >= -1e-9 * np.abs(trace.objective[1:]))
    assert np.all(np.diff(trace.passes, axis=0) >= 0)
    assert {"mu[1,0]", "covariance[1,0,1]"} <= set(single.table())
    tight = catalog.estimator(name, stop=Stop(log_likelihood=0.0, passes=3))
    assert tight.fit(model(), DATA, STARTS[1]).status == "budget_exhausted"


@pytest.mark.parametrize("name", SEVERAL)
def test_another_unit_of_each_column_moves_the_fit_with_them(name):
    location, scale = np.array([-40.0, 3.0]), np.array([250.0, 0.02])
    here = catalog.estimator(name, stop=STOP).fit(model(), DATA, STARTS)
    there = catalog.estimator(name, stop=STOP).fit(
        model().affine(location, scale),
        DATA.affine(location, scale),
        STARTS.affine(location, scale),
    )
    back = there.mixture.affine(-location / scale, 1 / scale)
    np.testing.assert_allclose(back.mu, here.mixture.mu, atol=1e-4)
    np.testing.assert_allclose(back.covariance, here.mixture.covariance, atol=1e-4)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_maximum_of_em_is_stationary_in_all_coordinates(label, covariance):
    top, one = best(covariance), model(label, covariance)
    for kind in ("free", "unconstrained"):
        system = PointCoordinates(one, problem_of(one, DATA, top.mixture), kind)
        point = system.evaluate(np.arange(1), system.start())
        assert np.abs(point.gradient * system.units(np.arange(1))).max() < 1e-7
    x = one.coordinates(top.mixture)
    np.testing.assert_allclose(one.unconstrain_free(x), one.unconstrain(top.mixture), atol=1e-10)
    np.testing.assert_allclose(one.free(one.unconstrain(top.mixture)), x, atol=1e-10)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_gradient_in_free_coordinates_is_that_of_differences(covariance):
    one, step = model("relative", covariance), 1e-6
    system = PointCoordinates(one, problem_of(one, DATA, STARTS[0]), "free")
    x, run = system.start(), np.arange(1)
    slope = system.evaluate(run, x).gradient[0]
    for at, e in enumerate(np.eye(x.size)):
        ends = [system.evaluate(run, x + sign * step * e).log_likelihood[0] for sign in (1, -1)]
        difference = (ends[0] - ends[1]) / (2 * step * DATA.n)
        np.testing.assert_allclose(slope[at], difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("step", ["line_search", "largest_stable"])
def test_ascents_end_at_the_maximum_of_em(step):
    top = best("full")
    stop = Stop(log_likelihood=0.0, gradient=1e-6, passes=5000)
    fit = GradientAscent(step=step, stop=stop).fit(model(), DATA, STARTS[0])
    assert fit.rule == "gradient"
    np.testing.assert_allclose(fit.mixture.mu, top.mixture.sorted(AXIS).mu, atol=1e-4)
    assert largest_curvature(model(), DATA, top.mixture) > 0


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("jacobian", [True, False])
def test_gradient_of_the_map_is_that_of_differences(label, jacobian):
    for covariance in COVARIANCES:
        one, step = model(label, covariance), 1e-6
        z = np.random.default_rng(1).normal(0.0, 0.5, one.dimension)
        slope = one.log_posterior(z, DATA, jacobian)[1]
        moved = z + step * np.concatenate([np.eye(z.size), -np.eye(z.size)])
        ahead, behind = np.split(one.log_posterior(moved, DATA, jacobian)[0], 2)
        np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("jacobian", [True, False])
def test_the_jacobian_is_that_of_the_free_coordinates(jacobian):
    """The density of x times |dx / dz| is that of z, with |dx / dz| from differences."""
    one, step = model("relative", "full"), 1e-6
    z = np.random.default_rng(2).normal(0.0, 0.5, one.dimension)
    moved = step * np.eye(z.size)
    volume = np.linalg.slogdet((one.free(z + moved) - one.free(z - moved)) / (2 * step))[1]
    difference = one.log_prior(z)[0] - one.log_prior(z, jacobian=False)[0]
    np.testing.assert_allclose(difference, volume, atol=1e-6)
    assert one.log_prior(z, jacobian)[1].shape == z.shape


def one_dimension(label):
    """A model in one dimension and the same as one of several, with data and starts."""
    y = TRUTH.sample(100, np.random.default_rng(5))[:, 0]
    start = Mixture([0.3, 0.7], [-1.0, 1.2], [0.7, 1.1])
    own = catalog.parameterization(label, 2, Prior(0.2, 3.0, 0.8))
    other = catalog.parameterization(label, 2, prior_of(d=1))
    there = Mixture(start.w, start.mu[:, None], covariance=start.sigma[:, None, None] ** 2)
    return (own, Data(y), start), (other, Data.of_points(y[:, None]), there)


@pytest.mark.parametrize("label", ["unordered", "relative", "centred", "signed"])
@pytest.mark.parametrize(
    "name", ["em", "ecm", "gradient", "gradient(coordinates=unconstrained)", "map",
             "map(jacobian=False)", "natural"],
)  # fmt: skip
def test_one_dimension_is_the_estimator_of_one_dimension(name, label):
    estimator = catalog.estimator(name, stop=Stop(log_likelihood=0.0, gradient=1e-9, passes=400))
    one, other = (estimator.fit(*case) for case in one_dimension(label))
    np.testing.assert_allclose(other.mixture.mu[:, 0], one.mixture.mu, atol=1e-6)
    np.testing.assert_allclose(other.mixture.covariance[:, 0, 0], one.mixture.sigma**2, atol=1e-6)
    np.testing.assert_allclose(other.objective, one.objective, atol=1e-8)
    np.testing.assert_allclose(other.log_likelihood, one.log_likelihood, atol=1e-6)


def test_laplace_in_one_dimension_is_that_of_one_dimension():
    found = []
    for one, data, start in one_dimension("relative"):
        found.append(laplace(one, data, MAP().fit(one, data, start).mixture))
    np.testing.assert_allclose(found[1].log_evidence, found[0].log_evidence, atol=1e-5)


def test_the_information_of_labelled_points_is_that_of_a_normal_sample():
    """Of log L_ii 2 n, of L_ij n / L_ii^2, and 1 for the prior (a correlation of 0)."""
    prior = MultivariatePrior([0.0, 0.0], [1.0, 1.0], [1.0, 1.0])
    one = catalog.parameterization("unordered", 1, prior)
    z = one.unconstrain(Mixture([1.0], [[0.3, -0.2]], covariance=np.diag([0.25, 4.0])))
    found = labelled_information(one, DATA, z)
    n = DATA.n
    exact = np.diag([n / 0.25, n / 4.0, 2 * n, 2 * n, n / 4.0]) + np.eye(5)
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("name", ["unordered", "relative", "signed"])
def test_modes_turn_with_data_and_axis_under_an_isotropic_prior(name):
    """Of spherical covariances: coordinates of Cholesky factors do not turn."""
    rotation = stats.special_ortho_group(3).rvs(random_state=2)
    rng, axis = np.random.default_rng(6), np.array([0.5, 1.0, -1.0])
    y = rng.normal(size=(60, 3)) + np.outer(rng.integers(0, 2, 60), [2.5, 1.0, -1.5])
    prior = MultivariatePrior([0.0] * 3, [2.0] * 3, [0.6] * 3, covariance="spherical")
    start = Mixture([0.5, 0.5], [[0.0, 0.0, 0.0], [2.5, 1.0, -1.5]], covariance=np.eye(3))
    turned = Mixture(start.w, start.mu @ rotation.T, covariance=np.eye(3))
    # one scale for all columns, or standardised units would turn, too
    y /= y.std()
    fits = [
        MAP().fit(catalog.parameterization(name, 2, prior, axis=at), Data.of_points(points), own)
        for at, points, own in ((axis, y, start), (rotation @ axis, y @ rotation.T, turned))
    ]
    assert all(fit.converged for fit in fits)
    np.testing.assert_allclose(fits[1].mixture.mu, fits[0].mixture.mu @ rotation.T, atol=1e-4)
    np.testing.assert_allclose(fits[1].mixture.w, fits[0].mixture.w, atol=1e-5)


@pytest.mark.parametrize(("label", "covariance"), [("unordered", "full"), ("relative", "diagonal")])
@pytest.mark.chance
def test_weighted_draws_of_laplace_have_the_moments_of_gibbs(label, covariance):
    """Components far apart, where the posterior is close to normal in all coordinates."""
    far = Mixture(TRUTH.w, 3 * TRUTH.mu, covariance=TRUTH.covariance)
    data = Data.of_points(far.sample(300, np.random.default_rng(7)))
    prior = MultivariatePrior([0.0, 3.0], [6.0, 6.0], [0.8, 0.7], covariance=covariance)
    one = catalog.parameterization(label, 2, prior, axis=AXIS)
    mode = MAP().fit(one, data, far)
    assert mode.converged
    given = importance(laplace(one, data, mode.mixture), data, 4000, chance.seed(1))
    assert given.pareto_k < 0.7 and given.ess > 500
    begin = Mixture(np.tile(far.w, (4, 1)), far.mu, covariance=far.covariance)
    chains = Gibbs(draws=1000, tune=200).sample(one, data, begin, chance.seed(2)).mixture
    for quantity in (
        lambda mixture: mixture.mu[..., 0, 0],
        lambda mixture: mixture.mu[..., 1, 1],
        lambda mixture: mixture.w[..., 0],
        lambda mixture: np.log(mixture.covariance[..., 0, 1, 1]),
    ):
        value, drawn = quantity(given.mixture), quantity(chains)
        mean = given.weight @ value
        error = np.sqrt(np.sum(given.weight**2 * (value - mean) ** 2))
        # Gibbs draws of components far apart are nearly independent; half of them is safe
        own = drawn.std() / np.sqrt(drawn.size / 2)
        assert abs(mean - drawn.mean()) < chance.z_for(4, 500) * np.hypot(error, own)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("data", "starts", "message"),
    [
        (
            DATA,
            Mixture([1.0], [[0.0, 0.0]], covariance=np.eye(2)),
            "starts must have 2 components",
        ),
        (
            DATA,
            Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0]),
            "starts must have the 2 dimensions of the prior, got 1",
        ),
        (Data(DATA.y[:, 0]), STARTS, "data must be points for a prior in 2 dimensions"),
        (
            Data.of_points(DATA.y[:, [0, 1, 0]] + np.eye(3)[2]),
            STARTS,
            "data must have the 2 dimensions of the prior, got 3",
        ),
        (
            Data.of_points(DATA.y[:2]),
            STARTS,
            "must have more points than its 2 columns, it has 2",
        ),
        (Data.of_points(DATA.y[:, [0, 0]]), STARTS, "must not be collinear, x1 and x2 of its"),
        (
            Data.of_points(np.stack([DATA.y] * 3)),
            STARTS,
            "starts must have a batch shape that broadcasts",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(name, data, starts, message):
    with pytest.raises(ValueError, match=message) as caught:
        catalog.estimator(name).fit(model(), data, starts)
    assert "\n" not in str(caught.value)


def test_what_needs_one_dimension_says_so():
    with pytest.raises(NotApplicable, match="EM cannot keep the clearance of mu"):
        catalog.estimator("em").fit(model("relative(clearance=0.1)"), DATA, STARTS)
    for field in ("scales=tied", "posterior=True", "temperature=2.0", "assignment=hard"):
        with pytest.raises(ValueError, match=f"{field.partition('=')[0]} must be left out in sev"):
            catalog.estimator(f"em({field})").fit(model(), DATA, STARTS)


def test_axes_have_names():
    rng = np.random.default_rng(8)
    y = rng.normal(size=(500, 2)) @ [[1.0, 0.8], [0.0, 0.6]] * [100.0, 1.0]
    data = Data.of_points(y, columns=("p", "q"))
    np.testing.assert_array_equal(axis_of("q", data), [0.0, 1.0])
    np.testing.assert_array_equal(axis_of(1, data), [0.0, 1.0])
    np.testing.assert_allclose(axis_of((3.0, 4.0), data), [0.6, 0.8])
    standardised = axis_of("principal", data) * data.scale
    np.testing.assert_allclose(standardised[0], standardised[1])  # of two equal scales
    apart = Mixture([0.5, 0.5], [[0.0, 0.0], [2.0, 0.0]], covariance=[[1.0, 0.9], [0.9, 1.0]])
    fisher = np.linalg.solve(apart.covariance[0], [2.0, 0.0])
    np.testing.assert_allclose(
        axis_of("discriminant", data, apart), fisher / np.linalg.norm(fisher)
    )
    named = Data.of_points(y, columns=("principal", "q"))
    np.testing.assert_array_equal(axis_of("principal", named), [1.0, 0.0])


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("r", r"axis must be one of x1, x2, principal, discriminant, a coordinate .*, got 'r'"),
        (2, "axis must be a coordinate from 0 to 1 or a direction of 2 numbers .*, got 2"),
        (-1, "axis must be a coordinate from 0 to 1"),
        ((0.0, 0.0), r"that are not all 0, got \(0.0, 0.0\)"),
        ((1.0, 2.0, 3.0), "a direction of 2 numbers"),
        ((1.0, np.nan), "a direction of 2 numbers"),
        ("discriminant", "axis 'discriminant' needs a fit with at least two components"),
    ],
)
def test_bad_axes_are_refused_in_one_sentence(axis, message):
    with pytest.raises(ValueError, match=message):
        axis_of(axis, DATA)


def test_a_model_refuses_a_name_and_says_who_knows_it():
    with pytest.raises(ValueError, match="got 'principal', whose name axis_of finds in data"):
        catalog.parameterization("relative(axis=principal)", 2, prior_of())
