"""The one contract of all samplers."""

from __future__ import annotations

from typing import ClassVar, Protocol

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import AnyParameterization


class Sampler(Protocol):
    """What every file of the samplers' folder holds.

    Attributes
    ----------
    takes_starts : bool
        Whether its chains begin at the starts; those of a sampler that does not take them are
        drawn from the prior, and chains that are stuck cannot begin again elsewhere.
    """

    takes_starts: ClassVar[bool]

    def sample(
        self, parameterization: AnyParameterization, data: Data, starts: Mixture, seed: int
    ) -> Draws:
        """Draws from the posterior."""
