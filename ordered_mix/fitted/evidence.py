"""Which number of components the evidence prefers: a row of numbers for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.evidence import Evidence
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.smc import SMC

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.draws.draws import Draws

METHOD = "sequential Monte Carlo"
PARTICLES = 512
MOST_POINTS = 5_000
COLUMNS = ("log_evidence", "log_evidence_se", "probability")


def evidence(
    data: Data, prior: Prior, k: int, seed: int = 1, draws: Draws | None = None
) -> Evidence:
    """Log evidence of the data in their own units, by sequential Monte Carlo from the prior.

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    k : int
        Number of components.
    seed : int
    draws : Draws, optional
        Draws of this posterior: those of particles know the evidence already.

    Returns
    -------
    Evidence
        NaN above 5,000 points, where the particles would take longer than the sampler did.
    """
    if draws is None or "log_evidence" not in draws.tree.attrs:
        if data.n > MOST_POINTS:
            return Evidence(np.nan, np.nan, METHOD)
        model = catalog.parameterization("unordered", k, prior)
        draws = SMC(particles=PARTICLES).sample(model, data, seed=seed)
    attributes = draws.tree.attrs
    found, error = attributes["log_evidence"], attributes["log_evidence_se"]
    return Evidence(float(found), float(error), METHOD)


def with_evidence(table: pd.DataFrame, found: Mapping[int, Evidence]) -> pd.DataFrame:
    """The table, one row for each number of components, with what the evidence says of it.

    Parameters
    ----------
    table : DataFrame
        With the column components.
    found : mapping of int to Evidence
        By the number of components.

    Returns
    -------
    DataFrame
        Further columns: log_evidence, log_evidence_se (its Monte Carlo standard error) and
        probability, that of each number of components among those of the table when all are
        equally probable a priori; NaN unless the evidence of every row is known.
    """
    rows = [found.get(int(k), Evidence(np.nan, np.nan, METHOD)) for k in table["components"]]
    logs = np.array([row.log_evidence for row in rows])
    errors = [row.standard_error for row in rows]
    share = np.exp(logs - logs.max()) if np.isfinite(logs).all() else np.full(len(rows), np.nan)
    values = (logs, errors, share / share.sum())
    return table.assign(**dict(zip(COLUMNS, values, strict=True)))
