"""Sample one parameterization by hand, as `compare` samples several."""

from __future__ import annotations

from typing import Any

from ordered_mix.compare.compare import check
from ordered_mix.compare.comparison import Settings
from ordered_mix.data import as_data
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior, default_prior


def sample(
    data: Any,
    parameterization: str = "unordered",
    *,
    sampler: str = "nuts",
    prior: Prior | str = "adaptive",
    **changes: Any,
) -> Draws:
    """Draw from the posterior of a Gaussian mixture in the coordinates of one parameterization.

    Parameters
    ----------
    data : Data, str, path or array_like
        One column of numbers, see `data.as_data`: at least 2 K points.
    parameterization : str
        A name that the catalog lists, or the path of a file of your own.
    sampler : {"nuts", "nuts-pymc"}
        NUTS by nutpie or by PyMC.
    prior : Prior or {"adaptive", "fixed", "half-normal"}
        One in the units of the data, or the kind of `default_prior` to take.
    **changes
        `Settings` given by name, e.g. ``components=3`` or ``draws=500``.

    Returns
    -------
    Draws
        Those that `compare` makes with the same settings; ``draws.tree`` is an ArviZ DataTree.

    Raises
    ------
    ValueError
        Before any work, if an argument is wrong.
    NotApplicable
        If the parameterization does not apply, with the reason.
    """
    settings = Settings(parameterizations=(parameterization,), estimators=(sampler,), **changes)
    data = as_data(data)
    check(data, settings)
    prior = prior if isinstance(prior, Prior) else default_prior(data, prior)
    chosen = catalog.parameterization(parameterization, settings.components, prior)
    starts = initial_mixtures(data, settings.components, settings.chains, "random", settings.seed)
    return settings.nuts(sampler).sample(chosen, data, starts, settings.seed)
