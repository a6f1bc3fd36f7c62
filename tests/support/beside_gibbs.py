"""Draws of a kernel of a study against a long run of Gibbs sampling on a small data set."""

import chance
import numpy as np

from ordered_mix.data import simulate
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import default_prior
from ordered_mix.samplers.gibbs import Gibbs


def small_problem(chains):
    """Forty points of two components, and starts."""
    data = simulate(Mixture([0.3, 0.7], [0.0, 2.0], [1.0, 1.0]), 40, 3)
    return data, initial_mixtures(data, 2, chains, "random", 4)


def measures(one):
    """What is compared: sorted, one value a draw."""
    one = one.sorted()
    return {
        "mean": one.mean(),
        "weight": one.w[..., 0],
        "gap": np.diff(one.mu)[..., 0],
        "scales": np.log(one.sigma).sum(-1),
    }


def check_beside_gibbs(mixture, data, starts):
    """Means of the draws are those of Gibbs sampling, within Monte Carlo error."""
    model = catalog.parameterization("unordered", 2, default_prior(data))
    other = Gibbs(draws=30_000, tune=500).sample(model, data, starts, chance.seed(2))
    truth = chance.table_of(measures(other.mixture), 8)
    means = {name: float(np.mean(values)) for name, values in measures(other.mixture).items()}
    errors = {name: rows["mcse_mean"].max() for name, rows in truth.groupby("quantity")}
    chance.check_means(measures(mixture), means, 4, errors)
