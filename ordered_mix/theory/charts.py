"""Jacobians of the charts of two components, and what they predict of the information at gap 0."""

from __future__ import annotations

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.theory.dynamics import chart_named

UNKNOWN = ("none", "scale", "weight", "all")


def jacobian(chart: str, mixture: Mixture, unknown: str = "none") -> Array:
    """Derivatives of (w, mu, sigma) in a chart of the means and what else is unknown.

    Parameters
    ----------
    chart : str
        A name in `dynamics.CHARTS`.
    mixture : Mixture
        A single one, two components; apart, where the chart needs it.
    unknown : {"none", "scale", "weight", "all"}
        Beside the means: nothing, one scale for both, the first weight, or the first weight and
        both scales.

    Returns
    -------
    array, shape (6, d)
        Location and gap (or the two means), then the weight, then the scales.

    Raises
    ------
    ValueError
        If an argument is none of the accepted values.
    """
    system = chart_named(chart)
    if unknown not in UNKNOWN:
        raise ValueError(f"unknown must be one of {', '.join(UNKNOWN)}, got {unknown!r}")
    if mixture.batch_shape or mixture.k != 2:
        raise ValueError(
            f"mixture must be a single one of two components, got {mixture.k} components and a "
            f"batch of {mixture.batch_shape}"
        )
    unit = np.eye(6)
    gap = mixture.mu[1:] - mixture.mu[:1]
    along_weight = unit[0] - unit[1]
    if system is None:
        columns = [unit[2], unit[3]]
    else:
        share, stretch = system.share(mixture.w[1]), system.stretch(gap)
        columns = [unit[2] + unit[3], stretch * ((1 - share) * unit[3] - share * unit[2])]
        # the share's own derivative in the first weight, at fixed location and gap
        turn = system.share(0.0) - system.share(1.0)
        along_weight = along_weight - turn * gap * (unit[2] + unit[3])
    if unknown in ("weight", "all"):
        columns.append(along_weight)
    if unknown == "scale":
        columns.append(unit[4] + unit[5])
    if unknown == "all":
        columns += [unit[4], unit[5]]
    return np.stack(columns, axis=1)


def near_singularity(chart: str, weight: float, gap: float) -> tuple[float, float]:
    """Leading terms of the eigenvalues of the information for a small gap, means unknown.

    With c the product of the weights, the score of the gap at fixed mixture mean has the variance
    ``2 c^2 gap^2``. In a chart whose location is b gaps from the mixture mean and whose link has
    the slope g the smallest eigenvalue is ``2 c^2 gap^2 g^2 / (1 + b^2 g^2)``, the largest
    ``1 + b^2 g^2``.

    Parameters
    ----------
    chart : str
        A name in `dynamics.CHARTS`.
    weight : float
        First weight.
    gap : float
        In units of the scale.

    Returns
    -------
    smallest, largest : float

    Raises
    ------
    ValueError
        If there is no such chart, the weight is not between 0 and 1, or the gap not positive.
    """
    system = chart_named(chart)
    if not (0 < weight < 1 and gap > 0):
        raise ValueError(f"weight must lie between 0 and 1 and gap above 0, got {weight} and {gap}")
    second = 1 - weight
    curved = 2 * (weight * second * gap) ** 2
    if system is None:
        size = weight**2 + second**2
        return curved / size, size
    slope = float(system.stretch(np.array([gap]))[0]) ** 2
    tilt = 1 + (system.share(second) - second) ** 2 * slope
    values = curved * slope / tilt, tilt
    return min(values), max(values)


def predicted_exponents(chart: str, weight: float = 0.5) -> tuple[float, float]:
    """Exponents of the gap in the smallest eigenvalue and in the condition number.

    Parameters
    ----------
    chart, weight
        As in `near_singularity`, whose leading terms they are.

    Raises
    ------
    ValueError
        As `near_singularity`.
    """
    gaps = np.array([1e-6, 1e-5])
    smallest, largest = np.array([near_singularity(chart, weight, gap) for gap in gaps]).T
    slopes = np.diff(np.log([smallest, largest / smallest])) / np.diff(np.log(gaps))
    return float(np.round(slopes[0, 0], 3)), float(np.round(slopes[1, 0], 3))
