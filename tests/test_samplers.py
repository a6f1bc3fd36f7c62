"""Laws that every file of the samplers' folder keeps; a new one is adopted as it is."""

from dataclasses import fields, is_dataclass

import arviz_stats
import chance
import numpy as np
import pytest
from scipy.special import ndtri

from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.theory.quadrature import means_posterior

PRIOR = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
DATA = Data(ndtri((np.arange(1, 51) - 0.5) / 50), name="quantiles")
STARTS = Mixture([0.5, 0.5], [[-2, 1.5], [-1, 1], [0.1, 0.6], [-0.7, 0.5]], [1.0, 1.0])
SHORT = {"draws": 500, "tune": 300, "particles": 256, "length": 8, "temperatures": 6}


def sampler_class(name):
    module = catalog.module(name, "sampler")
    own = [value for value in vars(module).values() if isinstance(value, type)]
    own = [value for value in own if value.__module__ == module.__name__ and is_dataclass(value)]
    found = [value for value in own if hasattr(value, "sample")]
    assert len(found) == 1, f"{name} must hold one sampler"
    return found[0]


def made(name, **settings):
    kind = sampler_class(name)
    accepted = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in settings.items() if key in accepted})


@pytest.fixture(scope="module", params=catalog.names("sampler"))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def drawn(name):
    parameterization = catalog.parameterization("relative", 2, PRIOR)
    return made(name, **SHORT).sample(parameterization, DATA, STARTS, chance.seed(1))


def test_settings_cannot_be_changed_and_are_described(name):
    kind = sampler_class(name)
    assert kind.__dataclass_params__.frozen
    for field in fields(kind):
        assert field.name in kind.__doc__, f"{name} does not say what {field.name} is"


@pytest.mark.chance
def test_draws_are_those_of_the_exact_posterior(drawn):
    exact = means_posterior(DATA.y)
    gap = np.diff(drawn.mixture.mu)[..., 0]
    assert np.all(gap > 0)
    for values, nodes in (
        (gap, np.diff(exact.mu)[:, 0]), (drawn.mixture.mu[..., 0], exact.mu[:, 0]),
    ):  # fmt: skip
        ess = float(arviz_stats.ess(values, chain_axis=0, draw_axis=1))
        assert ess > 100
        error = arviz_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1)
        assert abs(values.mean() - exact.mass() @ nodes) < chance.z_for(2, ess) * error


def test_the_tree_holds_draws_passes_and_data(drawn):
    posterior = drawn.tree["posterior"]
    shape = drawn.mixture.batch_shape
    assert {"w", "mu", "sigma", "gap", "location"} <= set(posterior.data_vars)
    assert np.all(drawn.mixture.w == 0.5) and np.allclose(drawn.mixture.sigma, 1, rtol=1e-9)
    assert drawn.tree["unconstrained_posterior"]["z"].shape == (*shape, 2)
    assert np.isfinite(drawn.tree["unconstrained_posterior"]["z"].values).all()
    assert drawn.tree["log_likelihood"]["y"].shape == (*shape, DATA.n)
    assert drawn.tree["observed_data"]["y"].values.tolist() == DATA.y.tolist()
    assert drawn.passes.shape == (shape[0],) and np.all(drawn.passes > 0)
    assert np.all(drawn.warmup_passes > 0) and drawn.seconds > 0


def test_the_seed_decides_every_byte_and_the_unit_of_the_data_nothing(name):
    sampler = made(name, draws=40, tune=40, particles=32, length=4, islands=2, temperatures=4)

    def run(scale, seed):
        parameterization = catalog.parameterization("relative", 2, PRIOR.affine(0.0, scale))
        data = Data(scale * DATA.y)
        return sampler.sample(parameterization, data, STARTS.affine(0.0, scale), seed).mixture.mu

    one, again, other, half = run(1.0, 1), run(1.0, 1), run(1.0, 2), run(0.5, 1)
    assert one.tobytes() == again.tobytes()
    assert not np.array_equal(one, other)
    assert np.array_equal(0.5 * one, half)


def test_a_sampler_says_whether_it_takes_starts(name):
    sampler = made(name, draws=40, tune=40, particles=32, length=4, islands=3, temperatures=4)
    parameterization = catalog.parameterization("relative", 2, PRIOR)
    all_, two = (
        sampler.sample(parameterization, DATA, starts, 1).mixture.mu
        for starts in (STARTS, STARTS[:2])
    )
    if sampler.takes_starts:  # each begins a chain of its own
        assert len(all_) == 4 and len(two) == 2
    else:
        assert all_.tobytes() == two.tobytes()


def test_draws_do_not_depend_on_cores(name):
    if "cores" not in {field.name for field in fields(sampler_class(name))}:
        pytest.skip(f"{name} has no setting of cores")
    settings = {"draws": 40, "tune": 40, "particles": 32, "length": 4, "islands": 3}
    parameterization = catalog.parameterization("relative", 2, PRIOR)
    one, *others = (
        made(name, **settings, cores=cores).sample(parameterization, DATA, STARTS, 1).mixture
        for cores in (1, 2, 4)
    )
    for other in others:
        assert one.mu.tobytes() == other.mu.tobytes()
        assert one.sigma.tobytes() == other.sigma.tobytes()


def test_bad_data_are_refused_before_any_work(name):
    parameterization = catalog.parameterization("relative", 2, PRIOR)
    sampler = made(name)
    with pytest.raises(ValueError, match="data must be one sample, got a batch"):
        sampler.sample(parameterization, Data(np.ones((2, 5))), STARTS, 0)
    with pytest.raises(ValueError, match="is constant"):
        sampler.sample(parameterization, Data(np.ones(5)), STARTS, 0)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        sampler.sample(parameterization, DATA, STARTS, -1)
