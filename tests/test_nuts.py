"""NUTS: starts, seeds, costs, swapped data, and posteriors against independent references."""

import json
import time
from pathlib import Path

import chance
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from ordered_mix.data import Data, load, simulate
from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.draws import assemble
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable
from ordered_mix.prior import Prior
from ordered_mix.samplers import nuts
from ordered_mix.samplers.moves.density import compiled_models
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.theory.calibration import largest_difference, reach, scores, uniformity

REFERENCE = json.loads((Path(__file__).parent / "reference/low_dim_gauss_mix.json").read_text())
LOW_DIM_PRIOR = Prior(spread=2.0, scale=2.0, concentration=5.0, scale_family="half_normal")
STARTS = Mixture(
    np.full((4, 2), 0.5), [[-4, 4], [3, -3], [-1, 2], [1.5, -0.5]], np.full((4, 2), 1.5)
)


@pytest.fixture(scope="module")
def low_dim():
    return load("low_dim_gauss_mix")


@pytest.mark.chance
@pytest.mark.parametrize("name", catalog.names())
def test_low_dim_gauss_mix_posterior_means(name, low_dim):
    parameterization = catalog.parameterization(name, 2, LOW_DIM_PRIOR)
    sampler = NUTS(draws=1000, tune=1000)
    drawn = sampler.sample(parameterization, low_dim, STARTS, chance.seed(11))
    ascending = drawn.mixture.sorted()
    measured = {
        "mu1": ascending.mu[..., 0], "mu2": ascending.mu[..., 1], "w1": ascending.w[..., 0],
        "sigma1": ascending.sigma[..., 0], "sigma2": ascending.sigma[..., 1],
    }  # fmt: skip
    # of the 10,000 reference draws, posteriordb promises that they are nearly independent
    errors = {key: 1.1 * value / 100 for key, value in REFERENCE["sd"].items()}
    chance.check_means(measured, REFERENCE["mean"], 5, error=errors)


@pytest.mark.chance
def test_unordered_chains_switch_and_sorting_repairs_them(low_dim):
    parameterization = catalog.parameterization("unordered", 2, LOW_DIM_PRIOR)
    draws = NUTS().sample(parameterization, low_dim, STARTS, chance.seed(5))
    # two of the starts have the other order, a hundred standard deviations away
    assert convergence({"mu": draws.mixture.mu})["rhat"].min() > 1.5
    ascending = draws.mixture.sorted()
    chance.table_of({"w1": ascending.w[..., 0], "mu": ascending.mu, "sigma": ascending.sigma}, 5)


@pytest.mark.chance
def test_known_scale_single_component_is_the_conjugate_normal():
    data = simulate(Mixture([1.0], [3.0], [2.0]), 40, seed=chance.seed(3))
    prior = Prior(location=1.0, spread=0.5, known_sigma=2.0)
    parameterization = catalog.parameterization("unordered", 1, prior)
    starts = Mixture(np.ones((4, 1)), [[0.0], [1.0], [3.0], [6.0]], np.full((4, 1), 2.0))
    sampler = NUTS(draws=2000, tune=500)
    mu = sampler.sample(parameterization, data, starts, chance.seed(2)).mixture.mu[..., 0]
    precision = 1 / 0.5**2 + data.n / 4
    mean = (1 / 0.5**2 + data.y.sum() / 4) / precision
    measured = {"mean": mu, "variance": (mu - mean) ** 2}
    chance.check_means(measured, {"mean": mean, "variance": 1 / precision}, 2, enough=500)


@pytest.mark.parametrize("sampler", nuts.SAMPLERS)
def test_each_chain_begins_at_its_own_start(sampler, low_dim):
    parameterization = catalog.parameterization("unordered", 2, LOW_DIM_PRIOR)
    begin = time.perf_counter()
    draws = NUTS(draws=10, tune=10, sampler=sampler).sample(parameterization, low_dim, STARTS, 4)
    assert 0 < draws.seconds < time.perf_counter() - begin
    first = draws.tree["warmup_posterior"]["mu"].to_numpy()[:, 0]
    distance = np.linalg.norm(first[:, None] - STARTS.mu[None], axis=-1)
    assert np.array_equal(distance.argmin(axis=1), np.arange(4))


@pytest.mark.chance
def test_samplers_agree(low_dim):
    parameterization = catalog.parameterization("relative", 2, LOW_DIM_PRIOR)
    tables, means = [], []
    for sampler in nuts.SAMPLERS:
        settings = NUTS(draws=500, tune=500, sampler=sampler)
        drawn = settings.sample(parameterization, low_dim, STARTS, chance.seed(8))
        ascending = drawn.mixture.sorted()
        parts = {"w1": ascending.w[..., 0], "mu": ascending.mu, "sigma": ascending.sigma}
        tables.append(chance.table_of(parts, 3 * 5))
        means.append(np.hstack([part.mean((0, 1)) for part in parts.values()]))
    error = np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    ess = min(table["ess_bulk"].min() for table in tables)
    assert np.all(np.abs(means[0] - means[1]) < chance.z_for(3 * 5, ess) * error)


