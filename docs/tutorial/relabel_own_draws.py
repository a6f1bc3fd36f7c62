"""
Relabel the draws of my own model
=================================

A mixture of any family can be relabelled: it is enough to say which variables belong to components,
and what tells the components apart. This page does so for six models. So that it builds in
seconds, their draws are made around known values, with labels that differ between chains; yours
come from your sampler, and nothing else changes.
"""

import numpy as np
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

import ordered_mix

rng = np.random.default_rng(1)
DIMS = ("chain", "draw")


def labels(k, chains=4, draws=200):
    """Labels of the components: every other chain has found them in the reverse order."""
    orders = [np.arange(k)[::-1] if chain % 2 else np.arange(k) for chain in range(chains)]
    return np.repeat(np.array(orders)[:, None], draws, axis=1)


def around(truth, spread, order):
    """Draws around a truth of shape (component, ...)."""
    truth = np.asarray(truth, dtype=float)
    values = truth + spread * rng.standard_normal((*order.shape[:2], *truth.shape))
    index = order.reshape(*order.shape, *[1] * (truth.ndim - 1))
    return np.take_along_axis(values, index, axis=2)


def weights(truth, order):
    """Draws of weights around a truth."""
    drawn = rng.dirichlet(300 * np.asarray(truth), size=order.shape[:2])
    return np.take_along_axis(drawn, order, axis=2)


def posterior(y=None, **variables):
    """A DataTree as a sampler returns it."""
    groups = {"posterior": xr.Dataset(variables)}
    if y is not None:
        groups["observed_data"] = xr.Dataset({"y": (("obs", "dim")[: y.ndim], y)})
    return xr.DataTree.from_dict(groups)


def report(found):
    """What was done, and whether it helped."""
    effect = found.effect
    print(f"method: {found.method}; permuted: {', '.join(found.permuted)}; "
          f"left alone: {', '.join(found.left_alone) or 'nothing'}")  # fmt: skip
    print(f"largest R-hat {effect.worst('rhat', 'before'):.2f} before, "
          f"{effect.worst('rhat', 'after'):.3f} after")  # fmt: skip
    print(f"closest labels {effect.separation:.1f} standard deviations apart, by {effect.by}")
    for note in found.notes:
        print("note:", note)


# %%
# Normal components
# -----------------
#
# Two regimes of returns: both means are near 0, the scales differ. The names of means, scales and
# weights are ``mu``, ``sigma`` and ``w`` unless you say otherwise. Sorting by the mean would mix
# the regimes in every draw; the relabelling finds that the scales tell them apart.

order = labels(2)
y = rng.normal(0, np.where(rng.random(300) < 0.5, 0.5, 1.7))
regimes = posterior(
    y,
    w=((*DIMS, "regime"), weights([0.5, 0.5], order)),
    mu=((*DIMS, "regime"), around([0, 0], [0.04, 0.1], order)),
    sigma=((*DIMS, "regime"), around([0.5, 1.7], [0.05, 0.1], order)),
)
found = ordered_mix.relabel(regimes)
report(found)

# %%
# These draws hold no log likelihood, as is usual unless one asks for it, so that nothing tells the
# family of the components. By default labels are then chosen by the parameters alone. Methods that
# need a likelihood, such as Stephens' or ECR, are there once the log likelihood is stored
# (``pm.compute_log_likelihood(draws)``) and that of a normal mixture repeats it, or once you say
# that your model is one.

found = ordered_mix.relabel(regimes, likelihood="normal")
report(found)
found.draws["posterior"]["sigma"].mean("draw").round(2).to_pandas()

# %%
# A method that would make the draws worse does not get the chance to: the labels stay as sampled.

report(ordered_mix.relabel(regimes, method="sort_mu"))

# %%
# A known scale or known weights are given as numbers (``sigma=1.0``), precisions as ``tau=``, and
# components that are variables of their own by their names (``mu=["mu_0", "mu_1"]``).
#
# A mixture of regressions
# ------------------------
#
# The variables are an intercept, coefficients and a noise scale for each component. A normal
# likelihood of these would be that of another model. If the draws hold their pointwise log
# likelihood this is noticed, and without it a normal likelihood is not used: methods that need one
# are refused. What you can give instead is the log density of every point under every component.

x = rng.standard_normal((200, 2))
truth = np.array([[2.0, -1.0], [-2.0, 1.0]])
y = np.sum(x * truth[rng.integers(0, 2, 200)], axis=1) + 0.5 * rng.standard_normal(200)
alpha, beta = around([0, 0], 0.05, order), around(truth, 0.05, order)
sigma, w = np.exp(around([-0.7, -0.7], 0.05, order)), weights([0.5, 0.5], order)
mean = alpha[:, :, None] + np.einsum("cdkp,np->cdnk", beta, x)
log_density = stats.norm.logpdf(y[:, None], mean, sigma[:, :, None])

