"""Priors of every model file: mass, draws, order; matched with the reference, or native."""

import chance
import numpy as np
import pymc as pm
import pytest
from scipy.stats import ks_2samp, norm

from ordered_mix.data import Data
from ordered_mix.parameterization import catalog, laws
from ordered_mix.parameterization.batching import INTERPRETED
from ordered_mix.parameterization.laws import points_of
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior


@pytest.mark.chance
@pytest.mark.structures(2, 3, 5)
def test_prior_draws_and_their_order(found):
    for law in (laws.prior_draws, laws.order_of_draws):
        outcome = law(found, None, seed=chance.seed(5))
        assert outcome.holds, outcome


@pytest.mark.chance
@pytest.mark.structures(2)
def test_prior_mass(found):
    outcome = laws.prior_mass(found, None, seed=chance.seed(6))
    assert outcome.holds, outcome


def legendre_mass(found, boxes):
    """Integral of the prior over a box of unconstrained coordinates, (low, high, nodes) each."""
    axes, weights = [], []
    for low, high, nodes in boxes:
        x, weight = np.polynomial.legendre.leggauss(nodes)
        axes.append(low + (high - low) * (x + 1) / 2)
        weights.append(weight * (high - low) / 2)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = np.exp(found.log_prior(grid))
    for weight in reversed(weights):
        density = density @ weight
    return float(density)


WIDE = (-25.0, 25.0, 200)


MEANS_BOXES = {
    "unordered": [WIDE, WIDE],
    "ordered": [WIDE, (-40.0, 4.0, 300)],
    "centred": [(-40.0, 4.0, 300), WIDE],
    "signed": [WIDE, WIDE],
    "resolved": [(-80.0, 8.0, 300), WIDE],
    "sheared": [WIDE, WIDE],
}


GAP_BOXES = {
    "log": (-40.0, 4.0, 300),
    "softplus": (-40.0, 25.0, 300),
    "square": (0.0, 5.0, 200),
    "identity": (0.0, 25.0, 200),
}


KNOWN = Prior(location=0.3, spread=1.7, known_w=(0.5, 0.5), known_sigma=1.0)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", MEANS_BOXES)
def test_mass_of_the_means_is_one(name, native):
    prior = Prior(**{**vars(KNOWN), "native": native})
    mass = legendre_mass(catalog.parameterization(name, 2, prior), MEANS_BOXES[name])
    # PyMC's own ordered transform leaves out the K!
    assert mass == pytest.approx(0.5 if name == "ordered" and native else 1.0, abs=1e-10)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("link", GAP_BOXES)
def test_mass_of_the_gap_is_one_for_every_link(link, native):
    prior = Prior(**{**vars(KNOWN), "native": native})
    found = catalog.parameterization("relative", 2, prior, link=link)
    assert legendre_mass(found, [GAP_BOXES[link], WIDE]) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("native", [False, True])
def test_mass_of_the_moment_coordinates_is_one(native):
    # in (mean, log s, angle, angle): the parameterization's slopes are tangents of angles
    prior = Prior(location=0.3, spread=1.2, scale=0.8, known_w=(0.3, 0.7), native=native)
    found = catalog.parameterization("moment", 2, prior)
    axes = [np.polynomial.legendre.leggauss(nodes) for nodes in (24, 60, 40, 40)]
    ends = [(-10, 10), (-9, 6), (-np.pi / 2, np.pi / 2), (0, np.pi / 2)]
    x = [
        low + (high - low) * (node + 1) / 2
        for (low, high), (node, _) in zip(ends, axes, strict=True)
    ]
    weight = [w * (high - low) / 2 for (low, high), (_, w) in zip(ends, axes, strict=True)]
    slope, ratio = np.tan(x[2]), np.log(np.tan(x[3]))
    weight[2] = weight[2] / np.cos(x[2]) ** 2
    weight[3] = weight[3] / (np.sin(x[3]) * np.cos(x[3]))
    mass = 0.0
    for mean, at_mean in zip(x[0], weight[0], strict=True):
        grid = np.stack(np.meshgrid([mean], x[1], slope, ratio, indexing="ij"), axis=-1)
        mass += at_mean * (np.exp(found.log_prior(grid))[0] @ weight[3] @ weight[2] @ weight[1])
    assert mass == pytest.approx(1.0, abs=2e-4)


def clearances(found):
    """Clearances of the gaps and the weights, 0 where there are none."""
    return {"mu": 0.0, "sigma": 0.0, "w": 0.0, **found.domain.clearances}


