"""
Sample one parameterization
===========================

NUTS around the fused pass, in the coordinates (first mean, gap) with a softplus link.
"""

import arviz as az

import ordered_mix
from ordered_mix.estimators.loop.initial import initial_mixtures

data = ordered_mix.load("acidity")
prior = ordered_mix.Prior().affine(float(data.location), float(data.scale))
relative = ordered_mix.parameterization("relative", k=2, prior=prior, link="softplus")
starts = initial_mixtures(data, k=2, starts=4, method="random", seed=1)

draws = ordered_mix.NUTS(draws=500, tune=500).sample(relative, data, starts, seed=1)
print(f"{draws.passes.sum():,} passes over the data after warm-up")
az.summary(draws.tree, var_names=["w", "mu", "sigma"])
