"""
Ordered normals in a model of your own
======================================

PyMC's ``ordered`` transform leaves the K! out, and its prior draws are not sorted. `ordered_normal`
is a proper distribution: its density integrates to 1 and its draws, prior ones too, are sorted.
"""

import numpy as np
import pymc as pm
from scipy.stats import norm

import ordered_mix
from ordered_mix.distributions import ordered_normal

with pm.Model() as model:
    mu = ordered_normal("mu", 60.0, 20.0, k=2)
    sigma = pm.InverseGamma("sigma", 3.0, 15.0, shape=2)
    w = pm.Dirichlet("w", [2.0, 2.0])
    pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=ordered_mix.load("faithful:waiting").y)

    prior = pm.sample_prior_predictive(200, var_names=["mu"], random_seed=1).prior["mu"].values
print("prior draws sorted:", bool(np.all(np.diff(prior) > 0)))

x = np.array([50.0, 80.0])
ratio = np.exp(pm.logp(mu, x).eval() - norm(60.0, 20.0).logpdf(x).sum())
print(f"density over that of two unordered normals: {ratio:.6f}")
