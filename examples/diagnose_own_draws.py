"""
Diagnose and relabel draws of a model of your own
=================================================

Variables and dimensions may have any names. The relabelled copy is an ArviZ DataTree, in which
every variable with the component dimension has been permuted.
"""

import arviz as az
import pymc as pm

import ordered_mix

y = ordered_mix.load("faithful:eruptions").y
with pm.Model(coords={"kind": ["short", "long"]}):
    share = pm.Dirichlet("share", [2.0, 2.0], dims="kind")
    centre = pm.Normal("centre", 3.5, 2.0, dims="kind")
    spread = pm.InverseGamma("spread", 3.0, 1.0, dims="kind")
    pm.NormalMixture("y", w=share, mu=centre, sigma=spread, observed=y)
    tree = pm.sample(400, tune=400, random_seed=2, nuts_sampler="nutpie", progressbar=False)

found = ordered_mix.diagnose(tree, mu="centre", sigma="spread", weights="share")
print(f"Largest R-hat: raw {found.worst('rhat', 'raw'):.2f}, "
      f"relabelled {found.worst('rhat', 'relabelled'):.3f}")  # fmt: skip
az.summary(found.relabelled.draws, var_names=["share", "centre", "spread"])
