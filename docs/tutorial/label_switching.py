"""
Label switching and identifiability
===================================

You have written a mixture in PyMC, and R-hat says that the chains disagree. This page shows what
has happened, how to repair it afterwards, whether it should have been prevented, and what no
parameterization can repair. All output is of the run that made this page.
"""

# sphinx_gallery_thumbnail_number = 1
import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pymc as pm
from scipy.stats import rankdata

import ordered_mix
from ordered_mix.draws.convergence import raw_and_sorted
from ordered_mix.draws.relabel.tree import relabel_tree
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.theory import coordinates, fisher

# %%
# A mixture as one writes it
# --------------------------
#
# Two groups, four standard deviations apart. The names of the variables are our own: nothing later
# depends on them.

truth = ordered_mix.Mixture([0.4, 0.6], [-2.0, 2.0], [1.0, 1.0])
y = ordered_mix.simulate(truth, n=200, seed=3).y

with pm.Model(coords={"group": ["a", "b"]}):
    share = pm.Dirichlet("share", [2.0, 2.0], dims="group")
    centre = pm.Normal("centre", 0.0, 5.0, dims="group")
    spread = pm.HalfNormal("spread", 2.0, dims="group")
    pm.NormalMixture("y", w=share, mu=centre, sigma=spread, observed=y)
    tree = pm.sample(
        500, tune=500, chains=4, random_seed=5, nuts_sampler="nutpie", progressbar=False
    )

az.summary(tree, var_names=["centre", "share"])[["mean", "sd", "ess_bulk", "r_hat"]]

# %%
# R-hat is far from 1. The usual advice, to sample for longer, is of no use here. The likelihood is
# the same when the labels a and b are exchanged, and so is the prior: the posterior has two equal
# modes, and each chain has found one of them.
#
# Raw beside sorted
# -----------------
#
# *Sorting* sorts the components of each draw by their means and carries the weights and scales
# along. If the chains differ in their labels only, they agree once sorted. A rank plot shows it at
# a glance: the draws of all chains are ranked together, and the ranks of each chain are counted.
# Chains that sample the same distribution have flat histograms.

mixture = ordered_mix.Mixture(
    *(tree.posterior[name].values for name in ("share", "centre", "spread"))
)
ascending = mixture.sorted()


def traces_and_ranks(columns):
    """Trace and rank plot of the first component's mean, one row for each kind of label."""
    _, axes = plt.subplots(2, 2, figsize=(8, 5), layout="constrained")
    for (kind, draws), (left, right) in zip(columns.items(), axes, strict=True):
        values = draws.mu[..., 0]
        ranks = rankdata(values).reshape(values.shape)
        left.plot(values.T, linewidth=0.5)
        left.set(title=f"Trace of the first mean, {kind}", xlabel="draw", ylabel="centre")
        right.hist(ranks.T, bins=15, histtype="step")
        right.set(title=f"Ranks of each chain, {kind}", xlabel="rank", ylabel="draws")


traces_and_ranks({"raw": mixture, "sorted": ascending})

# %%
# The same in numbers, for every quantity:

table = raw_and_sorted(mixture.w, mixture.mu, mixture.sigma)
table.groupby("labels")[["rhat", "ess_bulk"]].agg({"rhat": "max", "ess_bulk": "min"})

# %%
# Relabel the draws
# -----------------
#
# Sorting by the mean is one way to relabel. It fails where means coincide but scales do not.
# Stephens' algorithm (2000) looks at the probabilities with which each draw assigns the points, and
# permutes every variable of the tree that has the component dimension.

relabelled = relabel_tree(tree, "stephens", mu="centre", sigma="spread", weights="share")
print("dimensions permuted:", relabelled.dims)
az.summary(relabelled.draws, var_names=["centre", "share"])[["mean", "sd", "ess_bulk", "r_hat"]]

# %%
# One call asks all the questions, relabels, and renders as a report in a notebook
# (``ordered-mix diagnose posterior.nc`` does so on the command line).

found = ordered_mix.diagnose(tree, mu="centre", sigma="spread", weights="share")
for verdict in found.verdicts:
    print(f"{verdict.question} {verdict.answer}\n    {verdict.reason}\n")

# %%
# Should it have been prevented?
# ------------------------------
#
# One can sample in coordinates that have no copies: with ordered means, or with a centre and
# positive gaps. To compare geometry and not priors, every parameterization of this package carries
# the same prior. Cost is counted in passes over the data, one for each leapfrog step.


