"""
Reading the report
==================

``ordered-mix fit`` and ``compare`` write a report.html; in a notebook the result shows the same.
It begins with the estimates, and then has the questions. This page shows what a "no" looks like,
on data that a mixture of normals does not describe, and on data that it does.
"""

import numpy as np

import ordered_mix

rng = np.random.default_rng(3)
normal = rng.normal(0, 1, 900)


def asked(y, components, **settings):
    """The headline, what is particular about the data, and every question with its answer."""
    fitted = ordered_mix.fit(y, components, **settings)
    print(fitted.headline, *fitted.notes, sep="\n")
    for verdict in fitted.verdicts:
        print(f"  {verdict.question} {verdict.answer}")
    return fitted


# %%
# **A column cut off at 0.3.** The chains agree, which only says that the posterior was sampled
# well. The second question is the one that notices.

cut = asked(normal[normal < 0.3], 2, draws=500)

# %%
# The reason tells by how much, and how probable that is if the mixture were right.

print(next(verdict.reason for verdict in cut.verdicts if verdict.key == "describe"))

# %%
# **A value that is there often.** The likelihood of a component on it grows without a bound as its
# sd shrinks: EM has no maximum, and the posterior is kept from it by the prior alone, which the
# third question says.

zeros = asked(np.append(normal[:200] + 5, np.zeros(60)), 2, estimators=("em", "map"))

# %%
# **One value far out**, as by a typing error. A component of one value has the mean and sd that
# the prior gives it; its rows are marked.

far = asked(np.append(70 + 9 * normal[:150], 705.0), 2, estimators=("em", "map"))
print(far.estimates[["component", "quantity", "map", "points", "lone"]].round(2))

# %%
# **A fit to trust** has four times the answer one hopes for.

asked(np.append(normal[:200], 6 + normal[200:400]), 2, draws=500)
