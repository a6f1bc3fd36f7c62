"""The maximum of the likelihood by EM from many starts, or which value stands in its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.criteria import mixture_learning_coefficients, point_criteria, sbic
from ordered_mix.estimators.em import EM
from ordered_mix.fitted.particular import times
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.mixture import Array, Mixture
from ordered_mix.optima.optima import NoOptimum, Optima, spurious
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import e_step

if TYPE_CHECKING:
    import pandas as pd

BETTER = 1e-3


@dataclass(frozen=True, eq=False)
class Maximum:
    """The interior maximum that EM found, if there is one worth the name.

    Parameters
    ----------
    mixture : Mixture or None
        In increasing order of the means, or of their first coordinate.
    log_likelihood : float
        NaN without a maximum.
    starts, reached, collapsed : int
        Starts of EM, how many reached the maximum, and how many shrank a component onto one value.
    note : str
        Which values stand in the way, with their counts; empty if none does.
    optima : Optima or None
        All ends of the starts.
    """

    mixture: Any
    log_likelihood: float
    starts: int
    reached: int
    collapsed: int
    note: str = ""
    optima: Optima | None = field(default=None, repr=False)


def find_maximum(
    data: Data, k: int, seed: int = 1, restriction: Restriction | None = None
) -> Maximum:
    """Run EM from many starts.

    Parameters
    ----------
    data : Data
        One sample.
    k : int
        Number of components, at most the number of distinct points.
    seed : int
    restriction : Restriction, optional
        What is known or common.
    """
    restriction = restriction or Restriction()
    search = restriction.search(seed, data.n * k)
    model = catalog.parameterization("unordered", k)
    try:
        optima = search.fit(model, data, restriction.starts(search, model, data))
    except NoOptimum as none:
        note = in_the_way(data, none.collapsed)
        return Maximum(None, np.nan, none.starts, 0, none.collapsed.size, note)
    collapsed = optima.collapsed.size
    best = _inside(data, optima, restriction.em())
    if best is None:
        narrow = optima.best.mu[[int(optima.best.sigma.argmin())]]
        note = in_the_way(data, np.append(optima.collapsed, narrow))
        return Maximum(None, np.nan, optima.starts, 0, collapsed, note, optima)
    note = in_the_way(data, optima.collapsed) if 2 * collapsed > optima.starts else ""
    index, mixture, height = best
    hits = int(optima.hits[index])
    return Maximum(mixture, height, optima.starts, hits, collapsed, note, optima)


def _inside(data: Data, optima: Optima, em: EM) -> tuple[int, Mixture, float] | None:
    """The highest end that is neither spurious nor a saddle, and where EM from there converges."""
    good = np.flatnonzero(~optima.spurious & (optima.fit.status != "saddle_point"))
    if not good.size:
        return None
    index = int(good[0])
    mixture, height = optima.fit.mixture[index], float(optima.fit.log_likelihood[index])
    if not optima.fit.converged[index]:
        model = catalog.parameterization("unordered", mixture.k)
        fit = em.fit(model, data, mixture.reshape(1))
        mixture, height = fit.mixture[0], float(fit.log_likelihood[0])
        if fit.status[0] == "variance_collapsed" or spurious(data, mixture):
            return None
    return index, mixture.permute(mixture.order()), height


def judged_by_mode(
    data: Data, found: Maximum, mode: Mixture, restriction: Restriction | None = None
) -> Maximum:
    """The maximum, once the posterior mode is known.

    A local maximum of the likelihood that is lower than the posterior mode is none: then EM goes
    on from the mode, and where it ends is the maximum if it is an interior one.
    """
    height = log_likelihood(data, mode)
    if found.mixture is not None and found.log_likelihood >= height - BETTER:
        return found
    em = (restriction or Restriction()).em()
    fit = em.fit(catalog.parameterization("unordered", mode.k), data, mode.reshape(1))
    inside = bool(fit.converged[0]) and not bool(spurious(data, fit.mixture)[0])
    if inside:
        best = fit.mixture[0]
        return Maximum(
            best.permute(best.order()), float(fit.log_likelihood[0]), found.starts, 0,
            found.collapsed, found.note, found.optima,
        )  # fmt: skip
    narrow = fit.mixture.mu[0][[int(fit.mixture.sigma[0].argmin())]]
    note = found.note or in_the_way(data, narrow)
    return Maximum(None, np.nan, found.starts, 0, found.collapsed, note, found.optima)


def log_likelihood(data: Data, mixture: Mixture) -> float:
    """Log likelihood of one mixture."""
    moments = e_step(data.y, mixture.w, mixture.mu, mixture.sigma, weight=data.weight)
    return float(moments.log_likelihood)


def in_the_way(data: Data, at: Array) -> str:
    """The data values nearest to these, and how often each is there: ``0 (86 of 300)``."""
    if not at.size:
        return ""
    points, place = np.unique(data.y, return_inverse=True)
    counts = np.bincount(place, data.weight).round().astype(int)
    nearest = points[np.abs(points - at[:, None]).argmin(axis=1)]
    common = [value for value, _ in Counter(nearest.tolist()).most_common(2)]
    held = dict(zip(points.tolist(), counts.tolist(), strict=True))
    n = round(float(data.total_weight))
    return " and ".join(f"{value:.10g} ({times(held[value], n)})" for value in sorted(common))


def criteria_by_components(
    data: Data, largest: int, seed: int = 1, restriction: Restriction | None = None
) -> list[tuple[Maximum, dict[str, float]]]:
    """Maxima and criteria for 1 to so many components, the smallest first.

    Returns
    -------
    list of (Maximum, dict)
        The criteria are log_likelihood, bic, icl and sbic on the deviance scale, smaller is
        better; NaN where there is no interior maximum.
    """
    maxima = [find_maximum(data, k, seed, restriction) for k in range(1, largest + 1)]
    heights = np.array([found.log_likelihood for found in maxima])
    singular = np.full(largest, np.nan)
    reach = int(np.argmin(np.append(np.isfinite(heights), False)))
    restriction = restriction or Restriction()
    if reach and restriction.nothing:
        coefficients = mixture_learning_coefficients(reach)
        singular[:reach] = sbic(heights[:reach], int(data.total_weight), coefficients)
    rows = []
    for index, found in enumerate(maxima):
        rows.append(
            (
                found,
                criteria_of(data, found, index + 1, restriction) | {"sbic": float(singular[index])},
            )
        )
    return rows


def criteria_table(
    rows: Sequence[tuple[Maximum, Mapping[str, float]]], first: int = 1
) -> pd.DataFrame:
    """One row for each number of components, from first on; what is in EM's way, beside."""
    import pandas as pd

    return pd.DataFrame(
        {"components": first + index, **criteria, "in_the_way": found.note}
        for index, (found, criteria) in enumerate(rows)
    )


def criteria_of(
    data: Data, found: Maximum, k: int, restriction: Restriction | None = None
) -> dict[str, float]:
    """Log likelihood, BIC and ICL of a maximum; NaN if there is none."""
    if found.mixture is None:
        return dict.fromkeys(("log_likelihood", "bic", "icl"), np.nan)
    parameters = (restriction or Restriction()).parameters(k)
    point = point_criteria(data.y, found.mixture, parameters, data.weight)
    height = found.log_likelihood
    return {"log_likelihood": height, "bic": float(point.bic), "icl": float(point.icl)}
