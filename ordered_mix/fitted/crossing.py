"""Where chains sit in modes that are no relabelling of each other, particles take over.

A chain of NUTS crosses no valley between modes, whatever its coordinates. Particles that are
carried from the prior to the posterior reach every mode with its weight (Del Moral, Doucet &
Jasra 2006).
"""

from __future__ import annotations

from ordered_mix.fitted.agreement import Agreement
from ordered_mix.fitted.verdict import BAD
from ordered_mix.samplers.smc import SMC

PARTICLES, ISLANDS, LENGTH = 4096, 8, 32


def disagree(found: Agreement | None) -> bool:
    """Whether longer chains would not help."""
    return found is not None and found.status == BAD


def particle_sampler(cores: int) -> SMC:
    """Sequential Monte Carlo from the prior, which takes over in unordered coordinates.

    Parameters
    ----------
    cores : int
        Islands moved at the same time; the draws do not depend on it.
    """
    return SMC(particles=PARTICLES, islands=ISLANDS, length=LENGTH, cores=cores)
