"""The practitioner's comparison: which parameterization, which estimator, is the fit sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ordered_mix.compare.comparison import SAMPLERS, Comparison, Sampled, Settings
from ordered_mix.data import Data
from ordered_mix.draws import elpd
from ordered_mix.draws.draws import Draws
from ordered_mix.errors import RunError, SamplingFailed
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.map import MAP
from ordered_mix.estimators.multistart import MultiStart
from ordered_mix.files.results import ResultFolder, digest, file_hash, slug
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior, default_prior

SMALLEST, LARGEST = 1e-140, 1e140


def compare(
    data: Data,
    settings: Settings | None = None,
    *,
    prior: Prior | str = "adaptive",
    folder: ResultFolder | None = None,
    progress: Callable[[str], None] = lambda stage: None,
    **changes: Any,
) -> Comparison:
    """Compare parameterizations and estimators of a Gaussian mixture on one column of numbers.

    Parameters
    ----------
    data : Data
        One unweighted sample of at least 2 K points.
    settings : Settings, optional
        Defaults to two components, three parameterizations, EM, MAP and NUTS.
    prior : Prior or {"adaptive", "fixed", "half-normal"}
        One in the units of the data, or the kind of `default_prior` to take.
    folder : ResultFolder, optional
        An opened folder: finished draws are kept there and taken from there.
    progress : callable
        Called with the name of each stage before it begins.
    **changes
        Settings given by name instead, e.g. ``components=3``.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        Before any work, if the data are weighted, constant or too few, or a setting is wrong.
    RunError
        If no sampler gives draws, or the folder cannot be written.
    """
    settings = settings or Settings(**changes)
    check(data, settings)
    prior = prior if isinstance(prior, Prior) else default_prior(data, prior)
    found, skipped = _parameterizations(settings, prior)
    k = settings.components
    starts = initial_mixtures(data, k, settings.chains, "random", settings.seed)
    progress("EM from many starts")
    optima = MultiStart(k=k, seed=settings.seed).fit(data)
    fits, fit_seconds = _point_fits(data, settings, found, starts, progress)
    sampled: dict[str, Sampled] = {}
    failed: dict[str, str] = {}
    sample = partial(_sample, data, settings, folder=folder, progress=progress, failed=failed)
    for estimator in (name for name in settings.estimators if name in SAMPLERS):
        for parameterization in found:
            if parameterization.obstacle:
                skipped[f"{estimator} {parameterization.label}"] = parameterization.obstacle
                continue
            item = sample(parameterization, estimator, starts)
            if item is not None:
                sampled[item.label] = item
    if not sampled:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in (skipped | failed).items())
        raise RunError(f"no sampler gave draws ({reasons}); what is finished is kept")
    fewer = _fewer(data, settings, prior, sample)
    return Comparison(
        data, settings, prior, starts, optima, fits, fit_seconds, sampled, skipped | failed, fewer,
        tuple(failed),
    )  # fmt: skip


def check(data: Data, settings: Settings) -> None:
    """Raise a ValueError if these data cannot be compared under these settings."""
    if data.weight is not None or data.y.ndim != 1:
        raise ValueError(f"data must be one unweighted sample, {data!r} is not")
    if data.n < 2 * settings.components:
        raise ValueError(
            f"data must hold at least {2 * settings.components} points for "
            f"{settings.components} components, {data.name} holds {data.n}"
        )
    if np.ptp(data.y) == 0:
        raise ValueError(f"data must not be constant, all points of {data.name} are {data.y[0]:g}")
    if not SMALLEST < data.scale < LARGEST:
        raise ValueError(
            f"data must have a standard deviation between {SMALLEST:g} and {LARGEST:g}, that of "
            f"{data.name} is {data.scale:g}: give them in another unit"
        )


def identity(data: Data, settings: Settings, prior: Prior) -> dict[str, Any]:
    """What a result folder's contents are of."""
    chosen = asdict(settings)
    for name in ("cores", "time_limit"):
        del chosen[name]
    files = (catalog.split(label)[0] for label in settings.parameterizations)
    code = {name: file_hash(Path(name)) for name in files if name.endswith(".py")}
    return {"data": data.name, "sha256": digest(data.y), **chosen, "prior": repr(prior)} | (
        {"code": code} if code else {}
    )


def _parameterizations(
    settings: Settings, prior: Prior
) -> tuple[list[Parameterization], dict[str, str]]:
    found, skipped = [], {}
    for name in settings.parameterizations:
        try:
            found.append(catalog.parameterization(name, settings.components, prior))
        except NotApplicable as reason:
            skipped[name] = str(reason)
    if not found:
        raise ValueError(f"parameterizations must apply: {'; '.join(skipped.values())}")
    return found, skipped


def _point_fits(
    data: Data,
    settings: Settings,
    found: Sequence[Parameterization],
    starts: Mixture,
    progress: Callable[[str], None],
) -> tuple[dict[str, Fit], dict[str, float]]:
    jobs: dict[str, Callable[[], Fit]] = {}
    if "em" in settings.estimators:
        jobs["em"] = partial(EM().fit, data, starts)
    if "map" in settings.estimators:
        for item in found:
            for jacobian, note in ((True, ""), (False, ", no Jacobian")):
                fit = MAP(jacobian=jacobian).fit
                jobs[f"map {item.label}{note}"] = partial(fit, item, data, starts)
    fits, seconds = {}, {}
    for label, job in jobs.items():
        progress(label)
        job()
        begin = time.perf_counter()
        fits[label] = job()
        seconds[label] = time.perf_counter() - begin
    return fits, seconds


def _sample(
    data: Data,
    settings: Settings,
    parameterization: Parameterization,
    estimator: str,
    starts: Mixture,
    note: str = "",
    *,
    folder: ResultFolder | None,
    progress: Callable[[str], None],
    failed: dict[str, str],
) -> Sampled | None:
    label = f"{estimator} {parameterization.label}{note}"
    progress(label)
    name = f"draws-{slug(label)}.nc"
    tree = folder.read_tree(name) if folder is not None else None
    draws = Draws(tree) if tree is not None else None
    if draws is None:
        try:
            draws = settings.nuts(estimator).fit(parameterization, data, starts)
        except (ValueError, SamplingFailed) as error:
            failed[label] = str(error)
            return None
        if folder is not None:
            folder.write_tree(name, draws.tree)
    mixture = draws.mixture
    parameters = (mixture.w, mixture.mu, mixture.sigma)
    waic = elpd.waic(elpd.pointwise_log_likelihood(data.y, *parameters))
    loo = elpd.loo(elpd.pointwise_log_likelihood(data.y, *parameters))
    return Sampled(label, estimator, parameterization, draws, waic, loo)


def _fewer(
    data: Data, settings: Settings, prior: Prior, sample: Callable[..., Sampled | None]
) -> Sampled | None:
    k = settings.components - 1
    if k == 0:
        return None
    parameterization = catalog.parameterization("unordered", k, prior)
    starts = initial_mixtures(data, k, settings.chains, "random", settings.seed)
    estimator = next(name for name in settings.estimators if name in SAMPLERS)
    return sample(parameterization, estimator, starts, f", K = {k}")
