"""Compare parameterizations and estimators on points in several dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ordered_mix.compare.axes import check_axis
from ordered_mix.compare.drawn import all_sampled, drawn
from ordered_mix.compare.point_fits import point_fits
from ordered_mix.compare.points import ComparisonOfPoints, SettingsOfPoints, parameterizations
from ordered_mix.compare.several import Several, with_probability
from ordered_mix.data import Data, as_points
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.files.results import ResultFolder
from ordered_mix.fitted.crossing import disagree, particle_sampler
from ordered_mix.fitted.evidence import MOST_POINTS
from ordered_mix.fitted.mode import mode_of_points
from ordered_mix.fitted.points_numbers import STARTS, maximum_of_points, numbers_of_points
from ordered_mix.fitted.points_starts import initial_points
from ordered_mix.fitted.posterior_points import (
    PosteriorOfPoints,
    labels_of_points,
    posterior_of_points,
)
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior, default_multivariate_prior
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.multivariate import MultivariateParameterization
from ordered_mix.samplers.moves.sampler import Sampler

Progress = Callable[[str], None]


def compare_points(
    data: Any,
    settings: SettingsOfPoints,
    *,
    prior: MultivariatePrior | str = "adaptive",
    folder: ResultFolder | None = None,
    progress: Progress = lambda stage: None,
) -> ComparisonOfPoints:
    """What `compare.compare` does with several columns.

    Parameters
    ----------
    data : Data, str, path or array_like
        What `data.as_points` takes.
    settings : SettingsOfPoints
    prior : MultivariatePrior or {"adaptive", "fixed"}
        One in the units of the data, or the kind of `default_multivariate_prior` to take.
    folder : ResultFolder, optional
        An opened folder: finished draws are kept there and taken from there.
    progress : callable
        Called with the name of each stage before it begins.

    Raises
    ------
    ValueError
        Before any work, if the data or a setting are not accepted.
    RunError
        If no sampler gives draws, or the folder cannot be written.
    """
    data = as_points(data)
    check_points(data, settings)
    if not isinstance(prior, MultivariatePrior):
        prior = default_multivariate_prior(data, prior, covariance=settings.covariance)
    several = _several(data, settings, prior, progress)
    if several is not None:
        settings = replace(settings, components=several.best)
    k = settings.components
    progress("EM from many starts")
    begun = initial_points(data, k, STARTS + settings.chains, settings.seed)
    unordered = catalog.parameterization("unordered", k, prior)
    maximum = maximum_of_points(data, begun[:STARTS], unordered)
    starts, best = begun[STARTS:], maximum.mixture
    found, skipped = parameterizations(data, settings, prior, best)
    fits, seconds = point_fits(data, settings, unordered, found, starts, progress, skipped)
    failed: dict[str, str] = {}
    sample = partial(_sample, data, settings, folder=folder, progress=progress, failed=failed)

    def one_of(parameterization: Any, estimator: str, spelled: str) -> PosteriorOfPoints | None:
        return sample(settings.nuts(estimator), estimator, parameterization, spelled, starts, best)

    sampled = all_sampled(found, ["nuts"], one_of, skipped, failed)
    fewer = None
    if k > 1 and several is None:
        begun = initial_points(data, k - 1, STARTS + settings.chains, settings.seed)
        model = catalog.parameterization("unordered", k - 1, prior)
        less = maximum_of_points(data, begun[:STARTS], model).mixture
        fewer = sample(
            settings.nuts("nuts"), "nuts", model, "unordered", begun[STARTS:], less,
            f", K = {k - 1}",
        )  # fmt: skip
    progress("posterior mode")
    mode = mode_of_points(data, prior, starts, best)
    particles = None
    if data.n <= MOST_POINTS and any(disagree(item.agreement) for item in sampled.values()):
        sampler = particle_sampler(settings.cores)
        particles = sample(sampler, "smc", unordered, "unordered", starts, best)
    directions = {spelled: one.direction for spelled, one in found.items()}
    return ComparisonOfPoints(
        data, settings, prior, starts, maximum, mode, directions, fits, seconds, sampled,
        skipped | failed, fewer, tuple(failed), several, particles,
    )  # fmt: skip


def check_points(data: Data, settings: SettingsOfPoints) -> None:
    """Raise a ValueError if these points cannot be compared under these settings."""
    if data.y.ndim != 2 or data.weight is not None:
        raise ValueError(f"data must be one unweighted sample to compare, got {data!r}")
    for label in settings.parameterizations:
        check_axis(catalog.split(label)[1].get("axis", settings.axis), data)
    most = settings.up_to or settings.components
    if 2 * most > data.n:
        raise ValueError(
            f"components must be at most {data.n // 2}, half the points of {data.name}, got {most}"
        )


def _several(
    data: Data, settings: SettingsOfPoints, prior: MultivariatePrior, progress: Progress
) -> Several | None:
    if settings.up_to is None:
        return None
    table, _ = numbers_of_points(
        data, prior, settings.components, settings.up_to, seed=settings.seed,
        cores=settings.cores, progress=progress,
    )  # fmt: skip
    kind = settings.prior_components
    return Several(with_probability(table, kind), kind)


def _sample(
    data: Data,
    settings: SettingsOfPoints,
    sampler: Sampler,
    estimator: str,
    parameterization: MultivariateParameterization,
    spelled: str,
    starts: Mixture,
    best: Mixture,
    note: str = "",
    *,
    folder: ResultFolder | None,
    progress: Progress,
    failed: dict[str, str],
) -> PosteriorOfPoints | None:
    def labels(draws: Draws) -> tuple[Permutation, str]:
        return labels_of_points(data, draws.mixture, best), "Stephens"

    found = drawn(
        f"{estimator} {spelled}{note}", sampler, parameterization, data, starts, best,
        settings.seed, labels, folder=folder, progress=progress, failed=failed,
    )  # fmt: skip
    if found is None:
        return None
    return posterior_of_points(
        found.draws, data, parameterization, estimator, spelled, found.permutation, note,
        found.restarted,
    )  # fmt: skip