def test_draws_do_not_depend_on_cores_and_data_are_swapped(low_dim):
    parameterization = catalog.parameterization("ordered", 2, LOW_DIM_PRIOR)
    sampler = NUTS(draws=60, tune=60)
    one = sampler.sample(parameterization, low_dim, STARTS, 6)
    shorter = Data(low_dim.y[:100], name="shorter")
    gamma_scales = catalog.parameterization("ordered", 2, Prior())
    sampler.sample(gamma_scales, low_dim, STARTS, 6)
    compiled = compiled_models()
    two = NUTS(draws=60, tune=60, cores=2).sample(parameterization, low_dim, STARTS, 6)
    assert np.array_equal(one.mixture.mu, two.mixture.mu)
    other = sampler.sample(gamma_scales, shorter, STARTS, 6)
    again = sampler.sample(parameterization, low_dim, STARTS, 6)
    assert compiled_models() == compiled
    assert np.array_equal(one.mixture.mu, again.mixture.mu)
    assert other.tree["observed_data"]["y"].size == 100


def test_weighted_data_are_repeated_data():
    points, counts = np.array([-2.0, -1.0, 1.5, 2.0, 2.5]), np.array([3.0, 1.0, 2.0, 4.0, 1.0])
    parameterization = catalog.parameterization("unordered", 2, LOW_DIM_PRIOR)
    weighted = Data(points, counts)
    repeated = Data(np.repeat(points, counts.astype(int)))
    sampler = NUTS(draws=20, tune=20)
    a, b = (sampler.sample(parameterization, data, STARTS, 1) for data in (weighted, repeated))
    first = [draws.tree["warmup_posterior"]["mu"].to_numpy()[:, :3] for draws in (a, b)]
    assert np.allclose(*first, rtol=1e-8)


def test_tree_holds_what_arviz_asks_for(low_dim):
    parameterization = catalog.parameterization("unordered", 2, LOW_DIM_PRIOR)
    draws = NUTS(draws=30, tune=20).sample(parameterization, low_dim, STARTS, 9)
    names = {"tree_depth", "reached_max_treedepth", "n_steps", "diverging", "energy", "lp"}
    assert names <= set(draws.statistics)
    assert draws.passes.tolist() == draws.statistics["n_steps"].sum("draw").values.tolist()
    assert draws.tree["log_likelihood"]["y"].shape == (4, 30, 1000)
    expected = draws.mixture[2, 7].log_density(low_dim.y)
    assert np.allclose(draws.tree["log_likelihood"]["y"].values[2, 7], expected, rtol=1e-12)


def test_a_weight_that_rounds_to_one_in_warm_up_spoils_nothing(low_dim):
    parameterization = catalog.parameterization("unordered", 2)
    w = np.full((2, 3, 2), 0.5)
    w[0, 0] = 1.0, 1e-30
    steps = xr.Dataset({"n_steps": (("chain", "draw"), np.ones((2, 3), dtype=int))})
    groups = {}
    for prefix, weight in (("", np.full((2, 3, 2), 0.5)), ("warmup_", w)):
        values = {"w": weight, "mu": np.ones_like(w), "sigma": np.ones_like(w)}
        drawn = {name: (("chain", "draw", "component"), value) for name, value in values.items()}
        groups |= {f"{prefix}posterior": xr.Dataset(drawn), f"{prefix}sample_stats": steps}
    raw = xr.DataTree.from_dict(groups)
    draws = assemble(raw, 1.0, parameterization, parameterization, low_dim)
    finite = np.isfinite(draws.tree["warmup_unconstrained_posterior"]["z"].to_numpy())
    assert finite.sum() == finite.size - 1
    assert np.isfinite(draws.tree["unconstrained_posterior"]["z"].to_numpy()).all()


@pytest.mark.chance
def test_zero_inverse_temperature_draws_the_prior(low_dim):
    prior = Prior(location=1.0, spread=2.0, scale=1.5, concentration=3.0)
    parameterization = catalog.parameterization("unordered", 2, prior)
    sampler = NUTS(draws=1500, tune=500, inverse_temperature=0.0)
    draws = sampler.sample(parameterization, low_dim, STARTS, chance.seed(3))
    assert np.all(draws.tree.attrs["start_moved"] > 0)  # equal weights are the prior's mode
    mu, below = draws.mixture.mu, draws.mixture.sigma**2 < 1.5**2
    measured = {"mu": mu, "scale": below[..., 0].astype(float), "w": draws.mixture.w[..., 0]}
    exact = stats.invgamma(2, scale=1.5**2).cdf(1.5**2)
    chance.check_means(measured, {"mu": 1.0, "scale": exact, "w": 0.5}, 4)


