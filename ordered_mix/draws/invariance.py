"""Do estimates of one quantity agree across parameterizations, up to Monte Carlo error?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ordered_mix.arrays import finite
from ordered_mix.draws.wbic import Estimate


def invariance(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Compare independent estimates of a quantity that does not depend on the coordinates.

    With matched priors WAIC, LOO, WBIC and the evidence are the same in every parameterization,
    so each estimate should agree with the precision-weighted mean of the others.

    Parameters
    ----------
    estimates : mapping of str to Estimate
        Value and Monte Carlo standard error of at least two independent runs, by name; for
        example ``Estimate(result.elpd, result.mcse)`` of a WAIC or LOO, or a WBIC.

    Returns
    -------
    DataFrame
        One row per name with the columns value, mcse, difference (from the mean of the others),
        z (the difference in its standard errors).

    Raises
    ------
    ValueError
        If there are fewer than two estimates, or a value is not finite or an error not positive.
    """
    if len(estimates) < 2:
        raise ValueError(f"estimates must hold at least 2 entries to compare, got {len(estimates)}")
    value = finite("estimates", [estimate.value for estimate in estimates.values()])
    mcse = finite("estimates", [estimate.mcse for estimate in estimates.values()])
    if np.any(mcse <= 0):
        raise ValueError(
            f"estimates must have positive Monte Carlo errors, got a minimum of {mcse.min()}"
        )
    precision = mcse**-2.0
    others = precision.sum() - precision
    difference = value - (np.sum(precision * value) - precision * value) / others
    z = difference / np.sqrt(mcse**2 + 1 / others)
    columns = {"value": value, "mcse": mcse, "difference": difference, "z": z}
    return pd.DataFrame(columns, index=pd.Index(list(estimates), name="parameterization"))
