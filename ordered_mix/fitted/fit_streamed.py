"""The stages of a fit of streamed data: starts on a grid, maxima and modes on all points."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ordered_mix.errors import RunError
from ordered_mix.fitted.maximum import (
    Maximum,
    criteria_by_components,
    criteria_of,
    criteria_table,
    find_maximum,
)
from ordered_mix.fitted.options import SAMPLERS
from ordered_mix.fitted.questions import chosen_components, no_maximum
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.fitted.streamed import FINE, FittedStream
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.stream.binned import Binned, binned
from ordered_mix.stream.stream import Stream

if TYPE_CHECKING:
    from ordered_mix.optima.importance import Importance
    from ordered_mix.prior import Prior

GRIDS, SHRINK, LEAST_SHARE = 4, 0.8, 1 / 16
MOST_PASSES = 100
DRAWS, DRAWS_OF_A_STREAM = 1000, 100


def fit_stream(
    data: Stream,
    components: tuple[int, int],
    settings: dict[str, Any],
    prior: Prior | str,
    mass: float,
    restriction: Restriction,
    progress: Callable[[str], None],
) -> FittedStream:
    """Fit streamed data, as `fit` asks for it once all is checked.

    Raises
    ------
    RunError
        If EM alone was asked and has no maximum to find.
    """
    seed, estimators = settings["seed"], settings["estimators"]
    rows, grid = _explored(data, components, seed, restriction, progress)
    table = criteria_table(rows, components[0])
    k = chosen_components(table)
    found = rows[k - components[0]][0]
    progress(f"EM on all points, K = {k}")
    maximum = _on_all_points(data, found, restriction.search(seed).estimator)
    made = FittedStream(data, k, maximum, table, grid, mass, settings=settings)
    if set(estimators) == {"em"}:
        if maximum.mixture is None:
            raise RunError(f"EM has no maximum to find with K = {k}: {no_maximum(maximum)}")
        return made
    return _bayesian(made, prior, restriction, progress)


def _explored(
    data: Stream,
    components: tuple[int, int],
    seed: int,
    restriction: Restriction,
    progress: Callable[[str], None],
) -> tuple[list[tuple[Maximum, dict[str, float]]], Binned]:
    """Maxima of binned data, on a grid that is fine against their scales if there is one."""
    smallest, largest = components
    width = None
    for _ in range(GRIDS):
        progress("bins")
        grid = binned(data, width)
        progress("EM from many starts on bins")
        if smallest == largest:
            found = find_maximum(grid.data, largest, seed, restriction)
            rows = [(found, criteria_of(grid.data, found, largest, restriction))]
        else:
            every = criteria_by_components(grid.data, largest, seed, restriction)
            rows = every[smallest - 1 :]
        finer = _finer([one for one, _ in rows], grid, first=width is None)
        at_most = width is not None and grid.width > 1.01 * width
        if finer is None or at_most:
            break
        width = finer
    return rows, grid


def _finer(found: list[Maximum], grid: Binned, first: bool) -> float | None:
    """Width of the bins of a grid that is fine enough for these maxima, None if this one is.

    Where starts shrank a component onto one value it may be narrower than a bin: that is looked
    at once.
    """
    fits = [one.optima.fit.mixture for one in found if one.optima is not None]
    bound = max((float(grid.bound(one).max()) for one in fits), default=0.0)
    share = SHRINK * (FINE / bound) ** 0.25 if bound > FINE else 1.0
    if first and any(one.collapsed for one in found):
        share = min(share, LEAST_SHARE)
    return None if share == 1 else grid.width * max(share, LEAST_SHARE)


def _on_all_points(data: Stream, found: Maximum, estimator: Any) -> Maximum:
    """The maximum once EM went on over all points."""
    if found.mixture is None:
        return found
    stop = replace(estimator.stop, passes=MOST_PASSES)
    model = catalog.parameterization("unordered", found.mixture.k)
    fit = replace(estimator, stop=stop).fit(model, data, found.mixture.reshape(1))
    best = fit.mixture[0]
    return replace(
        found, mixture=best.permute(best.order()), log_likelihood=float(fit.log_likelihood[0])
    )


def _bayesian(
    made: FittedStream,
    prior: Prior | str,
    restriction: Restriction,
    progress: Callable[[str], None],
) -> FittedStream:
    from ordered_mix.estimators.loop.initial import initial_mixtures
    from ordered_mix.estimators.map import MAP
    from ordered_mix.fitted.mode import posterior_mode
    from ordered_mix.prior import default_prior

    given, k, grid = made.settings or {}, made.components, made.binned.data
    kind = default_prior(grid, prior) if isinstance(prior, str) else prior
    kind = restriction.of_prior(kind)
    progress(f"posterior mode, K = {k}")
    starts = initial_mixtures(grid, k, given["chains"], "random", given["seed"])
    begin = made.maximum.mixture
    near = posterior_mode(
        grid, kind, starts, None if begin is None else restriction.in_order(begin)
    )
    plain = catalog.parameterization("unordered", k, kind)
    climbed = MAP(jacobian=False, snapshots=2).fit(
        plain, made.data, kind.holding(restriction.in_order(near)).reshape(1)
    )
    mode = climbed.mixture[0]
    made = replace(made, prior=kind, mode=mode.permute(mode.order()))
    progress(f"Laplace's approximation, K = {k}")
    made = replace(made, importance=_weighed(made, climbed.mixture))
    sampler = next((name for name in given["estimators"] if name in SAMPLERS), "")
    return _sampled(made, sampler, restriction, progress) if sampler and fine(made) else made


def fine(made: FittedStream) -> bool:
    """Whether the grid is fine enough at the estimates for its data to be sampled."""
    return float(made.binned.bound(made.estimate)) <= FINE


def _weighed(made: FittedStream, mode: Mixture) -> Importance | None:
    """Laplace's approximation on bins if they are fine, else on all points, with its weights."""
    from ordered_mix.estimators.map import MAP
    from ordered_mix.optima.importance import importance
    from ordered_mix.optima.laplace import laplace

    assert made.prior is not None and made.settings is not None
    chosen = catalog.parameterization(
        made.settings["parameterization"], made.components, made.prior
    )
    on_bins = fine(made)
    data = made.binned.data if on_bins else made.data
    top = MAP(snapshots=2).fit(chosen, data, mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the verdict says so
        found = laplace(chosen, data, top.mixture[0])
    if not found.positive_definite:
        return None
    return importance(found, data, DRAWS if on_bins else DRAWS_OF_A_STREAM, made.settings["seed"])


def _sampled(
    made: FittedStream, sampler: str, restriction: Restriction, progress: Callable[[str], None]
) -> FittedStream:
    """NUTS on the weighted points, from draws of Laplace's approximation."""
    from ordered_mix.fitted.labels import labels_by_what_separates
    from ordered_mix.samplers.nuts import NUTS

    given, data = made.settings or {}, made.binned.data
    assert made.prior is not None
    chosen = catalog.parameterization(given["parameterization"], made.components, made.prior)
    progress(f"{sampler} on weighted points, {chosen.label}, K = {made.components}")
    chains = given["chains"]
    if made.importance is None:
        starts = Mixture.stack([made.estimate] * chains)
    else:
        starts = made.importance.resampled(chains, given["seed"])
    nuts = NUTS(
        draws=given["draws"], tune=given["tune"], sampler=SAMPLERS[sampler],
        target_accept=given["target_accept"], cores=given["cores"],
        time_limit=given["time_limit"],
    )  # fmt: skip
    draws = nuts.sample(chosen, data, made.prior.holding(starts), given["seed"])
    labels = labels_by_what_separates(draws.mixture, data.y, made.prior.exchangeable)
    return replace(made, draws=draws, permutation=labels)
