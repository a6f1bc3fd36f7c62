"""
EM from many starts
===================

The distinct optima, how often each is reached, and the best interior one. A component that
has shrunk onto a few points is named as such and is never the best.
"""

import ordered_mix
from ordered_mix.optima.multistart import MultiStart

optima = MultiStart(starts=60, seed=1).fit(
    ordered_mix.parameterization("unordered", 3), ordered_mix.load("enzyme")
)
print(f"best interior log likelihood {optima.log_likelihood:.6f}, at")
print(optima.best)
optima.table()