regressions = posterior(
    y,
    w=((*DIMS, "component"), w),
    alpha=((*DIMS, "component"), alpha),
    beta=((*DIMS, "component", "covariate"), beta),
    sigma=((*DIMS, "component"), sigma),
)
try:
    ordered_mix.relabel(regressions, method="stephens", mu="alpha")
except ValueError as error:
    print(error)

# %%
# With it, Stephens' method knows the responsibilities. The dimension ``covariate`` has as many
# entries as there are components. It is left as it is: nothing is decided by size.

found = ordered_mix.relabel(regressions, mu="alpha", log_likelihood=log_density)
report(found)
found.draws["posterior"]["beta"].mean(DIMS).round(2).to_pandas()

# %%
# Multivariate normals
# --------------------
#
# Means have a further dimension, and covariances are given by ``chol=`` or ``cov=``. PyMC stacks
# Cholesky factors under names of dimensions that say nothing, so the first of them is named in
# ``dims``.

order = labels(3)
centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
y = centres[rng.integers(0, 3, 200)] + rng.standard_normal((200, 2))
plane = posterior(
    y,
    w=((*DIMS, "cluster"), weights([0.3, 0.3, 0.4], order)),
    mu=((*DIMS, "cluster", "axis"), around(centres, 0.1, order)),
    chol=((*DIMS, "chol_dim_0", "chol_dim_1", "chol_dim_2"),
          around([np.eye(2)] * 3, 0.05, order) * np.tri(2)),
)  # fmt: skip
report(ordered_mix.relabel(plane, chol="chol", dims=["cluster", "chol_dim_0"], likelihood="normal"))

# %%
# Counts
# ------
#
# For components of any other family ``parameters=`` names what belongs to them. Without a
# likelihood, labels are chosen so that the parameters tell them apart as well as they can.

order = labels(2)
counts = posterior(
    rate=((*DIMS, "group"), around([2, 9], 0.3, order)),
    w=((*DIMS, "group"), weights([0.4, 0.6], order)),
)
report(ordered_mix.relabel(counts, parameters=["rate"]))

# %%
# A hidden Markov model
# ---------------------
#
# The transition matrix has components on both of its axes. If only one is named, the other is asked
# about, because rows that add up to 1 look like a transition matrix. Sampled states are
# ``allocations``: their values are components, and they follow.

order = labels(3)
rows = np.log([[0.9, 0.07, 0.03], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8]])
rows = np.take_along_axis(np.exp(around(rows, 0.05, order)), order[:, :, None], axis=-1)
states = np.argsort(order, axis=-1)[..., rng.integers(0, 3, 100)]
markov = posterior(
    level=((*DIMS, "state"), around([0, 3, 7], 0.1, order)),
    P=((*DIMS, "state", "next"), rows / rows.sum(axis=-1, keepdims=True)),
    z=((*DIMS, "time"), states),
)
try:
    ordered_mix.relabel(markov, parameters=["level"], allocations="z")
except ValueError as error:
    print(error)

# %%

found = ordered_mix.relabel(markov, parameters=["level"], allocations="z", dims=["state", "next"])
report(found)
found.draws["posterior"]["P"].mean(DIMS).round(2).to_pandas()

# %%
# Latent classes
# --------------
#
# Four questions with yes or no, and the probability of each class for each person, which many
# programs return. That is all that Stephens' method needs.

order = labels(2)
truth = np.array([[0.9, 0.8, 0.7, 0.9], [0.2, 0.1, 0.3, 0.2]])
answers = rng.random((100, 4)) < truth[rng.integers(0, 2, 100)]
item, share = around(truth, 0.02, order), weights([0.5, 0.5], order)
joint = np.log(share)[:, :, None] + np.sum(
    np.where(answers[:, None], np.log(item)[:, :, None], np.log1p(-item)[:, :, None]), axis=-1
)
classes = posterior(
    share=((*DIMS, "kind"), share),
    item=((*DIMS, "kind", "question"), item),
    p=((*DIMS, "person", "kind"), np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))),
)
found = ordered_mix.relabel(classes, parameters=["item", "share"], responsibilities="p")
report(found)

# %%
# What is returned
# ----------------
#
# ``found.draws`` is a DataTree with a group ``relabelling``, so that a file of it says how it was
# made. ``found.permutation`` is a DataArray. If labels are uncertain because components overlap,
# ``found.sampled()`` draws them from their probabilities, and intervals then hold that uncertainty.

print(found.draws["relabelling"].attrs["permuted"])
found.permutation.isel(draw=0).to_pandas()

# %%
# A low R-hat after relabelling is no proof of success: random labels have an R-hat of 1. Look at
# how far the closest labels are apart. Below 2 standard deviations labels mean nothing, and what
# can be reported are quantities that need none: densities, predictions, and the partition of the
# points. ``ordered_mix.diagnose`` takes the same arguments and says which case yours is, and so
# does ``ordered-mix diagnose`` on the command line.
