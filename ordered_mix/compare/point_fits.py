"""Point estimators of a comparison, from the starts that the chains share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ordered_mix.compare.comparison import Settings
from ordered_mix.estimators.loop.fit import Fit
from ordered_mix.fitted.options import SAMPLERS
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import NotApplicable

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "map": {"": {"jacobian": True}, ", no Jacobian": {"jacobian": False}}
}
"""Variants of a point estimator that are all run, by the note behind their label."""


def point_fits(
    data: Any,
    settings: Settings,
    unordered: Any,
    found: Mapping[str, Any],
    starts: Any,
    progress: Callable[[str], None],
    skipped: dict[str, str],
) -> tuple[dict[str, Fit], dict[str, float]]:
    """Fits by label, and the seconds they took, in any number of dimensions.

    Parameters
    ----------
    data : Data
    settings : Settings
    unordered : Parameterization or MultivariateParameterization
        For estimators that do not depend on coordinates.
    found : mapping of str to Parameterization or MultivariateParameterization
        By the label of each.
    starts : Mixture, batch shape (starts,)
    progress : callable
        Called with each label before its work begins.
    skipped : dict
        Given the reasons of what does not apply.
    """
    jobs: dict[str, Callable[[Any], Fit]] = {}
    for name in (name for name in settings.estimators if name not in SAMPLERS):
        for note, options in VARIANTS.get(name, {"": {}}).items():
            estimator = catalog.estimator(name, **options)
            if not estimator.moves_with_coordinates:
                jobs[f"{name}{note}"] = partial(estimator.fit, unordered, data)
                continue
            for label, item in found.items():
                jobs[f"{name} {label}{note}"] = partial(estimator.fit, item, data)
    fits, seconds = {}, {}
    for label, job in jobs.items():
        progress(label)
        try:
            job(starts[:1])  # reads its graphs, which is not timed
        except NotApplicable as reason:
            skipped[label] = str(reason)
            continue
        begin = time.perf_counter()
        fits[label] = job(starts)
        seconds[label] = time.perf_counter() - begin
    return fits, seconds