def sampled(name, data):
    """Draws in one parameterization, and what they are worth."""
    prior = ordered_mix.Prior().affine(float(data.location), float(data.scale))
    parameterization = ordered_mix.parameterization(name, k=2, prior=prior)
    starts = initial_mixtures(data, k=2, starts=4, method="random", seed=1)
    draws = ordered_mix.NUTS(draws=500, tune=500, seed=2).fit(parameterization, data, starts)
    mixture = draws.mixture
    worst = raw_and_sorted(mixture.w, mixture.mu, mixture.sigma).groupby("labels")
    rhat, ess = worst["rhat"].max(), worst["ess_bulk"].min()
    return mixture, {
        "raw R-hat": rhat["raw"],
        "sorted R-hat": rhat["sorted"],
        "ESS per 1,000 passes": 1000 * ess["sorted"] / draws.passes.sum(),
        "divergences": int(draws.statistics["diverging"].sum()),
    }


NAMES = ("unordered", "ordered", "centred")
apart = ordered_mix.Data(y, name="apart")
pd.DataFrame({name: sampled(name, apart)[1] for name in NAMES}).T.round(3)

# %%
# Ordering makes the raw R-hat meaningful. Whether it makes sampling cheaper is another question,
# which the third column answers for these data and one seed. Once the draws are sorted, the
# unordered chains have nothing to hide: compare their sorted R-hat. The studies ask this over many
# data sets: see :doc:`label switching </study/label_switching>` and
# :doc:`convergence speed </study/convergence_speed>`.
#
# When there is no gap
# --------------------
#
# Now the data come from one normal, and the two components of the model coincide: gap 0. Exchanging
# labels is then no longer a jump between distant modes, and R-hat may look fine without any repair.
# But the posterior is now what is hard: a weight near 0 leaves a mean free, and equal components
# leave the weight free.

one = ordered_mix.Mixture([0.5, 0.5], [0.0, 0.0], [1.0, 1.0])
together = ordered_mix.simulate(one, n=200, seed=4, name="together")
runs = {name: sampled(name, together) for name in NAMES}
pd.DataFrame({name: run[1] for name, run in runs.items()}).T.round(3)

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained", sharex=True, sharey=True)
for axis, (name, (drawn, _)) in zip(axes, runs.items(), strict=True):
    axis.plot(drawn.mu[..., 0].ravel(), drawn.mu[..., 1].ravel(), ".", markersize=1, alpha=0.5)
    axis.set(title=f"Draws of both means, {name}", xlabel="mu 1", ylabel="mu 2")
    axis.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")

# %%
# The unordered posterior is a bowtie, whose knot is the overlap of the components. Ordering keeps
# one half of it: the knot stays, now at the edge of the space, where a log gap goes to minus
# infinity. Enforcing an order removes copies; it does not remove the singularity.
#
# The singularity itself
# ----------------------
#
# Where components coincide, the Fisher information of the gap vanishes: small gaps can hardly be
# told from none, so estimates are poor and ascent is slow. With weights and scales known, the
# smallest eigenvalue falls with the square of the gap in the means and in (first mean, gap) alike;
# only in (mixture mean, squared gap) it does not.

gaps = np.array([0.05, 0.1, 0.2, 0.5, 1.0])
labels = {
    "unordered": "means",
    "relative": "first mean and gap",
    "resolved": "mixture mean and squared gap",
}


def smallest(name, gap):
    """Smallest eigenvalue of the information in a parameterization of the means."""
    pair = ordered_mix.Mixture([0.5, 0.5], [-gap / 2, gap / 2], [1.0, 1.0])
    return fisher.spectrum(pair, coordinates.jacobian(name, pair)).min()


values = {text: [smallest(name, gap) for gap in gaps] for name, text in labels.items()}
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
for text, eigenvalues in values.items():
    axis.loglog(gaps, eigenvalues, marker="o", label=text)
axis.set(title="Smallest eigenvalue of the Fisher information against the gap")
axis.set(xlabel="gap, in standard deviations", ylabel="smallest eigenvalue")
axis.legend()
pd.DataFrame(values, index=pd.Index(gaps, name="gap"))

# %%
# With the scales or the weights unknown the squared gap is no remedy either
# (:doc:`the Fisher study </study/fisher>`). What to do about components that nearly coincide is
# therefore a question about the model (are there two?), not about labels: compare K with K - 1, as
# ``ordered-mix compare`` does.
#
# What to take away
# -----------------
#
# - R-hat of raw components says nothing about convergence in a mixture without an order. Sort or
#   relabel first.
# - Relabelling after sampling and ordering before it answer the same questions. Which one costs
#   less depends on the data.
# - An order removes the K! copies, not the singularity at gap 0.
