"""
My column
=========

A column of numbers, the mixture of normals that was fitted to it, and whether to trust it. The
numbers here are made; replace them by ``"my.csv:height"``, a list, an array or a pandas Series.
"""

import numpy as np

import ordered_mix

rng = np.random.default_rng(1)
heights = np.concatenate([rng.normal(162, 6, 90), rng.normal(178, 6, 110)])

# %%
# One call fits two components: EM from many starts, the posterior mode, and four chains of NUTS.
# At the command line the same is ``ordered-mix fit my.csv:height``.

fitted = ordered_mix.fit(heights, 2)
print(fitted.headline)

# %%
# **The estimates.** Each component has a weight ``w`` (its share of the points), a mean ``mu`` and
# a standard deviation ``sigma``, with a posterior mean, its sd, and the interval of highest
# density (HDI). The last columns say to how many independent draws the draws amount
# (``ess_bulk``), whether chains agree (``rhat``, 1 if they do), and what EM and MAP give.

print(fitted.summary().drop(columns=["hdi_prob", "points", "lone"]).round(3))

# %%
# **The picture.** Grey the data, blue the density with its band, dashed the components.

figure = fitted.plot_fit()

# %%
# **Whether to trust it.** Each question has an answer for a reader and ``values`` for a program.

for verdict in fitted.verdicts:
    print(f"{verdict.question} {verdict.answer}\n    {verdict.reason}")

# %%
# **Which point belongs where.** ``points`` has one row for each value; other values can be asked
# for, too. A value between the components belongs to both: an honest answer is a probability.

print(fitted.points.head().round(3))
print(fitted.predict_proba([160.0, 170.0, 180.0]).round(2))

# %%
# **The draws** are an ArviZ DataTree. Components carry the same number in every draw, from 1 in
# the order of the means; draws as they were sampled are in ``raw_posterior``.

print(list(fitted.tree.children))
print(fitted.tree["posterior"]["mu"].mean(["chain", "draw"]).round(1).to_series())
