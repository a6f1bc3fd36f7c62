"""Coordinates of two means, weights and scales known, taken from the model files by their label.

Each system is a location, of which every mean gets all, and a gap along a direction that may
depend on the weights: ``mu = location + gap(d) direction(w)``. Directions and the derivatives of
the gap are columns of the Jacobian of the parameterization. Coordinates are the free ones, or
where the label names a link the unconstrained ones, on which the link acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ordered_mix.estimators.loop.directions import Direction, mean_directions
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization

COORDINATES = (
    "unordered",
    "relative",
    "centred",
    "signed",
    "resolved",
    "bent",
    "relative(link=log)",
    "relative(link=softplus)",
    "relative(link=square)",
    "relative, squared gap",
)
"""What the studies of two means compare. Two of them no model file has: ``bent``, the mixture mean
and ``sqrt(2 + gap^2) / 2``, a squared gap near 0 and half a gap far out, in units in which the
information is the identity at both ends for equal weights and unit scales; and the first mean with
the squared gap."""

Slopes = tuple[Callable[[Array], Array], Callable[[Array], Array]]
LINKS: dict[str, tuple[str, Slopes]] = {
    "bent": ("signed", (lambda gap: 2 * np.sqrt(2 + gap**2) / gap, lambda gap: -8 / gap**3)),
    "relative, squared gap": (
        "relative",
        (lambda gap: 0.5 / gap, lambda gap: -0.25 / gap**3),
    ),
}
"""Of those without a model file: whose location they have, and the first two derivatives of the
gap in its coordinate, as functions of the gap."""

PROBES = np.array([0.05, 0.3, 1.0, 4.0])


@dataclass(frozen=True, eq=False)
class MeanCoordinates:
    """Coordinates of two means, weights and scales known.

    Parameters
    ----------
    label : str
    parameterization : Parameterization
        Of two components.
    slopes : pair of callable, optional
        First and second derivative of the gap in its coordinate, in place of the parameterization's
        own, whose gap must be a coordinate itself.
    """

    label: str
    parameterization: Parameterization
    slopes: Slopes | None = None

    @cached_property
    def direction(self) -> Direction | None:
        """Where the gap moves the means; None if they are coordinates themselves."""
        found = mean_directions(self.parameterization)
        return found[1] if found[0].gap is None else None

    def along(self, w: Array) -> Array:
        """Derivatives of the means in the gap, from weights (..., 2); shape (..., 2)."""
        assert self.direction is not None
        return np.broadcast_to(self.direction.at(w), w.shape)

    @property
    def turn(self) -> Array:
        """Derivatives of `along` in the first weight, shape (2,)."""
        assert self.direction is not None
        vector = self.direction.vector
        return vector[0] - vector[1] if vector.ndim == 2 else np.zeros(2)

    def stretch(self, mixture: Mixture) -> Array:
        """Derivative of the gap in its coordinate, shape (...)."""
        gap = _gap(mixture)
        if self.slopes is not None:
            return self.slopes[0](gap)
        if self._power is None:
            return self._widened(mixture, False)
        factor, power = self._power
        return factor * np.abs(gap) ** power

    def bend(self, mixture: Mixture) -> Array:
        """Second derivative of the gap in its coordinate, shape (...)."""
        gap = _gap(mixture)
        if self.slopes is not None:
            return self.slopes[1](gap)
        if self._power is None:
            return self._widened(mixture, True)
        factor, power = self._power
        if power == 0:
            return np.zeros_like(gap)
        return factor**2 * power * np.abs(gap) ** (2 * power - 1)

    @cached_property
    def _power(self) -> tuple[float, float] | None:
        """Factor and power, where the stretch is a power of the gap, as that of most links is.

        The graph is then not asked again, which takes longer than a pass over little data.
        """
        ends = np.outer(PROBES, [-0.5, 0.5])
        probes = Mixture(np.array([0.3, 0.7]), ends, np.array([0.8, 1.3]))
        stretch = self._widened(probes, False)
        power = float(
            np.round(np.log(stretch[-1] / stretch[0]) / np.log(PROBES[-1] / PROBES[0]), 9)
        )
        factors = stretch / PROBES**power
        factor = float(np.round(factors[0], 9))
        return (factor, power) if np.all(np.abs(factors - factor) < 1e-12) else None

    def _widened(self, mixture: Mixture, twice: bool) -> Array:
        """First or second derivative of the gap in its coordinate, from the graph.

        At the mirror image of a negative gap, where the coordinates of an ordered gap are.
        """
        assert self.direction is not None
        model, free = self.parameterization, "link" not in self.parameterization.options
        apart = Mixture(mixture.w, np.abs(_gap(mixture))[..., None] * [0.0, 1.0], mixture.sigma)
        values = model.module.coordinates(apart, **model.options)
        at = model.graph.flatten(values, apart.batch_shape)
        at = at if free else model.unconstrain_free(at)
        return model.graph.widening(at, model.prior, self.direction.column, free, twice)


def _gap(mixture: Mixture) -> Array:
    return np.asarray(mixture.mu[..., 1] - mixture.mu[..., 0])


@lru_cache(maxsize=64)
def mean_coordinates(label: str) -> MeanCoordinates:
    """The coordinates of two means of this label: of a model file, or one of `LINKS`.

    Raises
    ------
    ValueError
        If there are none, or they move the means along curves.
    """
    if label in LINKS:
        base, slopes = LINKS[label]
        return MeanCoordinates(label, catalog.parameterization(base, 2), slopes)
    try:
        model = catalog.parameterization(label, 2)
    except ValueError as error:
        raise ValueError(
            f"coordinates must be one of {', '.join(COORDINATES)}, got {label!r}"
        ) from error
    mean_directions(model)
    return MeanCoordinates(label, model)
