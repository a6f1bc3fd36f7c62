"""Which number of components the evidence prefers: a row of numbers for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ordered_mix.data import Data
from ordered_mix.draws.bridge import bridge
from ordered_mix.draws.evidence import Evidence
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.conjugate import check_conjugate
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.smc import SMC

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.draws.draws import Draws

OF_PARTICLES, OF_CHAINS = "sequential Monte Carlo", "bridge sampling"
MOST_POINTS = 5_000
"""Points up to which particles are carried from the prior; their cost is linear in the points."""
CHAINS, TUNE, KEPT = 4, 1000, 1000
MOST_SWEEPS, POINTS_IN_ALL = 10_000, 1_000_000_000
COLUMNS = ("log_evidence", "log_evidence_se", "probability")


class Estimated(NamedTuple):
    """An evidence and the draws that it comes from, None where there are none."""

    evidence: Evidence
    draws: Mixture | None


def evidence(
    data: Data,
    prior: Prior,
    k: int,
    seed: int = 1,
    draws: Draws | None = None,
    begin: Mixture | None = None,
    cores: int = 1,
) -> Evidence:
    """Log evidence of the data in their own units.

    Parameters
    ----------
    data, prior, k, seed, begin, cores
        As in `estimate`.
    draws : Draws, optional
        Draws of this posterior: those of particles know the evidence already.
    """
    if draws is not None and "log_evidence" in draws.tree.attrs:
        return _of_particles(draws)
    return estimate(data, prior, k, seed, begin, cores).evidence


def method_for(data: Data) -> str:
    """How the evidence of these data is estimated."""
    return OF_PARTICLES if data.n <= MOST_POINTS else OF_CHAINS


def estimate(
    data: Data, prior: Prior, k: int, seed: int, begin: Mixture | None, cores: int = 1
) -> Estimated:
    """Log evidence of the data in their own units, and draws of the posterior.

    Up to 5,000 points by sequential Monte Carlo from the prior, which finds every mode. Above, by
    bridge sampling on chains of Gibbs sampling that begin at the maximum of the likelihood and
    know no mode that they do not reach: a pass over many points is dear, and these take a tenth.

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    k : int
        Number of components.
    seed : int
    begin : Mixture, optional
        The maximum of the likelihood; particles need none.
    cores : int
        Islands or chains at the same time; the result does not depend on it.

    Returns
    -------
    Estimated
        The evidence is NaN, and its warning says why, where chains have no maximum to begin at or
        the prior is not conjugate.
    """
    model = catalog.parameterization("unordered", k, prior)
    if method_for(data) == OF_PARTICLES:
        draws = SMC(cores=cores).sample(model, data, seed=seed)
        return Estimated(_of_particles(draws), draws.mixture)
    reason = _not_bridged(model, begin)
    if reason or begin is None:
        return Estimated(Evidence(np.nan, np.nan, OF_CHAINS, reason), None)
    sweeps = max(KEPT, min(MOST_SWEEPS, POINTS_IN_ALL // data.n))
    starts = Mixture.stack([begin] * CHAINS)
    gibbs = Gibbs(draws=sweeps, tune=TUNE, cores=cores)
    kept = gibbs.sample(model, data, starts, seed).mixture[:, :: sweeps // KEPT]
    found = bridge(model, data, kept, seed=seed)
    return Estimated(found._replace(method=OF_CHAINS), kept)


def _not_bridged(model: Parameterization, begin: Mixture | None) -> str:
    """Why chains cannot give the evidence of many points; empty if they can."""
    if begin is None:
        return f"EM has no maximum with K = {model.k} to begin at"
    try:
        check_conjugate(model, f"the evidence of more than {MOST_POINTS:,} points")
    except ValueError as error:
        return str(error)
    return ""


def _of_particles(draws: Draws) -> Evidence:
    found = draws.tree.attrs
    value, error = float(found["log_evidence"]), float(found["log_evidence_se"])
    return Evidence(value, error, OF_PARTICLES)


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
        equally probable a priori, NaN unless the evidence of every row is known; and
        evidence_warning, what to beware of.
    """
    unknown = Evidence(np.nan, np.nan, OF_PARTICLES)
    rows = [found.get(int(k), unknown) for k in table["components"]]
    logs = np.array([row.log_evidence for row in rows])
    errors = [row.standard_error for row in rows]
    share = np.exp(logs - logs.max()) if np.isfinite(logs).all() else np.full(len(rows), np.nan)
    values = (logs, errors, share / share.sum())
    warnings = [row.warning for row in rows]
    return table.assign(**dict(zip(COLUMNS, values, strict=True)), evidence_warning=warnings)
