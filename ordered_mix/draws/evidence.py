"""The evidence (log marginal likelihood) and what follows from it for the number of components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordered_mix.mixture import Array


class Evidence(NamedTuple):
    """An estimate of the log evidence of the data in their own units.

    Attributes
    ----------
    log_evidence : float
        In nats.
    standard_error : float
        Monte Carlo standard error; NaN if the method has none.
    method : str
    warning : str
        What to beware of, empty if nothing.
    """

    log_evidence: float
    standard_error: float
    method: str
    warning: str = ""


def log_mean(log_values: Array) -> tuple[float, float]:
    """Log of the mean of independent estimates given by their logs, and its standard error.

    Parameters
    ----------
    log_values : array, shape (estimates,)
    """
    top = log_values.max()
    ratio = np.exp(log_values - top)
    spread = ratio.std(ddof=1) / ratio.mean() if ratio.size > 1 else np.nan
    return float(top + np.log(ratio.mean())), float(spread / np.sqrt(ratio.size))
