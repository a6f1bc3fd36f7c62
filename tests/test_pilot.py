"""The pilot: what it chooses, what it records, and that either choice draws from the posterior."""

from dataclasses import replace

import chance
import numpy as np
import pandas as pd
import pytest

from ordered_mix.data import Data, simulate
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.pilot import SWEEPS, Pilot, pilot_ess
from ordered_mix.theory.calibration import scores, uniformity


def case(separation, n=60, coordinates="ordered"):
    data = simulate(Mixture([0.5, 0.5], [0.0, separation], [1.0, 1.0]), n, 3)
    starts = initial_mixtures(data, 2, 4, "random", 4)
    return catalog.parameterization(coordinates, 2, default_prior(data)), data, starts


def test_apart_it_is_gibbs_sampling_with_more_sweeps():
    given = case(9.0)
    found = Pilot(draws=100, tune=50, sweeps=4).sample(*given, 1)
    assert found.tree.attrs["chosen"] == "Gibbs" and found.tree.attrs["pilot_ess"] > 0.4
    assert found.mixture.batch_shape == (4, 400)
    assert found.passes.tolist() == [400] * 4
    assert found.warmup_passes.tolist() == [SWEEPS + 50] * 4
    assert np.all(np.diff(found.mixture.mu) > 0)  # the coordinates sort


@pytest.mark.parametrize("coordinates", ["ordered", "unordered"])
def test_in_the_overlap_it_is_nuts_recorded_in_the_coordinates_asked_for(coordinates):
    given = case(0.5, coordinates=coordinates)
    found = Pilot(draws=60, tune=60).sample(*given, 1)
    assert found.tree.attrs["chosen"] == "NUTS in moment(gap=pooled), dense"
    assert found.mixture.batch_shape == (4, 60)
    assert found.tree["warmup_posterior"]["mu"].shape == (4, SWEEPS + 60, 2)
    z = found.tree["unconstrained_posterior"]["z"].to_numpy()
    location, scale = float(given[1].location), float(given[1].scale)
    standard = given[0].affine(-location / scale, 1 / scale)
    back = standard.forward(z).affine(location, scale)
    assert np.allclose(back.mu, found.mixture.mu) and np.allclose(back.w, found.mixture.w)
    ordered = np.all(np.diff(found.mixture.mu) > 0)
    assert ordered == (coordinates == "ordered")


def test_known_scales_have_no_pooled_gaps():
    model, data, starts = case(0.5)
    model = replace(model, prior=replace(model.prior, known_sigma=1.0))
    found = Pilot(draws=40, tune=40).sample(model, data, starts, 1)
    assert found.tree.attrs["chosen"] == "NUTS in signed, dense"
    assert np.allclose(found.mixture.sigma, 1)


@pytest.mark.parametrize(("separation", "chosen"), [(9.0, "Gibbs"), (1.0, "NUTS in signed, dense")])
def test_points_in_the_plane(separation, chosen):
    mu = np.array([[0.0, 0.0], [separation, 0.0]])
    truth = Mixture([0.5, 0.5], mu, covariance=np.eye(2))
    data = Data.of_points(truth.sample(80, np.random.default_rng(1)))
    starts = Mixture(truth.w, mu + np.arange(4)[:, None, None] / 10, covariance=truth.covariance)
    model = catalog.parameterization("ordered", 2, default_multivariate_prior(data))
    found = Pilot(draws=40, tune=40, sweeps=1).sample(model, data, starts, 1)
    assert found.tree.attrs["chosen"] == chosen
    assert found.mixture.batch_shape == (4, 40) and np.all(found.warmup_passes >= SWEEPS + 40)
    assert np.all(np.diff(found.mixture.mu[..., 0]) > 0)


def test_what_has_no_conjugate_prior_is_refused():
    model, data, starts = case(1.0)
    model = replace(model, prior=replace(model.prior, scale_family="half_normal"))
    with pytest.raises(ValueError, match="scale_family of the prior must be conditionally"):
        Pilot().sample(model, data, starts, 1)


def test_effective_draws_for_a_sweep_do_not_count_what_is_known():
    rng = np.random.default_rng(0)
    mu = np.sort(rng.standard_normal((4, 200, 2)), axis=-1)
    known = Mixture(np.full(2, 0.5), mu, np.ones(2))
    assert 0.5 < pilot_ess(known) < 1.5
    assert pilot_ess(Mixture(np.full(2, 0.5), np.zeros((4, 200, 2)), np.ones(2))) == 1


@pytest.mark.chance
def test_its_draws_are_those_of_gibbs_sampling():
    given = case(1.0)
    found = Pilot(draws=2000, tune=500).sample(*given, chance.seed(1))
    assert found.tree.attrs["chosen"].startswith("NUTS")
    other = Gibbs(draws=60_000, tune=500).sample(*given, chance.seed(2))

    def measures(draws):
        one = draws.mixture
        return {"mean": one.mean(), "largest weight": one.w.max(-1), "gap": np.diff(one.mu)[..., 0]}

    truth = chance.table_of(measures(other), 6)
    means = {name: float(np.mean(values)) for name, values in measures(other).items()}
    errors = {name: rows["mcse_mean"].max() for name, rows in truth.groupby("quantity")}
    chance.check_means(measures(found), means, 3, errors)


@pytest.mark.chance
def test_ranks_are_even_whatever_it_chooses():
    """Each group is chosen given the data alone, or given what the run discards."""
    study, seed = catalog.module("sampler_calibration", "study"), chance.seed(3)
    rows = pd.DataFrame([study.pilot_ranked(1000 * seed + i, i) for i in range(80)])
    groups = {"all": rows, "divided": study.apart(rows), **dict(iter(rows.groupby("chosen")))}
    assert len(groups["divided"]) >= 5 and len(groups) > 3
    rng = np.random.default_rng(seed)
    for group, part in groups.items():
        for name in study.QUANTITIES:
            found = uniformity(scores(part[f"rank_{name}"], study.RANKS, rng))
            assert found > chance.alpha(len(groups) * len(study.QUANTITIES)), (group, name)