def test_identity_link_is_refused(low_dim):
    parameterization = catalog.parameterization("relative", 2, LOW_DIM_PRIOR, link="identity")
    with pytest.raises(NotApplicable, match="projection"):
        NUTS().sample(parameterization, low_dim, STARTS, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 1}, "draws must be at least 4, got 1"),
        ({"sampler": "stan"}, "sampler must be one of nutpie, pymc, got 'stan'"),
        ({"adaptation": "full"}, "adaptation must be one of diagonal, low_rank, dense, got 'full'"),
        ({"target_accept": 1.0}, "target_accept must lie between 0 and 1"),
        ({"target_accept": 0.0}, "target_accept must lie between 0 and 1"),
        ({"inverse_temperature": -1.0}, "inverse_temperature must be at least 0"),
        ({"sampler": "pymc", "adaptation": "low_rank"}, "is diagonal, got 'low_rank'"),
        ({"sampler": "pymc", "adaptation": "dense"}, "is diagonal, got 'dense'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        NUTS(**settings)


def test_bad_data_and_starts(low_dim):
    parameterization = catalog.parameterization("unordered", 2, LOW_DIM_PRIOR)
    with pytest.raises(ValueError, match="data must be one sample"):
        NUTS().sample(parameterization, Data(np.ones((2, 5))), STARTS, 0)
    with pytest.raises(ValueError, match="one mixture for each chain"):
        NUTS().sample(parameterization, low_dim, STARTS[0], 0)


# --- simulation-based calibration, on the models compiled above -----------------------------------

study = catalog.module("calibration", "study")
CALIBRATED = (*catalog.names(), "moment(gap=pooled)")
SIMULATIONS = 20
N = 30
WRONG = '''"""Means by midpoint and gap, the Jacobian of its log counted three times."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from ordered_mix import prior as declare


def block(k, prior):
    w, sigma = declare.weights(k, prior), declare.scales(k, prior)
    gap = declare.mean_gaps(k, prior)
    pm.Potential("twice_more", 2 * pt.log(gap).sum())
    return w, declare.anchored_means(k, prior, gap, np.full(k, 1 / k)), sigma


def coordinates(mixture):
    ascending = mixture.sorted()
    gap = np.diff(ascending.mu, axis=-1)
    location = ascending.mu.mean(axis=-1)
    return {"w": ascending.w, "sigma": ascending.sigma, "gap": gap, "location": location}
'''


def p_values(parameterization, count, n, seed):
    """Of the ranks of each quantity, and the ranks."""
    seed = chance.seed(seed)
    truths = parameterization.draw_prior(count, seed)
    rows = [
        study.ranked(parameterization, truths[i], n, "nutpie", 1000 * seed + i)
        for i in range(count)
    ]
    ranks = {name: np.array([row[f"rank_{name}"] for row in rows]) for name in study.QUANTITIES}
    # a chain may be stuck, its rank counts as it is
    assert np.mean([row["ess"] >= 2 * study.RANKS for row in rows]) >= 0.8
    rng = np.random.default_rng(seed)
    values = {name: uniformity(scores(r, study.RANKS, rng)) for name, r in ranks.items()}
    return values, ranks


@pytest.fixture(scope="module")
def together():
    return {}


@pytest.mark.chance
@pytest.mark.parametrize("name", CALIBRATED)
def test_every_parameterization_is_calibrated(name, together):
    parameterization = catalog.parameterization(name, 2, LOW_DIM_PRIOR)
    values, together[name] = p_values(
        parameterization, SIMULATIONS, N, seed=1 + CALIBRATED.index(name)
    )
    assert min(values.values()) > chance.alpha(len(study.QUANTITIES)), values


@pytest.mark.chance
def test_all_of_them_together_are_calibrated(together):
    if len(together) < len(CALIBRATED):
        pytest.skip("needs the ranks of every parameterization")
    size = SIMULATIONS * len(together)
    for name in study.QUANTITIES:
        ranks = np.concatenate([ranks[name] for ranks in together.values()])
        limit = reach(size, chance.alpha(len(study.QUANTITIES)))
        assert largest_difference(ranks, study.RANKS) < limit


@pytest.mark.chance
def test_a_wrong_jacobian_is_found(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    values, _ = p_values(catalog.parameterization(str(path), 2, LOW_DIM_PRIOR), 300, 4, seed=3)
    assert min(values.values()) < chance.alpha(len(study.QUANTITIES))
