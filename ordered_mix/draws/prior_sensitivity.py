"""Does the prior decide: what it costs in likelihood at the mode, and what its power moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats import psense

from ordered_mix.arrays import Array
from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import reference
from ordered_mix.passes.mixtures import log_likelihood
from ordered_mix.prior import Prior

SENSITIVE = 0.05  # the threshold of Kallioinen et al. 2024
DIMS = ("chain", "draw")


@dataclass(frozen=True, eq=False)
class PriorSensitivity:
    """How much of a posterior is the prior's doing.

    Parameters
    ----------
    below_maximum : float
        Log likelihood of the maximum less that of the posterior mode, in nats.
    allowance : float
        Half the number of free parameters: how far draws lie below the maximum on average where
        the likelihood decides alone.
    power_scaling : DataFrame
        One row for each quantity (mean and sd of the mixture, smallest and largest scale, and
        weights, means and scales by label, numbered from 1): ``prior`` and ``likelihood``,
        the sensitivities of Kallioinen, Paananen, Bürkner & Vehtari (2024, equation 14).
    """

    below_maximum: float
    allowance: float
    power_scaling: pd.DataFrame

    @property
    def decides(self) -> bool:
        """Whether the mode lies further below the maximum than draws would without the prior."""
        return self.below_maximum > self.allowance

    @property
    def sensitive(self) -> list[str]:
        """Quantities whose distribution moves with the power of the prior, the most first."""
        prior = self.power_scaling["prior"].sort_values(ascending=False)
        return prior.index[prior >= SENSITIVE].tolist()

    @property
    def answer(self) -> str:
        """The answer to the question whether the prior decides."""
        if self.decides:
            return "Yes."
        return f"In part: {', '.join(self.sensitive)}." if self.sensitive else "No."

    @property
    def reason(self) -> str:
        """The numbers that the answer rests on."""
        most = self.power_scaling["prior"].idxmax()
        return (
            f"At the posterior mode the log likelihood is {self.below_maximum:.2f} nats below its "
            f"maximum (up to {self.allowance:g} is within its own uncertainty). Power-scaling the "
            f"prior moves {most} most: {self.power_scaling['prior'].max():.3f}, from {SENSITIVE} "
            "on it matters."
        )


def prior_sensitivity(
    mixture: Mixture, data: Data, prior: Prior, mode_log_likelihood: float, maximum: float
) -> PriorSensitivity:
    """Measure how much of a posterior is the prior's doing.

    Parameters
    ----------
    mixture : Mixture, batch shape (chain, draw)
        Labelled posterior draws.
    data : Data
        What they are the posterior of.
    prior : Prior
        The matched prior they were drawn under, in the units of the data.
    mode_log_likelihood : float
        Log likelihood at the posterior mode.
    maximum : float
        Largest log likelihood of an interior optimum.

    Returns
    -------
    PriorSensitivity

    Raises
    ------
    ValueError
        If the prior is native, so that its density depends on the parameterization, or the draws
        have not the two axes chain and draw.
    """
    if prior.native:
        raise ValueError("prior must be matched, the density of a native one is its coordinates'")
    if len(mixture.batch_shape) != 2:
        raise ValueError(f"mixture must have axes (chain, draw), got batch {mixture.batch_shape}")
    log_prior = reference.log_density(prior, mixture)
    height = log_likelihood(data.y, mixture, data.weight)
    free = prior.free_parameters(mixture.k)
    below = maximum - mode_log_likelihood
    return power_scaled(_quantities(mixture), log_prior, height, below, free)


def power_scaled(
    quantities: dict[str, Array],
    log_prior: Array,
    log_likelihood: Array,
    below_maximum: float,
    free_parameters: int,
) -> PriorSensitivity:
    """The measures, from quantities and log densities of every draw, each (chain, draw).

    Parameters
    ----------
    quantities : dict of str to array
        What does not vary, as known values, is left out.
    log_prior, log_likelihood : array
    below_maximum : float
    free_parameters : int
    """
    # known weights or scales have no distribution
    quantities = {name: values for name, values in quantities.items() if np.ptp(values) > 0}
    tree = xr.DataTree.from_dict(
        {
            "posterior": _dataset(quantities),
            "log_prior": _dataset({"prior": log_prior}),
            "log_likelihood": _dataset({"y": log_likelihood}),
        }
    )
    scaled = {
        group: {str(name): float(value) for name, value in psense(tree, group=group).items()}
        for group in ("prior", "likelihood")
    }
    return PriorSensitivity(below_maximum, free_parameters / 2, pd.DataFrame(scaled))


def _quantities(mixture: Mixture) -> dict[str, Array]:
    found = {
        "mean": mixture.mean(),
        "sd": mixture.sd(),
        "smallest sigma": mixture.sigma.min(axis=-1),
        "largest sigma": mixture.sigma.max(axis=-1),
    }
    for name in ("w", "mu", "sigma"):
        for index, values in enumerate(np.moveaxis(getattr(mixture, name), -1, 0), start=1):
            found[f"{name}[{index}]"] = values
    return found


def _dataset(values: dict[str, Array]) -> xr.Dataset:
    return xr.Dataset({name: (DIMS, value) for name, value in values.items()})
