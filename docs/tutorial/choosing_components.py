"""
How many components?
====================

Four criteria, what each of them asks, and what to do where they differ.
"""

import numpy as np

import ordered_mix

rng = np.random.default_rng(2)
two_groups = np.concatenate([rng.normal(0, 1, 90), rng.normal(5, 1, 60)])

# %%
# **In a second or two, by EM.** ``components="auto"`` looks at 1 to 6. All criteria are on one
# scale (a difference of 2 is worth one nat), and smaller is better. BIC pays for each parameter;
# sBIC pays less where components coincide, as fewer parameters are then needed (Drton & Plummer
# 2017); ICL asks for clusters that can be told apart.

by_em = ordered_mix.fit(two_groups, "auto", estimators=("em",))
print(by_em.criteria[["components", "log_likelihood", "bic", "icl", "sbic"]].round(1))
print(by_em.headline)

# %%
# **With sampling**, a range has the expected log predictive density by leave-one-out
# cross-validation (LOO, larger is better) and the evidence, from which the probability of each
# number follows if all were equally probable before.

sampled = ordered_mix.fit(two_groups, "1-2", draws=500)
print(sampled.criteria[["components", "bic", "elpd_loo", "log_evidence", "probability"]].round(2))
for verdict in sampled.verdicts:
    print(f"{verdict.question} {verdict.answer}")

# %%
# **Components are not groups.** Skewed data are one group, and take several normals. The criteria
# are right about the density, and wrong if they are read as a count of groups; the notes say what
# else would do.

skewed = ordered_mix.fit(np.exp(rng.normal(0, 0.8, 300)), "auto", estimators=("em",))
print(skewed.headline)
print(*skewed.notes, sep="\n")

# %%
# **A component too many** is said to be one, also where its number was given.

one = ordered_mix.fit(rng.normal(50, 7, 200), 2, estimators=("em", "map"))
print(one.headline)