@pytest.mark.chance
@pytest.mark.structures(2, native=True)
def test_native_draws_follow_the_native_density(found):
    if found.name == "ordered":
        pytest.skip("PyMC's own prior has neither the K! nor ordered draws, tested by itself")
    if any(clearances(found).values()):
        pytest.skip("the same prior as without clearance, moved")
    z = found.unconstrain(found.draw_prior(20_000, seed=chance.seed(7)))
    low, center, high = np.quantile(z, [0.25, 0.5, 0.75], axis=0)
    ratio = np.exp(norm.logpdf(z, center, 0.4 * (high - low)).sum(axis=-1) - found.log_prior(z))
    # the mean of q(z) / p(z) over draws of p is the mass of q
    assert chance.mean_of(ratio, 1.0)
    assert ratio.std() / np.sqrt(ratio.size) < 0.05


@pytest.mark.chance
def test_native_ordered_draws_are_not_ordered(build):
    drawn = build("ordered", 2, native=True).draw_prior(1000, seed=chance.seed(8))
    assert chance.proportion(np.sum(drawn.mu[:, 0] > drawn.mu[:, 1]), 1000, 0.5)


def test_draws_above_a_clearance_carry_the_unshifted_prior(build):
    options = {"clearance": 0.4, "weight_clearance": 0.1, "reference": 2}
    drawn = build("relative", 3, **options).draw_prior(4000, seed=9)
    assert np.all(np.diff(drawn.mu) >= 0.4) and np.all(drawn.w >= 0.1)
    moved = drawn.mu - 0.4 * (np.arange(3) - 1)
    wanted = build("relative", 3, reference=2).draw_prior(4000, seed=9)
    np.testing.assert_allclose(moved, wanted.mu, atol=1e-12)
    np.testing.assert_allclose((drawn.w - 0.1) / 0.7, wanted.w, atol=1e-12)


@pytest.mark.chance
@pytest.mark.structures(2)
def test_many_draws_at_once_are_those_of_pymc(found):
    with found.model(Data(np.zeros(1))) as model:
        one_by_one = pm.draw(
            [model["mu"], model["sigma"], model["w"]],
            1000,
            random_seed=chance.seed(1),
            mode=INTERPRETED,
        )
    at_once = found.draw_prior(20_000, seed=chance.seed(2))
    together = (at_once.mu, at_once.sigma, at_once.w)
    p_values = [
        ks_2samp(few[:, j], many[:, j]).pvalue
        for few, many in zip(one_by_one, together, strict=True)
        for j in range(2)
    ]
    assert min(p_values) > chance.alpha(6)


@pytest.mark.chance
@pytest.mark.parametrize("kind", [list, np.array])
def test_known_values_may_be_a_list_or_an_array(kind):
    given = {"known_w": (0.3, 0.7), "known_mu": (-1.0, 2.0), "known_sigma": (0.5, 1.5)}
    other = Prior(**{name: kind(values) for name, values in given.items()})
    assert other == Prior(**given) and other.known == {"w": (0.3, 0.7), "mu": (-1.0, 2.0),
                                                       "sigma": (0.5, 1.5)}  # fmt: skip
    assert Prior(known_sigma=np.array(1.5)) == Prior(known_sigma=1.5)
    with pytest.raises(ValueError, match="known_mu must be a number for each component, got shape"):
        Prior(known_mu=kind([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"known_w": (0.3, 0.6)}, "known_w must be positive and add up to 1"),
        ({"known_w": (np.nan, 0.5)}, "known_w must be positive and add up to 1"),
        ({"known_mu": (0.0, np.inf)}, "known_mu must be finite"),
        ({"known_sigma": (1.0, np.nan)}, "known_sigma must be positive and finite"),
        ({"known_sigma": (np.inf, 1.0)}, "known_sigma must be positive and finite"),
    ],
)
def test_bad_known_values_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Prior(**given)


@pytest.mark.parametrize("known", [{"known_w": (0.3, 0.7)}, {"known_sigma": 1.5}])
@pytest.mark.parametrize("name", ["unordered", "signed", "moment", "ordered"])
def test_laws_hold_with_known_weights_or_scales(name, known, numbers):
    try:
        found = catalog.parameterization(name, 2, Prior(**numbers, **known))
    except NotApplicable as reason:
        assert "known" in str(reason)
        return
    z = points_of(found, 10, seed=chance.seed(3))
    assert found.labellings == (1 if name == "ordered" else 2)
    for law in (laws.round_trip, laws.log_determinant, laws.matched_prior, laws.prior_draws):
        outcome = law(found, z, chance.seed(4))
        assert outcome.holds, outcome
