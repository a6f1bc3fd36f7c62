"""How many components: the evidence and the criteria of each number, and what is supported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.components import PRIORS, posterior_components
from ordered_mix.draws.predictive import predictive
from ordered_mix.fitted.evidence import MOST_POINTS, evidence
from ordered_mix.fitted.maximum import criteria_by_components
from ordered_mix.fitted.verdict import GOOD, UNDECIDED, Verdict, listed
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.samplers.smc import SMC

PLAUSIBLE = 0.05
CRITERIA = {"bic": "BIC", "sbic": "sBIC", "icl": "ICL"}
ELPD = {"elpd_loo": "LOO", "elpd_waic": "WAIC"}


@dataclass(frozen=True, eq=False)
class Several:
    """Numbers of components side by side, on the same data under the same prior.

    Attributes
    ----------
    table : DataFrame
        One row for each: components, log_likelihood (the maximum), bic, sbic, icl (smaller is
        better), log_evidence with log_evidence_se, probability with probability_se, elpd_loo and
        elpd_waic with their standard errors. NaN where EM has no maximum, or above 5,000 points
        for what particles give.
    prior_components : str
        Prior over the number of components, of `draws.components.PRIORS`.
    """

    table: pd.DataFrame
    prior_components: str

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest number."""
        return int(self.table["components"].min()), int(self.table["components"].max())

    @property
    def best(self) -> int:
        """The most probable number; of smallest BIC where the evidence is not known."""
        known = self.table["probability"].notna().all()
        values = self.table["probability"] if known else -self.table["bic"]
        row = values.idxmax() if values.notna().any() else 0
        return int(self.table["components"][row])

    @property
    def preferred(self) -> dict[str, int]:
        """The number that each criterion prefers."""
        rows = self.table.set_index("components")
        found = {}
        if rows["probability"].notna().all():
            found["evidence"] = int(rows["probability"].idxmax())
        for names, sign in ((ELPD, 1), (CRITERIA, -1)):
            for name, words in names.items():
                if rows[name].notna().any():
                    found[words] = int((sign * rows[name]).idxmax())
        return found


def several(
    data: Data,
    prior: Prior,
    smallest: int,
    largest: int,
    *,
    seed: int = 1,
    prior_components: str = "uniform",
    progress: Callable[[str], None] = lambda stage: None,
) -> Several:
    """Fit every number of components by EM, and by sequential Monte Carlo from the prior.

    Particles give the evidence, and from the same draws LOO and WAIC.

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    smallest, largest : int
    seed : int
    prior_components : {"uniform", "poisson", "beta_negative_binomial"}
        Prior over the number of components.
    progress : callable
        Called with the name of each stage before it begins.
    """
    progress(f"EM from many starts, K = 1 to {largest}")
    points = [row for _, row in criteria_by_components(data, largest, seed)][smallest - 1 :]
    table = pd.DataFrame({"components": range(smallest, largest + 1)}).join(pd.DataFrame(points))
    if data.n > MOST_POINTS:
        names = ("log_evidence", "probability", *ELPD)
        columns = [column for name in names for column in (name, f"{name}_se")]
        return Several(table.assign(**dict.fromkeys(columns, np.nan)), prior_components)
    rows, evidences = [], {}
    for k in table["components"].tolist():
        progress(f"sequential Monte Carlo, K = {k}")
        model = catalog.parameterization("unordered", k, prior)
        draws = SMC().sample(model, data, seed=seed)
        evidences[k] = evidence(data, prior, k, seed, draws)
        rows.append(_predictive(data, draws))
    table = table.join(pd.DataFrame(rows))
    posterior = posterior_components(evidences, prior_components)
    table = table.assign(
        log_evidence=posterior["log_evidence"],
        log_evidence_se=posterior["standard_error"],
        probability=posterior["posterior"],
        probability_se=posterior["posterior_error"],
    )
    return Several(table, prior_components)


def _predictive(data: Data, draws: Any) -> dict[str, float]:
    found = predictive(data.y, draws.mixture)
    return {
        "elpd_loo": float(found.loo.elpd),
        "elpd_loo_se": float(found.loo.se),
        "elpd_waic": float(found.waic.elpd),
        "elpd_waic_se": float(found.waic.se),
    }


def check_prior_components(name: str) -> None:
    """Raise a ValueError if there is no such prior over the number of components."""
    if name not in PRIORS:
        raise ValueError(f"prior_components must be one of {', '.join(PRIORS)}, got {name!r}")


def how_many(found: Several) -> Verdict:
    """What is supported, and what is not."""
    low, high = found.range
    preferred = found.preferred
    best, question = found.best, "How many components?"
    told = ", ".join(f"{name} {k}" for name, k in preferred.items())
    reason = f"Preferred among K = {low} to {high}: {told}."
    values: dict[str, Any] = {"preferred": preferred, "chosen": best}
    agree = len(set(preferred.values())) == 1
    if "evidence" not in preferred:
        reason += f" Above {MOST_POINTS:,} points the evidence is not computed."
        answer = f"{best}, by BIC{'' if agree else '; the criteria differ'}."
        return Verdict("components", UNDECIDED, question, answer, reason, "", values)
    rows = found.table.set_index("components")
    share = rows["probability"].sort_values(ascending=False)
    plausible = [int(k) for k, value in share.items() if value >= PLAUSIBLE]
    errors = rows["log_evidence_se"]
    given = ", ".join(f"{value:.1%} for K = {k}" for k, value in share.items() if value >= 0.001)
    reason = (
        f"Probability {given}, by evidence under a {found.prior_components.replace('_', ' ')} "
        f"prior over K (standard errors of the log evidence up to {errors.max():.2f}). {reason}"
    )
    if high in plausible and len(rows) > 1:
        reason += f" K = {high} is the largest looked at: more may be supported, too."
    values |= {"probability": {int(k): float(v) for k, v in share.items()}}
    if len(plausible) == 1:
        rest = 1 - float(share.iloc[0])
        answer = f"{best}; all others together have a probability of {rest:.1%}."
        clause = f"{best} component{'' if best == 1 else 's'} supported by the evidence"
        status = GOOD if agree else UNDECIDED
        return Verdict("components", status, question, answer, reason, clause, values)
    names = listed([str(k) for k in sorted(plausible)])
    answer = f"The data do not decide between {names}; {best} is the most probable."
    clause = f"the data do not decide between {names} components"
    return Verdict("components", UNDECIDED, question, answer, reason, clause, values)
