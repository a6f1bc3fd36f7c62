"""What a study keeps of a run, against ArviZ and the path of R-hat."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from ordered_mix.data import simulate
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.rhat import reached, rhat_path
from ordered_mix.draws.sampler_measures import CHECKPOINTS, sampler_measures
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs

AXES = {"chain_axis": 0, "draw_axis": 1}


@pytest.fixture(scope="module", params=[1.0, 6.0])
def draws(request):
    truth = Mixture([0.5, 0.5], [0.0, request.param], [1.0, 1.0])
    data = simulate(truth, 60, 1)
    model = catalog.parameterization("unordered", 2, default_prior(data))
    starts = initial_mixtures(data, 2, 4, "random", 3)
    return Gibbs(draws=300, tune=50).sample(model, data, starts, 2)


def test_measures_are_those_of_arviz(draws):
    found, sorted_ = sampler_measures(draws), draws.mixture.sorted()
    values = np.concatenate([sorted_.w[..., :1], sorted_.mu, sorted_.sigma], axis=-1)
    each = [values[..., index] for index in range(5)]
    assert found["ess"] == pytest.approx(min(float(arviz_stats.ess(v, **AXES)) for v in each))
    assert found["rhat"] == pytest.approx(max(float(arviz_stats.rhat(v, **AXES)) for v in each))
    assert found["passes"] == 1200 and found["warmup_passes"] == 200
    assert found["divergences_per_1000"] == 0 and 0 < found["seconds"] < draws.seconds
    labels = np.argsort(draws.mixture.mu, axis=-1)[..., 0]
    assert found["visited"] == np.mean([len(set(chain)) / 2 for chain in labels.tolist()])


def test_quantities_without_labels_do_not_see_them(draws):
    found = sampler_measures(draws)
    tree = draws.tree.copy()
    chosen = tree["posterior"].to_dataset()
    for name in ("w", "mu", "sigma"):
        chosen[name] = chosen[name].copy(data=chosen[name].to_numpy()[..., ::-1])
    tree["posterior"] = xr.DataTree(chosen)
    turned = sampler_measures(Draws(tree))
    for name in ("ess", "rhat", "invariant_ess", "invariant_rhat", "converged_passes"):
        assert turned[name] == pytest.approx(found[name])


def test_convergence_is_where_the_path_of_rhat_stays_low(draws):
    ascending, steps = draws.mixture.sorted(), np.ones((4, 300))
    values = {name: getattr(ascending, name) for name in ("w", "mu", "sigma")}
    first = reached(rhat_path(values, steps, 200, CHECKPOINTS))
    assert sampler_measures(draws)["converged_passes"] == (first and first.passes)


def test_draws_without_their_likelihood_are_refused(draws):
    tree = draws.tree.copy()
    del tree["log_likelihood"]
    with pytest.raises(ValueError, match="must hold their log likelihood"):
        sampler_measures(Draws(tree))
