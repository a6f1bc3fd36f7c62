"""Jacobians of coordinates of two components, and what they say of the information at gap 0."""

from __future__ import annotations

import numpy as np

from ordered_mix.mixture import Array, Mixture
from ordered_mix.theory.mean_coordinates import mean_coordinates

UNKNOWN = ("none", "scale", "weight", "all")


def jacobian(label: str, mixture: Mixture, unknown: str = "none") -> Array:
    """Derivatives of (w, mu, sigma) in coordinates of the means and what else is unknown.

    Parameters
    ----------
    label : str
        As in `mean_coordinates`.
    mixture : Mixture
        A single one, two components; apart, where the coordinates need it.
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
    coordinates = mean_coordinates(label)
    if unknown not in UNKNOWN:
        raise ValueError(f"unknown must be one of {', '.join(UNKNOWN)}, got {unknown!r}")
    if mixture.batch_shape or mixture.k != 2:
        raise ValueError(
            f"mixture must be a single one of two components, got {mixture.k} components and a "
            f"batch of {mixture.batch_shape}"
        )
    unit = np.eye(6)
    means = unit[:, 2:4]
    along_weight = unit[0] - unit[1]
    if coordinates.direction is None:
        columns = [unit[2], unit[3]]
    else:
        stretch = coordinates.stretch(mixture)
        columns = [means.sum(axis=1), means @ (stretch * coordinates.along(mixture.w))]
        # at fixed location and gap the direction turns with the first weight
        along_weight = along_weight + means @ (np.diff(mixture.mu) * coordinates.turn)
    if unknown in ("weight", "all"):
        columns.append(along_weight)
    if unknown == "scale":
        columns.append(unit[4] + unit[5])
    if unknown == "all":
        columns += [unit[4], unit[5]]
    return np.stack(columns, axis=1)


def near_singularity(label: str, weight: float, gap: float) -> tuple[float, float]:
    """Leading terms of the eigenvalues of the information for a small gap, means unknown.

    With c the product of the weights, the score of the gap at fixed mixture mean has the variance
    ``2 c^2 gap^2``. In coordinates whose location is b gaps from the mixture mean and whose gap
    has the slope g the smallest eigenvalue is ``2 c^2 gap^2 g^2 / (1 + b^2 g^2)``, the largest
    ``1 + b^2 g^2``.

    Parameters
    ----------
    label : str
        As in `mean_coordinates`.
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
        If there are no such coordinates, the weight is not between 0 and 1, or the gap is not
        positive.
    """
    coordinates = mean_coordinates(label)
    if not (0 < weight < 1 and gap > 0):
        raise ValueError(f"weight must lie between 0 and 1 and gap above 0, got {weight} and {gap}")
    second = 1 - weight
    curved = 2 * (weight * second * gap) ** 2
    if coordinates.direction is None:
        size = weight**2 + second**2
        return curved / size, size
    at = Mixture(np.array([weight, second]), gap * np.array([-second, weight]), np.ones(2))
    slope = float(coordinates.stretch(at)) ** 2
    share = -float(coordinates.along(at.w)[0])
    tilt = 1 + (share - second) ** 2 * slope
    values = curved * slope / tilt, tilt
    return min(values), max(values)


def predicted_exponents(label: str, weight: float = 0.5) -> tuple[float, float]:
    """Exponents of the gap in the smallest eigenvalue and in the condition number.

    Parameters
    ----------
    label, weight
        As in `near_singularity`, whose leading terms they are.

    Raises
    ------
    ValueError
        As `near_singularity`.
    """
    gaps = np.array([1e-6, 1e-5])
    smallest, largest = np.array([near_singularity(label, weight, gap) for gap in gaps]).T
    slopes = np.diff(np.log([smallest, largest / smallest])) / np.diff(np.log(gaps))
    return float(np.round(slopes[0, 0], 3)), float(np.round(slopes[1, 0], 3))
