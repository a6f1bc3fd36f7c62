"""The practitioner's comparison: which parameterization, which estimator, is the fit sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import arviz_stats  # noqa: F401 - early: it walks the stack of imports, which grows deep below
import numpy as np
import pandas as pd

from ordered_mix.compare.compare_points import compare_points
from ordered_mix.compare.comparison import Comparison, Settings
from ordered_mix.compare.drawn import all_sampled, drawn
from ordered_mix.compare.point_fits import point_fits
from ordered_mix.compare.points import ComparisonOfPoints, SettingsOfPoints
from ordered_mix.compare.several import Several, several
from ordered_mix.data import Data, as_data, several_columns
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.files.results import ResultFolder, digest, file_hash
from ordered_mix.fitted.crossing import disagree, particle_sampler
from ordered_mix.fitted.evidence import MOST_POINTS
from ordered_mix.fitted.fit import check_sample, component_range
from ordered_mix.fitted.labels import method_of
from ordered_mix.fitted.maximum import find_maximum, judged_by_mode
from ordered_mix.fitted.mode import posterior_mode
from ordered_mix.fitted.options import SAMPLERS
from ordered_mix.fitted.posterior import Posterior, labels_of, posterior_of
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior, default_prior
from ordered_mix.samplers.moves.sampler import Sampler

SMC, NUMBERS = "smc", "components.parquet"


def compare(
    data: Any,
    settings: Any = None,
    *,
    prior: Any = "adaptive",
    folder: ResultFolder | None = None,
    progress: Callable[[str], None] = lambda stage: None,
    **changes: Any,
) -> Comparison | ComparisonOfPoints:
    """Compare parameterizations and estimators of a Gaussian mixture on numbers or on points.

    Parameters
    ----------
    data : Data, str, path or array_like
        One column of numbers, see `data.as_data`, or several, see `data.as_points`: at
        least 2 K points.
    settings : Settings, optional
        Defaults to two components, three parameterizations, EM, MAP and NUTS; for several columns
        `compare.points.SettingsOfPoints`.
    prior : Prior, MultivariatePrior or {"adaptive", "fixed", "half-normal"}
        One in the units of the data, or the kind of `default_prior` or
        `default_multivariate_prior` to take.
    folder : ResultFolder, optional
        An opened folder: finished draws are kept there and taken from there.
    progress : callable
        Called with the name of each stage before it begins.
    **changes
        Settings given by name instead, e.g. ``components=3``. A range of components, as
        ``"1-6"`` or (1, 6), or ``"auto"``, which is 1 to 6, compares every number first and the
        rest at the most probable one.

    Returns
    -------
    Comparison or ComparisonOfPoints
        The latter for several columns.

    Raises
    ------
    ValueError
        Before any work, if the data are weighted, constant or too few, or a setting is wrong.
    RunError
        If no sampler gives draws, or the folder cannot be written.
    """
    if several_columns(data):
        chosen = settings or asked(kind=SettingsOfPoints, **changes)
        return compare_points(data, chosen, prior=prior, folder=folder, progress=progress)
    data, settings = as_data(data), settings or asked(**changes)
    check(data, settings)
    prior = prior if isinstance(prior, Prior) else default_prior(data, prior)
    numbers = _several(data, settings, prior, progress, folder)
    if numbers is not None:
        settings = replace(settings, components=numbers.best)
    found, skipped = _parameterizations(settings, prior)
    k = settings.components
    starts = initial_mixtures(data, k, settings.chains, "random", settings.seed)
    starts = prior.holding(starts)
    progress("EM from many starts")
    held = Restriction.of(prior, k)
    maximum = find_maximum(data, k, settings.seed, held)
    progress("posterior mode")
    begin = None if maximum.mixture is None else held.in_order(maximum.mixture)
    mode = posterior_mode(data, prior, starts, begin)
    maximum = judged_by_mode(data, maximum, mode, held)
    best = held.in_order(mode if maximum.mixture is None else maximum.mixture)
    unordered = catalog.parameterization("unordered", k, prior)
    named = {one.label: one for one in found}
    fits, fit_seconds = point_fits(data, settings, unordered, named, starts, progress, skipped)
    failed: dict[str, str] = {}
    sample = partial(_sample, data, settings, folder=folder, progress=progress, failed=failed)
    samplers = [name for name in settings.estimators if name in SAMPLERS]

    def one_of(parameterization: Any, estimator: str, _: str) -> Posterior | None:
        return sample(parameterization, estimator, settings.nuts(estimator), starts, best)

    sampled = all_sampled(named, samplers, one_of, skipped, failed)
    fewer_components = _fewer_components(data, settings, prior, sample) if numbers is None else None
    crossing = None
    if any(disagree(item.agreement) for item in sampled.values()):
        crossing = _particles(data, settings, prior, sample, starts, best)
    return Comparison(
        data, settings, prior, starts, maximum, mode, fits, fit_seconds, sampled, skipped | failed,
        fewer_components, tuple(failed), crossing, numbers,
    )  # fmt: skip


def asked(components: Any = 2, kind: Any = Settings, **changes: Any) -> Any:
    """Settings of a kind, in which the number of components may be a range or ``"auto"``.

    Raises
    ------
    ValueError
        If a setting is wrong.
    """
    smallest, largest = component_range(components)
    up_to = None if largest == smallest else largest
    return kind(components=smallest, up_to=up_to, **changes)


def check(data: Data, settings: Settings) -> None:
    """Raise a ValueError if these data cannot be compared under these settings."""
    check_sample(data, settings.components)


def identity(data: Data, settings: Settings, prior: Prior | MultivariatePrior) -> dict[str, Any]:
    """What a result folder's contents are of."""
    chosen = asdict(settings)
    for name in ("cores", "time_limit"):
        del chosen[name]
    files = (catalog.split(label)[0] for label in settings.parameterizations)
    code = {name: file_hash(Path(name)) for name in files if name.endswith(".py")}
    return {"data": data.name, "sha256": digest(data.y), **chosen, "prior": repr(prior)} | (
        {"code": code} if code else {}
    )


