"""Where chains sit in modes that are no relabelling of each other, particles take over.

A chain of NUTS crosses no valley between modes, whatever its coordinates. Particles that are
carried from the prior to the posterior reach every mode with its weight (Del Moral, Doucet &
Jasra 2006).
"""

from __future__ import annotations

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.fitted.agreement import Agreement
from ordered_mix.fitted.verdict import BAD
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.smc import SMC

PARTICLES, ISLANDS, LENGTH = 4096, 8, 32


def disagree(found: Agreement | None) -> bool:
    """Whether longer chains would not help."""
    return found is not None and found.status == BAD


def particles(data: Data, prior: Prior, k: int, seed: int) -> Draws:
    """Draws by sequential Monte Carlo from the prior, in unordered coordinates.

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    k : int
        Number of components.
    seed : int
    """
    model = catalog.parameterization("unordered", k, prior)
    return SMC(particles=PARTICLES, islands=ISLANDS, length=LENGTH).sample(model, data, seed=seed)