def _several(
    data: Data,
    settings: Settings,
    prior: Prior,
    progress: Callable[[str], None],
    folder: ResultFolder | None = None,
) -> Several | None:
    """Several numbers of components, from the folder if an interrupted run left them there."""
    if settings.up_to is None:
        return None
    if folder is not None and NUMBERS in folder:
        return Several(pd.read_parquet(folder.path / NUMBERS), settings.prior_components)
    most = min(settings.up_to, data.n // 2, np.unique(data.y).size)
    found = several(
        data, prior, settings.components, max(settings.components, most), seed=settings.seed,
        prior_components=settings.prior_components, cores=settings.cores, folder=folder,
        progress=progress,
    )  # fmt: skip
    if folder is not None:
        folder.write(NUMBERS, lambda path: found.table.to_parquet(path, index=False))
    return found


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


def _sample(
    data: Data,
    settings: Settings,
    parameterization: Parameterization,
    estimator: str,
    sampler: Sampler,
    starts: Mixture,
    best: Mixture,
    note: str = "",
    *,
    folder: ResultFolder | None,
    progress: Callable[[str], None],
    failed: dict[str, str],
) -> Posterior | None:
    label = f"{estimator} {parameterization.label}{note}"

    def labels(draws: Draws) -> tuple[Permutation, str]:
        return labels_of(draws, parameterization), method_of(draws.mixture)

    found = drawn(
        label, sampler, parameterization, data, starts, best, settings.seed, labels,
        folder=folder, progress=progress, failed=failed,
    )  # fmt: skip
    if found is None:
        return None
    progress(f"WAIC and LOO, {label}")
    return posterior_of(
        found.draws, parameterization, estimator, label, found.permutation, found.restarted
    )


def _particles(
    data: Data,
    settings: Settings,
    prior: Prior,
    sample: Callable[..., Posterior | None],
    starts: Mixture,
    best: Mixture,
    note: str = "",
) -> Posterior | None:
    """Sequential Monte Carlo, unless it would take far longer than chains."""
    if data.n > MOST_POINTS:
        return None
    model = catalog.parameterization("unordered", best.k, prior)
    return sample(model, SMC, particle_sampler(settings.cores), starts, best, note)


def _fewer_components(
    data: Data, settings: Settings, prior: Prior, sample: Callable[..., Posterior | None]
) -> Posterior | None:
    k = settings.components - 1
    if k == 0 or prior.known:
        return None
    parameterization = catalog.parameterization("unordered", k, prior)
    starts = initial_mixtures(data, k, settings.chains, "random", settings.seed)
    estimator = next(name for name in settings.estimators if name in SAMPLERS)
    maximum = find_maximum(data, k, settings.seed, Restriction.of(prior, k)).mixture
    best = posterior_mode(data, prior, starts, maximum) if maximum is None else maximum
    note = f", K = {k}"
    chains = sample(parameterization, estimator, settings.nuts(estimator), starts, best, note)
    if chains is None or not disagree(chains.agreement):
        return chains
    crossing = _particles(data, settings, prior, sample, starts, best, note)
    if crossing is None or crossing.agreement.rhat >= chains.agreement.rhat:
        return chains
    return crossing
